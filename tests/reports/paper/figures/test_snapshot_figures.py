"""Figures of what snapshots were worth while networks trained: learning curves, and two networks beside each other."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from reports.paper import snapshots
from reports.paper.contents import PaperData
from reports.paper.figures import learning_curves as learning_figure
from reports.paper.figures import snapshot_scatter as snapshot_figure
from tests.reports.paper.figures.training_inputs import (
    BEFORE,
    CURVES,
    PAIRS,
    SCATTER,
    falling,
    filled,
    lines,
    snapshot_rows,
    texts,
    toy,
    training,
)
from tests.reports.paper.paper_inputs import drawn, varied

POOLED = np.average(BEFORE, weights=[count for *_, count in PAIRS])


def test_errors_are_pooled_over_landmarks(tmp_path):
    errors = {0: (6.0, 8.0, 7.0), 50: (3.0, 2.0, 1.0)}
    paper_run = toy(tmp_path, [], [training(tmp_path, "net", errors=snapshot_rows(errors))])
    figure, note = drawn(paper_run, {**CURVES, "methods": ["net"]})
    below = figure.axes[1]
    np.testing.assert_array_equal(below.lines[0].get_xdata(), [0, 50])
    np.testing.assert_allclose(
        below.lines[0].get_ydata(), [7.15, 1.3]
    )  # (60 + 320 + 1050) / 200, (30 + 80 + 150) / 200
    np.testing.assert_allclose(below.lines[-1].get_ydata(), POOLED)
    assert "200 landmarks of 3 test pairs" in note
    assert "Measured on stand-ins" in note
    assert "Net 4.23 mm (1.30 to 7.15; 1 seed)" in note  # (7.15 + 1.3) / 2


def test_the_first_seed_is_thick_and_further_ones_are_thin_and_pale(tmp_path):
    figure, note = drawn(filled(tmp_path), CURVES)
    above, below = figure.axes
    for (colour, _), start in zip(learning_figure.LOOKS[:2], (7, 6), strict=True):
        first, further = lines(below, colour)
        assert first.get_linewidth() > further.get_linewidth()
        assert further.get_alpha() < 1
        assert abs(first.get_ydata()[0] - start - 1.7) < 1  # pooled: 0.2 + 1.5 above the first pair
    assert len(above.patches) == 3  # shaded transitions
    assert "α₀: 6 x 5 x 7" in note


def test_a_training_that_diverged_ends_with_a_cross(tmp_path):
    errors = falling(6, 0.02, last=60)
    trainings = [
        training(tmp_path, "net", errors=errors, status="diverged", reason="loss nan\nat iteration 57."),
        training(tmp_path, "syn", errors=falling(7, 0.02)),
    ]
    figure, note = drawn(toy(tmp_path, [], trainings), CURVES)
    (cross,) = [line for line in figure.axes[1].lines if line.get_marker() == "X" and len(line.get_xdata())]
    np.testing.assert_allclose([cross.get_xdata()[0], cross.get_ydata()[0]], [50, 6 - 1 + 1.7])
    assert "Net (seed 0) diverged: loss nan at iteration 57." in note
    assert "no weights of levels" not in note  # panel A says why it is empty
    assert any("left no curve" in text for text in texts(figure.axes[0]))


def test_many_snapshots_are_smoothed_and_it_is_said(tmp_path):
    errors = {t: 3 * [100.0 if t % 50 == 7 else 5.0] for t in range(200)}  # one in fifty is far off
    paper_run = toy(tmp_path, [], [training(tmp_path, "net", errors=snapshot_rows(errors))])
    figure, note = drawn(paper_run, {**CURVES, "methods": ["net"]})
    pale, line = lines(figure.axes[1], learning_figure.LOOKS[0][0])
    assert pale.get_ydata().max() == pytest.approx(100)
    np.testing.assert_allclose(line.get_ydata(), 5)
    assert "Lines: running median of 5 snapshots" in note


def test_the_end_is_told_of_several_snapshots_of_all_seeds(tmp_path):
    """One seed goes 5, 4, 3, 2 and jumps to 8, the other stays at 6: neither's last snapshot speaks for the network."""
    errors = {0: (9.0, 5.0, 4.0, 3.0, 2.0, 8.0), 1: (6.0,) * 6}
    trainings = [
        training(tmp_path, "net", seed, errors=snapshot_rows({10 * at: 3 * [mean] for at, mean in enumerate(means)}))
        for seed, means in errors.items()
    ]
    _, note = drawn(toy(tmp_path, [], trainings), {**CURVES, "methods": ["net"]})
    assert "Mean and range of the last 5 snapshots: Net 5.20 mm (2.00 to 8.00; 2 seeds)." in note


@pytest.mark.parametrize(("last", "scale"), [((1.0, 1.0, 1.0), "linear"), ((0.1, 0.1, 0.1), "log")])
def test_errors_over_more_than_a_decade_are_logarithmic(tmp_path, last, scale):
    trainings = [
        training(tmp_path, method, errors=snapshot_rows({0: (6.0, 6.0, 6.0), 9: last})) for method in ("syn", "net")
    ]
    paper_run = toy(tmp_path, [], trainings)
    assert drawn(paper_run, CURVES)[0].axes[1].get_yscale() == scale
    figure, note = drawn(paper_run, SCATTER)
    assert (figure.axes[0].get_xscale(), figure.axes[0].get_yscale()) == (scale, scale)
    assert ("Logarithmic" in note) == (scale == "log")


