"""Gather the rows of all chunks into one table."""

from __future__ import annotations

from benchmarks import results
from benchmarks.records import Registrations, read
from workflows.planning.layout import ChunkFolder, Layout
from workflows.planning.specs import CollectSpec
from workflows.running.command import job


def collect(spec: CollectSpec) -> None:
    """Write metrics.parquet and runs.parquet."""
    layout, chunks = Layout(spec.results), [ChunkFolder(folder) for folder in spec.chunks]
    results.write(layout.metrics, results.concat([chunk.metrics for chunk in chunks]), "metrics")
    runs = [read(chunk.registrations, Registrations).run for chunk in chunks]
    # The chunks of one run share its identity; the first stands for all.
    results.write(layout.runs, list({run.run: run for run in reversed(runs)}.values()), "runs")


if __name__ == "__main__":
    with job(CollectSpec, __doc__) as this:
        collect(this.spec)
