"""ALDK's discriminators: their published sizes, what they give, and the penalty on their gradient in closed form."""

import numpy as np
import pytest
import torch
from torch import nn

from methods.blocks.cascades.discriminator import build_discriminator, gradient_penalty
from methods.blocks.cost import count_macs, count_parameters
from methods.blocks.initial import create

SHAPE = (16, 16, 32)


def test_discriminator_sizes_are_the_published_ones():
    for design, output, parameters, gmac in (
        ("paper_text", "mean_sigmoid", 2_788_848, 2.8186),
        ("released", "logit", 5_462_881, 5.5050),
    ):
        with torch.device("meta"):
            critic, u = build_discriminator(design, output), torch.empty(1, 3, 128, 128, 128)
            assert count_parameters(critic) == parameters
            assert count_macs(lambda critic=critic, u=u: critic(u)) / 1e9 == pytest.approx(gmac, rel=1e-4)


def test_a_mean_of_sigmoids_lies_between_zero_and_one():
    u = torch.randn(2, 3, *SHAPE, generator=torch.Generator().manual_seed(0)) * 5
    seen = {}
    for output in ("mean_sigmoid", "mean_linear"):
        critic = create(lambda output=output: build_discriminator("paper_text", output, 4), seed=0, device="cpu")
        seen[output] = critic(u)
        assert seen[output].shape == (2,)
    assert ((seen["mean_sigmoid"] > 0) & (seen["mean_sigmoid"] < 1)).all()
    assert not torch.allclose(seen["mean_sigmoid"], seen["mean_linear"])


@pytest.mark.parametrize(("output", "moves"), [("mean_sigmoid", True), ("mean_linear", False), ("logit", False)])
def test_the_penalty_depends_on_the_displacement_through_sigmoids_alone(output, moves):
    """Elsewhere D is piecewise linear, its gradient constant around every displacement."""
    design = "released" if output == "logit" else "paper_text"
    critic = create(lambda: build_discriminator(design, output, 4), seed=0, device="cpu").double()
    u = torch.randn(2, 3, *SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    [slope] = torch.autograd.grad(gradient_penalty(critic, u), u, materialize_grads=True)
    assert (slope.abs().max().item() > 0) == moves


class Linear(nn.Module):
    """``D(u) = <w, u>``: its gradient is w everywhere."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, displacement):
        return (self.weight * displacement).flatten(1).sum(1)


def test_gradient_penalty_of_a_linear_discriminator_is_its_closed_form():
    weight = torch.from_numpy(np.random.default_rng(0).normal(size=(3, 4, 5, 6)))
    critic, u = Linear(weight), torch.rand(2, 3, 4, 5, 6, dtype=torch.float64)
    norms = weight.flatten(1).norm(dim=1)
    torch.testing.assert_close(gradient_penalty(critic, u), (norms.norm() - 1) ** 2)
    torch.testing.assert_close(gradient_penalty(critic, u, per_channel=True), ((norms - 1) ** 2).mean())
    [slope] = torch.autograd.grad(gradient_penalty(critic, u), critic.weight)
    torch.testing.assert_close(slope, 2 * (norms.norm() - 1) * weight / norms.norm())


def test_gradient_penalty_leaves_its_argument_as_it_was():
    critic, u = Linear(torch.rand(3, *SHAPE)), torch.rand(2, 3, *SHAPE)
    gradient_penalty(critic, u).backward()
    assert not u.requires_grad
    assert u.grad is None
