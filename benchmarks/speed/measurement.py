"""What pytest-benchmark's file keeps of one test beside our own seconds: `Measurement`, as its ``extra_info``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

Precision = Literal["float32", "mixed"]
OURS = "ours"


@dataclass(frozen=True)
class Series:
    """The seconds of one contestant, one of each round; no seconds but a ``reason`` where it could not take part.

    ``cpu`` are those that this process computed meanwhile, which a busy neighbour hardly changes.
    """

    who: str
    threads: int
    precision: Precision = "float32"
    seconds: tuple[float, ...] = ()
    cpu: tuple[float, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Work:
    """What a kernel cannot do without, whoever writes it: operations in floating point, bytes to and from memory."""

    flops: float = 0
    bytes: float = 0


@dataclass(frozen=True)
class Subject:
    """What is measured: its name, the grid ``(D, H, W)`` and how many threads each contestant may use.

    ``work`` where it is known: then the table says how fast this machine could be at best.
    """

    name: str
    grid: tuple[int, ...]
    threads: int
    work: Work | None = None


@dataclass(frozen=True)
class Measurement:
    """One test: what was measured, and everyone beside the one whose seconds pytest-benchmark has itself.

    ``name``, ``who``, ``threads``, ``voxels``, ``device`` and ``precision`` say what was timed, ``load`` is the
    machine's one-minute load average before the first round; ``cpu`` are our CPU seconds, see `Series`.
    """

    name: str
    grid: tuple[int, ...]
    voxels: int
    threads: int
    load: float
    who: str = OURS
    device: str = "cpu"
    precision: Precision = "float32"
    cpu: tuple[float, ...] = ()
    work: Work | None = None
    others: list[Series] = field(default_factory=list[Series])

    def peers(self) -> Iterator[Series]:
        """Yield those that are not ours."""
        return (series for series in self.others if series.who != OURS)

    def own(self, seconds: tuple[float, ...]) -> Iterator[Series]:
        """Yield ours, the one that has ``seconds`` in pytest-benchmark's file first."""
        yield Series(self.who, self.threads, self.precision, seconds, self.cpu)
        yield from (series for series in self.others if series.who == OURS)
