"""Two intervals of a mean: over what a reproduction draws anew (trainings), and over all that a claim is about."""

from __future__ import annotations

from collections import Counter

import numpy as np

from benchmarks.statistics.clusters import Variance, together, variance_of_mean
from benchmarks.statistics.estimates import NAN, Estimate, Sample
from benchmarks.statistics.student import quantile

ONE_TRAINING = "one training"


def reproduction(sample: Sample, *, level: float = 0.90) -> Estimate:
    """Return the mean with its interval over trainings, the pairs as given: what a reproduction of a table draws anew.

    Trainings are compared over the pairs that all of them have: Student's t of their means, with one degree of freedom
    less than trainings. A repeatable method has its value alone, with a standard error of 0: a margin judges it.
    """
    if sample.repeatable:
        return _estimate(sample, Variance(0.0, np.inf), level)
    if len(sample.seeds) < 2:
        return _estimate(sample, Variance(NAN, 0.0), level, ONE_TRAINING)
    kept = _common(sample)
    if kept is None:
        return _estimate(sample, Variance(NAN, 0.0), level, "no pair that all trainings have")
    drawn = variance_of_mean(kept.values, kept.shares, [(training,) for training in kept.trainings])
    return _estimate(kept, Variance(drawn.value, drawn.df), level)


def generalisation(sample: Sample, *, level: float = 0.90) -> Estimate:
    """Return the mean with its interval over subjects and trainings: what it would be for others of either.

    The variances that subjects and trainings give are added (`variance_of_mean`), their interaction in both, and the
    standard error is widened for skewed numbers (`Variance.standard_error`). With one training the interval is over
    subjects alone, and ``why`` says so. `docs/verdicts.md` has what it covers.
    """
    subjects = variance_of_mean(sample.values, sample.shares, sample.subjects)
    if not subjects.df:
        return _estimate(sample, Variance(NAN, 0.0), level, "all pairs are of the same subjects")
    seeds = len(sample.seeds)
    if seeds < 2:
        return _estimate(sample, subjects, level, ONE_TRAINING if seeds else "")
    trainings = variance_of_mean(sample.values, sample.shares, [(training,) for training in sample.trainings])
    return _estimate(sample, together(subjects, trainings), level)


def _estimate(sample: Sample, drawn: Variance, level: float, why: str = "") -> Estimate:
    se = drawn.standard_error()
    half = 0.0 if se == 0 else quantile(drawn.df, (1 + level) / 2) * se
    mean = sample.mean
    counts = sample.pairs, len(sample.names), len(sample.seeds)
    return Estimate(mean, se, drawn.df, mean - half, mean + half, level, *counts, why)


def _common(sample: Sample) -> Sample | None:
    """Return the values of the pairs that all trainings have."""
    keys, seeds = sample.keys, len(sample.seeds)
    held = Counter(keys)
    kept = [at for at, key in enumerate(keys) if held[key] == seeds]
    return sample.only(kept) if kept else None
