"""The cores that this process may use, and which of them to pin a number of threads to."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

CPUS = Path("/sys/devices/system/cpu")
_CGROUPS = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")


def allowed() -> tuple[int, ...]:
    """Return the numbers of the cores that the system lets this process use."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def usable(cores: Sequence[int], limit: float | None) -> int:
    """Return how many threads can run at once on some cores, within the ``limit`` of a container (None: none)."""
    return len(cores) if limit is None else max(1, min(len(cores), math.floor(limit)))


def choose(threads: int, cores: Sequence[int], *, cpus: Path = CPUS) -> tuple[int, ...]:
    """Return the cores for some threads, one each: different physical cores first, then their second threads.

    Raises:
        ValueError: there are fewer cores than threads.
    """
    if threads > len(cores):
        raise ValueError(f"{threads} threads, but only {len(cores)} cores may be used")
    taken: dict[frozenset[int], int] = {}
    ranked: list[tuple[int, int]] = []
    for core in cores:
        together = siblings(core, cpus=cpus)
        ranked.append((taken.setdefault(together, 0), core))
        taken[together] += 1
    return tuple(sorted(core for _, core in sorted(ranked)[:threads]))


def siblings(core: int, *, cpus: Path = CPUS) -> frozenset[int]:
    """Return the logical cores of one physical core, ``core`` among them; it alone where the system does not say."""
    text = _text(cpus / f"cpu{core}" / "topology" / "thread_siblings_list")
    return frozenset(_numbers(text)) if text else frozenset([core])


def smt(*, cpus: Path = CPUS) -> bool | None:
    """Return whether physical cores run several threads at once, None where the system does not say."""
    return {"0": False, "1": True}.get(_text(cpus / "smt" / "active"))


def governor(cores: Iterable[int], *, cpus: Path = CPUS) -> str | None:
    """Return what governs the clock rate of some cores (such as performance), None where the system does not say."""
    names = {_text(cpus / f"cpu{core}" / "cpufreq" / "scaling_governor") for core in cores}
    return ", ".join(sorted(names - {""})) or None


def limit(*, membership: Path = _MEMBERSHIP, cgroups: Path = _CGROUPS) -> float | None:
    """Return how many cores' time the groups around this process may use (a container's limit), None for any."""
    found = [quota for line in _text(membership).splitlines() for quota in _limits(line, cgroups)]
    return min(found, default=None)


def _limits(line: str, cgroups: Path) -> Iterator[float]:
    """Yield the limits of a group and of those around it; ``line`` is ``number:controllers:path``."""
    _, controllers, path = line.split(":", 2)
    if controllers and "cpu" not in controllers.split(","):
        return
    root = cgroups / controllers if controllers else cgroups
    group = root / path.strip("/")
    for folder in (group, *group.parents):
        if root in (folder, *folder.parents):
            yield from _quota(folder)


def _quota(folder: Path) -> Iterator[float]:
    second = _text(folder / "cpu.max").split()  # version 2 of control groups
    first = [_text(folder / f"cpu.cfs_{name}_us") for name in ("quota", "period")]
    for quota, period in (pair for pair in (second, first) if len(pair) == 2):
        if quota.isdigit() and period.isdigit() and int(period):  # neither "max" nor -1
            yield int(quota) / int(period)


def _numbers(text: str) -> Iterator[int]:
    """Yield the numbers of a list such as ``0-1,4``."""
    for part in text.split(","):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
