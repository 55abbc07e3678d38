"""Maps of a growing network's levels: which are drawn and how, their grids and colours, what is missing."""

import json
from dataclasses import replace

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.colors import to_rgb

from reports.drawing.style import PAPER
from reports.paper.draw import draw_figures
from reports.paper.figures import level_maps as level_figure
from reports.reading.trainings import Training, find
from reports.tables.numbers import MINUS
from tests.reports.paper.paper_inputs import drawn, layout, make_run, varied

LEVELS = {"number": 7, "kind": "level_maps", "caption": "Maps.", "methods": ["net", "syn"]}
TRUTH = np.outer(np.linspace(-1, 1, 6), np.linspace(1, 4, 5))  # from -4 to 4
TIMES = " \N{MULTIPLICATION SIGN} "
ALPHA = np.array([[1, 0, 0], [0.25, 0.75, 0], [0, 0, 1]])


def grown():
    """What a training of three levels leaves at three iterations, the latest first."""
    levels = np.arange(1, 4)[:, None, None, None] * np.arange(1, 4)[:, None, None] * TRUTH / 9
    arrays = {
        "iteration": np.array([100, 200, 3000]),
        "levels": levels,
        "alpha": ALPHA,
        "result": np.einsum("kl,klrc->krc", ALPHA, levels),
    }
    return {**{key: values[::-1] for key, values in arrays.items()}, "truth": TRUTH, "ratio": np.float64(1.5)}


def plain(iterations=(100, 3000)):
    return {
        "iteration": np.array(iterations),
        "result": np.stack([TRUTH / 2] * len(iterations)),
        "truth": TRUTH,
        "ratio": np.float64(1.5),
    }


def training(tmp_path, method, arrays, *, shape=(8, 5, 6), seed=0, status="ok"):
    folder = tmp_path / f"{method}-{seed}"
    folder.mkdir(parents=True)
    np.savez(folder / "maps.npz", **arrays)
    if shape:
        (folder / "synthetic.json").write_text(json.dumps({"shape": shape}))
    return Training(method, "chests", seed, status, "" if status == "ok" else "loss is nan", folder)


def written(tmp_path, trainings, entry=LEVELS):
    paper_run = make_run(tmp_path, [], plays={}, layout={**layout(), "figures": [entry]})
    ((number, caption, path, why),) = draw_figures(varied(paper_run, trainings=trainings), tmp_path / "figures")
    assert number == 7
    text = path.with_name(f"{path.name}.svg").read_text(encoding="utf-8") if path else ""
    return text, caption, why


def test_levels_are_named_by_their_grid_and_marked_by_their_weight(tmp_path):
    text, caption, _ = written(tmp_path, [training(tmp_path, "net", grown()), training(tmp_path, "syn", plain())])
    grids = [TIMES.join(sizes) for sizes in (("2", "1.25", "1.5"), ("4", "2.5", "3"), "856")]
    texts = ("100", "200", "3,000", "0.25", "0.75", "truth", f"{MINUS}4.0", "4.0", "voxels", "not kept")
    for shown in (*grids, *texts):
        assert text.count(f">{shown}<") == 1
    assert sorted(grids, key=lambda grid: text.index(f">{grid}<")) == grids  # the coarsest on top
    assert text.index(">100<") < text.index(">200<") < text.index(">3,000<")  # in order, though kept in another
    assert text.count("<image") == 3 * 3 + 3 + 2 + 1 + 1  # levels, results, the other's, truth, scale
    assert "made from chests" in text
    assert "largest true value" not in caption  # nothing lies beyond
    assert "Grey" not in caption


def test_rows_of_levels_hold_the_maps_in_order_of_iterations(tmp_path):
    trained = training(tmp_path, "net", grown())
    maps, _ = level_figure.read_maps(trained, "net")
    rows = level_figure._level_rows(trained, maps, [0, 2])
    assert [[panel.weight for panel in row.panels] for row in rows] == [[1, 0], [0, 0], [0, 1]]
    for level, row in enumerate(rows):
        for panel, at in zip(row.panels, (1, 3), strict=True):
            np.testing.assert_allclose(panel.values, at * (level + 1) * TRUTH / 9)


def test_colours_are_symmetric_pale_without_weight_and_grey_where_no_number():
    colours = level_figure.colours(np.array([[-2.0, 0, 2, 9, np.nan, np.inf]]), 2.0)[0]
    scale = colormaps["RdBu_r"]
    expected = [scale(0.0)[:3], scale(0.5)[:3], scale(1.0)[:3], scale(1.0)[:3]]
    np.testing.assert_allclose(colours[:4], expected, atol=0.01)
    np.testing.assert_allclose(colours[4:], [to_rgb(level_figure.UNKNOWN)] * 2)
    pale = level_figure.colours(np.array([[2.0]]), 2.0, pale=True)[0, 0]
    share = level_figure.PALE
    np.testing.assert_allclose(pale, share * colours[2] + (1 - share) * np.array(to_rgb(PAPER)))


