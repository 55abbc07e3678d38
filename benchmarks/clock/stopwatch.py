"""Seconds and memory of one call, and the order of repeated calls."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

Task = TypeVar("Task")
_CLEAR_REFS = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


@dataclass
class Cost:
    """Wall seconds of a call and the peak resident memory of the process during it, in MiB; NaN until it has ended."""

    seconds: float = float("nan")
    peak_memory: float = float("nan")


def interleave(tasks: Sequence[Task], rounds: int) -> Iterator[tuple[int, Task]]:
    """Yield ``(round, task)`` as ABCABC, so that a drift of the machine's clock hits all tasks alike."""
    for number in range(rounds):
        for task in tasks:
            yield number, task


@contextmanager
def measure() -> Generator[Cost]:
    """Measure the body of a ``with`` statement; the yielded `Cost` is filled when it ends, by an error too."""
    cost = Cost()
    reset_peak_memory()
    started = time.perf_counter()
    try:
        yield cost
    finally:
        cost.seconds = time.perf_counter() - started
        cost.peak_memory = peak_memory()


def reset_peak_memory() -> bool:
    """Lower the kernel's high-water mark of this process to its present memory; False where that is not possible."""
    try:
        _CLEAR_REFS.write_text("5")
    except OSError:
        return False
    return True


def peak_memory() -> float:
    """Return the peak resident memory in MiB since the last reset, or of the whole process where there is no reset."""
    try:
        lines = _STATUS.read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
