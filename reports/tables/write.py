"""The files of a table: CSV for machines, Markdown for readers, LaTeX for papers."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from reports.tables.latex import latex
from reports.tables.markdown import markdown
from reports.tables.table import Table


def csv_text(frame: pd.DataFrame) -> str:
    """Return a frame as CSV: floats with six decimals, missing values empty, booleans true or false, LF as line end."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(frame.columns)
    writer.writerows([_plain(value) for value in row] for row in frame.itertuples(index=False, name=None))
    return stream.getvalue()


def write_tables(folder: Path, name: str, frame: pd.DataFrame, tables: Sequence[Table]) -> None:
    """Write ``<name>.csv`` from a tidy frame, and ``<name>.md`` and ``<name>.tex`` from tables."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / f"{name}.csv", csv_text(frame))
    write_text(folder / f"{name}.md", markdown(tables))
    write_text(folder / f"{name}.tex", latex(tables))


def write_text(path: Path, text: str) -> None:
    """Write a text with LF as line ends, whatever the system."""
    path.write_text(text, encoding="utf-8", newline="\n")


def _plain(value: object) -> str:
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.6f}" if isinstance(value, float) else str(value)
