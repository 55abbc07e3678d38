"""CPU seconds of a job by what they went into, of all its processes together; and the file that a run keeps of them."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.records import write

FOLDER, RUNNER, JOBS = "spent", "runner", "jobs"
START = "start-up"  # of Python and libraries, until a step and the child with the method are ready
SPECIFICATIONS = "specifications"  # where the files that a run hands to its jobs lie, beside its results


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What one job took: CPU seconds by part (two threads that are busy count twice), and seconds by the wall.

    ``method`` is empty for jobs of none. Of Snakemake itself, the ``runner``, the parts are its own process and all
    jobs together.
    """

    step: str
    job: str
    method: str = ""
    wall: float
    parts: dict[str, float]


@dataclass
class Meter:
    """Adds up what this process and the children that it has waited for take, part by part."""

    parts: dict[str, float] = field(default_factory=dict[str, float])

    def mark(self, part: str, starting: float = 0.0) -> None:
        """Count what was taken since the last mark as of a part, but for the CPU seconds of ``starting`` children."""
        new = cpu_seconds() - sum(self.parts.values())
        self._add(START, min(starting, new))
        self._add(part, new - min(starting, new))

    def _add(self, part: str, seconds: float) -> None:
        self.parts[part] = self.parts.get(part, 0.0) + seconds

    def spent(self, step: str, job: str, method: str = "") -> Spent:
        """Return all that was counted."""
        return Spent(step=step, job=job, method=method, wall=seconds(), parts=dict(self.parts))


def seconds() -> float:
    """Return for how long this process has been there, in seconds."""
    return time.time() - psutil.Process().create_time()


def cpu_seconds() -> float:
    """Return the CPU seconds of this process, all its threads, and of all children that have ended."""
    return time.process_time() + children_seconds()


def children_seconds() -> float:
    """Return the CPU seconds of all children that have ended and were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def keep(specification: Path, spent: Spent) -> None:
    """Keep what a job took beside the results of its run; a job that is run by hand from elsewhere keeps nothing."""
    if specification.parent.name == SPECIFICATIONS:
        write(file_of(specification.parent.parent, spent), spent)


def keep_runner(results: Path) -> None:
    """Keep what Snakemake's own process took, and all jobs that it waited for."""
    parts = {RUNNER: time.process_time(), JOBS: children_seconds()}
    spent = Spent(step=RUNNER, job="", wall=seconds(), parts=parts)
    write(file_of(results, spent), spent)


def file_of(results: Path, spent: Spent) -> Path:
    """Return the file of a job's account."""
    return results / FOLDER / f"{'-'.join(filter(None, [spent.step, spent.job]))}.json"
