"""How the networks of the cascades' family learn: alone, or under a teacher of `methods.recursive`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from methods.blocks.cascades.cascade import Cascade, Registration
from methods.blocks.cascades.discriminator import build_discriminator
from methods.blocks.cascades.distillation import Aldk, Distillation
from methods.blocks.cascades.losses import ComparedStages, Weights, cascade_losses, invertibility_loss
from methods.blocks.initial import create
from methods.blocks.training import loop
from methods.blocks.training.captured import captured
from methods.blocks.training.optimisers import adam
from methods.blocks.training.sampling import Batch
from methods.blocks.training.settings import MixedOptions, Schedule
from methods.blocks.training.unseen import Unseen, unseen_loss


@dataclass(frozen=True)
class Lessons(MixedOptions):
    """The options of training that the family shares."""

    batch: int = 4
    schedule: Schedule = "rcn_step"
    augmentation: float = 1.0  # strength of the random warp of the moving image, 0 for none
    # whether the last warped image is compared with the fixed one (RCN, LDR) or every stage's (VTN)
    similarity: ComparedStages = "last"
    regularisation: float = 1.0  # weight of the smoothness of each network's own displacement
    invertibility: float = 0.0  # weight of the round trip with the swapped pair (VTN); 0 spares the second pass
    aldk: Aldk | None = None  # how the student learns from its teacher; null is training without one
    processes: int = 1  # train on so many GPUs (on the CPU: in so many processes), each with its share of the batch

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.batch % self.processes:
            raise ValueError(f"training: a batch of {self.batch} cannot be shared among {self.processes} processes")


@dataclass(frozen=True)
class Lesson:
    """A network in training: ``model`` holds the weights, ``wrapped`` is called for gradients of the whole batch.

    On the ``validation`` pairs it is looked at from time to time.
    """

    model: torch.nn.Module
    wrapped: torch.nn.Module
    training: Lessons
    mixed: bool
    validation: Sequence[Batch] = ()

    def alone(self) -> loop.Learner:
        """Return how the network learns from its pairs alone."""
        optimiser = self._optimiser()

        def losses(batch: Batch) -> dict[str, torch.Tensor]:
            return self.losses(self.wrapped(batch.fixed, batch.moving, mixed=self.mixed), batch)

        optimisers: dict[str, torch.optim.Optimizer] = {"model": optimiser}
        step = captured(loop.descend(optimiser, losses), optimisers, device=self._device)
        return loop.Learner({"model": self.model}, optimisers, step, self._unseen())

    def taught(self, teacher: Cascade, seed: int, device: str) -> loop.Learner:
        """Return how the network learns under a teacher, beside a discriminator unless the objective needs none."""
        aldk = self.training.aldk
        assert aldk is not None
        modules: dict[str, torch.nn.Module] = {"model": self.model}
        optimisers: dict[str, torch.optim.Optimizer] = {"model": self._optimiser()}
        critic = partial(build_discriminator, aldk.disc, aldk.disc_output, aldk.disc_channels)
        other = int(np.random.SeedSequence([seed, 1]).generate_state(1)[0])  # not the student's own stream
        discriminator = create(critic, seed=other, device=device)
        if aldk.objective != "flow_l2":
            modules["discriminator"] = discriminator
        if aldk.trains_discriminator:
            rate, factor = self.training.learning_rate, aldk.disc_rate
            optimisers["discriminator"] = adam(discriminator.parameters(), rate=rate, factor=factor)
        distillation = Distillation(
            aldk,
            self.training.iterations,
            self.wrapped,
            teacher,
            discriminator,
            optimisers,
            self.losses,
            self.mixed,
        )
        step = captured(distillation.step, optimisers, device=device, kind=distillation.kind)
        return loop.Learner(modules, optimisers, step, self._unseen())

    def losses(self, result: Registration, batch: Batch) -> dict[str, torch.Tensor]:
        """Return the weighted terms of a registration and their sum ``total``."""
        weights = Weights(regularisation=self.training.regularisation, stages=self.training.similarity)
        terms = cascade_losses(result, batch.fixed, weights)
        if self.training.invertibility:
            back = self.wrapped(batch.moving, batch.fixed, mixed=self.mixed).displacement
            terms["invertibility"] = self.training.invertibility * invertibility_loss(result.displacement, back)
            terms["total"] = terms["total"] + terms["invertibility"]
        return terms

    @property
    def _device(self) -> str:
        return next(self.model.parameters()).device.type

    def _unseen(self) -> Unseen | None:
        """Return the loss on validation pairs, the same for a network alone and under a teacher."""

        def loss(batch: Batch, done: int) -> torch.Tensor:
            return self.losses(self.model(batch.fixed, batch.moving, mixed=self.mixed), batch)["total"]

        return unseen_loss(self.model, self.validation, loss)

    def _optimiser(self) -> torch.optim.Optimizer:
        return adam(self.model.parameters(), rate=self.training.learning_rate)
