"""Failures as results: every registration that is not ``ok``, with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

import pandas as pd

from benchmarks.records import UNAVAILABLE, Lacking
from benchmarks.results import RUN_LEVEL
from datasets.files import one_line
from reports.reading import summary
from reports.reading.run import Run, WhyUnavailable
from reports.tables.table import Head, Table, Text

COLUMNS = {"method": "Method", "dataset": "Data set", "pair": "Pair", "status": "Status", "reason": "Reason"}
NONE = "No failures: every registration of this run finished."


def failure_frame(
    metrics: pd.DataFrame,
    unavailable: WhyUnavailable = MappingProxyType({}),
    lacking: Sequence[Lacking] = (),
) -> pd.DataFrame:
    """Return a row for each registration with a status other than ``ok``: method, dataset, pair, status, reason.

    Where a run has several seeds, the reason names the seed. A method that was not available on a data set, or
    whose data a run was ``lacking``, has one row there.
    """
    rows = summary.registrations(metrics)
    several = rows.seed.nunique() > 1
    rows = rows[rows.status != "ok"].sort_values(["method", "dataset", "pair", "seed"])
    reasons = [
        f"{reason or 'no reason recorded'}{f' (seed {seed})' if several else ''}"
        for reason, seed in zip(rows.reason.fillna(""), rows.seed, strict=True)
    ]
    lost = [(method, data, RUN_LEVEL, UNAVAILABLE, why) for (data, method), why in unavailable.items()]
    lost += [(method, data, RUN_LEVEL, "not measured", _lacked(each)) for each in lacking for data, method in each.runs]
    failed = rows.assign(reason=reasons)[list(COLUMNS)]
    return pd.DataFrame([*lost, *failed.itertuples(index=False, name=None)], columns=list(COLUMNS))


def failure_table(run: Run, frame: pd.DataFrame) -> Table:
    """Return the failures as a table; one row says so when there are none."""
    heads = [Head(title, number=False, width="8cm" if name == "reason" else "") for name, title in COLUMNS.items()]
    titles = {name: dataset.description.title or name for name, dataset in run.datasets.items()}
    rows = [
        [run.label(method), titles.get(dataset, dataset), "all" if pair == RUN_LEVEL else pair, status, _short(reason)]
        for method, dataset, pair, status, reason in frame.itertuples(index=False)
    ]
    cells = [[Text(text) for text in row] for row in rows]
    nothing = [[Text(NONE, muted=True), *[Text("")] * 4]]
    return Table("Registrations that gave no result, with the reason on record.", heads, cells or nothing)


def _lacked(each: Lacking) -> str:
    return f"data missing: {each.dataset}, {each.reason}"


def _short(reason: str, limit: int = 400) -> str:
    flat = one_line(reason)
    return flat if len(flat) <= limit else f"{flat[: limit - 1]}…"
