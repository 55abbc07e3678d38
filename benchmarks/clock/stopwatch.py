"""Seconds and memory of one call, and the order of repeated calls."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TypeVar

Task = TypeVar("Task")
_CLEAR_REFS = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


@dataclass
class Cost:
    """What a call took: wall seconds, CPU seconds over those, and memory in MiB; NaN until it has ended.

    CPU seconds are those of all threads, and of processes that the call has started and waited for. ``peak_memory`` is
    the increase over what was held before, or the most that the device held.
    """

    seconds: float = float("nan")
    cpu: float = float("nan")
    peak_memory: float = float("nan")


def interleave(tasks: Sequence[Task], wanted: Callable[[Task], int]) -> Iterator[tuple[int, Task]]:
    """Yield ``(round, task)`` as ABCABC from round 1, so that a drift of the machine's clock hits all tasks alike.

    A task is left out of rounds beyond those ``wanted`` for it, which may become known on the way.
    """
    for number in count(1):
        turns = [task for task in tasks if number <= wanted(task)]
        if not turns:
            return
        yield from ((number, task) for task in turns)


@contextmanager
def measure(held: float = 0.0, device: str = "cpu") -> Generator[Cost]:
    """Measure the body of a ``with`` statement; the yielded `Cost` is filled when it ends, by an error too.

    Memory counts beyond the MiB ``held`` by libraries and weights (`resident_memory` once they are loaded). On a GPU it
    is the most that torch held there, weights included.
    """
    cost = Cost()
    torch = sys.modules.get("torch") if device.startswith("cuda") else None  # no import of ours: the method has it
    reset_peak_memory()
    if torch is not None:
        torch.cuda.reset_peak_memory_stats()
    started, worked = time.perf_counter(), _cpu_seconds()
    try:
        yield cost
    finally:
        cost.seconds = time.perf_counter() - started
        cost.cpu = (_cpu_seconds() - worked) / max(cost.seconds, 1e-9)
        on_device = None if torch is None else torch.cuda.max_memory_allocated() / 2**20
        cost.peak_memory = max(0.0, peak_memory() - held) if on_device is None else on_device


def reset_peak_memory() -> bool:
    """Lower the kernel's high-water mark of this process to its present memory; False where that is not possible."""
    try:
        _CLEAR_REFS.write_text("5")
    except OSError:
        return False
    return True


def peak_memory() -> float:
    """Return the peak resident memory in MiB since the last reset, or of the whole process where there is no reset."""
    return _memory("VmHWM:")


def resident_memory() -> float:
    """Return the resident memory of this process in MiB; its peak where the system does not tell."""
    return _memory("VmRSS:")


def _memory(name: str) -> float:
    try:
        lines = _STATUS.read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))
    except (OSError, StopIteration):
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def _cpu_seconds() -> float:
    """Return the CPU seconds of this process and of those that it has waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime
