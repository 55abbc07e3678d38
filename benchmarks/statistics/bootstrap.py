"""Percentile bootstrap intervals, of statistics that are no mean: ratios of medians, standard deviations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarks.statistics.checks import finite
from datasets.files import Array

Statistic = Callable[[Array], float]
Resample = Callable[[np.random.Generator], NDArray[np.int64]]  # how often each value counts


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
    values = finite(values, "bootstrap_interval")
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
    samples = [finite(values, "ratio_interval") for values in (numerator, denominator)]
    if min(map(len, samples)) < 2:
        return float("nan"), float("nan")
    above, below = (np.asarray(np.median(rng.choice(values, (n, len(values))), axis=1)) for values in samples)
    tail = 50 * (1 - level)
    return float(np.percentile(above / below, tail)), float(np.percentile(above / below, 100 - tail))


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
