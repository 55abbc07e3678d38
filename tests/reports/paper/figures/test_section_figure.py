"""The figure of warped sections: its colours, its planes, which labels count, and why it is not drawn."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from datasets import geometry
from datasets.case import Pair, Writer, open_dataset
from datasets.description import Description, TrainingSplit
from datasets.files import write_displacement
from reports.drawing import planes
from reports.drawing.sections import AGREE, DPI, EMPTY, MISMATCH
from reports.paper.draw import draw_figures
from reports.paper.figures import sections as section_figure
from reports.reading.pictures import Volumes
from tests.reports.paper.figures.section_inputs import AFFINE, SECTIONS, block_run, blocks, count, pixels_of, svg_of
from tests.reports.paper.paper_inputs import varied
from tests.reports.report_inputs import AFFINES, extreme, failed_row


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
