"""The variance that what was drawn, subjects or trainings, gives a mean, and its degrees of freedom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from benchmarks.statistics.student import quantile
from datasets.files import Array

UNDERSTATED = 2.0  # chosen by simulation, see docs/verdicts.md


@dataclass(frozen=True)
class Variance:
    """Estimated variance of a mean, its degrees of freedom, and the size of the mean's third cumulant.

    Degrees of freedom are 0 where it cannot be estimated, infinite where nothing was drawn.
    """

    value: float
    df: float
    third: float = 0.0

    def standard_error(self) -> float:
        """Return the root of the variance, wider where what was drawn is skewed.

        Of skewed numbers a small sample without its few extreme ones looks precise and is off to one side. Johnson
        (1978, doi:10.2307/2286597) moves the bound of t by skewness / 6 (2 t^2 + 1); both bounds move apart so, at the
        t of 5 %, and by `UNDERSTATED` times as much, for few numbers show less skewness than there is.
        """
        if not self.value > 0 or np.isinf(self.df):
            return float(np.sqrt(self.value))
        bound = quantile(self.df, 0.95)
        skewness = self.third / self.value**1.5
        return float(np.sqrt(self.value)) * (1 + UNDERSTATED * skewness * (2 * bound**2 + 1) / (6 * bound))


def variance_of_mean(values: Array, shares: Array, members: Sequence[Sequence[Hashable]]) -> Variance:
    """Return the variance of the mean of ``values`` ``(n,)`` from the clusters that each value is a member of.

    Each cluster has an effect that adds to all of its values; a pair of two subjects has both of theirs. What is summed
    for a cluster are its values' deviations from the mean, and the sum of their squares is scaled such that it is
    unbiased, with Satterthwaite's degrees of freedom, where effects are independent and alike (Bell and McCaffrey 2002,
    for clusters that overlap). Of a balanced table this is the variance of the clusters' means, and its number less 1;
    where few clusters hold most of the values there are few degrees of freedom. Effects of single values
    or pairs count once for each of their clusters, which errs on the wide side. Clusters that all values share are
    taken as given.

    Args:
        values: ``(n,)``.
        shares: ``(n,)``, of each value in the mean, sum 1.
        members: for each value its clusters.
    """
    within = _memberships(tuple(tuple(each) for each in members))
    scores = within.sums(shares * (values - shares @ values))
    weights = within.sums(shares)
    spread = within.shared(shares) - np.outer(weights, weights)  # scores are spread @ effects
    squared = spread @ spread
    expected, twice = np.trace(squared), float(np.sum(squared**2))
    if expected <= 1e-12 * float(weights @ weights) or not len(weights):
        return Variance(0.0, 0.0)
    scale = float(weights @ weights) / expected
    third = abs(float(np.sum((np.sqrt(scale) * scores) ** 3)))
    return Variance(scale * float(scores @ scores), float(expected**2 / twice), third)


def together(first: Variance, second: Variance) -> Variance:
    """Return the sum of two variances; its degrees of freedom are the harmonic mean of theirs by share.

    Satterthwaite's may be more than either has, since his formula takes both as known: with three trainings that say
    most of a mean over ten subjects 91 % of nominal 95 were covered. These are between the two always.
    """
    value, third = first.value + second.value, first.third + second.third
    if value == 0:
        return Variance(0.0, min(first.df, second.df))
    return Variance(value, value / (first.value / first.df + second.value / second.df), third)


@dataclass(frozen=True, eq=False)
class _Memberships:
    """Which values (``rows``) are in which two clusters at once (``left``, ``right``, one and the same included)."""

    rows: NDArray[np.intp]
    left: NDArray[np.intp]
    right: NDArray[np.intp]
    clusters: int

    def sums(self, numbers: Array) -> Array:
        """Return the sum of each cluster's numbers."""
        own = self.left == self.right
        return np.bincount(self.left[own], numbers[self.rows[own]], self.clusters)

    def shared(self, numbers: Array) -> Array:
        """Return the sum of the numbers that each two clusters share, ``(clusters, clusters)``."""
        size, places = self.clusters, self.left * self.clusters + self.right
        return np.bincount(places, numbers[self.rows], size**2).reshape(size, size)


@lru_cache(maxsize=8)  # the cells of a table share their pairs
def _memberships(members: tuple[tuple[Hashable, ...], ...]) -> _Memberships:
    """Return the memberships in the clusters that not all values share."""
    uses = Counter(name for each in members for name in set(each))
    column = {name: at for at, name in enumerate(name for name, count in uses.items() if count < len(members))}
    found = [{column[name] for name in each if name in column} for each in members]
    places = [(row, left, right) for row, each in enumerate(found) for left in each for right in each]
    rows, left, right = np.array(places, dtype=np.intp).reshape(-1, 3).T.copy()
    return _Memberships(rows, left, right, len(column))
