"""The number that a cell of a paper's table is, from the values of one or two methods by pair."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.landmarks import pooled as pool
from benchmarks.statistics import bootstrap_interval, wilcoxon
from datasets.files import Array

RESAMPLES = 1000
NAN = float("nan")
Number = Callable[[Array], float]  # of the places of the pairs that are taken
Rule = Callable[[Sequence[Array]], float]


@dataclass(frozen=True)
class Answer:
    """A number, its 95 % interval and the number of pairs behind it.

    The interval is NaN where there is none; ``why`` says so where the statistic could have had one.
    """

    value: float
    low: float
    high: float
    n: int
    why: str = ""


def name(statistic: str, *, pooled: bool = False) -> str:
    """What a ledger calls a statistic."""
    words = {
        "less": "mean difference", "reduction": "difference of means", "signed_rank": "signed ranks, sum",
        "signed_rank_p": "signed ranks, exact one-sided p", "pairs_lower": "pairs with less",
        "pairs_higher": "pairs with more", "seeds_lower": "seeds with a lower mean",
    }  # fmt: skip
    return f"{words.get(statistic, statistic)}{' over landmarks' if pooled else ''}"


def summarise(
    statistic: str, frames: Sequence[pd.DataFrame], subjects: Sequence[Any], *, factor: float = 1, pooled: bool = False
) -> Answer:
    """Work a statistic out.

    Args:
        statistic: one of the schema's, or ``less``, the mean of the paired differences.
        frames: of the method and, for statistics of two, of the other; one row a pair, the same pairs. Columns
            ``value``, or ``count``, ``mean`` and ``sd`` to be pooled.
        subjects: for each row the subjects that the bootstrap resamples together.
        factor: printed units per unit of the values.
        pooled: over all landmarks of all pairs.
    """
    values = [frame.to_numpy(dtype=np.float64) * _scales(frame, factor) for frame in frames]
    rule = (_POOLED if pooled else _BY_PAIR)[statistic]

    def number(taken: Array) -> float:
        rows = taken.astype(np.intp)
        return rule([each[rows] for each in values])

    places = np.arange(len(values[0]), dtype=np.float64)
    if statistic not in _WITH_INTERVAL:
        return Answer(number(places), NAN, NAN, len(places))
    low, high = NAN, NAN
    if len(places) > 1:
        low, high = bootstrap_interval(places, number, RESAMPLES, np.random.default_rng(0), subjects=subjects)
    why = "no interval: too few subjects to resample" if np.isnan(low) else ""
    return Answer(number(places), low, high, len(places), why)


def _scales(frame: pd.DataFrame, factor: float) -> Array:
    return np.array([1.0 if column == "count" else factor for column in frame.columns])


def _mean(values: Sequence[Array]) -> float:
    return float(values[0][:, 0].mean())


def _sd(values: Sequence[Array]) -> float:
    return float(values[0][:, 0].std())


def _difference(values: Sequence[Array]) -> Array:
    """What the other method has more than the method, pair by pair."""
    return values[1][:, 0] - values[0][:, 0]


_WITH_INTERVAL = ("mean", "sd", "less", "reduction")
_BY_PAIR: Mapping[str, Rule] = {
    "mean": _mean,
    "sd": _sd,
    "sum": lambda values: float(values[0][:, 0].sum()),
    "median": lambda values: float(np.median(values[0][:, 0])),
    "less": lambda values: float(-_difference(values).mean()),
    "reduction": lambda values: float(_difference(values).mean()),
    "signed_rank": lambda values: wilcoxon(_difference(values), alternative="greater").statistic,
    "signed_rank_p": lambda values: wilcoxon(_difference(values), alternative="greater").p_value,
    "pairs_lower": lambda values: float((_difference(values) > 0).sum()),
    "pairs_higher": lambda values: float((_difference(values) < 0).sum()),
}
_POOLED: Mapping[str, Rule] = {
    "mean": lambda values: pool(*values[0].T)[0],
    "sd": lambda values: pool(*values[0].T)[1],
    "reduction": lambda values: pool(*values[1].T)[0] - pool(*values[0].T)[0],
}
