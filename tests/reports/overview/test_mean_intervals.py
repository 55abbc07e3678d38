"""The intervals of the overview's means are over subjects and trainings."""

import itertools

import numpy as np
import pytest
from scipy import stats

from benchmarks import ranking
from reports.overview.rows import summarise
from tests.reports.report_inputs import frame, make_run, row, write_dataset


def widths(folder, by_pair, method="syn", metric="dice"):
    """Return the summary of a method from values by pair, or by pair and seed."""
    data = write_dataset(folder, "d", phantom=False, n_pairs=1)
    rows = [
        row("d", pair, method, metric, value, seed=seed)
        for pair, values in by_pair.items()
        for seed, value in enumerate(np.atleast_1d(values))
    ]
    found = summarise(make_run(frame(rows), {"d": data}), data, [ranking.Quote("dice", "linear_thr128", "mean")])
    return next(each for each in found if each.method == method)


def test_an_interval_is_over_subjects(tmp_path):
    """Three subjects registered to one atlas: Student's t of three numbers."""
    found = widths(tmp_path, {"a__b": 0.7, "a__c": 0.8, "a__d": 0.9})
    assert found.half_width == pytest.approx(stats.t(2).ppf(0.975) * 0.1 / np.sqrt(3))
    assert (found.subjects, found.trainings) == (4, 0)


def test_the_other_direction_of_each_pair_tells_nothing_new(tmp_path):
    effects, one = {"a": 0.1, "b": 0.13, "c": 0.25, "d": 0.2, "e": 0.16}, {}
    for fixed, moving in itertools.combinations(effects, 2):
        one[f"{fixed}__{moving}"] = 0.3 + effects[fixed] + effects[moving]
    both = one | {"__".join(reversed(pair.split("__"))): value for pair, value in one.items()}
    (tmp_path / "one").mkdir()
    once, twice = widths(tmp_path / "one", one), widths(tmp_path, both)
    assert (once.n, twice.n) == (10, 20)
    assert twice.half_width == pytest.approx(once.half_width)


def test_trainings_are_drawn_of_what_learns_alone(tmp_path):
    """The means of two trainings lie 0.2 apart; a repeatable method's repetitions are averaged."""
    values = {"a__b": [0.6, 0.8], "a__c": [0.7, 0.9], "a__d": [0.8, 1.0]}
    (tmp_path / "net").mkdir()
    net, syn = widths(tmp_path / "net", values, "net"), widths(tmp_path, values)
    assert (net.trainings, syn.trainings) == (2, 0)
    assert net.half_width > 2 * syn.half_width
    assert syn.half_width == pytest.approx(stats.t(2).ppf(0.975) * 0.1 / np.sqrt(3))


def test_pairs_of_the_same_subjects_have_no_interval(tmp_path):
    assert np.isnan(widths(tmp_path, {"a__b": 0.7, "b__a": 0.8}).half_width)
