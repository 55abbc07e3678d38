"""From an estimate with its interval to the evidence on a claim."""

from __future__ import annotations

import math

from benchmarks.statistics import Estimate, minimal_detectable, p_value
from reports.claims.contents import Evidence, Region

LEVEL = 0.95
ONE_TRAINING = "one training"


def by_estimate(estimate: Estimate, region: Region, test: str) -> Evidence:
    """Return the evidence of an estimate: the p of the side of the bounds on which it lies.

    A claim with one bound has the two-sided p at it. One of equivalence has, inside, the larger p of two one-sided
    tests, outside twice the p of the test against the bound that is passed. One training has an interval over subjects,
    but neither p nor power: another training may be as far from it as the bound.
    """
    once, known = estimate.trainings == 1, not math.isnan(estimate.low)
    doubts = (ONE_TRAINING,) if once else () if known else (estimate.why or "no interval",)
    return Evidence(
        value=estimate.value,
        low=estimate.low,
        high=estimate.high,
        p=_p(estimate, region) if known and not once else math.nan,
        minimal=minimal_detectable(estimate) if known and not once else math.nan,
        pairs=estimate.pairs,
        subjects=estimate.subjects,
        trainings=estimate.trainings,
        test=f"two one-sided: {test}" if region.two_sided else test,
        doubts=doubts,
    )


def _p(estimate: Estimate, region: Region) -> float:
    above, below = region.above, region.below
    if not region.two_sided:
        return p_value(estimate, null=above if math.isfinite(above) else below)
    over = p_value(estimate, alternative="greater", null=above)
    under = p_value(estimate, alternative="less", null=below)
    if region.contains(estimate.value):
        return max(over, under)
    return min(1.0, 2 * (1 - under if estimate.value >= below else 1 - over))
