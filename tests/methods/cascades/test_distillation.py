"""A training step of ALDK: who learns what from whom under each reading, against formulas; and its switches."""

import numpy as np
import pytest
import torch

from methods.blocks.cascades.distillation import Aldk
from methods.blocks.training import loop
from tests.methods.cascades.distillation_inputs import OBJECTIVES, batch, changed, distillation, losses, network, state

pytestmark = pytest.mark.usefixtures("one_thread")
LEARNING = ("eq7_minimax", "eq7_cooperative", "wgan_gp")


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
    student, teacher, critic = map(state, (under.student, under.teacher, under.discriminator))
    terms = under.step(batch())
    assert changed(under.student, student) == list(student)
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
    step = loop.descend(optimiser, lambda images: losses(alone(images.fixed, images.moving), images))
    for iteration in range(3):
        assert under.step(batch(iteration, seed=iteration)).keys() == step(batch(iteration, seed=iteration)).keys()
    assert not changed(under.student, state(alone))
    under.step(batch(3)), step(batch(3))
    assert changed(under.student, state(alone))


@pytest.mark.parametrize(
    ("turns", "expected"),
    [("alg1_3to1", [3, 7, 11]), ("every_step", list(range(12))), ("released_2to1_first8000", [2, 5])],
)
def test_turns(turns, expected):
    aldk = Aldk(turns=turns)
    assert [i for i in range(12) if aldk.is_adversarial(i, 100)] == expected
    assert not Aldk(turns="released_2to1_first8000").is_adversarial(8000, 100_000)
    assert Aldk(turns="released_2to1_first8000").is_adversarial(7997, 100_000)


def test_presets_hold_the_papers_numbers_and_give_way_to_what_is_said():
    ct, mri, released = (Aldk(preset=name) for name in ("paper_ct", "paper_mri", "released"))
    assert (ct.gamma, ct.beta, ct.gp_weight) == (0.5, 0.1, 1.0)
    assert (mri.gamma, mri.beta, mri.gp_weight) == (0.3, 0.05, 0.9)
    assert (released.gamma, released.beta, released.gp_weight) == (0.3, 0.1, 0.1)
    assert (released.objective, released.disc, released.disc_output) == ("released_noop", "released", "logit")
    assert Aldk(preset="released", objective="wgan_gp", gamma=0.0).gamma == 0.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gamma": 2.0}, r"gamma must lie in \[0, 1\], got 2"),
        ({"beta": -0.5}, r"beta must lie in \[0, 1\], got -0\.5"),
        ({"gp_weight": -1.0}, "gp_weight must not be negative, got -1"),
        ({"disc_channels": 0}, "disc_channels must be positive, got 0"),
        ({"disc_rate": -1.0}, "disc_rate must not be negative, got -1"),
        ({"disc": "released"}, "disc 'released' does not go with disc_output 'mean_sigmoid'"),
        ({"disc_output": "logit"}, "disc 'paper_text' does not go with disc_output 'logit'"),
        ({"preset": "released", "disc": "paper_text"}, "disc 'paper_text' does not go with disc_output 'logit'"),
    ],
)
def test_what_cannot_be_is_refused_before_any_training(options, message):
    with pytest.raises(ValueError, match=f"aldk: {message}"):
        Aldk(**options)


def test_the_teacher_sees_the_augmented_image_unless_told_otherwise():
    for augmented in (True, False):
        under, images, seen = distillation(teacher_on_augmented=augmented), batch(), []
        under.teacher.register_forward_pre_hook(lambda _, args, seen=seen: seen.append(args))
        under.step(images)
        [(fixed, moving)] = seen
        assert torch.equal(fixed, images.fixed)
        assert torch.equal(moving, images.moving if augmented else images.plain)


@pytest.mark.parametrize(
    ("turns", "expected"),
    [("alg1_3to1", [3, 27, 51, 75]), ("every_step", [0, 25, 50, 75]), ("released_2to1_first8000", [2])],
)
def test_the_share_is_taken_once_in_25_iterations(turns, expected):
    aldk = Aldk(turns=turns)
    assert [i for i in range(100) if aldk.is_weighed(i, 100)] == expected


def test_looking_at_the_share_changes_no_weight(monkeypatch):
    seen, unseen = distillation(), distillation()
    for iteration in range(8):
        assert ("teacher_share" in seen.step(batch(iteration))) == (iteration == 3)
    monkeypatch.setattr(Aldk, "is_weighed", lambda *_: False)
    for iteration in range(8):
        assert "teacher_share" not in unseen.step(batch(iteration))
    for one, other in ((seen.student, unseen.student), (seen.discriminator, unseen.discriminator)):
        assert not changed(one, state(other))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_cut_off_only_the_teachers_gradient_is_missing(objective):
    """The discriminator learns as ever; the student sees gamma times its base loss, to the last bit."""
    cut, whole, images = distillation(objective=objective, cut=True), distillation(objective=objective), batch()
    parameters = list(cut.student.parameters())
    terms = losses(cut.student(images.fixed, images.moving), images)
    expected = torch.autograd.grad(cut.options.gamma * terms["total"], parameters)
    alone, under = cut.step(images), whole.step(batch())
    for parameter, slope in zip(parameters, expected, strict=True):
        assert torch.equal(parameter.grad, slope)
    assert alone.keys() == under.keys()
    assert alone.pop("teacher_share") == 0
    assert all(torch.equal(value, under[name]) for name, value in alone.items())
    assert not changed(cut.discriminator, state(whole.discriminator))
    assert bool(changed(cut.student, state(whole.student))) == (objective != "released_noop")


def test_gamma_scales_all_or_the_similarity_alone():
    images = batch()
    for scaled, share in (("all", 0.3), ("rec", 1.0)):
        under = distillation(objective="released_noop", gamma=0.3, gamma_scales=scaled)
        with torch.no_grad():  # for next to zero there is nothing to regularise
            under.student.networks[0].displacement.weight.mul_(1e5)
        parameters = list(under.student.parameters())
        terms = losses(under.student(images.fixed, images.moving), images)
        expected = torch.autograd.grad(0.3 * terms["similarity"] + share * terms["regularisation"], parameters)
        under.step(images)
        for parameter, slope in zip(parameters, expected, strict=True):
            torch.testing.assert_close(parameter.grad, slope, rtol=1e-3, atol=1e-4 * slope.abs().max().item())
