"""ALDK: who learns from whom under each reading, the penalty's closed form, and a resumed training."""

import json
from typing import get_args

import numpy as np
import pytest
import torch
from torch import nn

from datasets.case import Pair, Writer, open_dataset
from methods import recursive
from methods.blocks import training
from methods.blocks.composition import build, check
from methods.blocks.cost import count_macs, count_parameters
from methods.blocks.discriminator import build_discriminator, gradient_penalty
from methods.blocks.distillation import Aldk, Distillation, Objective
from methods.blocks.losses import Weights, cascade_losses
from methods.blocks.padding import create
from methods.blocks.training import Batch

SHAPE = (16, 16, 32)
OBJECTIVES = get_args(Objective)
LEARNING = ("eq7_minimax", "eq7_cooperative", "wgan_gp")


def network(seed, **params):
    full = {"base": "ldr", "stem": "none", "cascades": 1, "channels": 4, "scale": None, **params}
    return create(lambda: build(**check(**full)), seed=seed, device="cpu")


def batch(iteration=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    fixed, moving, plain = torch.rand(3, 2, 1, *SHAPE, generator=generator)
    return Batch(iteration, (Pair("a", "b"),) * 2, fixed, moving, plain, generator)


def losses(result, images):
    return cascade_losses(result, images.fixed, Weights())


def distillation(**options):
    """A student beside a discriminator, under a teacher whose displacement is not small."""
    aldk = Aldk(**{"disc_channels": 4, **options})
    student, teacher = network(1), network(2)
    with torch.no_grad():
        teacher.stems[0].displacement.weight.mul_(1e5)
    critic = create(lambda: build_discriminator(aldk.disc, aldk.disc_output, 4), seed=3, device="cpu")
    optimisers = {
        "model": torch.optim.Adam(student.parameters(), lr=1e-3),
        "discriminator": torch.optim.Adam(critic.parameters(), lr=1e-3),
    }
    return Distillation(aldk, 100, student, teacher.requires_grad_(False), critic, optimisers, losses)


def state(module):
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def changed(module, before):
    return [name for name, tensor in module.state_dict().items() if not torch.equal(tensor, before[name])]


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_adversarial_term_moves_the_student_unless_released(objective):
    """With gamma 0 the adversarial term is all that the student sees."""
    under = distillation(objective=objective, gamma=0.0)
    under.step(batch())
    gradients = [parameter.grad.abs().max().item() for parameter in under.student.parameters()]
    if objective == "released_noop":
        assert max(gradients) == 0
    else:
        assert max(gradients) > 0
        assert np.isfinite(gradients).all()


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_only_student_and_learning_discriminator_change(objective):
    under = distillation(objective=objective)
    teacher, critic = state(under.teacher), state(under.discriminator)
    terms = under.step(batch())
    assert not changed(under.teacher, teacher)
    assert bool(changed(under.discriminator, critic)) == (objective in LEARNING)
    assert ("penalty" in terms) == (objective in LEARNING)
    assert "adversarial" in terms
    assert all(parameter.requires_grad for parameter in under.discriminator.parameters())


def gap(under, images):
    with torch.no_grad():
        student = under.student(images.fixed, images.moving).displacement
        teacher = under.teacher(images.fixed, images.moving).displacement
        return (under.discriminator(student) - under.discriminator(teacher)).mean().item()


@pytest.mark.parametrize(("objective", "grows"), [("eq7_minimax", True), ("eq7_cooperative", False)])
def test_the_discriminator_widens_or_closes_the_gap(objective, grows):
    under = distillation(objective=objective, gamma=1.0, gp_weight=0.0, disc_output="mean_linear")
    under.optimisers["model"].param_groups[0]["lr"] = 0.0
    before = gap(under, batch()) ** 2
    for _ in range(10):
        under.step(batch())
    assert (gap(under, batch()) ** 2 > 1.05 * before) if grows else (gap(under, batch()) ** 2 < 0.95 * before)


def test_a_wasserstein_critic_scores_the_teacher_above_the_student():
    under = distillation(objective="wgan_gp", gamma=1.0, gp_weight=0.0, disc_output="mean_linear")
    under.optimisers["model"].param_groups[0]["lr"] = 0.0
    before = gap(under, batch())
    for _ in range(10):
        under.step(batch())
    assert gap(under, batch()) < before


def test_plain_steps_are_those_of_training_without_a_teacher():
    under, alone = distillation(), network(1)
    optimiser = torch.optim.Adam(alone.parameters(), lr=1e-3)
    step = training.descend(alone, optimiser, lambda images: losses(alone(images.fixed, images.moving), images))
    for iteration in range(3):
        assert under.step(batch(iteration, seed=iteration)).keys() == step(batch(iteration, seed=iteration)).keys()
    assert not changed(under.student, state(alone))
    under.step(batch(3)), step(batch(3))
    assert changed(under.student, state(alone))


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("alg1_3to1", [3, 7, 11]),
        ("every_step", list(range(12))),
        ("released_2to1_first8000", [2, 5]),
    ],
)
def test_schedules(schedule, expected):
    aldk = Aldk(schedule=schedule)
    assert [i for i in range(12) if aldk.is_adversarial(i, 100)] == expected
    assert not Aldk(schedule="released_2to1_first8000").is_adversarial(8000, 100_000)
    assert Aldk(schedule="released_2to1_first8000").is_adversarial(7997, 100_000)


