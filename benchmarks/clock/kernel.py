"""What the Linux kernel tells of the CPUs: time by what it was spent on, pressure, and the clock of a process."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

STAT = Path("/proc/stat")
PRESSURE = Path("/proc/pressure/cpu")


@dataclass(frozen=True)
class Totals:
    """Seconds since the machine started, as ``/proc/stat`` sums them up over cores: all, busy, and those stolen.

    ``stolen`` is of the cores asked for alone; ``cores`` is how many there are.
    """

    cores: int
    total: float
    busy: float
    stolen: float


def totals(stat: Path = STAT, cores: Collection[int] = ()) -> Totals | None:
    """Return the machine's totals, None where the system does not tell."""
    try:
        lines = dict(_lines(stat.read_text(encoding="utf-8")))
        tick = os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError):
        return None
    if len(lines.get("cpu", ())) < 8:  # a kernel before 2.6.11, or something else that calls itself so
        return None
    user, nice, system, idle, waiting, interrupts, soft, stolen, *_ = lines["cpu"]
    busy = user + nice + system + interrupts + soft
    taken = [lines[name][7] for core in cores if len(lines.get(name := f"cpu{core}", ())) > 7]
    everything = busy + idle + waiting + stolen
    return Totals(len(lines) - 1, everything / tick, busy / tick, (sum(taken) if cores else stolen) / tick)


def waited(pressure: Path = PRESSURE) -> float | None:
    """Return for how many seconds something has waited for a CPU since the start; None where the kernel lacks PSI."""
    try:
        lines = pressure.read_text(encoding="utf-8").splitlines()
        return next(int(line.rpartition("total=")[2]) / 1e6 for line in lines if line.startswith("some "))
    except (OSError, ValueError, StopIteration):
        return None


def cpu_seconds(pid: int) -> float | None:
    """Return the CPU seconds of all threads of a process, to the nanosecond (Linux); None where that cannot be had."""
    try:
        return time.clock_gettime((~pid << 3) | 2)  # the kernel's number for the clock of a process
    except (OSError, AttributeError, OverflowError):
        return None


def _lines(text: str) -> Iterator[tuple[str, list[int]]]:
    for name, *numbers in (line.split() for line in text.splitlines() if line.startswith("cpu")):
        yield name, list(map(int, numbers))
