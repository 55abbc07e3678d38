"""ALDK, adversarial learning with distilling knowledge (Tran et al., arXiv:2110.01293, Sec. III-D), and its readings.

A discriminator D reduces a displacement to a number; the student is drawn towards D's view of its teacher's
displacement for the same pair. The paper leaves open who descends on what, and its released code passes no gradient to
the student at all, so the readings stand side by side as `Objective`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

import torch
from torch import Tensor, nn

from methods.blocks.cascades.discriminator import Design, Output, check_output, gradient_penalty
from methods.blocks.training.loop import update
from methods.blocks.training.sampling import Batch

Objective = Literal["eq7_minimax", "eq7_cooperative", "frozen_features", "wgan_gp", "flow_l2", "released_noop"]
Preset = Literal["paper_ct", "paper_mri", "released"]
StepSchedule = Literal["alg1_3to1", "every_step", "released_2to1_first8000"]
Terms = dict[str, Tensor]

_TEXT: Mapping[str, Any] = {
    "objective": "eq7_minimax", "gamma_scales": "all", "disc": "paper_text", "disc_output": "mean_sigmoid",
    "gp_input": "eq8", "gp_norm": "sample", "gp_grad_to_student": False, "schedule": "alg1_3to1",
    "teacher_on_augmented": True, "flow_scale": 1.0,
}  # fmt: skip
PRESETS: Mapping[Preset, Mapping[str, Any]] = {
    "paper_ct": {**_TEXT, "gamma": 0.5, "beta": 0.1, "gp_weight": 1.0},
    "paper_mri": {**_TEXT, "gamma": 0.3, "beta": 0.05, "gp_weight": 0.9},
    "released": {
        **_TEXT, "gamma": 0.3, "beta": 0.1, "gp_weight": 0.1, "objective": "released_noop", "disc": "released",
        "disc_output": "logit", "gp_input": "random_mix", "gp_norm": "channel", "schedule": "every_step",
        "teacher_on_augmented": False,
    },
}  # fmt: skip


@dataclass(frozen=True)
class Aldk:
    """The switches of ALDK; what is None comes from the preset.

    The released code also mixes logits with noise for its penalty, and skips pairs for which no teacher's displacement
    was stored; neither is imitated, as nothing of it reaches the student.

    Args:
        preset: the paper's numbers for CT or MRI, or the released code's.
        objective: ``eq7_minimax``: the student descends on (D(s) - D(t))^2 and D ascends on it; ``eq7_cooperative``:
            both descend (eq. 7 to the letter with ``gp_grad_to_student``); ``frozen_features``: D stays as drawn;
            ``wgan_gp``: D learns to tell student from teacher, the student ascends on D(s); ``flow_l2``: squared
            distance of the displacements, no D; ``released_noop``: no gradient from the teacher, as released.
        gamma: share of the base loss in an adversarial step, the rest being the adversarial term (eq. 6).
        gamma_scales: whether gamma scales the whole base loss or its similarity alone (``rec``).
        beta: the teacher's share in the displacement at which D's gradient is held to norm 1 (eq. 8).
        gp_weight: weight of that penalty, the paper's lambda.
        gp_input: that displacement: eq. 8's constant mix, or a random one per sample.
        gp_norm: norm of the gradient over the whole displacement, or over space for each component.
        gp_grad_to_student: whether the penalty also moves the student. It cannot where D is piecewise linear, that is
            but for ``mean_sigmoid``.
        disc: layers of D.
        disc_output: what D gives: a mean of sigmoids or of plain features (text), or a logit (released).
        disc_channels: width of D's first layer.
        disc_rate: D's learning rate as a multiple of the student's; the paper names one rate for both.
        schedule: which steps are adversarial: every fourth (Algorithm 1), all, or every third of the first 8 %.
        teacher_on_augmented: whether the teacher sees the moving image as augmented for the student.
        flow_scale: factor of displacements on their way into D.
    """

    preset: Preset = "paper_ct"
    objective: Objective | None = None
    gamma: float | None = None
    gamma_scales: Literal["all", "rec"] | None = None
    beta: float | None = None
    gp_weight: float | None = None
    gp_input: Literal["eq8", "random_mix"] | None = None
    gp_norm: Literal["sample", "channel"] | None = None
    gp_grad_to_student: bool | None = None
    disc: Design | None = None
    disc_output: Output | None = None
    disc_channels: int = 16
    disc_rate: float = 1.0
    schedule: StepSchedule | None = None
    teacher_on_augmented: bool | None = None
    flow_scale: float | None = None

    def __post_init__(self) -> None:
        for name, value in PRESETS.get(self.preset, {}).items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        for name, kind in get_type_hints(Aldk).items():
            # A Literal lies bare in the annotation or beside None.
            known = next((get_args(k) for k in (kind, *get_args(kind)) if get_origin(k) is Literal), None)
            if known is not None and getattr(self, name) not in known:
                raise ValueError(f"aldk: {name} must be one of {', '.join(known)}, got {getattr(self, name)!r}")
        for name in ("gamma", "beta"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"aldk: {name} must lie in [0, 1], got {getattr(self, name)}")
        for name, least in (("gp_weight", 0), ("disc_channels", 1), ("disc_rate", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"aldk: {name} must be at least {least}, got {getattr(self, name)}")
        check_output(self.disc, self.disc_output)

    @property
    def trains_discriminator(self) -> bool:
        return self.objective in ("eq7_minimax", "eq7_cooperative", "wgan_gp")

    def is_adversarial(self, iteration: int, iterations: int) -> bool:
        """Whether this step uses the teacher."""
        return {
            "every_step": True,
            "alg1_3to1": iteration % 4 == 3,
            "released_2to1_first8000": iteration % 3 == 2 and iteration < 0.08 * iterations,
        }[self.schedule]


@dataclass(frozen=True)
class Distillation:
    """One training step of a student with its teacher; `step` is what `methods.blocks.training.loop.Learner` wants.

    ``losses`` gives the base loss of a registration: its terms and their sum ``total``.
    """

    options: Aldk
    iterations: int
    student: nn.Module
    teacher: nn.Module
    discriminator: nn.Module | None
    optimisers: Mapping[str, torch.optim.Optimizer]
    losses: Callable[[Any, Batch], Terms]
    mixed: bool = False

    def step(self, batch: Batch) -> Terms:
        """Update the student, and before it the discriminator where the step is adversarial and D learns.

        ``total`` is the base loss in every step, so that curves of plain and distilled training compare.
        """
        result = self.student(batch.fixed, batch.moving, mixed=self.mixed)
        terms = self.losses(result, batch)
        objective = terms["total"]
        if self.options.is_adversarial(batch.iteration, self.iterations):
            pair = result.displacement * self.options.flow_scale, self._taught(batch) * self.options.flow_scale
            if self.options.trains_discriminator:
                assert self.discriminator is not None
                critic = self._discriminator_terms(*pair, batch.generator)
                update(self.optimisers["discriminator"], critic["critic"] + critic["penalty"], share=self.discriminator)
                terms |= critic
            adversarial = self._adversarial(*pair, batch.generator)
            objective = self._weighted_base_loss(terms) + (1 - self.options.gamma) * adversarial
            terms["adversarial"] = adversarial
        update(self.optimisers["model"], objective)
        return {name: term.detach() for name, term in terms.items()}

    @torch.no_grad()
    def _taught(self, batch: Batch) -> Tensor:
        """The teacher's displacement, in single precision, as the teacher registers."""
        moving = batch.moving if self.options.teacher_on_augmented else batch.plain
        return self.teacher(batch.fixed, moving).displacement

    def _weighted_base_loss(self, terms: Terms) -> Tensor:
        """The base loss scaled by gamma."""
        if self.options.gamma_scales == "all":
            return self.options.gamma * terms["total"]
        return terms["total"] - (1 - self.options.gamma) * terms["similarity"]

    def _adversarial(self, student: Tensor, teacher: Tensor, generator: torch.Generator) -> Tensor:
        """What the student descends on beside its base loss; zero-dimensional."""
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
        """``critic`` and ``penalty``, on whose sum D descends, and what it makes of the two, for the curves.

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
