"""The options that every training has, how long, how large and how fast, and its learning rates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from methods.blocks.hardware import is_mixed
from methods.blocks.options import not_negative, positive

Schedule = Literal["rcn_step", "released_ldr", "settling", "constant"]
LEAST = 1 / 8  # the share of its learning rate that a training that settles ends with
TrainingPrecision = Literal["auto", "mixed", "float32"]


@dataclass(frozen=True)
class LoopOptions:
    """The options of training that all methods share, with the defaults of most."""

    iterations: int = 100_000  # updates of the weights
    batch: int = 1  # pairs per update
    learning_rate: float = 1e-4  # learning rate at its highest
    # learning rate over time: rcn_step halves it at 60 and at 80 % of the iterations (released RCN), released_ldr lets
    # it fall to zero five times along a cosine (released LDR, plain variant), settling keeps it for half of them and an
    # eighth of it from 60 % on, so that the end can be seen to be flat; constant keeps it
    schedule: Schedule = "constant"
    checkpoint_every: int = 500  # iterations from one state that a training can resume from to the next
    validate_every: int = 0  # iterations from one look at the loss on validation pairs to the next; 0 for none
    checkpoint: Literal["last", "best"] = "last"  # the weights that are kept: the last, or the best on validation pairs

    def __post_init__(self) -> None:
        positive("training", iterations=self.iterations, batch=self.batch, learning_rate=self.learning_rate)
        positive("training", checkpoint_every=self.checkpoint_every)
        not_negative("training", validate_every=self.validate_every)
        if self.checkpoint == "best" and not self.validate_every:
            raise ValueError("training: checkpoint: best needs validation pairs to be looked at; set validate_every")


@dataclass(frozen=True)
class MixedOptions(LoopOptions):
    """The options of a training whose convolutions may run in half precision."""

    # mixed runs convolutions in bfloat16, and is refused where the device has none; auto does so on CUDA alone
    precision: TrainingPrecision = "auto"

    def mixed_on(self, device: str) -> bool:
        """Return whether convolutions run in bfloat16 on a device; raise ValueError where it has none."""
        return is_mixed(self.precision, device)


def learning_rate(iteration: int, options: LoopOptions) -> float:
    """Return the learning rate of one iteration by the options' schedule.

    The five epochs of ``released_ldr`` start at 1, 1/8, 1/16, 1/32 and 1/64 of the peak.
    """
    done, peak = iteration / options.iterations, options.learning_rate
    if options.schedule == "constant":
        return peak
    if options.schedule == "rcn_step":
        return peak * (1.0 if done < 0.6 else 0.5 if done < 0.8 else 0.25)
    if options.schedule == "settling":
        fallen = min(max((done - 0.5) / 0.1, 0.0), 1.0)
        return peak * (LEAST + (1 - LEAST) * 0.5 * (1 + math.cos(math.pi * fallen)))
    epoch, within = divmod(5 * iteration, options.iterations)
    factor = (1, 1 / 8, 1 / 16, 1 / 32, 1 / 64)[min(epoch, 4)]
    return peak * factor * 0.5 * (1 + math.cos(math.pi * within / options.iterations))
