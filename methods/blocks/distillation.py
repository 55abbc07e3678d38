"""ALDK, adversarial learning with distilling knowledge (Tran et al., arXiv:2110.01293, Sec. III-D), and its readings.

A discriminator D reduces a displacement to a number; the student is drawn towards D's view of its teacher's
displacement for the same pair. The paper leaves open who descends on what, and its released code passes no gradient to
the student at all, so the readings stand side by side as `Objective`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from methods.blocks import parallel
from methods.blocks.discriminator import Design, Output, gradient_penalty
from methods.blocks.training import Batch

Objective = Literal["eq7_minimax", "eq7_cooperative", "frozen_features", "wgan_gp", "flow_l2", "released_noop"]
Preset = Literal["paper_ct", "paper_mri", "released"]
Steps = Literal["alg1_3to1", "every_step", "released_2to1_first8000"]
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

    Args:
        preset: the paper's numbers for CT or MRI, or the released code's.
        objective: ``eq7_minimax``: the student descends on (D(s) - D(t))^2 and D ascends on it; ``eq7_cooperative``:
            both descend, eq. 7 to the letter; ``frozen_features``: D stays as drawn; ``wgan_gp``: D learns to tell
            student from teacher, the student ascends on D(s); ``flow_l2``: squared distance of the displacements, no
            D; ``released_noop``: no gradient from the teacher, as released.
        gamma: share of the base loss in an adversarial step, the rest being the adversarial term (eq. 6).
        gamma_scales: whether gamma scales the whole base loss or its similarity alone (``rec``).
        beta: the teacher's share in the displacement at which D's gradient is held to norm 1 (eq. 8).
        gp_weight: weight of that penalty, the paper's lambda.
        gp_input: that displacement: eq. 8's constant mix, or a random one per sample.
        gp_norm: norm of the gradient over the whole displacement, or over space for each component.
        gp_grad_to_student: whether the penalty also moves the student.
        disc: layers of D.
        disc_output: what D gives: a mean of sigmoids or of plain features (text), or a logit (released).
        disc_channels: width of D's first layer.
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
    schedule: Steps | None = None
    teacher_on_augmented: bool | None = None
    flow_scale: float | None = None

    def __post_init__(self) -> None:
        if self.preset not in PRESETS:
            raise ValueError(f"aldk: preset must be one of {', '.join(PRESETS)}, got {self.preset!r}")
        for name, value in PRESETS[self.preset].items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        if not 0 <= self.gamma <= 1:
            raise ValueError(f"aldk: gamma must lie in [0, 1], got {self.gamma}")

    @property
    def trains_discriminator(self) -> bool:
        return self.objective in ("eq7_minimax", "eq7_cooperative", "wgan_gp")

    def is_adversarial(self, iteration: int, iterations: int) -> bool:
        """Whether this step uses the teacher."""
        if self.schedule == "every_step":
            return True
        if self.schedule == "alg1_3to1":
            return iteration % 4 == 3
        return iteration % 3 == 2 and iteration < 0.08 * iterations


@dataclass(frozen=True)
class Distillation:
    """One training step of a student with its teacher; `step` is what `methods.blocks.training.Learner` wants.

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
            with torch.no_grad():
                moving = batch.moving if self.options.teacher_on_augmented else batch.plain
                taught = self.teacher(batch.fixed, moving, mixed=self.mixed).displacement
            pair = result.displacement * self.options.flow_scale, taught * self.options.flow_scale
            if self.options.trains_discriminator:
                terms |= self._descend("discriminator", self._discriminator_terms(*pair, batch.generator))
            adversarial = self._adversarial(*pair, batch.generator)
            objective = self._share(terms) + (1 - self.options.gamma) * adversarial
            terms["adversarial"] = adversarial
        self._descend("model", {"objective": objective})
        return {name: term.detach() for name, term in terms.items()}

    def _share(self, terms: Terms) -> Tensor:
        """The base loss scaled by gamma."""
        if self.options.gamma_scales == "all":
            return self.options.gamma * terms["total"]
        return terms["total"] - (1 - self.options.gamma) * terms["similarity"]

    def _adversarial(self, student: Tensor, teacher: Tensor, generator: torch.Generator) -> Tensor:
        """What the student descends on beside its base loss; zero-dimensional."""
        if self.options.objective == "flow_l2":
            return (student - teacher).square().sum(1).mean()
        if self.options.objective == "released_noop":  # the released code computes this, and cuts its gradient
            with torch.no_grad():
                return (self.discriminator(student) - self.discriminator(teacher)).mean()
        self.discriminator.requires_grad_(False)
        try:
            seen = self.discriminator(student)
            if self.options.objective == "wgan_gp":
                term = -seen.mean()
            else:
                term = (seen - self.discriminator(teacher)).square().mean()
            if self.options.gp_grad_to_student:
                term = term + self.options.gp_weight * self._penalty(student, teacher, generator)
            return term
        finally:
            self.discriminator.requires_grad_(True)

    def _discriminator_terms(self, student: Tensor, teacher: Tensor, generator: torch.Generator) -> Terms:
        """What D descends on: terms whose sum counts; the student's displacement is a constant here."""
        student = student.detach()
        gap = self.discriminator(student) - self.discriminator(teacher)
        sign = {"eq7_minimax": -1, "eq7_cooperative": 1}
        critic = (
            gap.mean() if self.options.objective == "wgan_gp" else sign[self.options.objective] * gap.square().mean()
        )
        return {"critic": critic, "penalty": self.options.gp_weight * self._penalty(student, teacher, generator)}

    def _penalty(self, student: Tensor, teacher: Tensor, generator: torch.Generator) -> Tensor:
        share = self.options.beta
        if self.options.gp_input == "random_mix":
            share = torch.rand(len(student), 1, 1, 1, 1, generator=generator).to(student)
        mixed = share * teacher + (1 - share) * student
        return gradient_penalty(self.discriminator, mixed, per_channel=self.options.gp_norm == "channel")

    def _descend(self, name: str, terms: Terms) -> Terms:
        """Step one optimiser along the sum of some terms; stand still where that is not finite."""
        total = sum(terms.values())
        if parallel.agreed(total.isfinite()):
            self.optimisers[name].zero_grad(set_to_none=True)
            total.backward()
            if name == "discriminator":
                parallel.average_gradients(self.discriminator)
            self.optimisers[name].step()
        return terms
