"""Figures of how networks were trained: what they show, that it is what the training left, and why one is not drawn."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from reports.drawing import weights
from reports.drawing.level_sketch import State
from reports.paper.draw import draw_figures
from reports.paper.figures import displacement_densities as density_figure
from reports.paper.figures import learning_curves as learning_figure
from reports.paper.layout import PaperError
from tests.reports.paper.figures.training_inputs import (
    CURVES,
    DENSITY,
    SCATTER,
    STATES,
    falling,
    filled,
    lines,
    snapshot_rows,
    texts,
    toy,
    training,
    trapezoids,
    uniform,
)
from tests.reports.paper.paper_inputs import drawn, varied


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
