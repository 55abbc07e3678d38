"""Figures of a paper: what they show and say, that equal input gives equal files, and why one is not drawn."""

import numpy as np
import pandas as pd
import pytest

from datasets.case import Pair
from reports import PAPERS
from reports.paper.draw import draw_figures, kinds
from reports.paper.layout import PaperError, load_paper
from tests.reports.paper.figures.section_inputs import CASCADES, SECTIONS, block_run, filled, svg_of, toy
from tests.reports.paper.paper_inputs import dice_rows, drawn, timing, varied


def test_cascade_figure_shows_what_was_measured_and_what_is_printed(tmp_path):
    paper_run = filled(tmp_path)
    ((number, caption, path, why_not),) = draw_figures(paper_run, tmp_path / "figures")
    assert (number, path, why_not) == (5, tmp_path / "figures" / "toy-fig5", "")
    assert path.with_name("toy-fig5.png").stat().st_size > 10_000
    text = svg_of(path)
    for shown in ("4.00", "0.250", "9.5", "0.69", "0.16", "One &lt;net&gt;", "(a) CPU", "(b) GPU"):  # of both clocks
        assert f">{shown}<" in text
    assert "printed (ONE; An abacus)" in text
    assert "a stand-in for ONE" in text
    assert "mean over 3 pairs (linear_thr128)" in caption
    assert "stand-in" in caption
    assert caption.startswith("Lines & bars. ")


def test_cascade_figure_draws_the_means_the_intervals_and_the_medians(tmp_path):
    paper_run = filled(tmp_path)
    figure, _ = drawn(paper_run, CASCADES)
    above, _, below, *_ = figure.axes
    points = above.containers[0].lines[0].get_ydata()
    np.testing.assert_allclose(points, [60, 85])
    (bars,) = above.containers[0].lines[2]
    for (low, high), mean in zip(np.array(bars.get_segments())[..., 1], points, strict=True):
        assert low < mean < high
    assert [bar.get_height() for bar in below.patches] == [4.0, 0.25]
    assert below.get_ylim()[0] == 0


def test_real_data_are_not_called_a_stand_in(tmp_path):
    rows = dice_rows("one", "syn", [0.5, 0.6, 0.7])
    ((_, caption, path, _),) = draw_figures(toy(tmp_path, [CASCADES], rows, plays={"one": "one"}), tmp_path / "figures")
    assert "stand-in" not in caption
    assert "stand-in" not in svg_of(path)


def test_without_a_cuda_device_the_panel_says_so(tmp_path):
    paper_run = filled(tmp_path)
    ((_, caption, path, _),) = draw_figures(paper_run, tmp_path / "figures")
    assert ">not measured: no CUDA device<" in svg_of(path)
    assert "GPU seconds not measured: no CUDA device." in caption
    gpu = timing("syn", [0.125, 0.125], dataset="shells", device="cuda:0")
    ((_, caption, path, _),) = draw_figures(
        varied(paper_run, timing=pd.concat([paper_run.run.timing, gpu])), tmp_path / "figures"
    )
    assert "no CUDA device" not in svg_of(path)
    assert ">0.125<" in svg_of(path)
    assert "no CUDA device" not in caption


def test_what_is_missing_from_the_cascades_is_told(tmp_path):
    ((_, caption, path, _),) = draw_figures(filled(tmp_path, times=None), tmp_path / "figures")
    assert "CPU seconds not measured: timing not run." in caption
    assert ">not measured: timing not run<" in svg_of(path)
    rows = dice_rows("shells", "syn", [0.5, None, 0.7])
    paper_run = toy(tmp_path, [CASCADES], rows, times=timing("syn", [2.0], dataset="shells"), methods=["syn"])
    ((_, caption, path, _),) = draw_figures(paper_run, tmp_path / "figures")
    assert "Dice not measured in part: method net is not in this profile." in caption
    assert "Failed and left out of dice of syn: 1." in caption
    assert ">n. m.<" in svg_of(path)


@pytest.mark.parametrize(("plays", "methods", "reason"), [
    ({}, ("syn", "net"), "no data set plays ONE in this profile"),
    ({"one": "shells"}, (), "method syn is not in this profile; method net is not in this profile"),
])  # fmt: skip
def test_cascade_figure_without_any_number_is_not_drawn(tmp_path, plays, methods, reason):
    paper_run = toy(tmp_path, [CASCADES], plays=plays, methods=methods)
    assert draw_figures(paper_run, tmp_path / "figures") == [(5, "Lines & bars.", None, reason)]
    assert not (tmp_path / "figures").exists()


@pytest.mark.parametrize(("entry", "message"), [
    ({"kind": "pie"}, f"kind must be one of {', '.join(kinds())}, got 'pie'"),
    ({"series": []}, "kind accuracy_time_by_cascade needs series"),
    ({"dataset": "three"}, "dataset 'three' is none of one, two"),
    ({"table": 7}, "there is no table 7"),
    ({"dataset": "two"}, "table 1 lacks accuracy or seconds on two"),
    ({"series": [{"label": "x", "methods": ["demons"]}]}, "method 'demons' is in no row of table 1"),
    ({"series": 4 * CASCADES["series"]}, "only 3 series can be told apart, got 4"),
])  # fmt: skip
def test_an_entry_that_cannot_be_drawn_is_one_line(tmp_path, entry, message):
    paper_run = toy(tmp_path, [{**CASCADES, **entry}])
    with pytest.raises(PaperError) as error:
        draw_figures(paper_run, tmp_path / "figures")
    assert str(error.value) == f"toy: figure 5: {message}"


@pytest.mark.parametrize("key", sorted(path.stem for path in PAPERS.glob("*.yaml")))
def test_figures_of_every_paper_are_known_kinds_and_say_why_they_are_not_drawn(tmp_path, key):
    paper_run = varied(toy(tmp_path, []), paper=load_paper(key), plays={}, methods={})
    found = draw_figures(paper_run, tmp_path / "figures")
    assert [each.number for each in found] == [entry.number for entry in paper_run.paper.figures]
    assert all(entry.kind in kinds() for entry in paper_run.paper.figures)
    assert all(each.path is None and each.why_not for each in found)


def test_equal_input_gives_equal_files(tmp_path):
    pairs = [Pair("fixed", "m0"), Pair("fixed", "m1")]
    paper_run = block_run(tmp_path, pairs, [CASCADES, SECTIONS])
    folders = [tmp_path / "once", tmp_path / "again"]
    for folder in folders:
        assert all(path is not None for _, _, path, _ in draw_figures(paper_run, folder))
    names = ["toy-fig5.png", "toy-fig5.svg", "toy-fig6.png", "toy-fig6.svg"]
    assert [path.name for path in sorted(folders[0].iterdir())] == names
    for name in names:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()
