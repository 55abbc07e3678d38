"""How long, how large and how fast: the settings of the training loop and its learning rates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Schedule = Literal["rcn_step", "released_ldr", "constant"]


@dataclass(frozen=True)
class Settings:
    """What the loop itself needs to know; ``augmentation`` is the strength of the random warp, 0 for none."""

    iterations: int
    batch: int
    learning_rate: float
    schedule: Schedule
    augmentation: float
    checkpoint_every: int

    def __post_init__(self) -> None:
        for name in ("iterations", "batch", "checkpoint_every", "learning_rate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"training: {name} must be positive, got {getattr(self, name)!r}")
        learning_rate(0, self)


def learning_rate(iteration: int, settings: Settings) -> float:
    """The learning rate of one iteration; milestones are fractions of ``settings.iterations``.

    ``rcn_step``: halved at 60 % and again at 80 % (released RCN). ``released_ldr``: five epochs that start at 1, 1/8,
    1/16, 1/32 and 1/64 of the peak, each falling to zero along a cosine (released LDR, plain variant).
    """
    done, peak = iteration / settings.iterations, settings.learning_rate
    if settings.schedule == "constant":
        return peak
    if settings.schedule == "rcn_step":
        return peak * (1.0 if done < 0.6 else 0.5 if done < 0.8 else 0.25)
    if settings.schedule == "released_ldr":
        epoch, within = divmod(5 * iteration, settings.iterations)
        factor = (1, 1 / 8, 1 / 16, 1 / 32, 1 / 64)[min(epoch, 4)]
        return peak * factor * 0.5 * (1 + math.cos(math.pi * within / settings.iterations))
    raise ValueError(f"training: schedule must be 'rcn_step', 'released_ldr' or 'constant', got {settings.schedule!r}")
