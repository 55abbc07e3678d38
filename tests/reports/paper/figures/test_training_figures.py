"""Figures of how networks were trained: what they show, that it is what the training left, and why one is not drawn."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from reports.drawing import weights
from reports.drawing.level_sketch import State
from reports.paper import snapshots
from reports.paper.contents import PaperData
from reports.paper.draw import draw_figures
from reports.paper.figures import displacement_densities as density_figure
from reports.paper.figures import learning_curves as learning_figure
from reports.paper.figures import snapshot_scatter as snapshot_figure
from reports.paper.layout import PaperError
from tests.reports.paper.figures.training_inputs import (
    BEFORE,
    PAIRS,
    falling,
    snapshot_rows,
    toy,
    training,
    trapezoids,
    uniform,
)
from tests.reports.paper.paper_inputs import drawn, varied

STATES = {"number": 2, "kind": "growth_states", "caption": "States.", "method": "net"}
DENSITY = {"number": 4, "kind": "displacement_densities", "caption": "Densities.", "method": "net"}
CURVES = {"number": 5, "kind": "learning_curves", "caption": "Curves.", "methods": ["syn", "net"]}
SCATTER = {"number": 6, "kind": "snapshot_scatter", "caption": "Scatter.", "methods": ["syn", "net"]}
FIGURES = [STATES, DENSITY, CURVES, SCATTER]
POOLED = np.average(BEFORE, weights=[count for *_, count in PAIRS])


def filled(tmp_path, figures=FIGURES):
    curve = trapezoids(20, 60, 4, 200)
    net = [
        training(tmp_path, "net", seed, curve=curve, errors=falling(6, 0.02, 0.1, seed=seed), displacements=uniform(8))
        for seed in (0, 1)
    ]
    plain = [
        training(tmp_path, "syn", seed, curve=curve[["iteration"]], errors=falling(7, 0.01, 0.2, seed=5 + seed))
        for seed in (0, 1)
    ]
    return toy(tmp_path, figures, [*net, *plain])


def texts(axes):
    return [text.get_text() for text in axes.texts]


def lines(axes, colour):
    return [line for line in axes.lines if line.get_color() == colour]


def test_all_four_are_drawn_and_equal_input_gives_equal_files(tmp_path):
    paper_run = filled(tmp_path)
    for folder in (tmp_path / "once", tmp_path / "again"):
        drawn = draw_figures(paper_run, folder)
        assert [(number, path.name, why) for number, _, path, why in drawn] == [
            (number, f"toy-fig{number}", "") for number in (2, 4, 5, 6)
        ]
    for path in (tmp_path / "once").iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()
    for _, caption, path, _ in drawn:
        assert "phantom-lidc, a stand-in for LIDC-IDRI" in caption
        assert "<image" not in path.with_name(f"{path.name}.svg").read_text(
            encoding="utf-8"
        )  # so that the page has it in its colours


def test_states_show_the_weights_that_were_recorded(tmp_path):
    figure, note = drawn(filled(tmp_path), STATES)
    start, half, after, *below = figure.axes
    assert [axes.get_title(loc="left") for axes in (start, half, after)] == [
        "(a) start, iteration 0", "(b) half-way, iteration 20", "(c) after, iteration 40",
    ]  # fmt: skip
    shown = [{text for text in texts(axes) if "=" in text} for axes in (start, half, after)]
    assert shown[0] == {"α₀ = 1", "α₁ = 0", "β₀ = 1", "β₁ = 1", "γ₀ = 0"}
    assert shown[1] == {"α₀ = 0.5", "α₁ = 0.5", "β₀ = 0.5", "β₁ = 1", "γ₀ = 0.5"}
    assert shown[2] == {"α₀ = 0", "α₁ = 1", "β₀ = 0", "β₁ = 1", "γ₀ = 1"}
    assert {"6 x 5 x 7", "12 x 10 x 14"} <= set(texts(start))  # an eighth and a quarter of 48 x 40 x 56
    assert [axes.lines[-1].get_xdata()[0] for axes in below] == [0, 20, 40]
    assert "Later levels (4 in all) are not sketched" in note


def test_the_curves_of_the_states_are_the_recorded_ones(tmp_path):
    figure, _ = drawn(filled(tmp_path), STATES)
    recorded = trapezoids(20, 60, 4, 200)
    for level in (0, 1):
        (line,) = lines(figure.axes[3], weights.look(level)[0])
        known = np.isfinite(line.get_ydata())
        expected = recorded[f"alpha_{level}"][line.get_xdata()[known].astype(int)]
        np.testing.assert_allclose(line.get_ydata()[known], expected)
        assert line.get_ydata()[known].max() == 1
        assert line.get_ydata()[known].min() == 0


def test_two_levels_take_the_images_of_the_upper_one_as_they_are(tmp_path):
    paper_run = toy(tmp_path, [], [training(tmp_path, "net", curve=trapezoids(20, 60, 2, 100))])
    figure, note = drawn(paper_run, STATES)
    assert not any("β₁" in text for text in texts(figure.axes[0]))
    assert "Later levels" not in note


def test_beta_and_gamma_follow_from_alpha():
    state = State((0.25, 0.75), 4)
    assert (state.beta, state.gamma) == ((0.25, 1.0), 0.75)


@pytest.mark.parametrize(("curve", "ended", "second", "third", "said"), [
    (trapezoids(0, 40, 3, 70), "ok", "level 1 takes over at once", None, ""),
    (trapezoids(20, 60, 3, 15), "diverged", "the training ended at iteration 14", "the training ended at iteration 14",
     "The training diverged at iteration 14."),
    (trapezoids(20, 60, 3, 25), "diverged", None, "the training ended at iteration 24", "at iterations 0, 20,"),
    (trapezoids(20, 40, 3, 90)[::7], "ok", None, None, ""),  # no row in which level 1 stands alone
    (trapezoids(20, 60, 3, 1), "ok", "ended at iteration 0", "ended at iteration 0", ""),
])  # fmt: skip
def test_times_that_a_training_does_not_have_are_told(tmp_path, curve, ended, second, third, said):
    paper_run = toy(tmp_path, [], [training(tmp_path, "net", curve=curve, status=ended)])
    figure, note = drawn(paper_run, STATES)
    for axes, why in zip(figure.axes[1:3], (second, third), strict=True):
        told = " ".join(" ".join(texts(axes)).split())
        assert (why in told) if why else ("α₁ = " in told)
    assert said in note


def test_densities_by_hand(tmp_path):
    paper_run = toy(tmp_path, [], [training(tmp_path, "net", displacements=uniform(8))])
    figure, note = drawn(paper_run, DENSITY)
    assert [axes.get_title(loc="left") for axes in figure.axes] == list(density_figure.NAMES.values())
    assert len({axes.get_xlim() for axes in figure.axes}) == len({axes.get_ylim() for axes in figure.axes}) == 1
    for axes in figure.axes:
        np.testing.assert_allclose(axes.patches[1].get_data().values, 1 / 16)
        assert texts(axes) == ["mean |u| 4.00 mm\nSD 4.62 mm"]  # half / 2 and half / sqrt(3)
    assert "80 voxels of synthetic pairs" in note
    assert "voxels of 2.5 x 2 x 3 mm, the spacing of phantom-lidc" in note


def test_scans_of_different_spacing_and_the_pairs_counted_are_told(tmp_path):
    left = training(tmp_path, "net", displacements=uniform(8))
    paper_run = toy(tmp_path, [], [left])
    about = {"spacing": None, "spacings": [[2.125, 3], [2, 4], [4, 8]], "pairs": 100}
    (left.folder / "synthetic.json").write_text(json.dumps(about))
    _, note = drawn(paper_run, DENSITY)
    assert "80 voxels of the first 100 training pairs, from the training of Net" in note
    assert "each scan's own spacing in phantom-lidc: x 2.12 to 3 mm, y 2 to 4 mm, z 4 to 8 mm a voxel." in note
    (left.folder / "synthetic.json").write_text(json.dumps({**about, "spacings": None, "pairs": 1}))
    _, note = drawn(paper_run, DENSITY)
    assert "voxels of the first training pair, from" in note
    assert "The spacing behind the mm is not recorded." in note


def test_a_density_of_ranges_with_a_gap_integrates_to_one():
    rows = pd.DataFrame({"component": "x", "low": [3.0, -1.0, 4.0], "high": [4.0, 1.0, 8.0], "count": [1, 2, 5]})
    found = density_figure.density(rows)
    np.testing.assert_allclose(found.edges, [-1, 1, 3, 4, 8])
    np.testing.assert_allclose(found.count, [2, 0, 1, 5])
    assert np.sum(found.per_mm * np.diff(found.edges)) == pytest.approx(1)
    assert found.mean_abs == pytest.approx((2 * 0.5 + 1 * 3.5 + 5 * 6) / 8)
    assert (found.voxels, found.reach) == (8, 8.0)


def test_a_component_without_voxels_is_told(tmp_path):
    rows = uniform(8)
    rows.loc[rows.component == "y", "count"] = 0
    rows.loc[rows.component == "z", "count"] = np.nan
    figure, note = drawn(toy(tmp_path, [], [training(tmp_path, "net", displacements=rows, dataset="lidc")]), DENSITY)
    assert [texts(axes) == ["no voxels"] for axes in figure.axes] == [False, True, True]
    assert "No voxels of component y, z." in note
    assert "on LIDC-IDRI." in note


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


@pytest.mark.parametrize("own", ["", "lidc"])
def test_trainings_on_different_data_are_not_mixed(tmp_path, own):
    """Of the paper's data set, though it is listed last; without one, of the first that is listed."""

    def one(method, dataset, start):
        curve, errors = trapezoids(20, 60, 4, 200 if dataset == "lidc" else 100), {0: 3 * [start], 10: 3 * [start]}
        return training(
            tmp_path / dataset,
            method,
            dataset=dataset,
            errors=snapshot_rows(errors),
            curve=curve,
            displacements=uniform(8),
        )

    trainings = [one("net", "other", 8.0), one("syn", "lidc", 5.0), one("net", "lidc", 4.0)]
    paper_run = toy(tmp_path, [], trainings)
    paper_run = paper_run if own else varied(paper_run, paper=replace(paper_run.paper, trainings=()))
    figure, note = drawn(paper_run, SCATTER)
    if own:
        np.testing.assert_allclose(figure.axes[0].lines[1].get_xydata(), [[5, 4], [5, 4]])
        assert "Trainings on other are left out: these are on lidc." in note
    else:
        assert figure is None
        assert note == "no training of syn on other"
    read, left = ("LIDC-IDRI", "other") if own else ("other", "lidc")
    for entry in (CURVES, DENSITY, STATES):
        figure, note = drawn(paper_run, entry)
        assert f"on {read}" in note
        assert f"Trainings on {left} are left out" in note
    growth, _ = learning_figure._growth(paper_run, learning_figure.Options(("syn", "net")))
    assert len(growth.iteration) == (200 if own else 100)


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


