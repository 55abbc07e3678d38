"""The variance that what was drawn, subjects or trainings, gives a mean, and its degrees of freedom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from benchmarks.statistics.student import quantile
from datasets.files import Array

UNDERSTATED = 1.5  # chosen by simulation, see docs/verdicts.md


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
        t of 5 %, and by `UNDERSTATED` as much, for few numbers show less skewness than there is.
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
    what has few clusters in most of its values gets the few degrees of freedom it deserves. Effects of single values
    or pairs count once for each of their clusters, which errs on the wide side. Clusters that all values share are
    taken as given.

    Args:
        values: ``(n,)``.
        shares: ``(n,)``, of each value in the mean, sum 1.
        members: for each value its clusters.
    """
    among = _memberships(tuple(tuple(each) for each in members))
    scores = among.T @ (shares * (values - shares @ values))
    weights = shares @ among
    spread = among.T @ (shares[:, None] * among) - np.outer(weights, weights)  # scores are spread @ effects
    squared = spread @ spread
    expected, twice = np.trace(squared), float(np.sum(squared**2))
    if expected <= 1e-12 * float(weights @ weights) or not len(weights):
        return Variance(0.0, 0.0)
    scale = float(weights @ weights) / expected
    third = abs(float(np.sum((np.sqrt(scale) * scores) ** 3)))
    return Variance(scale * float(scores @ scores), float(expected**2 / twice), third)


def together(first: Variance, second: Variance) -> Variance:
    """Return the sum of two variances; its degrees of freedom are the harmonic mean of theirs by share.

    Satterthwaite's may be more than either has, since his formula takes both as known: with three trainings and three
    subjects, and only one of the two mattering, 93 % of nominal 95 were covered. These are between the two always.
    """
    value, third = first.value + second.value, first.third + second.third
    if value == 0:
        return Variance(0.0, min(first.df, second.df))
    return Variance(value, value / (first.value / first.df + second.value / second.df), third)


@lru_cache(maxsize=64)  # the cells of a table share their pairs
def _memberships(members: tuple[tuple[Hashable, ...], ...]) -> Array:
    """Return a 1 for each value (row) and cluster (column) of it, without the clusters that all values share."""
    uses = Counter(name for each in members for name in set(each))
    column = {name: at for at, name in enumerate(name for name, count in uses.items() if count < len(members))}
    places = [(row, column[name]) for row, each in enumerate(members) for name in each if name in column]
    among = np.zeros((len(members), len(column)))
    if places:
        among[tuple(np.transpose(places))] = 1
    among.setflags(write=False)
    return among
