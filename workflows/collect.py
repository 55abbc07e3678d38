"""Gather the rows of all chunks into one table: ``{"metrics": [paths], "registrations": [paths], "folder"}``."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks import results
from workflows.command import Spec, run_step


def collect(spec: Spec) -> None:
    """Write metrics.parquet and runs.parquet."""
    folder = Path(spec["folder"])
    results.write(folder / "metrics.parquet", results.concat([Path(path) for path in spec["metrics"]]), "metrics")
    runs = [json.loads(Path(path).read_text())["run"] for path in spec["registrations"]]
    # The chunks of one run share its identity; the first stands for all.
    results.write(folder / "runs.parquet", list({run["run"]: run for run in reversed(runs)}.values()), "runs")


if __name__ == "__main__":
    run_step(collect, __doc__)
