"""What disturbed a timed call, and when a call counts as contended: here once, for code, tables and words.

A call is *contended* when a thread that should have had a core to itself had it for less than 97 % of the call (CPU
seconds over wall, of calls on one thread), when other processes kept more than 3 % of one core of the machine busy, or
when the host of a virtual machine took more than 1 % of the cores' time. Where one of these is not known and no other
one says so, it is not known whether a call was contended.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.clock.kernel import PRESSURE, STAT, Totals, cpu_seconds, totals, waited

LEAST_CPU = 0.97
MOST_OTHERS = 0.03
MOST_STEAL = 0.01
WINDOW = 1.0  # seconds; the kernel counts busy time in steps of 0.01 s, too coarse for a shorter call
WORDS = (
    f"Contended: on one thread less than {LEAST_CPU:.0%} of a core for the call, other processes above "
    f"{MOST_OTHERS:.0%} of a core, or more than {MOST_STEAL:.0%} of the time taken by the host of a virtual machine"
)
_PLAUSIBLE = 0.5  # part of the time that the kernel must account for; some sandboxes show a file of zeros


@dataclass(frozen=True)
class Disturbance:
    """What disturbed a call: see `benchmarks.rows.TimingRow`. None is not known.

    ``alone`` says that the method has one thread, on the processor: only then should it keep one core busy.
    """

    alone: bool
    cpu: float | None = None
    others: float | None = None
    pressure: float | None = None
    steal: float | None = None

    @property
    def excess(self) -> float | None:
        """The largest reading in parts of what is allowed: above 1 is contended; None where that is not known."""
        known = [value for value in self._parts if value is not None]
        worst = max(known, default=None)
        return worst if worst is not None and (worst > 1 or len(known) == len(self._parts)) else None

    @property
    def contended(self) -> bool | None:
        """Whether the call was contended; None where that is not known."""
        return None if self.excess is None else self.excess > 1

    @property
    def _parts(self) -> list[float | None]:
        missing = None if self.cpu is None else (1 - self.cpu) / (1 - LEAST_CPU)
        shared = [_over(self.others, MOST_OTHERS), _over(self.steal, MOST_STEAL)]
        return [missing, *shared] if self.alone else shared


@dataclass(frozen=True)
class Snapshot:
    """The machine at a ``time`` (of `time.monotonic`).

    ``waited`` is the kernel's count of seconds under pressure, ``clocks`` the CPU seconds of each of our processes.
    """

    time: float
    totals: Totals | None
    waited: float | None
    clocks: Mapping[int, float]


@dataclass
class Watch:
    """Looks at the machine before and after calls of processes that are pinned to some ``cores``."""

    cores: tuple[int, ...]
    stat: Path = STAT
    pressure: Path = PRESSURE
    seen: list[Snapshot] = field(default_factory=list[Snapshot])

    def look(self, ours: Collection[int]) -> Snapshot:
        """Take a snapshot; ``ours`` are the numbers of our processes."""
        clocks = {pid: seconds for pid in ours if (seconds := cpu_seconds(pid)) is not None}
        now = Snapshot(time.monotonic(), totals(self.stat, self.cores), waited(self.pressure), clocks)
        self.seen = [each for each in self.seen[-1000:] if each.clocks.keys() == clocks.keys()] + [now]
        return now

    def settle(self, ours: Collection[int]) -> Snapshot:
        """Wait until there is an undisturbed second to look back on; return what is seen then.

        It is there already where calls follow each other in the same processes.
        """
        now = self.look(ours)
        if (left := WINDOW - (now.time - self.seen[0].time)) > 0:
            time.sleep(left)
            now = self.look(ours)
        return now

    def forget(self) -> None:
        """Look no further back than from here: what came before was disturbed."""
        self.seen = []

    def judge(self, before: Snapshot, after: Snapshot, timed: int, cpu: float | None, *, alone: bool) -> Disturbance:
        """Return what disturbed the call of the process ``timed`` between two snapshots.

        ``cpu`` is its CPU seconds over wall. Other processes and the host are judged by the call and, where that is
        shorter than `WINDOW`, by the time up to it; our own other processes by the call.
        """
        start = self._start(before, after)
        spent = after.time - start.time
        pressure = _difference(before.waited, after.waited)
        foreign, stolen = _foreign(start, after)
        beside = _spent(before, after, but={timed, os.getpid()})  # this process waits while the call is made
        during = max(after.time - before.time, 1e-9)
        return Disturbance(
            alone=alone,
            cpu=cpu,
            others=None if foreign is None else max(0.0, foreign / spent) + beside / during,
            pressure=None if pressure is None else min(1.0, pressure / during),
            steal=None if stolen is None else max(0.0, stolen / spent / max(1, len(self.cores))),
        )

    def _start(self, before: Snapshot, after: Snapshot) -> Snapshot:
        """Return the last snapshot before the call that leaves a window, else the first one there is."""
        comparable = [each for each in self.seen if each.clocks.keys() == after.clocks.keys()]
        early = [each for each in comparable if each.time <= min(before.time, after.time - WINDOW)]
        return early[-1] if early else min([before, *comparable], key=lambda each: each.time)


def _foreign(start: Snapshot, end: Snapshot) -> tuple[float | None, float | None]:
    """Return the seconds that other processes and the host took between two snapshots, None where not known."""
    if start.totals is None or end.totals is None:
        return None, None
    if end.totals.total - start.totals.total < _PLAUSIBLE * end.totals.cores * (end.time - start.time):
        return None, None
    stolen = end.totals.stolen - start.totals.stolen
    if not start.clocks or start.clocks.keys() != end.clocks.keys():
        return None, stolen
    return end.totals.busy - start.totals.busy - _spent(start, end), stolen


def _spent(start: Snapshot, end: Snapshot, but: Collection[int] = ()) -> float:
    """Return the CPU seconds of our processes between two snapshots, ``but`` those of some."""
    both = (end.clocks.keys() & start.clocks.keys()) - set(but)
    return sum(end.clocks[pid] - start.clocks[pid] for pid in both)


def _difference(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before


def _over(value: float | None, most: float) -> float | None:
    return None if value is None else value / most
