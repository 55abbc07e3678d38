"""Means with the interval that what was drawn gives them, and what such an estimate says. See docs/verdicts.md.

``estimates`` has the types, ``intervals`` the two intervals, from the variances of ``clusters``; ``verdicts`` what they
say of a printed number or a claim. ``testing`` has Wilcoxon's and Holm's, ``bootstrap`` intervals of what is no mean,
``pooling`` means over landmarks.
"""

from benchmarks.statistics.bootstrap import Statistic, bootstrap_interval, ratio_interval
from benchmarks.statistics.estimates import Estimate, Sample
from benchmarks.statistics.intervals import generalisation, reproduction
from benchmarks.statistics.pooling import pooled
from benchmarks.statistics.testing import Alternative, SignedRank, holm, wilcoxon
from benchmarks.statistics.verdicts import (
    Chance,
    Equivalence,
    equivalence,
    expected_by_chance,
    minimal_detectable,
    p_value,
)

__all__ = [
    "Alternative",
    "Chance",
    "Equivalence",
    "Estimate",
    "Sample",
    "SignedRank",
    "Statistic",
    "bootstrap_interval",
    "equivalence",
    "expected_by_chance",
    "generalisation",
    "holm",
    "minimal_detectable",
    "p_value",
    "pooled",
    "ratio_interval",
    "reproduction",
    "wilcoxon",
]
