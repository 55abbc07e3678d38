"""Turn pytest-benchmark's file into a table and a picture: ``python -m benchmarks.speed results/bench/speed.json``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

import pandas as pd

from benchmarks.speed.figure import draw
from benchmarks.speed.rows import SpeedRow, read
from datasets.files import DataError


def main(arguments: Sequence[str] | None = None) -> None:
    """Write ``speed.csv`` and ``speed.png`` beside the file, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    path = parser.parse_args(arguments).file
    try:
        rows = read(path)
    except DataError as error:
        sys.exit(f"error: {error}")
    columns = [field.name for field in fields(SpeedRow)]
    table = pd.DataFrame([asdict(row) for row in rows], columns=columns)
    table.to_csv(path.with_suffix(".csv"), index=False, float_format="%.6g")
    draw(rows, path.with_suffix(".png"))
    sys.stdout.write(table.to_string(index=False, float_format="%.4g", na_rep="") + "\n")


if __name__ == "__main__":
    main()
