"""Turn pytest-benchmark's file into a table and a picture: ``python -m benchmarks.speed results/bench/speed.json``.

Of several files, one a run, ``medians.csv`` beside the last has the medians of the ratios, and their range.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

import pandas as pd

from benchmarks.speed.figure import draw
from benchmarks.speed.measurement import SpeedRow
from benchmarks.speed.rows import read
from benchmarks.speed.together import medians
from datasets.files import DataError


def main(arguments: Sequence[str] | None = None) -> None:
    """Write ``speed.csv`` and ``speed.png`` beside the file, or ``medians.csv`` of several, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=Path, nargs="+")
    paths: list[Path] = parser.parse_args(arguments).files
    try:
        runs = [read(path) for path in paths]
    except DataError as error:
        sys.exit(f"error: {error}")
    if len(runs) > 1:
        _keep(medians(runs), paths[-1].with_name("medians.csv"))
        return
    columns = [field.name for field in fields(SpeedRow)]
    _keep(pd.DataFrame([asdict(row) for row in runs[0]], columns=columns), paths[0].with_suffix(".csv"))
    draw(runs[0], paths[0].with_suffix(".png"))


def _keep(table: pd.DataFrame, path: Path) -> None:
    table.to_csv(path, index=False, float_format="%.6g")
    sys.stdout.write(table.to_string(index=False, float_format="%.4g", na_rep="") + "\n")


if __name__ == "__main__":
    main()
