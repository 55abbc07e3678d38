"""Wilcoxon's signed ranks, and Holm's correction for several tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from benchmarks.statistics.checks import finite
from datasets.files import Array

Alternative = Literal["two-sided", "greater", "less"]
Method = Literal["auto", "exact", "normal"]
_EXACT_UP_TO = 300  # the exact distribution takes n^3 additions


@dataclass(frozen=True)
class SignedRank:
    """Outcome of Wilcoxon's test: sum of the positive ranks, p, non-zero differences, and how p was found."""

    statistic: float
    p_value: float
    n: int
    method: Literal["exact", "normal"]


def wilcoxon(differences: ArrayLike, *, alternative: Alternative = "two-sided", method: Method = "auto") -> SignedRank:
    """Test whether paired ``differences`` ``(m,)`` are symmetric about zero, by their signed ranks.

    Zeros are left out and ties get their mean rank, as Wilcoxon has it. ``greater`` asks whether differences tend to be
    positive. p is exact, ties included, or the normal approximation without continuity correction, its variance
    corrected for ties; ``auto`` takes the exact one for up to 300 differences. Papers print either: of 17 differences
    of one sign the two-sided p is 0.000015 exactly and 0.000293 by the approximation. With no difference but zeros p
    is 1. Wilcoxon 1945, doi:10.2307/3001968.
    """
    values = finite(differences, "wilcoxon")
    values = values[values != 0]
    if alternative not in ("two-sided", "greater", "less"):
        raise ValueError(f"wilcoxon: alternative must be 'two-sided', 'greater' or 'less', got {alternative!r}")
    if not len(values):
        return SignedRank(0.0, 1.0, 0, "exact")
    ranks = stats.rankdata(np.abs(values))
    positive = float(ranks[values > 0].sum())
    if method == "normal" or (method == "auto" and len(values) > _EXACT_UP_TO):
        approximate = stats.wilcoxon(values, alternative=alternative, method="approx", correction=False)
        p_value = float(approximate.pvalue)
        return SignedRank(positive, p_value, len(values), "normal")
    return SignedRank(positive, _exact_p(ranks, positive, alternative), len(values), "exact")


def holm(p_values: ArrayLike) -> Array:
    """Return p values adjusted for their number by Holm's step-down method; NaN stay NaN and do not count.

    Use it where several claims are tested together. Holm 1979, https://www.jstor.org/stable/4615733.
    """
    p = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(p.shape, np.nan)
    order = np.argsort(p)[: np.count_nonzero(~np.isnan(p))]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(factors * p[order]), 1)
    return adjusted


def _exact_p(ranks: Array, positive: float, alternative: Alternative) -> float:
    """Return the share of sign patterns; ranks are doubled, so that mean ranks of ties are whole numbers."""
    doubled = np.rint(2 * ranks).astype(int)
    chance = np.zeros(doubled.sum() + 1)
    chance[0] = 1
    for rank in doubled:
        chance[rank:] = (chance[rank:] + chance[:-rank]) / 2
        chance[:rank] /= 2
    at = round(2 * positive)
    greater, less = float(chance[at:].sum()), float(chance[: at + 1].sum())
    return {"greater": greater, "less": less}.get(alternative, min(1.0, 2 * min(greater, less)))
