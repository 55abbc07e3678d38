"""Paired comparisons: bootstrap intervals that respect shared subjects, Wilcoxon's signed ranks, Holm's correction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from datasets.files import Array

Alternative = Literal["two-sided", "greater", "less"]
Statistic = Callable[[Array], float]
Resample = Callable[[np.random.Generator], NDArray[np.int64]]  # how often each value counts
_EXACT_UP_TO = 300  # the exact distribution takes n^3 additions


@dataclass(frozen=True)
class SignedRank:
    """Outcome of Wilcoxon's test: sum of the positive ranks, p, non-zero differences, and how p was found."""

    statistic: float
    p_value: float
    n: int
    method: Literal["exact", "normal"]


def bootstrap_interval(
    values: ArrayLike,
    statistic: Statistic,
    n: int,
    rng: np.random.Generator,
    *,
    subjects: Sequence[Sequence[Hashable]] | None = None,
    level: float = 0.95,
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of a statistic of ``values`` ``(m,)`` from ``n`` resamples.

    Args:
        values: one number a pair, such as a difference between two methods.
        statistic: function of a 1-D array, such as ``np.mean``.
        n: number of resamples.
        rng: source of randomness.
        subjects: for each value the subjects it comes from, such as its fixed and its moving case. Then subjects are
            resampled, not values, and a value counts as often as the product of its subjects' counts: pairs that share
            a subject are not independent (Owen 2007, doi:10.1214/07-AOAS122). A subject that all values share, such as
            an atlas, stays as it is.
        level: coverage.

    Returns:
        Lower and upper bound; NaN for both when there is nothing to resample (one value, or every resample alike).
    """
    values = _finite(values, "bootstrap_interval")
    resample = _of_values(len(values)) if subjects is None else _of_subjects(subjects, len(values))
    replicates, differ, first = np.full(n, np.nan), False, None
    for i in range(n):
        counts = resample(rng)
        if counts.sum() == 0:  # a resample of subjects that hold no pair together says nothing
            continue
        replicates[i] = statistic(np.repeat(values, counts))
        first = counts if first is None else first
        differ = differ or not np.array_equal(counts * first.sum(), first * counts.sum())
    if not differ:
        return float("nan"), float("nan")
    tail = 50 * (1 - level)
    return float(np.nanpercentile(replicates, tail)), float(np.nanpercentile(replicates, 100 - tail))


def ratio_interval(
    numerator: ArrayLike, denominator: ArrayLike, n: int, rng: np.random.Generator, *, level: float = 0.95
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of the ratio of two medians, such as two methods' seconds.

    Use it for ratios of times. Both samples are resampled on their own; NaN for both bounds when a sample has fewer
    than two values.
    """
    samples = [_finite(values, "ratio_interval") for values in (numerator, denominator)]
    if min(map(len, samples)) < 2:
        return float("nan"), float("nan")
    above, below = (np.asarray(np.median(rng.choice(values, (n, len(values))), axis=1)) for values in samples)
    tail = 50 * (1 - level)
    return float(np.percentile(above / below, tail)), float(np.percentile(above / below, 100 - tail))


def wilcoxon(differences: ArrayLike, *, alternative: Alternative = "two-sided") -> SignedRank:
    """Test whether paired ``differences`` ``(m,)`` are symmetric about zero, by their signed ranks.

    Zeros are left out and ties get their mean rank, as Wilcoxon has it; p is exact for up to 300 differences, ties
    included, beyond that the normal approximation. ``greater`` asks whether differences tend to be positive. With
    no difference but zeros p is 1. Wilcoxon 1945, doi:10.2307/3001968.
    """
    values = _finite(differences, "wilcoxon")
    values = values[values != 0]
    if alternative not in ("two-sided", "greater", "less"):
        raise ValueError(f"wilcoxon: alternative must be 'two-sided', 'greater' or 'less', got {alternative!r}")
    if not len(values):
        return SignedRank(0.0, 1.0, 0, "exact")
    ranks = stats.rankdata(np.abs(values))
    positive = float(ranks[values > 0].sum())
    if len(values) > _EXACT_UP_TO:
        p_value = float(stats.wilcoxon(values, alternative=alternative, method="approx").pvalue)
        return SignedRank(positive, p_value, len(values), "normal")
    return SignedRank(positive, _exact_p(ranks, positive, alternative), len(values), "exact")


def pooled(counts: ArrayLike, means: ArrayLike, sds: ArrayLike) -> tuple[float, float]:
    """Return mean and sd (ddof 0) over the landmarks of several pairs from each pair's count, mean and sd."""
    counts, means, sds = (np.asarray(values, dtype=np.float64) for values in (counts, means, sds))
    mean = np.average(means, weights=counts)
    return float(mean), float(np.sqrt(np.average(sds**2 + (means - mean) ** 2, weights=counts)))


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


def _of_values(size: int) -> Resample:
    return lambda rng: np.bincount(rng.integers(size, size=size), minlength=size)


def _of_subjects(subjects: Sequence[Sequence[Hashable]], size: int) -> Resample:
    members = [list(dict.fromkeys(each)) for each in subjects]
    if len(members) != size:
        raise ValueError(f"bootstrap_interval: {size} values, but subjects of {len(members)}")
    uses = Counter(name for each in members for name in each)
    free = [name for name, count in uses.items() if count < size or size == 1]
    column = {name: i for i, name in enumerate(free)}
    fixed = len(free)  # one more column, always counted once, for the subjects that all values share
    width = max((len(each) for each in members), default=0)
    index = np.full((size, width), fixed)
    for row, each in zip(index, members, strict=True):
        row[: len(each)] = [column.get(name, fixed) for name in each]

    def resample(rng: np.random.Generator) -> NDArray[np.int64]:
        drawn = rng.integers(fixed, size=fixed) if fixed else np.empty(0, np.int64)
        return np.append(np.bincount(drawn, minlength=fixed), 1)[index].prod(axis=1)

    return resample


def _finite(values: ArrayLike, where: str) -> Array:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not array.size or not np.all(np.isfinite(array)):
        raise ValueError(f"{where}: expected finite numbers (m,) with m at least 1, got shape {array.shape}: {array}")
    return array
