"""What pytest-benchmark's file keeps of one test beside our own seconds, `Measurement`, and the rows made of it."""

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


@dataclass(frozen=True)
class SpeedRow:
    """Ours beside one peer: medians in seconds of ``n`` rounds in turns, and how many times longer the peer took.

    ``ours_cpu_s`` and ``peer_cpu_s`` are the fewest CPU seconds of a round, which other work hardly changes.

    ``threads`` and ``precision`` are ours; a peer of another kind says so in its name. A peer that is not there has no
    seconds, and ``note`` says why; a kernel without peers has an empty ``peer``. ``limit_s`` is the least that ours can
    take here, where its work is known (`benchmarks.speed.ceilings`), and ``limit_ratio`` what the ratio would be then.
    """

    name: str
    grid: str
    threads: int
    precision: str
    device: str
    ours_s: float
    peer: str
    peer_s: float | None
    ratio: float | None
    n: int
    load: float
    ours_cpu_s: float | None = None
    peer_cpu_s: float | None = None
    limit_s: float | None = None
    limit_ratio: float | None = None
    limit_by: str = ""
    note: str = ""
