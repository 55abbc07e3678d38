"""Which numbers of a metric are quoted, and which pairs of a data set are its worst, median and best.

The report shows these pairs and the evaluate step keeps their displacements, so that both have to choose alike.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from benchmarks.metrics import METRICS
from benchmarks.results import RUN_LEVEL
from datasets.case import Described

Rank = Literal["worst", "median", "best"]
RANKS: tuple[Rank, ...] = ("worst", "median", "best")
SIDE_BY_SIDE = 5  # pairs of one fixed image that are kept of every method, to be shown beside each other


@dataclass(frozen=True)
class Quote:
    """The one variant of a metric that the tables of a data set quote."""

    metric: str
    protocol: str
    region: str

    @property
    def higher_is_better(self) -> bool:
        """Whether more of the metric is better."""
        return METRICS[self.metric].higher_is_better


@dataclass(frozen=True)
class Ranked:
    """One registration of a method and its place among all of them."""

    rank: Rank
    pair: str
    seed: int
    value: float


def default_quote(metric: str) -> Quote:
    """Return the variant of a metric that comes first, whether or not there are values for it."""
    about = METRICS[metric]
    return Quote(metric, next(iter(about.protocols)), about.region)


def quote(metrics: pd.DataFrame, dataset: str, metric: str) -> Quote | None:
    """Return the quoted variant: the first protocol of the metric that the data set has values for, or None."""
    about = METRICS[metric]
    quotes = (Quote(metric, protocol, about.region) for protocol in about.protocols)
    return next((found for found in quotes if len(values(metrics, dataset, found))), None)


def primary(metrics: pd.DataFrame, dataset: Described) -> Quote | None:
    """Return the quote that figures and ranks go by, or None where the data set has no values to rank by.

    It is the data set's own ``primary`` metric, else the first metric of the table that ranks and has values.
    """
    order = sorted(ranking_metrics(), key=lambda metric: metric != dataset.description.primary)
    quotes = (quote(metrics, dataset.name, metric) for metric in order)
    return next((found for found in quotes if found), None)


def ranking_metrics() -> list[str]:
    """Return the metrics that pairs may be ranked by, in the order of the table."""
    return [name for name, metric in METRICS.items() if metric.ranks]


def values(metrics: pd.DataFrame, dataset: str, quote: Quote) -> pd.DataFrame:
    """Return the successful rows of one quote on one data set: columns method, pair, seed, value."""
    wanted = (metrics.metric == quote.metric) & (metrics.dataset == dataset) & (metrics.status == "ok")
    wanted &= (metrics.protocol == quote.protocol) & (metrics.region == quote.region) & (metrics.pair != RUN_LEVEL)
    rows = metrics.loc[wanted, ["method", "pair", "seed", "value"]]
    return rows.astype({"value": float}).dropna(subset="value")


def ranked(metrics: pd.DataFrame, dataset: str, method: str, quote: Quote) -> list[Ranked]:
    """Return the worst, the median and the best registration; ties go by name, an even count takes the worse middle."""
    rows = values(metrics, dataset, quote)
    rows = rows[rows.method == method].assign(badness=lambda r: -r.value if quote.higher_is_better else r.value)
    rows = rows.sort_values(["badness", "pair", "seed"], ascending=[False, True, True])
    if rows.empty:
        return []
    chosen = [rows.iloc[place] for place in (0, (len(rows) - 1) // 2, len(rows) - 1)]
    return [Ranked(rank, str(r.pair), int(r.seed), float(r.value)) for rank, r in zip(RANKS, chosen, strict=True)]


def shown_pairs(metrics: pd.DataFrame, dataset: Described, method: str) -> set[str]:
    """Return the names of the pairs a report may show of a method: its ranked ones, and a few with one fixed image.

    The worst and the best of a whole run are the worst and the best of some part of it; its median need not be the
    median of any. Where there is nothing to rank by, all pairs may be shown.
    """
    pairs = dataset.test_pairs
    found = primary(metrics, dataset)
    if found is None:
        return {pair.name for pair in pairs}
    shared = dict(Counter(pair.fixed for pair in pairs).most_common(1))
    together = [pair.name for pair in pairs if pair.fixed in shared][:SIDE_BY_SIDE]
    return {*together, *(each.pair for each in ranked(metrics, dataset.name, method, found))}
