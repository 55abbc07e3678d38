"""A training step of ALDK against the paper's formulas: gradients, the teacher's share of them, the penalty."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from methods.blocks.cascades.discriminator import gradient_penalty
from methods.blocks.cascades.distillation import Aldk, Distillation
from tests.methods.cascades.distillation_inputs import OBJECTIVES, batch, distillation

pytestmark = pytest.mark.usefixtures("one_thread")


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
