"""ALDK, adversarial learning with distilling knowledge (Tran et al., arXiv:2110.01293, Sec. III-D), and its readings.

A discriminator D reduces a displacement to a number; the student is drawn towards D's view of its teacher's
displacement for the same pair. The paper leaves open who descends on what, and its released code passes no gradient to
the student at all, so the readings stand side by side as `Objective`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from methods.blocks.cascades.discriminator import Design, Output, check_output, gradient_penalty
from methods.blocks.options import OPEN, fill, not_negative, positive
from methods.blocks.training import parallel
from methods.blocks.training.loop import update
from methods.blocks.training.sampling import Batch

Objective = Literal["eq7_minimax", "eq7_cooperative", "frozen_features", "wgan_gp", "flow_l2", "released_noop"]
Preset = Literal["paper_ct", "paper_mri", "released"]
Turns = Literal["alg1_3to1", "every_step", "released_2to1_first8000"]
Terms = dict[str, Tensor]

PRESETS: dict[Preset, Aldk] = {}
WEIGHED_EVERY = 25  # iterations in which the teacher's share is taken once, at the first step that has a teacher


@dataclass(frozen=True)
class Aldk:
    """The switches of ALDK; what is left open comes from the preset.

    The released code also mixes logits with noise for its penalty, and skips pairs for which no teacher's displacement
    was stored; neither is imitated, as nothing of it reaches the student.
    """

    preset: Preset = "paper_ct"  # the paper's numbers for CT or MRI, or the released code's
    # eq7_minimax: the student descends on (D(s) - D(t))^2 and D ascends on it; eq7_cooperative: both descend (eq. 7 to
    # the letter with gp_grad_to_student); frozen_features: D stays as drawn; wgan_gp: D learns to tell student from
    # teacher, the student ascends on D(s); flow_l2: squared distance of the displacements, no D; released_noop: no
    # gradient from the teacher, as released
    objective: Objective = OPEN
    gamma: float = OPEN  # share of the base loss in an adversarial step, the rest being the adversarial term (eq. 6)
    gamma_scales: Literal["all", "rec"] = OPEN  # gamma scales the whole base loss or its similarity alone
    beta: float = OPEN  # the teacher's share in the displacement at which D's gradient is held to norm 1 (eq. 8)
    gp_weight: float = OPEN  # weight of that penalty, the paper's lambda
    gp_input: Literal["eq8", "random_mix"] = OPEN  # that displacement: eq. 8's constant mix, or a random one per sample
    # norm of the gradient over the whole displacement, or over space for each component
    gp_norm: Literal["sample", "channel"] = OPEN
    # whether the penalty also moves the student; it cannot where D is piecewise linear, that is but for mean_sigmoid
    gp_grad_to_student: bool = OPEN
    disc: Design = OPEN  # layers of D
    disc_output: Output = OPEN  # what D gives: a mean of sigmoids or of plain features (text), or a logit (released)
    disc_channels: int = 16  # width of D's first layer
    disc_rate: float = 1.0  # D's learning rate as a multiple of the student's; the paper names one rate for both
    turns: Turns = OPEN  # which steps are adversarial: every fourth (Algorithm 1), all, or every third of the first 8 %
    teacher_on_augmented: bool = OPEN  # whether the teacher sees the moving image as augmented for the student
    flow_scale: float = OPEN  # factor of displacements on their way into D
    # the control: all as it is, D too, but for the adversarial term's gradient, which does not reach the student
    cut: bool = False

    def __post_init__(self) -> None:
        fill(self, PRESETS.get(self.preset, self))
        for name, share in (("gamma", self.gamma), ("beta", self.beta)):
            if not 0 <= share <= 1:
                raise ValueError(f"aldk: {name} must lie in [0, 1], got {share}")
        positive("aldk", disc_channels=self.disc_channels)
        not_negative("aldk", gp_weight=self.gp_weight, disc_rate=self.disc_rate)
        check_output(self.disc, self.disc_output)

    @property
    def trains_discriminator(self) -> bool:
        """Whether D learns."""
        return self.objective in ("eq7_minimax", "eq7_cooperative", "wgan_gp")

    def is_adversarial(self, iteration: int, iterations: int) -> bool:
        """Return whether this step uses the teacher."""
        return {
            "every_step": True,
            "alg1_3to1": iteration % 4 == 3,
            "released_2to1_first8000": iteration % 3 == 2 and iteration < 0.08 * iterations,
        }[self.turns]

    def is_weighed(self, iteration: int, iterations: int) -> bool:
        """Return whether this step says how much of the student's gradient is the teacher's."""
        steps = range(iteration - iteration % WEIGHED_EVERY, iteration + 1)
        return [step for step in steps if self.is_adversarial(step, iterations)] == [iteration]


# What a preset leaves open comes from the first one.
PRESETS["paper_ct"] = Aldk(
    objective="eq7_minimax",
    gamma=0.5,
    gamma_scales="all",
    beta=0.1,
    gp_weight=1.0,
    gp_input="eq8",
    gp_norm="sample",
    gp_grad_to_student=False,
    disc="paper_text",
    disc_output="mean_sigmoid",
    turns="alg1_3to1",
    teacher_on_augmented=True,
    flow_scale=1.0,
)
PRESETS["paper_mri"] = Aldk(gamma=0.3, beta=0.05, gp_weight=0.9)
PRESETS["released"] = Aldk(
    objective="released_noop",
    gamma=0.3,
    gp_weight=0.1,
    gp_input="random_mix",
    gp_norm="channel",
    disc="released",
    disc_output="logit",
    turns="every_step",
    teacher_on_augmented=False,
)


@dataclass(frozen=True)
class Distillation:
    """The training of a student by its teacher; `step` is the step of its `methods.blocks.training.loop.Learner`.

    ``losses`` gives the base loss of a registration: its terms and their sum ``total``. Under the objective ``flow_l2``
    the discriminator is never asked.
    """

    options: Aldk
    iterations: int
    student: nn.Module
    teacher: nn.Module
    discriminator: nn.Module
    optimisers: Mapping[str, torch.optim.Optimizer]
    losses: Callable[[Any, Batch], Terms]
    mixed: bool = False

    def step(self, batch: Batch) -> Terms:
        """Update the student, and before it the discriminator where the step is adversarial and D learns.

        ``total`` is the base loss in every step, so that curves of plain and distilled training compare. In a few steps
        ``teacher_share`` is the norm of the gradient that the teacher adds to the student's weights, over the norm of
        the rest of it, both as they are added; 0 where the teacher reaches nothing, left out where there is no rest.
        """
        result = self.student(batch.fixed, batch.moving, mixed=self.mixed)
        terms = self.losses(result, batch)
        objective, added = terms["total"], None
        if self.options.is_adversarial(batch.iteration, self.iterations):
            pair = result.displacement * self.options.flow_scale, self._taught(batch) * self.options.flow_scale
            if self.options.trains_discriminator:
                critic = self._discriminator_terms(*pair, batch.generator)
                update(self.optimisers["discriminator"], critic["critic"] + critic["penalty"], share=self.discriminator)
                terms |= critic
            adversarial = self._adversarial(*pair, batch.generator)
            pull = (1 - self.options.gamma) * (adversarial.detach() if self.options.cut else adversarial)
            objective = self._weighted_base_loss(terms) + pull
            terms["adversarial"] = adversarial
            if self.options.is_weighed(batch.iteration, self.iterations):
                added = self._gradient(pull)
        update(self.optimisers["model"], objective)
        terms |= self._share(added) if added else {}
        return {name: term.detach() for name, term in terms.items()}

    def kind(self, iteration: int) -> bool | None:
        """Return what tells one step from another but for its batch; None where it draws numbers, or looks at some."""
        adversarial = self.options.is_adversarial(iteration, self.iterations)
        asks = self.options.gp_input == "random_mix" or self.options.is_weighed(iteration, self.iterations)
        return None if adversarial and asks else adversarial

    def _gradient(self, term: Tensor) -> list[Tensor]:
        """Return the gradient of a term of the objective by each of the student's weights, over the whole batch."""
        weights = list(self.student.parameters())
        if not term.requires_grad:
            return [torch.zeros_like(weight) for weight in weights]
        slopes = torch.autograd.grad(term, weights, retain_graph=True, allow_unused=True, materialize_grads=True)
        return [parallel.average(slope) for slope in slopes]

    def _share(self, added: Iterable[Tensor]) -> Terms:
        """Return ``teacher_share``, where ``added`` is the teacher's part of the gradient of the step just taken."""
        pairs = [(part, w.grad) for part, w in zip(added, self.student.parameters(), strict=True) if w.grad is not None]
        rest = _norm(whole - part for part, whole in pairs)
        return {"teacher_share": _norm(part for part, _ in pairs) / rest} if rest else {}

    @torch.no_grad()
    def _taught(self, batch: Batch) -> Tensor:
        """Return the teacher's displacement, in single precision, as the teacher registers."""
        moving = batch.moving if self.options.teacher_on_augmented else batch.plain
        return self.teacher(batch.fixed, moving).displacement

    def _weighted_base_loss(self, terms: Terms) -> Tensor:
        """Return the base loss scaled by gamma."""
        if self.options.gamma_scales == "all":
            return self.options.gamma * terms["total"]
        return terms["total"] - (1 - self.options.gamma) * terms["similarity"]

    def _adversarial(self, student: Tensor, teacher: Tensor, generator: torch.Generator) -> Tensor:
        """Return the term that the student descends on beside its base loss; zero-dimensional."""
        objective = self.options.objective
        if objective == "flow_l2":
            return (student - teacher).square().sum(1).mean()
        if objective == "released_noop":  # the released code computes this and cuts its gradient
            student = student.detach()
            gap = (self.discriminator(student) - self.discriminator(teacher)).mean()
            return (gap + self.options.gp_weight * self._penalty(student, teacher, generator)).detach()
        self.discriminator.requires_grad_(False)
        try:
            seen = self.discriminator(student)
            term = -seen.mean() if objective == "wgan_gp" else (seen - self.discriminator(teacher)).square().mean()
            if self.options.gp_grad_to_student:
                term = term + self.options.gp_weight * self._penalty(student, teacher, generator)
            return term
        finally:
            self.discriminator.requires_grad_(True)

    def _discriminator_terms(self, student: Tensor, teacher: Tensor, generator: torch.Generator) -> Terms:
        """Return ``critic`` and ``penalty``, on whose sum D descends, and D's views of both, for the curves.

        The student's displacement is a constant here.
        """
        student = student.detach()
        seen, wanted = self.discriminator(student), self.discriminator(teacher)
        gap = seen - wanted
        critic = {
            "eq7_minimax": -gap.square().mean(),
            "eq7_cooperative": gap.square().mean(),
            "wgan_gp": gap.mean(),
        }[self.options.objective]
        penalty = self.options.gp_weight * self._penalty(student, teacher, generator)
        views = {"critic_student": seen.mean(), "critic_teacher": wanted.mean()}
        return {"critic": critic, "penalty": penalty, **views}

    def _penalty(self, student: Tensor, teacher: Tensor, generator: torch.Generator) -> Tensor:
        share = self.options.beta
        if self.options.gp_input == "random_mix":
            share = torch.rand(len(student), 1, 1, 1, 1, generator=generator).to(student)
        mixed = share * teacher + (1 - share) * student
        return gradient_penalty(self.discriminator, mixed, per_channel=self.options.gp_norm == "channel")


def _norm(gradient: Iterable[Tensor]) -> Tensor:
    """Return the norm over all weights together."""
    return torch.stack([part.square().sum() for part in gradient]).sum().sqrt()
