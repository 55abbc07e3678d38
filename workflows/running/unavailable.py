"""What is left by methods that lacked a library or a device: it goes, so that the next run tries them again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmarks import results
from benchmarks.records import UNAVAILABLE
from datasets.files import DataError, one_line
from workflows.planning.layout import Layout
from workflows.planning.plan import Plan


@dataclass(frozen=True)
class Whose:
    """The method that registrations are of."""

    method: str = ""


@dataclass(frozen=True)
class Mark:
    """The part of training.json and of registrations.json that says whether a method was available."""

    method: str = ""
    status: str = ""
    reason: str = ""
    run: Whose = Whose()
    unavailable: str = ""

    @property
    def line(self) -> str:
        """The method and the reason why it was not available; empty where it was."""
        why = self.reason if self.status == UNAVAILABLE else self.unavailable
        return f"{self.method or self.run.method}: {one_line(why)}" if why else ""


def forget(plan: Plan) -> list[str]:
    """Remove what methods that were not available have left; return a line for each of them.

    The report stays, which says so too, but no longer counts as finished: Snakemake misses what is removed here.
    """
    chunks = {chunk.registrations: chunk.metrics for chunk in plan.all_chunks()}
    found = {path: line for path in [*map(Path, plan.all_trainings()), *chunks] if (line := _line(path))}
    for path in found:
        path.unlink()
        if path in chunks:
            chunks[path].unlink(missing_ok=True)
    lines = dict.fromkeys([*found.values(), *_forget_timing(plan.layout)])
    for path in (plan.layout.unavailable, plan.layout.finished) if lines else ():
        path.unlink(missing_ok=True)
    return [
        f"{line}; not available, so the report lacks it and nothing of it is kept; mend that and run again"
        for line in lines
    ]


def _line(path: Path) -> str:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Mark).line
    except (OSError, msgspec.MsgspecError):
        return ""


def _forget_timing(layout: Layout) -> Iterator[str]:
    """Remove the table of timed calls where it names a method that was not available."""
    try:
        rows = results.read(layout.timing, "timing")
    except DataError:  # none yet, or not ours to judge
        return
    lost = rows[rows.status == UNAVAILABLE].drop_duplicates(["method", "reason"])
    if len(lost):
        layout.timing.unlink()
        yield from (f"{method}: {reason}" for method, reason in zip(lost.method, lost.reason, strict=True))
