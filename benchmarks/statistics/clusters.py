"""The variance that what was drawn, subjects or trainings, gives a mean, and its degrees of freedom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from datasets.files import Array


@dataclass(frozen=True)
class Variance:
    """Estimated variance of a mean, and its degrees of freedom; 0 of these where it cannot be estimated."""

    value: float
    df: float


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
    return Variance(float(scores @ scores * (weights @ weights) / expected), float(expected**2 / twice))


def together(first: Variance, second: Variance) -> Variance:
    """Return the sum of two variances, with Satterthwaite's degrees of freedom."""
    value = first.value + second.value
    if value == 0:
        return Variance(0.0, min(first.df, second.df))
    return Variance(value, value**2 / (first.value**2 / first.df + second.value**2 / second.df))


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
