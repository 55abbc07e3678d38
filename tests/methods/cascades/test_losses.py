"""The training losses against closed forms, finite differences and the judge's own composition."""

import numpy as np
import pytest
import torch

from datasets import geometry
from methods.blocks import spatial
from methods.blocks.cascades import losses
from methods.blocks.cascades.cascade import Affine, Registration, Stage
from tests.composition import compose

SHAPE = (5, 7, 9)


def random(*shape, seed=0, dtype=torch.float32):
    return torch.from_numpy(np.random.default_rng(seed).random(shape)).to(dtype)


def displacement(seed=0, dtype=torch.float32, shape=SHAPE):
    return (random(2, 3, *shape, seed=seed, dtype=dtype) * 2 - 1) * 1.5


def constant(*vectors):
    return torch.tensor(vectors, dtype=torch.float64)[:, :, None, None, None].expand(-1, -1, *SHAPE)


def test_correlation_loss_is_one_minus_pearson():
    a, b = random(2, 1, *SHAPE), random(2, 1, *SHAPE, seed=1) + 0.5 * random(2, 1, *SHAPE)
    expected = np.mean([1 - np.corrcoef(a[n].ravel(), b[n].ravel())[0, 1] for n in range(2)])
    assert losses.correlation_loss(a, b).item() == pytest.approx(expected, abs=1e-4)  # the epsilon on the variances
    assert losses.correlation_loss(a, 3 * a + 2).item() == pytest.approx(0, abs=1e-4)
    assert losses.correlation_loss(a, torch.zeros_like(a)).item() == 1


def test_regularisation_of_a_linear_field_is_its_closed_form():
    d, h, w = SHAPE
    u = spatial.affine_displacement(torch.diag(torch.tensor([1.0, 2.0, 3.0]))[None], torch.zeros(1, 3), SHAPE)
    expected = 0.5 * (1 * (d - 1) * h * w + 4 * d * (h - 1) * w + 9 * d * h * (w - 1)) / (3 * d * h * w)
    assert losses.regularisation_loss(u.expand(2, -1, -1, -1, -1)).item() == pytest.approx(expected)


def test_gradients_of_the_regularisation_are_those_of_finite_differences_in_either_layout():
    u = displacement(dtype=torch.float64, shape=(3, 4, 5))
    last = u.contiguous(memory_format=torch.channels_last_3d)
    for each in (u, last):
        torch.autograd.gradcheck(losses.regularisation_loss, each.clone().requires_grad_())
    plain = sum(0.5 * u.diff(dim=axis).square().sum() for axis in (2, 3, 4)) / u.numel()
    torch.testing.assert_close(losses.regularisation_loss(last), plain)


def test_affine_losses_are_their_closed_forms_in_the_singular_values():
    w = (random(2, 3, 3, dtype=torch.float64) - 0.5) * 0.6
    linear = torch.eye(3) + w
    torch.testing.assert_close(losses.determinant_loss(w), (0.5 * (torch.linalg.det(linear) - 1) ** 2).mean())
    squared = torch.linalg.svdvals(linear) ** 2
    expected = (squared + 1 / squared).sum(1).mean() - 6
    assert losses.orthogonality_loss(w).item() == pytest.approx(expected.item(), abs=1e-3)
    turn = torch.linalg.matrix_exp(torch.tensor([[0, 1.0, -2], [-1, 0, 0.5], [2, -0.5, 0]], dtype=torch.float64))
    assert losses.orthogonality_loss((turn - torch.eye(3))[None]).item() == pytest.approx(0, abs=1e-8)
    assert losses.orthogonality_loss(torch.zeros(1, 3, 3, dtype=torch.float64)).item() == pytest.approx(0, abs=1e-9)


def test_round_trips_of_translations_are_their_sums():
    there, none = constant((0.3, -1.2, 2.6), (1.0, 0.0, -0.5)), constant((0, 0, 0), (0, 0, 0))
    assert losses.invertibility_loss(there, -there).item() == pytest.approx(0, abs=1e-12)
    squares = (0.3**2 + 1.2**2 + 2.6**2 + 1 + 0.5**2) / 2  # the mean over the batch
    assert losses.invertibility_loss(there, none).item() == pytest.approx(2 * squares)
    assert losses.invertibility_loss(none, there).item() == pytest.approx(2 * squares)
    assert losses.invertibility_loss(there, there).item() == pytest.approx(2 * 4 * squares)


