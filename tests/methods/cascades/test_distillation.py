"""A training step of ALDK: who learns what from whom under each reading, against formulas; and its switches."""

from types import SimpleNamespace
from typing import get_args

import numpy as np
import pytest
import torch
from torch import nn

from datasets.case import Pair
from methods.blocks.cascades.composition import Composition, build
from methods.blocks.cascades.discriminator import build_discriminator, gradient_penalty
from methods.blocks.cascades.distillation import Aldk, Distillation, Objective
from methods.blocks.cascades.losses import Weights, cascade_losses
from methods.blocks.initial import create
from methods.blocks.training import loop
from methods.blocks.training.sampling import Batch

pytestmark = pytest.mark.usefixtures("one_thread")
SHAPE = (16, 16, 32)
OBJECTIVES = get_args(Objective)
LEARNING = ("eq7_minimax", "eq7_cooperative", "wgan_gp")


def network(seed, **params):
    full = {"base": "ldr", "stem": "none", "channels": 4, **params}
    return create(lambda: build(Composition(**full)), seed=seed, device="cpu")


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
        teacher.networks[0].displacement.weight.mul_(1e5)
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


class Says(nn.Module):
    """A student whose weights are its displacement, whatever it sees."""

    def __init__(self, displacement):
        super().__init__()
        self.displacement = nn.Parameter(displacement)

    def forward(self, fixed, moving, *, mixed=False):
        return SimpleNamespace(displacement=self.displacement)


