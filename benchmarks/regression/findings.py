"""What the gate can find: a number that is not as accepted, a kernel that is slower."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from datasets.files import DataError

KEY = ["dataset", "method", "seed", "pair", "metric", "protocol"]
GROUP = ["dataset", "method", "metric", "protocol"]  # rows that share a tolerance
DIGITS = 10  # that a baseline keeps of a number
Verdict = Literal["too good", "worse", "missing", "better", "vanished", "new", "as before"]
ALARMS: tuple[Verdict, ...] = ("too good", "worse", "missing", "better", "vanished")
BEFORE = "before"  # beside the older state of the project


class BaselineError(DataError):
    """A baseline that cannot be compared with."""


@dataclass(frozen=True)
class Finding:
    """A number that is not what was accepted; ``expected`` or ``measured`` is NaN where there is none."""

    verdict: Verdict
    dataset: str
    method: str
    seed: int
    pair: str
    metric: str
    protocol: str
    expected: float
    measured: float
    tolerance: float
    reason: str = ""  # why there is no number

    @property
    def alarming(self) -> bool:
        """Whether it makes the gate red."""
        return self.verdict in ALARMS


@dataclass(frozen=True)
class Slower:
    """A kernel that takes ``times`` as long as it did, ``beside`` the older state (`BEFORE`) or a peer.

    ``expected`` and ``measured`` are seconds beside the older state, and how many times longer a peer took.
    """

    kernel: str
    beside: str
    times: float
    expected: float
    measured: float
