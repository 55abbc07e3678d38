"""From result rows to the numbers of a report: mean, SD, median, failures, the best method.

Seeds are averaged within a pair first, so that ``n`` counts pairs and ``sd`` is the spread over pairs (n - 1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.metrics import CLOCK, METRICS
from benchmarks.ranking import Quote, quote, values
from benchmarks.results import RUN_LEVEL
from datasets.case import Dataset
from reports.reading.run import Methods

Datasets = Mapping[str, Dataset]


def per_pair(metrics: pd.DataFrame, dataset: str, wanted: Quote) -> dict[str, pd.Series]:
    """For each method the value of each pair, seeds averaged, pairs in order of name."""
    rows = values(metrics, dataset, wanted)
    return {str(method): group.groupby("pair").value.mean() for method, group in rows.groupby("method")}


def registrations(metrics: pd.DataFrame) -> pd.DataFrame:
    """One row per registration (data set, pair, method, seed) with its status and reason."""
    rows = metrics[(metrics.metric == "seconds") & (metrics.protocol == CLOCK) & (metrics.pair != RUN_LEVEL)]
    columns = ["dataset", "method", "pair", "seed", "status", "reason"]
    return rows[columns].drop_duplicates(columns[:4]).reset_index(drop=True)


def counts(metrics: pd.DataFrame, dataset: str, method: str) -> tuple[int, int, int]:
    """How many registrations were tried, how many of them failed, and how many did not apply."""
    rows = registrations(metrics)
    status = rows[(rows.dataset == dataset) & (rows.method == method)].status
    idle = int((status == "not_applicable").sum())
    return len(status) - idle, int((~status.isin(["ok", "not_applicable"])).sum()), idle


def parameters(metrics: pd.DataFrame, dataset: str, method: str) -> int | None:
    """Trainable numbers of the method's network as trained on this data set, or None."""
    rows = metrics[(metrics.metric == "parameters") & (metrics.dataset == dataset) & (metrics.method == method)]
    found = rows[rows.status == "ok"].value
    return int(found.iloc[0]) if len(found) else None


def ordered(methods: Methods) -> list[str]:
    """Display order: identity first, truth last, the others as given."""
    middle = [name for name in methods if name not in ("identity", "truth")]
    return [*(["identity"] if "identity" in methods else []), *middle, *(["truth"] if "truth" in methods else [])]


def contestants(methods: Methods) -> list[str]:
    return [name for name in ordered(methods) if methods[name].kind != "control"]


def label_quotes(metrics: pd.DataFrame, dataset: Dataset) -> list[tuple[str, Quote]]:
    """Each evaluated label's name with the quote of its Dice; the region is ``label_<n>`` or ``<n>``."""
    wanted = quote(metrics, dataset.name, "dice")
    if wanted is None:
        return []
    present = set(metrics[(metrics.dataset == dataset.name) & (metrics.metric == "dice")].region.astype(str))
    found = []
    for label in dataset.description.evaluated_labels:
        region = next((name for name in (f"label_{label}", str(label)) if name in present), None)
        if region is not None:
            name = dataset.description.labels.get(label, f"label {label}")
            found.append((name, Quote("dice", wanted.protocol, region)))
    return found


def summarise(metrics: pd.DataFrame, dataset: Dataset, methods: Methods, quotes: Sequence[Quote]) -> pd.DataFrame:
    """Long table of one data set: a row for each method and quote.

    ``before`` is the mean of the identity control over the same pairs. ``best`` marks the best displayed value of the
    methods that are no control and failed on no pair (a mean over the easy pairs would not be comparable).
    """
    tallies = {method: counts(metrics, dataset.name, method) for method in ordered(methods)}
    rows = []
    for wanted in quotes:
        by_method = per_pair(metrics, dataset.name, wanted)
        for method in ordered(methods):
            tried, failed, idle = tallies[method]
            row = _row(dataset, method, wanted, by_method.get(method), by_method.get("identity"))
            rows.append({**row, "tried": tried, "failed": failed, "not_applicable": idle})
    frame = pd.DataFrame(rows, columns=SUMMARY)
    return _mark_best(frame, set(contestants(methods)))


SUMMARY = (
    "dataset", "phantom", "method", "metric", "protocol", "region", "unit", "higher_is_better", "statistic", "mean",
    "sd", "median", "q1", "q3", "n", "before", "tried", "failed", "not_applicable", "best",
)  # fmt: skip


def shown(row: Mapping[str, Any] | pd.Series) -> float:
    """The number a table displays: the mean, or the median as for seconds."""
    return float(row[row["statistic"]])


def _row(
    dataset: Dataset, method: str, wanted: Quote, found: pd.Series | None, identity: pd.Series | None
) -> dict[str, Any]:
    found = pd.Series(dtype=float) if found is None else found
    shared = identity[identity.index.isin(found.index)] if identity is not None else found.iloc[:0]
    quartiles = np.percentile(found, [25, 50, 75]) if len(found) else [np.nan] * 3
    return {
        "dataset": dataset.name,
        "phantom": dataset.description.phantom,
        "method": method,
        "metric": wanted.metric,
        "protocol": wanted.protocol,
        "region": wanted.region,
        "unit": METRICS[wanted.metric].unit,
        "higher_is_better": wanted.higher_is_better,
        "statistic": METRICS[wanted.metric].statistic,
        "mean": float(found.mean()) if len(found) else np.nan,
        "sd": float(found.std(ddof=1)) if len(found) > 1 else np.nan,
        "median": float(quartiles[1]),
        "q1": float(quartiles[0]),
        "q3": float(quartiles[2]),
        "n": len(found),
        "before": float(shared.mean()) if len(shared) and len(shared) == len(found) else np.nan,
        "best": False,
    }


def _mark_best(frame: pd.DataFrame, eligible: set[str]) -> pd.DataFrame:
    for (metric, *_), group in frame.groupby(["metric", "protocol", "region"], sort=False):
        running = group[group.method.isin(eligible) & (group.failed == 0) & (group.n > 0)]
        if running.empty:
            continue
        displayed = running.apply(shown, axis=1).round(METRICS[str(metric)].decimals)
        top = displayed.max() if METRICS[str(metric)].higher_is_better else displayed.min()
        frame.loc[displayed.index[displayed == top], "best"] = True
    return frame