def test_a_quarter_turn_and_its_inverse_cancel():
    """On a grid with two equal axes a quarter turn maps voxels to voxels, so that no border is in the way."""
    turn = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]], dtype=torch.float64)
    there, back = (
        spatial.affine_displacement((matrix - torch.eye(3))[None], torch.zeros(1, 3).double(), (5, 5, 8))
        for matrix in (turn, turn.T)
    )
    assert losses.invertibility_loss(there, back).item() == pytest.approx(0, abs=1e-12)
    assert losses.invertibility_loss(there, there).item() > 10  # a half turn, twice


def stretch(*moves):
    """Each axis onto itself, affine from its first voxel to a bend and on to its last: ``(last, bend, to)`` an axis."""
    axes = [np.interp(np.arange(last + 1), [0, bend, last], [0, to, last]) for last, bend, to in moves]
    places = np.stack(np.meshgrid(*axes, indexing="ij"))
    return torch.from_numpy(places - geometry.identity_grid(places.shape[1:]))[None]


def test_a_stretch_and_its_inverse_cancel_between_the_voxels():
    """Trilinear interpolation is exact for what is affine between bends that lie on voxels."""
    there, back = stretch((4, 1, 3), (6, 2, 4), (8, 2, 5)), stretch((4, 3, 1), (6, 4, 2), (8, 5, 2))
    assert losses.invertibility_loss(there, back).item() == pytest.approx(0, abs=1e-12)
    assert losses.invertibility_loss(there, -there).item() > 0.1  # though the two sum to zero


def test_both_round_trips_are_those_of_the_judge():
    there, back = displacement(1, torch.float64), displacement(2, torch.float64)
    trips = [
        compose(first[n].numpy(), then[n].numpy()) for n in range(2) for first, then in ((back, there), (there, back))
    ]
    expected = 2 * np.mean([(trip**2).sum(0).mean() for trip in trips])
    assert losses.invertibility_loss(there, back).item() == pytest.approx(expected, rel=1e-5)


def test_gradients_of_the_losses_are_those_of_finite_differences():
    a, b = random(2, 1, 3, 4, 5, dtype=torch.float64), random(2, 1, 3, 4, 5, seed=1, dtype=torch.float64)
    u = displacement(dtype=torch.float64, shape=(3, 4, 5)).requires_grad_()
    w = (random(2, 3, 3, dtype=torch.float64) * 0.3).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: losses.correlation_loss(a, x), b.requires_grad_())
    assert torch.autograd.gradcheck(losses.regularisation_loss, u)
    assert torch.autograd.gradcheck(losses.determinant_loss, w)
    assert torch.autograd.gradcheck(losses.orthogonality_loss, w)


def test_gradients_of_the_round_trips_are_those_of_finite_differences():
    there, back = (
        (random(1, 3, 3, 4, 5, seed=seed, dtype=torch.float64) * 0.8 + 0.1).requires_grad_() for seed in (1, 2)
    )  # off the kinks at integers
    assert torch.autograd.gradcheck(losses.invertibility_loss, (there, back))
    slopes = torch.autograd.grad(losses.invertibility_loss(there, back), (there, back))
    assert all(slope.abs().max() > 0.01 for slope in slopes)


def test_losses_of_a_cascade_are_the_weighted_sum_of_its_stages():
    matrix = (random(2, 3, 3, seed=5) - 0.5) * 0.2
    owns = [Affine(matrix, random(2, 3, seed=6)), displacement(1), displacement(2)]
    stages = [Stage(own, displacement(3), random(2, 1, *SHAPE, seed=n)) for n, own in enumerate(owns)]
    result, fixed = Registration(tuple(stages)), random(2, 1, *SHAPE, seed=8)
    last = losses.cascade_losses(result, fixed, losses.Weights(regularisation=2.0))
    smooth = [losses.regularisation_loss(own) for own in owns[1:]]
    torch.testing.assert_close(last["regularisation"], 2 * sum(smooth))
    torch.testing.assert_close(last["similarity"], losses.correlation_loss(fixed, stages[-1].warped))
    torch.testing.assert_close(last["determinant"], 0.1 * losses.determinant_loss(matrix))
    torch.testing.assert_close(last["orthogonality"], 0.1 * losses.orthogonality_loss(matrix))
    torch.testing.assert_close(last["total"], sum(term for name, term in last.items() if name != "total"))
    every = losses.cascade_losses(result, fixed, losses.Weights(stages="all"))["similarity"]
    torch.testing.assert_close(every, sum(losses.correlation_loss(fixed, stage.warped) for stage in stages))