def test_presets_hold_the_papers_numbers_and_give_way_to_what_is_said():
    ct, mri, released = (Aldk(preset=name) for name in ("paper_ct", "paper_mri", "released"))
    assert (ct.gamma, ct.beta, ct.gp_weight) == (0.5, 0.1, 1.0)
    assert (mri.gamma, mri.beta, mri.gp_weight) == (0.3, 0.05, 0.9)
    assert (released.gamma, released.beta, released.gp_weight) == (0.3, 0.1, 0.1)
    assert (released.objective, released.disc, released.disc_output) == ("released_noop", "released", "logit")
    assert Aldk(preset="released", objective="wgan_gp", gamma=0.0).gamma == 0.0
    with pytest.raises(ValueError, match="preset must be one of paper_ct, paper_mri, released, got 'paper'"):
        Aldk(preset="paper")
    with pytest.raises(ValueError, match=r"gamma must lie in \[0, 1\], got 2"):
        Aldk(gamma=2.0)
    with pytest.raises(ValueError, match="'released' does not go with disc_output 'mean_sigmoid'"):
        build_discriminator("released", "mean_sigmoid")


def test_the_teacher_sees_the_augmented_image_unless_told_otherwise():
    for augmented in (True, False):
        under, images, seen = distillation(teacher_on_augmented=augmented), batch(), []
        under.teacher.register_forward_pre_hook(lambda _, args, seen=seen: seen.append(args))
        under.step(images)
        [(fixed, moving)] = seen
        assert torch.equal(fixed, images.fixed)
        assert torch.equal(moving, images.moving if augmented else images.plain)


def test_gamma_scales_all_or_the_similarity_alone():
    images = batch()
    for scaled, share in (("all", 0.3), ("rec", 1.0)):
        under = distillation(objective="released_noop", gamma=0.3, gamma_scales=scaled)
        terms = losses(under.student(images.fixed, images.moving), images)
        expected = 0.3 * terms["similarity"] + share * terms["regularisation"]
        torch.testing.assert_close(under._share(terms), expected)


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


def test_the_penalty_reaches_the_student_only_when_asked():
    images = batch()
    for wanted in (False, True):
        # The gap does not depend on the student where D is blind to it: only the penalty can move it.
        under = distillation(gp_grad_to_student=wanted, gamma=0.0)
        result = under.student(images.fixed, images.moving).displacement
        taught = result.detach() + 1
        plain = distillation(gamma=0.0)._adversarial(result, taught, images.generator)
        term = under._adversarial(result, taught, images.generator)
        assert (abs(term.item() - plain.item()) > 1e-6) == wanted
        assert term.requires_grad


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


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    writer = Writer(folder)
    for case in ("a", "b", "c"):
        writer.image(case, rng.random((16, 14, 30), dtype=np.float32), np.eye(4))
    writer.finish({"name": "noise", "training": {"cases": ["a", "b", "c"]}, "test": []})
    return open_dataset(folder)


@pytest.fixture(scope="module")
def teacher(data, tmp_path_factory):
    options = {"channels": 2, "scale": 0.5, "iterations": 2, "batch": 2, "learning_rate": 1e-3}
    return recursive.train(data, tmp_path_factory.mktemp("teacher"), device="cpu", seed=0, **options)


SMALL = {"base": "ldr", "stem": "dense", "channels": 2, "iterations": 9, "batch": 2, "learning_rate": 1e-2}


def train(data, folder, teacher, **options):
    aldk = Aldk(**{"disc_channels": 2, "gp_input": "random_mix", **options})
    common = {"device": "cpu", "seed": 0, "teacher": teacher, "aldk": aldk, "checkpoint_every": 2}
    return recursive.train(data, folder, **common, **SMALL)


@pytest.mark.parametrize("at", [3, 6])
def test_an_interrupted_student_continues_bit_for_bit(data, teacher, tmp_path, monkeypatch, at):
    whole = train(data, tmp_path / "whole", teacher).read_bytes()
    iterate = training._iterate

    def broken(learner, sampler, iteration):
        row = iterate(learner, sampler, iteration)
        if iteration == at:
            raise KeyboardInterrupt
        return row

    with monkeypatch.context() as patch:
        patch.setattr(training, "_iterate", broken)
        with pytest.raises(KeyboardInterrupt):
            train(data, tmp_path / "cut", teacher)
    assert train(data, tmp_path / "cut", teacher).read_bytes() == whole
    rows = [json.loads(line) for line in (tmp_path / "cut" / "curve.jsonl").read_text().splitlines()]
    assert [row["iteration"] for row in rows if "adversarial" in row] == [3, 7]


def test_the_student_depends_on_objective_and_teacher(data, teacher, tmp_path):
    paths = [train(data, tmp_path / name, teacher, objective=name) for name in ("eq7_minimax", "flow_l2")]
    assert paths[0].read_bytes() != paths[1].read_bytes()
    with pytest.raises(ValueError, match="aldk and a teacher go together"):
        recursive.train(data, tmp_path / "x", device="cpu", seed=0, teacher=teacher, **SMALL)


def test_a_checkpoint_of_another_method_is_no_teacher(data, tmp_path):
    from methods.blocks.checkpoint import save_weights

    path = save_weights(tmp_path / "w.safetensors", nn.Linear(1, 1), {"method": "voxelmorph", "params": {}})
    with pytest.raises(ValueError, match=r"w\.safetensors: a teacher must be a network of .*recursive.*'voxelmorph'"):
        train(data, tmp_path / "run", path)
