"""Gather the rows of all chunks into one table."""

from __future__ import annotations

import numpy as np

from benchmarks import results
from benchmarks.records import Registrations, Unavailable, read, write
from workflows.planning.layout import ChunkFolder, Layout
from workflows.planning.specs import CollectSpec
from workflows.running.command import job


def collect(spec: CollectSpec) -> None:
    """Write metrics.parquet, runs.parquet, and which methods were not available (unavailable.json).

    A method that was not available for a part of a data set has no rows of the others: they would be no whole.
    """
    layout, chunks = Layout(spec.folder), [ChunkFolder(folder) for folder in spec.chunks]
    found = [read(chunk.registrations, Registrations) for chunk in chunks]
    unavailable = {(each.run.dataset, each.run.method): _unavailable(each) for each in found if each.unavailable}
    rows = results.concat([chunk.metrics for chunk in chunks])
    dropped = [place in unavailable for place in zip(rows.dataset, rows.method, strict=True)]
    results.write(layout.metrics, rows[~np.array(dropped, dtype=bool)], "metrics")
    # The chunks of one run share its identity; the first stands for all.
    runs = {
        each.run.run: each.run for each in reversed(found) if (each.run.dataset, each.run.method) not in unavailable
    }
    results.write(layout.runs, list(runs.values()), "runs")
    write(layout.unavailable, list(unavailable.values()))


def _unavailable(found: Registrations) -> Unavailable:
    return Unavailable(
        dataset=found.run.dataset, method=found.run.method, seed=found.run.seed, reason=found.unavailable
    )


if __name__ == "__main__":
    with job(CollectSpec, __doc__) as this:
        collect(this.spec)
