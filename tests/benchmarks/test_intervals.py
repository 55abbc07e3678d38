"""Intervals over trainings and subjects against SciPy's t, analysis of variance by hand, and dyads by algebra."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats

from benchmarks.statistics import Sample, generalisation, reproduction
from benchmarks.statistics.clusters import variance_of_mean


def table(values, members=None):
    """Return a sample of ``values`` ``(pairs, trainings)``; a pair has one subject unless ``members`` names them."""
    values = np.asarray(values, dtype=float)
    pairs = [(f"case{i}",) for i in range(len(values))] if members is None else members
    places = list(np.ndindex(*values.shape))
    return Sample(values.ravel(), [pairs[i] for i, _ in places], [s for _, s in places])


def single(values, members=None):
    """Return the sample of a repeatable method."""
    members = [(i,) for i in range(len(values))] if members is None else members
    return Sample(np.asarray(values, dtype=float), members, [None] * len(values))


def bounds(estimate):
    return [estimate.low, estimate.high]


def variance_of(sample):
    return variance_of_mean(sample.values, sample.shares, sample.subjects)


def test_of_a_repeatable_method_on_separate_subjects_it_is_the_t_interval():
    half = np.random.default_rng(0).normal(0, 2, 5)
    values = 3 + np.array([*half, 0, *-half])  # not skewed
    estimate = generalisation(single(values), level=0.95)
    assert_allclose(bounds(estimate), stats.ttest_1samp(values, 0).confidence_interval(0.95), rtol=1e-12)
    assert (estimate.pairs, estimate.subjects, estimate.trainings, estimate.why) == (11, 11, 0, "")
    assert_allclose([estimate.df, estimate.half_width], [10, np.ptp(bounds(estimate)) / 2])


def test_ordered_pairs_of_one_pool_have_the_degrees_of_freedom_of_subjects():
    rng = np.random.default_rng(1)
    for number in (3, 4, 9):
        effect = rng.normal(0, 1, number)
        pairs = list(itertools.permutations(range(number), 2))
        found = variance_of(single([effect[a] + effect[b] for a, b in pairs], pairs))
        assert_allclose([found.value, found.df], [4 * effect.var(ddof=1) / number, number - 1])


def test_an_atlas_that_all_pairs_share_is_given():
    values = np.random.default_rng(2).normal(0, 1, 8)
    members = [("atlas", case) if case % 2 else (case, "atlas") for case in range(8)]
    atlas, alone = generalisation(single(values, members)), generalisation(single(values))
    assert_allclose([atlas.se, atlas.df], [alone.se, alone.df])
    assert (atlas.subjects, alone.subjects) == (9, 8)


def test_a_subject_in_nearly_all_pairs_is_no_atlas():
    rng = np.random.default_rng(3)
    members = [("often", case) for case in range(19)] + [("other", 19)]
    found, means = [], []
    for _ in range(400):
        effect = {name: rng.normal() for each in members for name in each}
        sample = single([effect[a] + effect[b] for a, b in members], members)
        found.append(variance_of(sample).value)
        means.append(sample.mean)
    assert_allclose(np.mean(found), np.var(means), rtol=0.2)  # about that of one effect, not of twenty


def test_disjoint_pairs_of_two_subjects_count_once():
    values = np.random.default_rng(4).normal(0, 1, 7)
    two = variance_of(single(values, [(2 * i, 2 * i + 1) for i in range(7)]))
    assert_allclose([two.value, two.df], [values.var(ddof=1) / 7, 6])


def test_subjects_and_trainings_add_their_variances():
    values = np.linspace(-1, 1, 9)[:, None] + np.array([-0.9, -0.2, 0.2, 0.9])  # neither is skewed
    first, second = values.mean(1).var(ddof=1) / 9, values.mean(0).var(ddof=1) / 4
    estimate = generalisation(table(values))
    assert_allclose(estimate.se**2, first + second)
    assert_allclose(estimate.df, (first + second) / (first / 8 + second / 3))
    assert (estimate.pairs, estimate.subjects, estimate.trainings) == (9, 9, 4)


@pytest.mark.parametrize("sign", [-1, 1])
def test_skewed_numbers_widen_the_interval(sign):
    values = sign * np.array([1.0, 1.1, 1.2, 1.2, 4.0])
    estimate = generalisation(single(values), level=0.95)
    plain = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    bound = stats.t.ppf(0.95, 4)
    johnson = abs(stats.skew(values)) / 5**0.5 * (2 * bound**2 + 1) / (6 * bound)
    assert_allclose(estimate.half_width, (plain.high - plain.low) / 2 * (1 + 2 * johnson))


def test_reproduction_is_t_of_the_trainings_means_over_common_pairs():
    values = np.random.default_rng(7).normal(0, 1, (6, 3))
    estimate = reproduction(table(values), level=0.95)
    assert_allclose(bounds(estimate), stats.ttest_1samp(values.mean(0), 0).confidence_interval(0.95))
    whole = table(values)
    short = reproduction(whole.only(range(1, len(whole.values))), level=0.95)  # a pair that one training lacks
    assert_allclose(bounds(short), stats.ttest_1samp(values[1:].mean(0), 0).confidence_interval(0.95))
    assert (short.pairs, estimate.pairs) == (5, 6)


def test_a_repeatable_method_reproduces_its_value_alone():
    estimate = reproduction(single([1.0, 2.0, 6.0]))
    assert (estimate.value, estimate.low, estimate.high, estimate.se, estimate.trainings) == (3, 3, 3, 0, 0)


def test_one_training_says_so():
    values = np.random.default_rng(8).normal(0, 1, (6, 1))
    alone = reproduction(table(values))
    assert np.isnan([alone.low, alone.high, alone.se]).all()
    over_subjects = generalisation(table(values))
    assert (alone.why, over_subjects.why, over_subjects.trainings) == ("one training", "one training", 1)
    assert_allclose(bounds(over_subjects), bounds(generalisation(single(values.ravel()))))


@pytest.mark.parametrize("members", [[("a", "b")], [("a", "b"), ("b", "a")]])
def test_the_same_subjects_in_all_pairs_give_no_interval(members):
    estimate = generalisation(single(range(len(members)), members))
    assert np.isnan(bounds(estimate)).all()
    assert estimate.why == "all pairs are of the same subjects"


def test_trainings_without_a_common_pair_give_no_interval():
    estimate = reproduction(Sample(np.array([1.0, 2.0]), [("a",), ("b",)], [0, 1]))
    assert estimate.why == "no pair that all trainings have"
    assert np.isnan(estimate.se)


def test_several_pairs_of_one_subject_are_told_apart():
    sample = Sample(np.arange(4.0), [("a",), ("a",), ("a",), ("a",)], [0, 0, 1, 1])
    assert (reproduction(sample).pairs, reproduction(sample).value) == (2, 1.5)


@given(st.integers(2, 6), st.integers(1, 4), st.integers(0, 99))
def test_weights_count_as_repeated_values_do(number, trainings, seed):
    rng = np.random.default_rng(seed)
    whole = table(rng.normal(0, 1, (number, trainings)))
    times = rng.integers(1, 4, len(whole.values))
    weighted = generalisation(Sample(whole.values, whole.subjects, whole.trainings, times))
    repeated = generalisation(whole.only(np.repeat(np.arange(len(times)), times)))
    assert_allclose(*([each.value, each.se, each.df] for each in (weighted, repeated)), atol=1e-12)


@given(st.floats(-100, 100), st.floats(0.01, 100), st.integers(0, 99))
def test_an_interval_moves_and_scales_with_its_values(shift, scale, seed):
    rng = np.random.default_rng(seed)
    pairs = list(itertools.permutations(range(4), 2))
    whole = table(rng.normal(0, 1, (12, 3)), pairs)
    moved = Sample(shift + scale * whole.values, whole.subjects, whole.trainings)
    for interval in (generalisation, reproduction):
        before, after = interval(whole), interval(moved)
        assert_allclose(bounds(after), shift + scale * np.array(bounds(before)), rtol=1e-6, atol=1e-8)


def test_order_does_not_matter_and_constants_have_no_width():
    whole = table(np.random.default_rng(9).normal(0, 1, (5, 3)))
    turned = generalisation(whole.only(np.random.default_rng(10).permutation(15)))
    assert_allclose(bounds(turned), bounds(generalisation(whole)))
    constant = generalisation(table(np.ones((5, 3))))
    assert_allclose([*bounds(constant), constant.se], [1, 1, 0], atol=1e-14)


@pytest.mark.parametrize(
    ("values", "subjects", "trainings", "weights", "said"),
    [
        ([1.0, 2.0], [("a",)], [0, 1], None, "2 values, but subjects of 1"),
        ([1.0, np.nan], [("a",), ("b",)], [0, 1], None, "finite"),
        ([1.0, 2.0], [("a",), ("b",)], [None, 1], None, "repeatable or it is not"),
        ([1.0, 2.0], [("a",), ("b",)], [0, 1], [1.0, 0.0], "weights above 0"),
    ],
)
def test_bad_samples_are_refused(values, subjects, trainings, weights, said):
    with pytest.raises(ValueError, match=said):
        Sample(np.array(values), subjects, trainings, None if weights is None else np.array(weights))
