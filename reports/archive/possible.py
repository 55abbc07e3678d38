"""Whether the values of an archive can be: checksums that fit say only that nobody changed them by accident."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from benchmarks.metrics import METRICS
from reports.archive.rows import ROWS

SCORED = ("dice", "jaccard")  # whose mean is over the labels that have a value
OTHERS = r"(?:count|axis).*"  # regions that count, or are parts of a vector
ROUNDING = 1e-6
PLACE = ["dataset", "pair", "method", "seed", "metric", "protocol"]


def impossible(metrics: pd.DataFrame) -> Iterator[str]:
    """Yield why rows of metrics cannot be of a run: there are none, or values that no registration can have."""
    if metrics.empty:
        yield f"{ROWS['metrics']} has no rows"
        return
    bounds = {name: (metric.least - ROUNDING, metric.most + ROUNDING) for name, metric in METRICS.items()}
    whole = metrics[~metrics.region.astype(str).str.fullmatch(OTHERS)]
    for name, rows in whole.groupby("metric", observed=True):
        low, high = bounds.get(str(name), (-float("inf"), float("inf")))
        for row in rows[(rows.value < low) | (rows.value > high)].head(1).itertuples():
            yield f"{_named(row)} is {row.value:g}, which it cannot be"
    yield from _lost(metrics[metrics.metric.isin(SCORED) & (metrics.status == "ok")])


def _lost(scores: pd.DataFrame) -> Iterator[str]:
    """Yield means of overlap that have no value although labels have."""
    without = scores[(scores.region == "mean") & scores.value.isna()]
    if without.empty:  # as in nearly every archive: the rest looks at all rows
        return
    has = scores[scores.region.astype(str).str.startswith("label_") & scores.value.notna()]
    counted = scores[(scores.region == "count") & (scores.value > 0)]
    known = set(pd.concat([has, counted])[PLACE].itertuples(index=False, name=None))
    for row in without.itertuples():
        if tuple(getattr(row, column) for column in PLACE) in known:
            yield f"{_named(row)} has status ok and no value, and its labels have"
            return


def _named(row: object) -> str:
    return ", ".join(str(getattr(row, column)) for column in [*PLACE, "region"])
