"""What an estimate says: whether it agrees with a printed number, its p value, what it could have found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import optimize

from benchmarks.statistics.estimates import NAN, Estimate
from benchmarks.statistics.student import cumulative, power_of, quantile
from benchmarks.statistics.testing import Alternative

Equivalence = Literal["agrees", "differs", "inconclusive"]


def equivalence(estimate: Estimate, target: float, margin: float) -> Equivalence:
    """Return whether a mean is that of ``target`` up to ``margin``, both in its unit.

    An interval (of 90 %) inside target -+ margin *agrees*: two one-sided tests at 5 % (Schuirmann 1987,
    doi:10.1007/BF01068419). It *differs* where it is wholly outside and no mean within the margin is consistent with it
    at 5 % in all; that asks more of a margin narrower than the standard error, where an interval of 90 % alone would be
    outside in 10 % of cases. All else, and what has no interval, is *inconclusive*.

    Raises:
        ValueError: the margin is negative or not a number.
    """
    if not margin >= 0:
        raise ValueError(f"equivalence: the margin must be 0 or more, got {margin}")
    if not np.isfinite([estimate.low, estimate.high]).all():
        return "inconclusive"
    if target - margin <= estimate.low and estimate.high <= target + margin:
        return "agrees"
    alpha = (1 - estimate.level) / 2
    outside = estimate.high < target - margin or estimate.low > target + margin
    return "differs" if outside and _beyond(estimate, target, margin) <= alpha else "inconclusive"


def p_value(estimate: Estimate, *, alternative: Alternative = "two-sided", null: float = 0.0) -> float:
    """Return how probable a mean so far from ``null`` is by chance; NaN where there is no interval.

    ``greater`` asks whether the mean is above ``null``. Where nothing varies it is 0 or 1.
    """
    if alternative not in ("two-sided", "greater", "less"):
        raise ValueError(f"p_value: alternative must be 'two-sided', 'greater' or 'less', got {alternative!r}")
    if np.isnan(estimate.se):
        return NAN
    gap = estimate.value - null
    if alternative == "two-sided":
        return min(1.0, 2 * _above(estimate, abs(gap)))
    return _above(estimate, gap if alternative == "greater" else -gap)


def minimal_detectable(estimate: Estimate, *, power: float = 0.8, alpha: float = 0.05) -> float:
    """Return the effect that a two-sided test with this standard error finds with ``power``, by the noncentral t.

    NaN where there is no interval, 0 where nothing varies.
    """
    if np.isnan(estimate.se) or estimate.se == 0:
        return estimate.se
    df, critical = estimate.df, quantile(estimate.df, 1 - alpha / 2)

    def lacking(shift: float) -> float:
        return power - power_of(shift, df, critical)

    top = critical + 1
    while lacking(top) > 0:
        top *= 2
    return float(optimize.brentq(lacking, 0, top)) * estimate.se


@dataclass(frozen=True)
class Chance:
    """Verdicts that chance gives: agreements of methods one margin off, differences of methods that are as printed."""

    agrees: float
    differs: float


def expected_by_chance(estimates: Sequence[Estimate], margins: Sequence[float]) -> Chance:
    """Return how many of these cells would agree or differ by chance, from their standard errors and margins.

    Were each true mean exactly one margin off its target, ``agrees`` of them would agree all the same; were each true
    mean its target, ``differs`` would differ. Either is 5 % of the cells at most, and less where intervals are too wide
    for the verdict. An expected number adds up over cells, however much these depend on each other.
    """
    pairs = [(each, margin) for each, margin in zip(estimates, margins, strict=True) if each.se > 0]
    return Chance(sum(_falsely_agrees(*each) for each in pairs), sum(_falsely_differs(*each) for each in pairs))


def _above(estimate: Estimate, gap: float) -> float:
    """Return the probability of a deviation of ``gap`` or more by chance."""
    if estimate.se == 0:
        return float(gap <= 0)
    return cumulative(-gap / estimate.se, estimate.df)


def _beyond(estimate: Estimate, target: float, margin: float) -> float:
    """Return the probability of an estimate as far from the target, were the mean at the nearer edge of the margin."""
    gap = abs(estimate.value - target)
    return _above(estimate, gap - margin) + _above(estimate, gap + margin)


def _falsely_agrees(estimate: Estimate, margin: float) -> float:
    """Return the probability that an estimate of a mean one margin above its target lies inside all the same."""
    room = 2 * margin / estimate.se
    critical = quantile(estimate.df, (1 + estimate.level) / 2)
    return max(0.0, cumulative(-critical, estimate.df) - cumulative(critical - room, estimate.df))


def _falsely_differs(estimate: Estimate, margin: float) -> float:
    """Return the probability that an estimate of a mean that is its target differs: the gap at which p is alpha."""
    alpha, width = (1 - estimate.level) / 2, margin / estimate.se

    def excess(gap: float) -> float:
        return cumulative(width - gap, estimate.df) + cumulative(-width - gap, estimate.df) - alpha

    top = width + 1
    while excess(top) > 0:
        top *= 2
    return 2 * cumulative(-float(optimize.brentq(excess, 0, top)), estimate.df)
