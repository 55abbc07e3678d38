"""What goes to be tried again: methods that lacked a library or a device, and on request failed and lost pairs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from benchmarks import results
from benchmarks.records import UNAVAILABLE, PairRecord, Registrations, TrainingOutcome, keep_lines, read, read_lines
from datasets.files import DataError, one_line
from workflows.evaluate import forget as forget_records
from workflows.evaluate import lost_pairs
from workflows.planning.layout import ChunkFolder, Layout
from workflows.planning.plan import Plan
from workflows.planning.specs import EvaluateSpec

T = TypeVar("T")


def forget(plan: Plan) -> list[str]:
    """Remove what methods that were not available have left; return a line for each of them.

    The report stays, which says so too, but no longer counts as finished, and the archive that it is made of goes:
    Snakemake misses what is removed here, and looks for a file no further back than to one that is there.
    """
    chunks = {chunk.registrations: chunk.metrics for chunk in plan.all_chunks()}
    found = {path: line for path in plan.trainings() if (line := _of_training(path))}
    found |= {path: line for path in chunks if (line := _of_chunk(path))}
    for path in found:
        path.unlink()
        if path in chunks:
            chunks[path].unlink(missing_ok=True)
    lines = dict.fromkeys([*found.values(), *_forget_timing(plan.layout)])
    for path in (plan.layout.unavailable, plan.layout.archive, plan.layout.finished) if lines else ():
        path.unlink(missing_ok=True)
    return [
        f"{line}; not available, so the report lacks it and nothing of it is kept; mend that and run again"
        for line in lines
    ]


def forget_failures(registrations: Iterable[Path]) -> None:
    """Remove the records of failed pairs from the chunks that these files are of; other pairs keep theirs."""
    for path in registrations:
        records = ChunkFolder(path.parent).records
        found = list(read_lines(records, PairRecord))
        if sound := [record for record in found if record.status == "ok"]:
            keep_lines(records, sound)
        else:
            records.unlink(missing_ok=True)


def forget_lost(judging: Iterable[EvaluateSpec]) -> None:
    """Remove the records of pairs that cannot be judged any more: an earlier judge's rows are all that is left."""
    for spec in judging:
        with contextlib.suppress(DataError):  # the step itself says what cannot be read
            if lost := lost_pairs(spec):
                forget_records(ChunkFolder(spec.folder), lost)


def _of_training(path: Path) -> str:
    outcome = _read(path, TrainingOutcome)
    return f"{outcome.method}: {one_line(outcome.reason)}" if outcome and outcome.status == UNAVAILABLE else ""


def _of_chunk(path: Path) -> str:
    found = _read(path, Registrations)
    return f"{found.run.method}: {one_line(found.unavailable)}" if found and found.unavailable else ""


def _read(path: Path, kind: type[T]) -> T | None:
    """Return what a file holds; None where there is none, or none that can be judged here."""
    try:
        return read(path, kind)
    except (OSError, DataError):
        return None


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
