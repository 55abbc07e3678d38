"""How long jobs take, from what is kept of runs: a guide for who waits, and nothing that a table shows."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

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
    import pyarrow.compute as pc  # slow to come, and seldom needed
    import pyarrow.parquet as pq

    found = dict[Names, float]()
    if (rows := content.get("rows/metrics.parquet")) is None:
        return found
    columns = ["dataset", "method", "seed", "value"]
    table = pq.read_table(io.BytesIO(rows), columns=columns, filters=pc.field("metric") == "seconds")
    for row in table.to_pylist():
        names = (row["dataset"], row["method"], str(row["seed"]))
        found[names] = found.get(names, 0.0) + (row["value"] or 0.0)
    return found


def _timing(content: Mapping[str, bytes]) -> float:
    """Return the seconds of all timed calls together."""
    import pyarrow.parquet as pq

    if (rows := content.get("rows/timing.parquet")) is None:
        return 0.0
    return sum(each or 0.0 for each in pq.read_table(io.BytesIO(rows), columns=["seconds"])["seconds"].to_pylist())