class Squared(nn.Module):
    """``D(u) = <w, u>^2``; the norm of its gradient is ``2 |<w, u>| |w|``, which depends on u."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, displacement):
        return (self.weight * displacement).flatten(1).sum(1).square()


def formulas(aldk, student, teacher, weight):
    """By the paper: what the student descends on beside its base loss, what `Squared` descends on, and its views."""
    seen, wanted, mixed = (
        (weight * u).flatten(1).sum(1) for u in (student, teacher, aldk.beta * teacher + (1 - aldk.beta) * student)
    )
    gap = seen.square() - wanted.square()
    penalty = aldk.gp_weight * (2 * mixed.abs() * weight.norm() - 1).square().mean()
    term, critic = {
        "eq7_minimax": (gap.square().mean(), -gap.square().mean()),
        "eq7_cooperative": (gap.square().mean(), gap.square().mean()),
        "frozen_features": (gap.square().mean(), None),
        "wgan_gp": (-seen.square().mean(), gap.mean()),
        "flow_l2": ((student - teacher).square().sum(1).mean(), None),
        "released_noop": ((gap.mean() + penalty).detach(), None),
    }[aldk.objective]
    if aldk.gp_grad_to_student and aldk.objective not in ("flow_l2", "released_noop"):
        term = term + penalty
    return term, None if critic is None else critic + penalty, seen.square().mean(), wanted.square().mean()


@pytest.mark.parametrize("reaches", [False, True])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_gradients_are_those_of_the_formulas(objective, reaches):
    draws = torch.from_numpy(np.random.default_rng(0).normal(size=(5, 3, 2, 3, 4)))
    student, teacher, critic = Says(draws[:2]), Says(draws[2:4]).requires_grad_(False), Squared(draws[4] / 10)
    aldk = Aldk("paper_mri", objective, gp_grad_to_student=reaches, flow_scale=0.5)
    modules = {"model": student, "discriminator": critic}
    still = {name: torch.optim.SGD(module.parameters(), lr=0.0) for name, module in modules.items()}

    def base(result, images):
        return {"total": result.displacement.square().sum()}

    terms = Distillation(aldk, 100, student, teacher, critic, still, base).step(batch())
    u, w = student.displacement, critic.weight
    term, own, seen, wanted = formulas(aldk, 0.5 * u, 0.5 * teacher.displacement, w)
    [slope] = torch.autograd.grad(aldk.gamma * u.square().sum() + (1 - aldk.gamma) * term, u, retain_graph=True)
    torch.testing.assert_close(u.grad, slope)
    torch.testing.assert_close(terms["adversarial"], term.detach())
    if own is None:
        assert w.grad is None
        assert not terms.keys() & {"critic", "penalty"}
    else:
        torch.testing.assert_close(w.grad, torch.autograd.grad(own, w)[0])
        torch.testing.assert_close(terms["critic"] + terms["penalty"], own.detach())
        torch.testing.assert_close(terms["critic_student"], seen.detach())
        torch.testing.assert_close(terms["critic_teacher"], wanted.detach())


def still_life(aldk, base, **modules):
    """A distillation of plain tensors in which no optimiser moves anything."""
    still = {name: torch.optim.SGD(modules[name].parameters(), lr=0.0) for name in ("model", "discriminator")}
    networks = modules["model"], modules["teacher"].requires_grad_(False), modules["discriminator"]
    return Distillation(aldk, 100, *networks, still, lambda result, images: {"total": base(result.displacement)})


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_teachers_share_is_the_norm_of_its_gradient_over_that_of_the_rest(objective):
    draws = torch.from_numpy(np.random.default_rng(1).normal(size=(5, 3, 2, 3, 4)))
    aldk = Aldk("paper_mri", objective)  # gamma 0.3
    modules = {"model": Says(draws[:2]), "teacher": Says(draws[2:4]), "discriminator": Squared(draws[4] / 10)}
    under = still_life(aldk, lambda u: 5 * u.square().sum(), **modules)
    found = under.step(batch())["teacher_share"]
    u = under.student.displacement
    term = formulas(aldk, u, draws[2:4], draws[4] / 10)[0]
    added = torch.autograd.grad(term, u)[0] if term.requires_grad else torch.zeros_like(u)
    torch.testing.assert_close(found, 0.7 * added.norm() / (0.3 * (10 * u).norm()).detach())
    assert (found == 0) == (objective == "released_noop")


def test_the_share_of_two_weights_is_of_both_together_and_left_out_where_there_is_no_rest():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Parameter(torch.full((1, 3, 1, 1, 1), 2.0)), nn.Parameter(torch.ones(1, 3, 1, 1, 1))

        def forward(self, fixed, moving, *, mixed=False):
            return SimpleNamespace(displacement=self.a + 2 * self.b)

    def share(gamma, base):
        aldk = Aldk(objective="flow_l2", gamma=gamma)
        teacher, critic = Says(torch.zeros(1, 3, 1, 1, 1)), Squared(torch.ones(1))
        return still_life(aldk, base, model=Two(), teacher=teacher, discriminator=critic).step(batch())

    # u = 4: the teacher's gradient on u is 8, on the weights 8 and 16; that of the base loss 1, 1 and 2
    torch.testing.assert_close(share(0.5, torch.sum)["teacher_share"], torch.tensor(8.0))
    torch.testing.assert_close(share(0.2, torch.sum)["teacher_share"], torch.tensor(32.0))
    assert "teacher_share" not in share(0.0, torch.sum)
    assert "teacher_share" not in share(0.5, lambda u: 0 * u.sum())


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


@pytest.mark.parametrize("norm", ["sample", "channel"])
@pytest.mark.parametrize("mix", ["eq8", "random_mix"])
def test_the_penalty_is_taken_at_the_mix_and_in_the_norm_asked_for(mix, norm):
    under, seen = distillation(gp_input=mix, gp_norm=norm, beta=0.2), []
    untouched = distillation().discriminator
    under.discriminator.register_forward_pre_hook(lambda _, args: seen.append(args[0].detach()))
    terms = under.step(batch())
    student, teacher, mixed = seen[:3]
    apart = teacher - student
    shares = ((mixed - student) * apart).flatten(1).sum(1) / apart.square().flatten(1).sum(1)
    torch.testing.assert_close(mixed, student.lerp(teacher, shares.view(-1, 1, 1, 1, 1)))
    if mix == "eq8":
        torch.testing.assert_close(shares, torch.tensor([0.2, 0.2]))
    else:
        assert ((shares >= 0) & (shares <= 1)).all()
        assert abs(shares[0] - shares[1]) > 0.01  # each pair its own
    expected = gradient_penalty(untouched, mixed, per_channel=norm == "channel")
    torch.testing.assert_close(terms["penalty"], expected.detach())
