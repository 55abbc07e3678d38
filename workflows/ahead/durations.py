"""How long jobs take, from what is kept of runs: a guide for who waits, and nothing that a table shows."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from reports.archive.packed import NAME, TRAININGS, ArchiveError, read
from workflows.configuration.sources import ROOT
from workflows.planning.wildcards import Wildcards

MEASURED = ROOT / "reports" / "measured"
Names = tuple[str, str, str]  # data set, method, seed


@dataclass(frozen=True)
class Stored:
    """Seconds that the archive of a profile has: of each training, of all pairs of each run, of the timing."""

    trainings: Mapping[Names, float] = field(default_factory=dict[Names, float])
    registrations: Mapping[Names, float] = field(default_factory=dict[Names, float])
    timing: float = 0.0

    def of(self, rule: str, where: Wildcards, chunks: int) -> float | None:
        """Return the seconds of a job, without its start and without judging; None where the archive has none."""
        names = (where.dataset, where.method, where.seed)
        if rule == "train":
            return self.trainings.get(names)
        if rule == "register" and names in self.registrations:
            return self.registrations[names] / chunks
        return self.timing or None if rule == "timing" else None


@cache
def stored(profile: str) -> Stored:
    """Return what is kept with the project of a profile's run; nothing where there is no such archive."""
    path = MEASURED / profile / NAME
    try:
        content = read(path).content if path.exists() else {}
        return Stored(_trainings(content), _registrations(content), _timing(content))
    except ArchiveError:
        return Stored()


def _trainings(content: Mapping[str, bytes]) -> dict[Names, float]:
    """Return the seconds at the last row of each curve of learning."""
    found = dict[Names, float]()
    for name, text in content.items():
        if name.startswith(f"{TRAININGS}/") and name.endswith("/curve.jsonl") and text.strip():
            _, dataset, method, seed, _ = name.split("/")
            found[dataset, method, seed.removeprefix("seed")] = json.loads(text.strip().splitlines()[-1])["seconds"]
    return found


def _registrations(content: Mapping[str, bytes]) -> dict[Names, float]:
    """Return the seconds of all pairs of each run."""
    found = dict[Names, float]()
    columns = ("dataset", "method", "seed", "metric", "value")
    for dataset, method, seed, metric, value in _rows(content, "metrics", columns):
        if metric == "seconds":
            names = (dataset, method, str(seed))
            found[names] = found.get(names, 0.0) + (value or 0.0)
    return found


def _timing(content: Mapping[str, bytes]) -> float:
    """Return the seconds of all timed calls together."""
    return sum(seconds or 0.0 for (seconds,) in _rows(content, "timing", ("seconds",)))


def _rows(content: Mapping[str, bytes], table: str, columns: Sequence[str]) -> Iterable[tuple[Any, ...]]:
    """Return some columns of a table of an archive, row by row; nothing where it has no such table."""
    from pyarrow.parquet import ParquetFile  # slow to come, and seldom needed

    if (packed := content.get(f"rows/{table}.parquet")) is None:
        return ()
    # On this thread alone: some of the library's own outlive the interpreter now and then, and abort it.
    read = ParquetFile(io.BytesIO(packed)).read(columns=list(columns), use_threads=False)
    return zip(*(read[column].to_pylist() for column in columns), strict=True)
