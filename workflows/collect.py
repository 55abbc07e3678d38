"""Gather the rows of all chunks into one table.

The specification: ``runs`` (list of method and data set), ``seeds`` (of each method), ``chunks`` (data set to number of
chunks) and ``folder`` (that of the results).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from benchmarks import results
from workflows.running.command import Spec, run_step


def collect(spec: Spec) -> None:
    """Write metrics.parquet and runs.parquet."""
    folder, chunks = Path(spec["folder"]), list(_chunk_folders(spec))
    results.write(
        folder / "metrics.parquet", results.concat([chunk / "metrics.parquet" for chunk in chunks]), "metrics"
    )
    runs = [json.loads((chunk / "registrations.json").read_text(encoding="utf-8"))["run"] for chunk in chunks]
    # The chunks of one run share its identity; the first stands for all.
    results.write(folder / "runs.parquet", list({run["run"]: run for run in reversed(runs)}.values()), "runs")


def _chunk_folders(spec: Spec) -> Iterator[Path]:
    for method, dataset in spec["runs"]:
        for seed in spec["seeds"][method]:
            for chunk in range(spec["chunks"][dataset]):
                yield Path(spec["folder"]) / "runs" / dataset / method / f"seed{seed}" / f"chunk{chunk}"


if __name__ == "__main__":
    run_step(collect, __doc__)