def test_levels_without_weight_are_pale_and_the_others_are_not(tmp_path):
    paper_run = make_run(tmp_path, [], plays={}, layout={**layout(), "figures": []})
    paper_run = varied(paper_run, trainings=[training(tmp_path, "net", grown())])
    figure, _ = drawn(paper_run, {**LEVELS, "methods": ["net"]})
    shown = [np.asarray(image.get_array()) for image in figure.axes[0].images]  # row by row
    maps, _ = level_figure.read_maps(paper_run.run.trainings[0], "net")
    for level in range(3):
        for at in range(3):
            expected = level_figure.colours(maps.levels[at, level], 4.0, pale=ALPHA[at, level] == 0)
            np.testing.assert_allclose(shown[3 * level + at], expected)
    np.testing.assert_allclose(shown[9], level_figure.colours(maps.result[0], 4.0))


def test_grids_of_cubes_and_of_sections(tmp_path):
    assert level_figure.grid_name([8, 8, 8]) == "8³"
    text, *_ = written(tmp_path, [training(tmp_path, "net", grown(), shape=None)], {**LEVELS, "methods": ["net"]})
    assert f">6{TIMES}5<" in text
    text, *_ = written(tmp_path / "cube", [training(tmp_path / "cube", "net", grown(), shape=(64, 64, 64))])
    assert text.count(">16³<") == text.count(">32³<") == text.count(">64³<") == 1


def test_many_iterations_are_thinned_to_the_first_and_last_and_some_between(tmp_path):
    many = {**grown(), "iteration": np.arange(1, 31) * 10}
    many.update({key: np.concatenate([many[key]] * 10) for key in ("levels", "alpha", "result")})
    text, caption, _ = written(tmp_path, [training(tmp_path, "net", many)], {**LEVELS, "methods": ["net"]})
    assert sum(f">{iteration}<" in text for iteration in many["iteration"]) == level_figure.SHOWN
    assert ">10<" in text
    assert ">300<" in text
    assert "8 of 30 kept iterations." in caption


def test_values_beyond_the_scale_and_none_are_told(tmp_path):
    wild = grown()
    wild["levels"] = wild["levels"].copy()
    wild["levels"][0, 0, 0, :2] = 50, np.nan
    _, caption, _ = written(tmp_path, [training(tmp_path, "net", wild)], {**LEVELS, "methods": ["net"]})
    assert "values beyond have the colour of its end." in caption
    assert "Grey: not a number." in caption
    none = {**grown(), **{key: np.full_like(grown()[key], np.nan) for key in ("levels", "result", "truth")}}
    folder = tmp_path / "none"
    text, caption, _ = written(folder, [training(folder, "net", none)], {**LEVELS, "methods": ["net"]})
    assert text
    assert "Grey: not a number." in caption


def test_the_other_network_is_of_the_same_seed_and_pair(tmp_path):
    net = training(tmp_path, "net", grown(), status="diverged")
    other_pair = {**plain(), "truth": TRUTH + 1}
    cases = (
        ([], "Not shown: no training of syn."),
        ([training(tmp_path, "syn", plain(), seed=1)], "Not shown: no training of syn."),
        ([training(tmp_path / "a", "syn", other_pair)], "Not shown: the maps of syn are of another pair."),
        ([Training("syn", "chests", 0, "diverged", "", None)], "Not shown: syn left no maps: training diverged."),
    )
    for place, (more, told) in enumerate(cases):
        text, caption, _ = written(tmp_path / str(place), [net, *more])
        assert told in caption
        assert "The training of net diverged." in caption
        assert text.count(">none<") == 3


def test_both_networks_are_of_the_same_training_data(tmp_path):
    net = training(tmp_path, "net", grown())
    elsewhere = replace(training(tmp_path, "syn", plain()), dataset="hands")
    text, caption, _ = written(tmp_path, [net, elsewhere])
    assert text.count(">none<") == 3
    assert "Not shown: syn was not trained on chests." in caption
    assert "Trainings on hands are left out: these are on chests." in caption


@pytest.mark.parametrize(("arrays", "reason"), [
    (None, "no training of net"),
    ({}, "the maps of net lack iteration, result, truth"),
    (plain(), "net left no maps of its levels"),
    ({**grown(), "alpha": ALPHA[:2]}, "the maps of net do not fit each other"),
    ({**grown(), "truth": TRUTH[1:]}, "the maps of net do not fit each other"),
    ({key: values for key, values in grown().items() if key != "alpha"}, "the maps of net do not fit each other"),
    ({**grown(), "ratio": np.float64("nan")}, "the maps of net do not fit each other"),
    ({key: values[:0] if key in ("iteration", "result", "levels", "alpha") else values
      for key, values in grown().items()}, "net left no maps"),
])  # fmt: skip
def test_what_cannot_be_drawn_says_why(tmp_path, arrays, reason):
    trainings = [] if arrays is None else [training(tmp_path, "net", arrays)]
    assert written(tmp_path, trainings) == ("", "Maps.", reason)


def test_a_training_without_a_folder_says_its_status(tmp_path):
    trainings = [Training("net", "chests", 0, "failed", "out of memory", None)]
    assert find(trainings, "net") is trainings[0]
    assert written(tmp_path, trainings) == ("", "Maps.", "net left no maps: training failed")


def test_equal_input_gives_equal_drawings(tmp_path):
    trainings = [training(tmp_path, "net", grown()), training(tmp_path, "syn", plain())]
    assert written(tmp_path / "once", trainings) == written(tmp_path / "again", trainings)
