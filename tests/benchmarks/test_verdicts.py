"""Verdicts against printed numbers: the review's examples, two one-sided tests, power of the noncentral t."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from benchmarks.statistics import (
    Estimate,
    Sample,
    equivalence,
    expected_by_chance,
    generalisation,
    minimal_detectable,
    p_value,
    reproduction,
)
from benchmarks.statistics.student import quantile

NAN = float("nan")


def of(values):
    """Return the sample of a repeatable method, a subject each."""
    return Sample(np.array(values, dtype=float), [(i,) for i in range(len(values))], [None] * len(values))


def estimated(value, se, df):
    half = 0 if se == 0 else quantile(df, 0.95) * se
    return Estimate(value, se, df, value - half, value + half, 0.9, 10, 10, 0)


def test_wide_and_narrow_data_are_no_longer_judged_upside_down():
    wide, narrow = of([40, 75, 99]), of([90.0, 90.1, 90.2])
    assert equivalence(generalisation(wide), 91.2, 1) == "inconclusive"
    assert equivalence(generalisation(of([50, 91.2])), 91.2, 1) == "inconclusive"
    assert equivalence(reproduction(narrow), 91.2, 1) == "differs"  # 1.1 points off on the paper's own pairs
    assert equivalence(generalisation(narrow), 91.2, 0.8) == "differs"
    assert equivalence(generalisation(narrow), 90.4, 1) == "agrees"


def test_a_gain_that_may_be_a_loss_reproduces_none():
    gain = estimated(3, (10 + 5) / 2 / stats.t.ppf(0.95, 9), 9)
    assert_allclose(gain.high - gain.low, 15)
    assert equivalence(gain, 3.4, 1) == "inconclusive"


def test_agreement_is_two_one_sided_tests():
    for value in np.linspace(-1, 1, 21):
        estimate = estimated(value, 0.2, 7)
        p = max(p_value(estimate, alternative="greater", null=-0.7), p_value(estimate, alternative="less", null=0.7))
        assert (equivalence(estimate, 0, 0.7) == "agrees") == (p <= 0.05)


def test_of_no_margin_a_difference_is_the_two_sided_test():
    for value in np.linspace(0, 1, 41):
        estimate = estimated(value, 0.2, 7)
        assert (equivalence(estimate, 0, 0) == "differs") == (p_value(estimate) <= 0.05)


def test_without_an_interval_all_is_open():
    alone = reproduction(Sample(np.array([1.0, 2.0]), [("a",), ("b",)], [0, 0]))
    assert equivalence(alone, 1.5, 10) == "inconclusive"
    assert np.isnan([p_value(alone), minimal_detectable(alone)]).all()
    with pytest.raises(ValueError, match="margin"):
        equivalence(alone, 1.5, NAN)


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_p_is_that_of_the_t_test(alternative):
    values = np.random.default_rng(0).normal(0.4, 1, 12)
    expected = stats.ttest_1samp(values, 0.1, alternative=alternative).pvalue
    estimate = estimated(values.mean(), stats.sem(values), 11)
    assert_allclose(p_value(estimate, alternative=alternative, null=0.1), expected)
    same = estimated(2, 0, np.inf)
    assert p_value(same, alternative=alternative, null=2) == 1
    with pytest.raises(ValueError, match="alternative"):
        p_value(same, alternative="more")


@pytest.mark.parametrize("df", [1.0, 2.7, 9.0, 40.0, np.inf])
@pytest.mark.parametrize("power", [0.5, 0.8, 0.99])
def test_the_detectable_effect_is_found_with_its_power(df, power):
    effect = minimal_detectable(estimated(0, 0.3, df), power=power)
    rng = np.random.default_rng(1)
    spread = np.ones(200_000) if np.isinf(df) else np.sqrt(rng.chisquare(df, 200_000) / df)
    t = (rng.normal(effect / 0.3, 1, 200_000)) / spread
    critical = stats.norm.ppf(0.975) if np.isinf(df) else stats.t.ppf(0.975, df)
    assert np.mean(np.abs(t) > critical) == pytest.approx(power, abs=0.005)
    assert minimal_detectable(estimated(5, 0, np.inf)) == 0


def test_what_is_expected_by_chance_is_what_a_simulation_counts():
    margins, rng, found = [0.05, 0.3, 2.0], np.random.default_rng(2), np.zeros((3, 2))
    for _ in range(2000):
        for at, margin in enumerate(margins):
            off, true = margin + rng.normal(0, 0.1), rng.normal(0, 0.1)
            found[at] += [
                equivalence(estimated(off, 0.1, np.inf), 0, margin) == "agrees",
                equivalence(estimated(true, 0.1, np.inf), 0, margin) == "differs",
            ]
    estimates = [estimated(0, 0.1, np.inf)] * 3
    each = [expected_by_chance([one], [margin]) for one, margin in zip(estimates, margins, strict=True)]
    assert_allclose(found / 2000, [[one.agrees, one.differs] for one in each], atol=0.015)
    total = expected_by_chance(estimates, margins)
    assert_allclose([total.agrees, total.differs], np.sum([[one.agrees, one.differs] for one in each], axis=0))
    assert total.agrees <= 0.05 * 3
    assert total.differs <= 0.05 * 3
    nothing = expected_by_chance([estimated(1, 0, np.inf), estimated(1, NAN, 0)], [1, 1])
    assert (nothing.agrees, nothing.differs) == (0, 0)
