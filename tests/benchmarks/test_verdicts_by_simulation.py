"""How often verdicts are wrong and intervals miss, over skewed Dice and distances, few subjects and few trainings.

A verdict must be wrong in at most 5 % of draws, and 95 % intervals hold the true mean in 90 % or more. Each count may
exceed that by what chance leaves open with as many draws (one in a thousand); their mean over a design may not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats

from benchmarks.statistics import Estimate, equivalence, expected_by_chance, generalisation, reproduction
from benchmarks.statistics.student import quantile
from datasets.files import Array
from tests.benchmarks.drawn_samples import Design, Metric, Shares, draw

METRICS = (
    Metric("dice", 90, 1),
    Metric("dice", 96, 2),
    Metric("distance", 1, 0.3),
    Metric("distance", 1.5, 0.8),
)
REPEATABLE = (Shares(subjects=0.7, pairs=0.2),)
TRAINED = (  # subjects, trainings, or both say most of the mean
    Shares(subjects=0.7, trainings=0.06, together=0.04, pairs=0.15),
    Shares(subjects=0.4, trainings=0.2, together=0.1, pairs=0.2),
    Shares(subjects=0.15, trainings=0.65, together=0.05, pairs=0.1),
)
DESIGNS = [
    *(Design("separate", n, trainings) for n in (3, 6, 17, 39) for trainings in (0, 3, 5)),
    *(Design("ordered", n, trainings) for n in (3, 6, 10) for trainings in (0, 3, 5)),
    Design("atlas", 6, 0),
    Design("atlas", 17, 3),
    Design("separate", 17, 3, missing=0.15),
    Design("ordered", 6, 3, missing=0.15),
]


@dataclass(frozen=True)
class Wrong:
    """Shares of draws: *agrees* one margin off (the worse side), *differs* as printed, 95 % intervals that miss."""

    agrees: float
    differs: float
    missed: float


def judge(estimates: list[Estimate], metric: Metric) -> Wrong:
    """Return how often verdicts on a metric's true mean are wrong."""
    true, margin = metric.mean, metric.margin
    off = [
        np.mean([equivalence(each, true + side * margin, margin) == "agrees" for each in estimates]) for side in (-1, 1)
    ]
    differs = np.mean([equivalence(each, true, margin) == "differs" for each in estimates])
    missed = np.mean([abs(each.value - true) > quantile(each.df, 0.975) * each.se for each in estimates])
    return Wrong(float(max(off)), float(differs), float(missed))


def simulate(design: Design, number: int) -> list[Wrong]:
    """Return what goes wrong for every metric and every share of what varies."""
    rng, found = np.random.default_rng(20), []
    for shares in TRAINED if design.trainings else REPEATABLE:
        for metric in METRICS:
            estimates = [generalisation(each) for each in draw(design, metric, shares, rng, number)]
            found.append(judge(estimates, metric))
            worst = f"agrees {found[-1].agrees:.3f}, differs {found[-1].differs:.3f}, missed {found[-1].missed:.3f}"
            print(f"{design} {metric} {shares}: {worst}")
    return found


def most(share: float, number: int) -> float:
    """Return the share that draws of a true ``share`` exceed once in a thousand."""
    return float(stats.binom.isf(0.001, number, share) / number)


@pytest.mark.slow
@pytest.mark.parametrize("design", DESIGNS, ids=str)
def test_verdicts_are_rarely_wrong_and_intervals_cover(design):
    number = 2000
    found = simulate(design, number)
    assert max(each.agrees for each in found) <= most(0.05, number)
    assert max(each.differs for each in found) <= most(0.05, number)
    assert np.mean([each.agrees for each in found]) <= 0.05
    assert np.mean([each.differs for each in found]) <= 0.05
    if design.subjects >= 6:
        assert max(each.missed for each in found) <= 0.10


@pytest.mark.parametrize("design", [Design("separate", 6, 3), Design("ordered", 4, 0), Design("atlas", 10, 5)], ids=str)
def test_verdicts_of_a_few_draws_are_rarely_wrong(design):
    rng, shares = np.random.default_rng(21), (TRAINED if design.trainings else REPEATABLE)[0]
    for metric in (Metric("dice", 90, 1), Metric("distance", 1.5, 0.8)):
        wrong = judge([generalisation(each) for each in draw(design, metric, shares, rng, 300)], metric)
        assert max(wrong.agrees, wrong.differs) <= most(0.05, 300)
        assert wrong.missed <= most(0.10, 300)


@pytest.mark.parametrize("design", [Design("separate", 5, 0), Design("ordered", 4, 3, missing=0.2)], ids=str)
def test_drawn_samples_have_the_mean_and_spread_they_claim(design):
    shares = (TRAINED if design.trainings else REPEATABLE)[0]
    for metric in METRICS:
        values: Array = np.concatenate(
            [each.values for each in draw(design, metric, shares, np.random.default_rng(22), 4000)]
        )
        assert values.mean() == pytest.approx(metric.mean, abs=0.05 * metric.sd)
        assert values.std() == pytest.approx(metric.sd, rel=0.05)
        assert (stats.skew(values) < 0) == (metric.name == "dice")


def test_a_miss_of_three_points_is_no_agreement_and_large_samples_do_agree():
    """The review's case: truly 3.2 points off with an SD of 4 was called reproduced in 43 to 29 % of draws."""
    metric, rng = Metric("dice", 88, 4), np.random.default_rng(23)
    for subjects in (3, 10):
        draws = draw(Design("separate", subjects, 0), metric, REPEATABLE[0], rng, 300)
        assert sum(equivalence(generalisation(each), 91.2, 1) == "agrees" for each in draws) == 0
    whole = draw(Design("separate", 400, 0), metric, REPEATABLE[0], rng, 40)
    assert sum(equivalence(generalisation(each), 88, 1) == "agrees" for each in whole) >= 38


def test_two_methods_that_differ_by_nothing_are_rarely_told_apart():
    rng, shares, metric = np.random.default_rng(24), TRAINED[1], Metric("distance", 1.5, 0.8)
    one, other = (list(draw(Design("separate", 8, 3), metric, shares, rng, 400)) for _ in range(2))
    estimates = [
        generalisation(type(a)(a.values - b.values, a.subjects, a.trainings)) for a, b in zip(one, other, strict=True)
    ]
    assert np.mean([equivalence(each, 0, 0) == "differs" for each in estimates]) <= most(0.05, 400)


def test_trainings_of_a_reproduction_are_covered():
    rng, metric = np.random.default_rng(25), Metric("dice", 90, 1)
    shares = Shares(subjects=0, trainings=1)
    estimates = [reproduction(each, level=0.95) for each in draw(Design("separate", 4, 3), metric, shares, rng, 1500)]
    assert np.mean([not each.low <= 90 <= each.high for each in estimates]) <= most(0.05, 1500)
    chance = expected_by_chance(estimates, [1.0] * len(estimates))
    assert max(chance.agrees, chance.differs) <= 0.05 * len(estimates)
