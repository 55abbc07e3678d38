"""Figures of a paper: what they show and say, that equal input gives equal files, and why one is not drawn."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from datasets import geometry
from datasets.case import Pair, Truth, Writer, open_dataset
from datasets.description import Description, TrainingSplit
from datasets.files import write_displacement
from reports import PAPERS
from reports.drawing import planes
from reports.drawing.sections import AGREE, DPI, EMPTY, MISMATCH
from reports.paper.draw import draw_figures, kinds
from reports.paper.figures import sections as section_figure
from reports.paper.layout import PaperError, load_paper
from reports.reading.pictures import Volumes
from tests.reports.paper.paper_inputs import dice_rows, drawn, layout, make_run, timing, varied
from tests.reports.report_inputs import AFFINES, extreme, failed_row, row

CASCADES = {
    "number": 5,
    "kind": "accuracy_time_by_cascade",
    "caption": "Lines & bars.",
    "dataset": "one",
    "table": 1,
    "series": [{"label": "One <net>", "methods": ["syn", "net"]}],
}
SECTIONS = {
    "number": 6,
    "kind": "sections",
    "caption": "Sections.",
    "dataset": "one",
    "methods": ["syn", "net"],
    "moving": 5,
}
SHAPE, AFFINE = (12, 10, 8), np.diag([1.0, 1.5, 2.0, 1.0])  # axes to the right, to the front, to the head
SHIFT = 2  # voxels that the moving blocks lie further along axis 0


def toy(tmp_path, figures, rows=(), *, plays=None, times=None, methods=("syn", "net")):
    return make_run(
        tmp_path,
        list(rows),
        plays={"one": "shells"} if plays is None else plays,
        timing=times,
        methods=methods,
        layout={**layout(), "figures": list(figures)},
    )


def filled(tmp_path, **more):
    rows = dice_rows("shells", "syn", [0.5, 0.6, 0.7]) + dice_rows("shells", "net", [0.8, 0.85, 0.9])
    times = pd.concat([timing("syn", [3.0, 5.0, 4.0], dataset="shells"), timing("net", [0.25], dataset="shells")])
    return toy(tmp_path, [CASCADES], rows, **{"times": times, **more})


def svg_of(drawn):
    return drawn.with_name(f"{drawn.name}.svg").read_text(encoding="utf-8")


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


def blocks(offset=0, labels=True):
    """A block of label 1, largest in plane 4 of axis 2, ``offset`` voxels along axis 0; label 2 is not evaluated."""
    volume = np.zeros(SHAPE, int)
    volume[3 + offset : 7 + offset, 2:8, 2:6] = 1
    volume[2 + offset : 8 + offset, 1:9, 4] = 1
    volume[0, 0, :] = 2
    return volume if labels else 0.5 * (volume > 0) + 0.1


def write_blocks(folder, pairs):
    writer = Writer(folder / "shells")
    for case in dict.fromkeys(case for pair in pairs for case in (pair.fixed, pair.moving)):
        offset = 0 if case.startswith("f") else SHIFT
        writer.image(case, blocks(offset, labels=False), AFFINE)
        writer.labels(case, blocks(offset), AFFINE)
    titled = {"name": "shells", "title": "Blocks", "phantom": True, "evaluated_labels": (1,)}
    writer.finish(Description(**titled, training=TrainingSplit(()), test=tuple(pairs)))
    return open_dataset(folder / "shells")


def block_run(tmp_path, pairs, figures=(SECTIONS,), methods=("syn", "net")):
    """``syn`` leaves the moving image as it is, ``net`` undoes the shift."""
    rows = [
        row("shells", pair.name, method, metric, value, unit="1", seed=seed)
        for pair in pairs
        for method, dice in (("syn", 0.6), ("net", 1.0))
        for seed in (3, 4)
        for metric, value in (("seconds", 1.0), ("dice", dice if seed == 3 else 0.111))
    ]
    data = write_blocks(tmp_path / "blocks", pairs)

    def displacement_path(dataset, method, seed, pair):
        path = tmp_path / f"{dataset}-{method}-{seed}-{pair}.nii.gz"
        u = np.zeros((3, *SHAPE), np.float32)
        u[0] = SHIFT if method == "net" else 0
        write_displacement(path, u, AFFINE)
        return path

    paper_run = toy(tmp_path, figures, rows, plays={}, methods=methods)
    return varied(
        paper_run,
        plays={"one": data},
        displacement_path=displacement_path,
        labels=lambda dataset, case: Truth(data.folder).labels(case),
    )


def pixels_of(path):
    return np.asarray(Image.open(path.with_name(f"{path.name}.png")).convert("RGB")).astype(int)


def count(pixels, colour):
    return int(np.all(pixels == np.round(255 * np.array(to_rgb(colour))), axis=-1).sum())


def test_overlay_colours_by_hand():
    fixed = np.array([[0, 1, 1], [2, 2, 0]])
    warped = np.array([[0, 1, 2], [2, 0, 1]])
    names = {to_rgb(EMPTY): "e", to_rgb(AGREE): "a", to_rgb(MISMATCH): "m"}
    found = [[names[tuple(colour)] for colour in line] for line in section_figure.overlay(fixed, warped)]
    assert found == [["e", "a", "m"], ["a", "m", "m"]]


@pytest.mark.parametrize("name", AFFINES)
def test_a_warped_section_is_that_section_of_the_warped_volume(name):
    rng, shape, affine = np.random.default_rng(2), (9, 11, 13), AFFINES[name]
    moving, u = rng.uniform(0, 1, shape).astype(np.float32), rng.normal(0, 2, (3, *shape)).astype(np.float32)
    turned, field = planes.oriented(moving, affine), planes.oriented_displacement(u, affine)
    for order in (0, 1):
        whole = planes.oriented(geometry.warp(moving, u, order=order), affine)
        for index in (0, 4, whole.shape[2] - 1):
            found = section_figure.warped_section(turned, field, index, order=order)
            np.testing.assert_allclose(found, whole[:, :, index].T, atol=1e-4)


def test_sections_show_the_largest_plane_and_mark_the_mismatch_in_red(tmp_path):
    pairs = [Pair("fixed", "moving")] + [Pair("fixed", f"more{i}") for i in range(5)]
    ((number, caption, path, why_not),) = draw_figures(block_run(tmp_path, pairs), tmp_path / "figures")
    assert (number, path, why_not) == (6, tmp_path / "figures" / "toy-fig6", "")
    assert "5 moving images registered to the fixed image fixed; axial section 4 of 8" in caption  # from the head down
    text = svg_of(path)
    assert text.count(">Dice 60.0 %<") == text.count(">Dice 100.0 %<") == 5  # of the first seed, not a mean over seeds
    assert ">moving<" in text
    assert ">more4<" not in text  # the sixth
    # Largest plane: 6 x 8 voxels, 2 x 8 of them beyond the other block on either side. Only `syn` leaves that mismatch.
    panel = (1.2 * DPI) * (1.2 * DPI * 15 / 12)  # pixels: 12 columns of 1 mm, 10 rows of 1.5 mm
    pixels = pixels_of(path)
    assert count(pixels, MISMATCH) == pytest.approx(5 * panel * 32 / 120, rel=0.02)


def test_only_evaluated_labels_count(tmp_path):
    paper_run = block_run(tmp_path, [Pair("fixed", "moving"), Pair("fixed", "more")])
    (scan,) = [section_figure._scan(paper_run.run.pictures.volumes, paper_run.datasets["one"], "fixed")]
    assert set(np.unique(scan.labels)) == {0, 1}
    assert np.count_nonzero(scan.labels) == np.count_nonzero(blocks() == 1)


@pytest.mark.parametrize("name", AFFINES)
@pytest.mark.parametrize(("world", "place"), [((-1, 2, 0.1), "right top"), ((1, -2, 0.1), "left bottom")])
def test_sections_show_left_on_the_right_and_the_front_on_top(tmp_path, name, world, place):
    affine, shape = AFFINES[name], (6, 5, 7)
    image = np.zeros(shape)
    spot = extreme(affine, shape, world)
    image[spot] = 1
    writer = Writer(tmp_path / "spots")
    writer.image("a", image, affine)
    writer.finish(Description(name="spots", training=TrainingSplit(("a",)), test=()))
    data = open_dataset(tmp_path / "spots")
    scan = section_figure._scan(Volumes({"spots": data}, lambda *_: tmp_path), data, "a")
    shown = section_figure._cut(scan.image, section_figure.section_of_largest_area(scan.image > 0))
    (y, x), (rows, columns) = np.argwhere(shown)[0], shown.shape
    assert (x, y) == ((columns - 1, 0) if place == "right top" else (0, rows - 1))


def test_fewer_moving_images_than_wanted_are_told(tmp_path):
    pairs = [Pair("f0", "m0"), Pair("f1", "m0"), Pair("f1", "m1"), Pair("f1", "m2")]
    ((_, caption, _, _),) = draw_figures(block_run(tmp_path, pairs), tmp_path / "figures")
    assert "3 moving images (of 5; no more test pairs share a fixed image) registered to the fixed image f1" in caption


def test_five_sections_where_no_pairs_share_a_fixed_image(tmp_path):
    paper_run = block_run(tmp_path, [Pair("f0", "m0"), Pair("f1", "m1")])
    ((_, caption, path, _),) = draw_figures(paper_run, tmp_path / "figures")
    assert "No two test pairs share a fixed image" in caption
    assert "axial sections of pair f0__m0, from head to foot." in caption
    shown = {number for number in range(1, 9) if f">section {number} of 8<" in svg_of(path)}
    assert {4, 5} <= shown <= {3, 4, 5, 6}  # the labels reach four
    assert f"{len(shown)} axial sections" in caption


def test_what_is_missing_from_the_sections_is_told(tmp_path):
    pairs = [Pair("fixed", "m0"), Pair("fixed", "m1")]
    paper_run = block_run(tmp_path, pairs, [{**SECTIONS, "methods": ["syn", "absent", "net"]}])
    kept = paper_run.run.pictures.volumes.displacement_path

    def some(dataset, method, seed, pair):
        return tmp_path / "nowhere" if (method, pair) == ("net", "fixed__m1") else kept(dataset, method, seed, pair)

    rows = paper_run.run.metrics
    rows = rows[(rows.method != "syn") | (rows.pair != "fixed__m0") | (rows.seed != 3)]  # seed 4 does not step in
    failed = pd.DataFrame([failed_row("shells", "fixed__m0", "syn", status="timeout") | {"seed": 3}])
    paper_run = varied(paper_run, displacement_path=some, metrics=pd.concat([rows, failed], ignore_index=True))
    ((_, caption, path, _),) = draw_figures(paper_run, tmp_path / "figures")
    text = svg_of(path)
    assert text.count(">not kept<") == text.count(">timeout<") == 2  # the image and the overlap
    assert text.count(">Dice 60.0 %<") == text.count(">Dice 100.0 %<") == 1
    assert "Not in this profile: absent." in caption


def test_sections_without_anything_to_show_are_not_drawn(tmp_path):
    paper_run = block_run(tmp_path, [Pair("fixed", "m0"), Pair("fixed", "m1")])
    for changed, reason in (
        (varied(paper_run, plays={}), "no data set plays ONE in this profile"),
        (varied(paper_run, methods={}), "none of syn, net is in this profile"),
        (varied(paper_run, displacement_path=lambda *_: tmp_path / "nowhere"), "not kept"),
    ):
        assert draw_figures(changed, tmp_path / "figures") == [(6, "Sections.", None, reason)]
    ((_, _, path, _),) = draw_figures(varied(paper_run, labels=None), tmp_path / "figures")
    assert svg_of(path).count(">no labels<") == 4
    assert count(pixels_of(path), MISMATCH) < 400  # none but the legend


def test_a_displacement_of_another_grid_is_refused(tmp_path):
    paper_run = block_run(tmp_path, [Pair("fixed", "m0"), Pair("fixed", "m1")])
    path = tmp_path / "small.nii.gz"
    write_displacement(path, np.zeros((3, 4, 5, 6), np.float32), AFFINE)
    ((*_, path, why),) = draw_figures(varied(paper_run, displacement_path=lambda *_: path), tmp_path / "figures")
    assert path is None
    assert "expected shape (3, 12, 10, 8)" in why


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