def test_snapshots_without_all_pairs_are_left_out(tmp_path):
    errors = snapshot_rows({0: (6.0, 8.0, 7.0), 10: (np.nan, 4.0, 4.0), 20: (3.0, np.inf, 3.0), 30: (2.0, 2.0, 2.0)})
    again = snapshot_rows({30: (1.0, 1.0, 1.0)})  # a training that went on after it was killed
    paper_run = toy(tmp_path, [], [training(tmp_path, "net", errors=pd.concat([errors, again]))], before=BEFORE[:2])
    found = snapshots.read(paper_run, ["net"])
    assert found.lines[0].tre.to_dict() == {0: 7.15, 30: 1.0}
    assert np.isnan(found.before)  # one pair has none
    figure, note = drawn(paper_run, {**CURVES, "methods": ["net", "syn"]})
    assert "2 snapshots of Net (seed 0) without all pairs are left out." in note
    assert "identity was not run on all of these pairs" in note
    assert "Not drawn: no training of syn." in note
    assert "before registration" not in figure.axes[1].get_legend_handles_labels()[1]


def test_only_the_data_sets_of_the_entry_count(tmp_path):
    paper_run = toy(tmp_path, [], [training(tmp_path, "net", errors=snapshot_rows({0: (6.0, 8.0, 100.0)}))])
    found = snapshots.read(paper_run, ["net"], ["one"])
    assert found.lines[0].tre.to_dict() == {0: pytest.approx(7.6)}
    assert found.before == pytest.approx(8.4)
    _, note = drawn(paper_run, {**CURVES, "methods": ["net"], "datasets": ["one"]})
    assert "No snapshot was judged on" not in note
    none = snapshots.read(varied(paper_run, plays={}), ["net"])
    assert none.missing == ["the snapshots of net (seed 0) have no pair of these data sets"]


@pytest.mark.parametrize("entry", [CURVES, SCATTER])
def test_data_sets_without_snapshots_are_not_named_as_judged(tmp_path, entry):
    errors = snapshot_rows({0: (6.0, 8.0), 10: (5.0, 7.0)}, PAIRS[:2])
    paper_run = toy(tmp_path, [], [training(tmp_path, method, errors=errors) for method in ("syn", "net")])
    _, note = drawn(paper_run, entry)
    assert "of 2 test pairs (Shells <b> phantom, a stand-in for ONE)." in note
    assert "No snapshot was judged on TWO, which the paper has as well." in note
    known = {"one": PaperData("ONE", "hospital", 3, "one"), "two": PaperData("TWO", "hospital", 9, "two")}
    errors = snapshot_rows({0: (6.0,)}, PAIRS[2:])
    few = varied(
        paper_run,
        paper=replace(paper_run.paper, datasets=known),
        trainings=[training(tmp_path / "few", method, errors=errors) for method in ("syn", "net")],
    )
    assert "(Real shells, which has 3 of the paper's 9 pairs)." in drawn(few, entry)[1]


def test_the_scatter_matches_iteration_and_seed(tmp_path):
    def one(method, seed, errors):
        return training(tmp_path, method, seed, errors=snapshot_rows({t: 3 * [e] for t, e in errors.items()}))

    trainings = [
        one("syn", 0, {0: 6.0, 10: 5.0, 20: 4.0}),
        one("net", 0, {0: 6.0, 20: 2.0, 30: 1.0}),
        one("syn", 1, {0: 3.0}),
        one("net", 1, {0: 4.0}),
        one("net", 2, {0: 0.1}),
    ]
    figure, note = drawn(toy(tmp_path, [], trainings), SCATTER)
    (axes,) = figure.axes
    first, further = lines(axes, "#0072b2")
    np.testing.assert_allclose(first.get_xydata(), [[6, 6], [4, 2]])
    np.testing.assert_allclose(further.get_xydata(), [[3, 4]])
    assert "In 1 of 4 snapshots" not in note
    assert "In 1 of 3 snapshots (33 %; seeds 0, 1)" in note  # a tie is not below
    assert axes.get_title(loc="left") == "below the line: 1 of 3 snapshots"
    assert axes.get_xlim() == axes.get_ylim()
    assert axes.get_aspect() == 1
    assert "No density" in note
    assert not axes.collections


def test_the_density_of_the_scatter_lies_on_its_points(tmp_path):
    figure, note = drawn(filled(tmp_path), SCATTER)
    assert len(figure.axes[0].collections) == snapshot_figure.SHADES
    assert "Grey: kernel density." in note
    points = np.random.default_rng(1).normal((5, 3), (1, 0.2), (400, 2))
    shade = snapshot_figure.density(points)
    assert shade([5, 3])[0] > 5 * shade([7, 3.5])[0]


@pytest.mark.parametrize("points", [np.ones((50, 2)), np.arange(60.0).repeat(2).reshape(60, 2), np.eye(4, 2)])
def test_a_density_of_degenerate_points_is_not_made_up(points):
    assert snapshot_figure.density(points) is None
