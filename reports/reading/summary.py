"""The outcomes of a run's registrations, and their values by pair.

Seeds are averaged within a pair first, so that a mean over pairs takes one value of each.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from benchmarks.metrics import CLOCK
from benchmarks.ranking import Quote, values
from benchmarks.results import RUN_LEVEL
from datasets.case import Described

RESAMPLES = 1000  # of an interval
KEY = ["dataset", "method", "pair", "seed"]
DRAWN = (
    "Distances before registration are set as the phantom is drawn, to the printed ones where it stands in for a "
    "published set: that these agree is no result."
)


@dataclass(frozen=True)
class Tally:
    """How many pairs of a data set a method tried, how many of them failed with any seed, how many did not apply.

    Each was tried with ``seeds`` seeds.
    """

    tried: int = 0
    failed: int = 0
    not_applicable: int = 0
    seeds: int = 1


def per_pair(metrics: pd.DataFrame, dataset: str, wanted: Quote) -> dict[str, pd.Series]:
    """Return for each method the value of each pair, seeds averaged, pairs in order of name."""
    rows = values(metrics, dataset, wanted)
    return {str(method): group.groupby("pair").value.mean() for method, group in rows.groupby("method")}


def registrations(metrics: pd.DataFrame) -> pd.DataFrame:
    """Return one row per registration (data set, method, pair, seed) with its status and reason."""
    rows = metrics[(metrics.metric == "seconds") & (metrics.protocol == CLOCK) & (metrics.pair != RUN_LEVEL)]
    return rows[[*KEY, "status", "reason"]].drop_duplicates(KEY).reset_index(drop=True)


def tallies(metrics: pd.DataFrame, dataset: str) -> dict[str, Tally]:
    """Return what became of the pairs of a data set with each method that was run on it."""
    rows = registrations(metrics)
    rows = rows[rows.dataset == dataset]
    return {str(method): _tally(of_method) for method, of_method in rows.groupby("method")}


def still(metrics: pd.DataFrame, dataset: str) -> dict[str, int]:
    """Return how many pairs each method left, with any seed, exactly the numbers of the control that moves nothing."""
    rows = metrics[(metrics.dataset == dataset) & (metrics.status == "ok") & (metrics.pair != RUN_LEVEL)]
    rows = rows[~rows.metric.isin(["seconds", "peak_memory"])].fillna({"value": float("inf")})
    place = ["pair", "metric", "protocol", "region"]
    before = rows[rows.method == "identity"].drop_duplicates(place).set_index(place).value
    moved = rows[[*place, "method", "seed"]].assign(
        moved=rows.value.to_numpy() != before.reindex(pd.MultiIndex.from_frame(rows[place])).to_numpy()
    )
    unmoved = ~moved.groupby(["method", "pair", "seed"]).moved.any()
    of_pair = unmoved.groupby(["method", "pair"]).any()
    return {str(method): int(count) for method, count in of_pair.groupby("method").sum().items()}


def drawn(dataset: Described) -> bool:
    """Return whether a data set's distances before registration are drawn and not measured."""
    return dataset.description.phantom and bool(dataset.description.severity)


def parameters(metrics: pd.DataFrame, dataset: str, method: str) -> int | None:
    """Return the trainable numbers of the method's network as trained on this data set, or None."""
    rows = metrics[(metrics.metric == "parameters") & (metrics.dataset == dataset) & (metrics.method == method)]
    found = rows[rows.status == "ok"].value
    return int(found.iloc[0]) if len(found) else None


class Sizes:
    """Numbers of networks by data set, method and metric, looked up once."""

    def __init__(self, metrics: pd.DataFrame) -> None:
        rows = metrics[(metrics.status == "ok") & (metrics.pair == RUN_LEVEL)]
        self._found: dict[tuple[str, str, str], float] = {}
        for *place, value in rows[["dataset", "method", "metric", "value"]].itertuples(index=False, name=None):
            self._found.setdefault((place[0], place[1], place[2]), float(value))

    def get(self, dataset: str, method: str, metric: str) -> float | None:
        """Return a number, None where it is not on record."""
        return self._found.get((dataset, method, metric))

    def narrow(self, dataset: str, method: str) -> bool:
        """Return whether the network that was run is narrower than the paper's."""
        size, full = (self.get(dataset, method, metric) for metric in ("parameters", "full_parameters"))
        return size is not None and full is not None and size != full


def first_reason(rows: pd.DataFrame) -> str:
    """Return the reason of the first row that did not succeed, on one line."""
    failed = rows[rows.status != "ok"]
    reason = " ".join(str(failed.iloc[0].reason).split()) if len(failed) else ""
    return reason or "no reason recorded"


def _tally(rows: pd.DataFrame) -> Tally:
    tried = rows[rows.status != "not_applicable"]
    pairs, failed = set(tried.pair), set(tried.pair[tried.status != "ok"])
    return Tally(len(pairs), len(failed), len(set(rows.pair) - pairs), rows.seed.nunique())