@pytest.mark.parametrize(("entry", "left", "reason"), [
    (STATES, {}, "the training of net left no curve"),
    (STATES, {"curve": pd.DataFrame({"iteration": [0], "total": [1.0]})}, "the curve of net has no weights of levels"),
    (STATES, {"curve": trapezoids(2, 6, 3, 9) * np.nan}, "the weights of levels in the curve of net are no numbers"),
    (STATES, {"curve": trapezoids(2, 6, 1, 9)}, "net has a single level, which no other one follows"),
    (DENSITY, {}, "the training of net kept no displacements"),
    (DENSITY, {"displacements": uniform(2)[["low"]]}, "the displacements of net lack component, high, count"),
    (DENSITY, {"displacements": uniform(2)[:0]}, "the displacements of net have no voxel in any range"),
    (DENSITY, {"displacements": pd.concat([uniform(2), uniform(2)])}, "net: displacements.csv: ranges of x overlap"),
    (CURVES, {}, "the training of net (seed 0) left no snapshots"),
    (CURVES, {"status": "failed"}, "the training of net (seed 0) left no snapshots (failed)"),
    (CURVES, {"errors": falling(1, 0)[["iteration", "mean"]]}, "snapshots of net (seed 0) lack dataset, pair, count"),
    (CURVES, {"errors": falling(np.nan, 0)}, "no snapshot of net (seed 0) has an error that is a number"),
    (SCATTER, {"errors": falling(5, 0)}, "no training of syn"),
])  # fmt: skip
def test_why_a_figure_is_not_drawn(tmp_path, entry, left, reason):
    paper_run = toy(tmp_path, [entry], [training(tmp_path, "net", **left)])
    ((number, _, path, why_not),) = draw_figures(paper_run, tmp_path / "figures")
    assert (number, path) == (entry["number"], None)
    assert reason in why_not
    lost = varied(paper_run, trainings=[replace(paper_run.run.trainings[0], folder=None)])
    assert draw_figures(lost, tmp_path / "figures")[0][2] is None
    ((_, _, path, why_not),) = draw_figures(varied(paper_run, trainings=()), tmp_path / "figures")
    assert path is None
    assert "no training of " in why_not


@pytest.mark.parametrize(("entry", "message"), [
    ({**SCATTER, "methods": ["net"]}, "figure 6: a scatter is of two methods, got 1"),
    ({**CURVES, "methods": list("abcde")}, "figure 5: only 4 methods can be told apart, got 5"),
    ({**CURVES, "datasets": ["one", "three"]}, "figure 5: dataset 'three' is none of one, two"),
    ({**STATES, "method": ""}, "figure 2: kind growth_states needs method"),
])  # fmt: skip
def test_an_entry_that_cannot_be_drawn_is_one_line(tmp_path, entry, message):
    with pytest.raises(PaperError, match=f"^toy: {message}$"):
        draw_figures(toy(tmp_path, [entry], []), tmp_path / "figures")
