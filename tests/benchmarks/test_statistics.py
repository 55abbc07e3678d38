"""Wilcoxon's test against all sign patterns and SciPy, bootstrap intervals against theory, Holm by hand."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from benchmarks import statistics


def test_exact_wilcoxon_of_seventeen_gains():
    gains = np.random.default_rng(0).uniform(0.1, 3, 17)
    one, two = statistics.wilcoxon(gains, alternative="greater"), statistics.wilcoxon(gains)
    assert (one.statistic, one.n, one.method) == (153, 17, "exact")
    assert_allclose([one.p_value, two.p_value], [2**-17, 2**-16], rtol=1e-12)
    assert statistics.wilcoxon(-gains, alternative="greater").p_value == pytest.approx(1)


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_wilcoxon_agrees_with_scipy(alternative):
    differences = np.random.default_rng(1).normal(0.3, 1, 23)
    ours = statistics.wilcoxon(differences, alternative=alternative)
    assert_allclose(
        ours.p_value, stats.wilcoxon(differences, alternative=alternative, method="exact").pvalue, rtol=1e-9
    )
    many = np.random.default_rng(2).normal(0.05, 1, 400)
    ours = statistics.wilcoxon(many, alternative=alternative)
    assert ours.method == "normal"
    assert_allclose(ours.p_value, stats.wilcoxon(many, alternative=alternative, method="approx").pvalue)


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_the_normal_approximation_is_scipys_without_continuity_correction(alternative):
    differences = np.round(np.random.default_rng(11).normal(0.3, 1, 23), 1)  # with ties
    ours = statistics.wilcoxon(differences, alternative=alternative, method="normal")
    theirs = stats.wilcoxon(differences, alternative=alternative, method="asymptotic", correction=False)
    assert (ours.method, ours.p_value) == ("normal", pytest.approx(theirs.pvalue))


def test_seventeen_of_seventeen_has_the_printed_p():
    ours = statistics.wilcoxon(np.arange(1, 18) / 10, method="normal")
    assert (ours.statistic, round(ours.p_value, 6)) == (153, 0.000293)


def test_wilcoxon_with_ties_and_zeros_counts_all_sign_patterns():
    differences = np.array([1, 1, -1, 2, 3, 0, 0, -2, 4.0])
    values = differences[differences != 0]
    ranks = stats.rankdata(np.abs(values))
    sums = [ranks[list(signs)].sum() for signs in map(np.array, itertools.product((False, True), repeat=7))]
    expected = np.mean(np.array(sums) >= ranks[values > 0].sum())
    got = statistics.wilcoxon(differences, alternative="greater")
    assert (got.n, got.p_value) == (7, pytest.approx(expected))
    assert statistics.wilcoxon([0, 0, 0]).p_value == 1


def test_holm():
    assert_allclose(statistics.holm([0.01, np.nan, 0.04, 0.03, 0.9]), [0.04, np.nan, 0.09, 0.09, 0.9])
    assert_allclose(statistics.holm([0.5, 0.6]), [1, 1])


def test_bootstrap_interval_of_a_mean_has_the_width_theory_gives():
    values = np.random.default_rng(3).normal(2, 1, 200)
    low, high = statistics.bootstrap_interval(values, np.mean, 3000, np.random.default_rng(4))
    assert_allclose([low, high], values.mean() + np.array([-1.96, 1.96]) * values.std() / np.sqrt(200), atol=0.02)
    again = statistics.bootstrap_interval(values, np.mean, 3000, np.random.default_rng(4))
    assert again == (low, high)
    narrow = statistics.bootstrap_interval(values, np.mean, 3000, np.random.default_rng(4), level=0.5)
    assert low < narrow[0] < narrow[1] < high


def test_subjects_widen_the_interval_of_pairs_that_share_them():
    effect = np.random.default_rng(5).normal(0, 1, 9)
    pairs = list(itertools.permutations(range(9), 2))
    values = np.array([effect[a] + effect[b] for a, b in pairs])
    naive, honest = (
        np.ptp(statistics.bootstrap_interval(values, np.mean, 1500, np.random.default_rng(6), subjects=subjects))
        for subjects in (None, pairs)
    )
    expected = 2 * 1.96 * 2 * effect.std() / 3  # mean = twice the mean effect of nine subjects
    assert honest == pytest.approx(expected, rel=0.25)
    assert honest > 2 * naive


def test_an_atlas_that_all_pairs_share_is_not_resampled():
    values = np.random.default_rng(7).normal(0, 1, 30)
    atlas = [("atlas", case) for case in range(30)]
    got = [
        statistics.bootstrap_interval(values, np.mean, 500, np.random.default_rng(8), subjects=subjects)
        for subjects in (None, atlas, [(case,) for case in range(30)])
    ]
    assert got[0] == got[1] == got[2]


def test_nothing_to_resample_gives_no_interval():
    rng = np.random.default_rng(9)
    assert np.isnan(statistics.bootstrap_interval([1.0], np.mean, 50, rng)).all()
    both_ways = [("a", "b"), ("b", "a")]
    assert np.isnan(statistics.bootstrap_interval([1.0, 2.0], np.mean, 50, rng, subjects=both_ways)).all()
    with pytest.raises(ValueError, match="2 values, but subjects of 1"):
        statistics.bootstrap_interval([1.0, 2.0], np.mean, 50, rng, subjects=[("a",)])
    with pytest.raises(ValueError, match="finite"):
        statistics.bootstrap_interval([1.0, np.nan], np.mean, 50, rng)


def test_ratio_interval_covers_the_ratio_of_medians():
    rng = np.random.default_rng(10)
    slow, fast = rng.normal(21, 0.5, 30), rng.normal(1, 0.02, 25)
    low, high = statistics.ratio_interval(slow, fast, 2000, rng)
    assert low < np.median(slow) / np.median(fast) < high
    assert 20 < low < high < 22
    assert np.isnan(statistics.ratio_interval([1.0], fast, 10, rng)).all()
