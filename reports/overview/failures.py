"""Failures as results: every registration that is not ``ok``, with its reason."""

from __future__ import annotations

import pandas as pd

from reports.reading import summary
from reports.reading.summary import Datasets, Methods
from reports.tables.table import Cell, Head, Table

COLUMNS = ["method", "dataset", "pair", "status", "reason"]
NONE = "No failures: every registration of this run finished."


def failure_frame(metrics: pd.DataFrame) -> pd.DataFrame:
    """One row for each registration with a status other than ``ok``: method, dataset, pair, status, reason.

    Where a run has several seeds, the reason names the seed.
    """
    rows = summary.registrations(metrics)
    several = rows.seed.nunique() > 1
    rows = rows[rows.status != "ok"].sort_values(["method", "dataset", "pair", "seed"])
    reasons = [
        f"{reason or 'no reason recorded'}{f' (seed {seed})' if several else ''}"
        for reason, seed in zip(rows.reason.fillna(""), rows.seed, strict=True)
    ]
    return rows.assign(reason=reasons)[COLUMNS].reset_index(drop=True)


def failure_table(frame: pd.DataFrame, datasets: Datasets, methods: Methods) -> Table:
    """The failures as a table; one row says so when there are none."""
    heads = [Head(name.capitalize() if name != "dataset" else "Data set", number=False) for name in COLUMNS[:4]]
    heads.append(Head("Reason", width="8cm", number=False))
    rows = [
        [
            Cell(methods[row.method].label if row.method in methods else row.method),
            Cell(datasets[row.dataset].description.title or row.dataset if row.dataset in datasets else row.dataset),
            Cell(row.pair),
            Cell(row.status),
            Cell(_short(row.reason)),
        ]
        for row in frame.itertuples()
    ]
    if not rows:
        rows = [[Cell(NONE, muted=True), *[Cell("")] * 4]]
    return Table("Registrations that gave no result, with the reason on record.", heads, rows)


def _short(reason: str, limit: int = 400) -> str:
    flat = " ".join(reason.split())
    return flat if len(flat) <= limit else f"{flat[: limit - 1]}…"
