"""Colour overlays and landmark correlation of a paper: what they show and say, orientation, what is missing."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from datasets import geometry
from datasets.case import Writer, open_dataset
from datasets.description import Description, TrainingSplit
from datasets.files import Volume, write_displacement
from reports.drawing import planes
from reports.paper.draw import draw_figures
from reports.paper.figures import colour_overlays as overlay_figure
from reports.paper.figures import landmark_correlation as correlation_figure
from reports.reading import registrations
from reports.reading.pictures import Volumes
from reports.reading.trainings import Training
from tests.reports.paper.figures.image_inputs import (
    AFFINE,
    CORRELATION,
    OVERLAYS,
    PAIRS,
    SHAPE,
    block_rows,
    block_run,
    kept,
    svg_of,
)
from tests.reports.paper.paper_inputs import LEARNED, varied
from tests.reports.report_inputs import AFFINES, extreme, failed_row, frame


def test_equal_input_gives_equal_files(tmp_path):
    paper_run = block_run(tmp_path, (OVERLAYS, CORRELATION))
    folders = [tmp_path / "once", tmp_path / "again"]
    for folder in folders:
        assert all(path is not None for _, _, path, _ in draw_figures(paper_run, folder))
    names = sorted(f"toy-fig{number}.{end}" for number in (8, 9) for end in ("png", "svg"))
    assert [path.name for path in sorted(folders[0].iterdir())] == names
    for name in names:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()


def test_what_networks_learned_from_is_told_where_it_is_not_the_papers(tmp_path):
    paper_run = block_run(tmp_path, (OVERLAYS, CORRELATION))
    told = "Trained on toys, the paper's on LESSONS: Net."
    for dataset, learned in (("toys", replace(LEARNED, phantom=True)), ("own", LEARNED)):
        paper_run = varied(paper_run, trainings=[Training("net", dataset, 0, "ok", "", None, "", learned)])
        captions = [caption for _, caption, *_ in draw_figures(paper_run, tmp_path / dataset)]
        assert [told in caption for caption in captions] == 2 * [dataset == "toys"]


# What is kept


def test_only_the_first_seed_counts_even_where_it_failed(tmp_path):
    rows = block_rows("syn", 5, (1,)) + block_rows("net", 5)
    diverged = failed_row("lungs", PAIRS[0].name, "syn", status="diverged")
    paper_run = block_run(tmp_path, rows=[*rows, diverged, failed_row("lungs", PAIRS[1].name, "syn", "invalid_output")])
    data = paper_run.datasets["one"]
    assert [kept(paper_run, "syn", pair).why for pair in PAIRS] == [
        "diverged",
        "invalid output",
    ]
    assert registrations.quoted_value(paper_run.run, data, "syn", PAIRS[0], metric="tre") is None
    assert registrations.quoted_value(paper_run.run, data, "net", PAIRS[0], metric="tre") == 5
    assert kept(paper_run, "net", PAIRS[0]).displacement.shape == (3, *SHAPE)
    assert kept(paper_run, "absent", PAIRS[0]).why == "not registered"


@pytest.mark.parametrize(("write", "why"), [
    (lambda path: None, "not kept"),
    (lambda path: path.write_bytes(b"no displacement"), "not readable"),
    (lambda path: write_displacement(path, np.zeros((3, 4, 5, 6), np.float32), AFFINE),
     "displacement: expected shape (3, 12, 10, 8), got (3, 4, 5, 6)"),
    (lambda path: write_displacement(path, np.full((3, *SHAPE), np.nan, np.float32), AFFINE),
     "displacement: 2880 of 2880 values are NaN or infinite"),
])  # fmt: skip
def test_displacements_that_cannot_be_drawn_say_why(tmp_path, write, why):
    paper_run = block_run(tmp_path, (OVERLAYS, CORRELATION))
    write(tmp_path / "u.nii.gz")
    paper_run = varied(paper_run, displacement_path=lambda *_: tmp_path / "u.nii.gz")
    found = kept(paper_run, "net", PAIRS[0])
    assert (found.displacement, found.why) == (None, why)
    assert [(path, told) for _, _, path, told in draw_figures(paper_run, tmp_path / "figures")] == [(None, why)] * 2


# Overlays


def test_overlay_colours_by_hand():
    colours = overlay_figure.overlay([[1, 0, 0.5, 2]], [[0, 1, 0.5, 2]])
    expected = [to_rgb(overlay_figure.FIXED), to_rgb(overlay_figure.MOVING), (0.5, 0.5, 0.5), (1, 1, 1)]
    np.testing.assert_allclose(colours[0], expected, atol=1e-6)


@pytest.mark.parametrize("name", AFFINES)
def test_points_turn_like_the_image(name):
    shape, point = (5, 7, 9), (1, 2, 6)
    image = np.zeros(shape, np.float32)
    image[point] = 1
    (found,) = planes.oriented_points(np.array([point], float), Volume(image, AFFINES[name]))
    assert tuple(found.astype(int)) == tuple(np.argwhere(planes.oriented(image, AFFINES[name]))[0])


@pytest.mark.parametrize("name", AFFINES)
def test_a_warped_coronal_section_is_that_of_the_warped_volume(name):
    rng, shape, affine = np.random.default_rng(2), (9, 11, 13), AFFINES[name]
    moving, u = rng.uniform(0, 1, shape).astype(np.float32), rng.normal(0, 2, (3, *shape)).astype(np.float32)
    whole = planes.oriented(geometry.warp(moving, u), affine)
    turned, field = planes.oriented(moving, affine), planes.oriented_displacement(u, affine)
    for index in (0, 4, whole.shape[1] - 1):
        found = overlay_figure.warped_coronal(turned, field, index)
        np.testing.assert_allclose(found, whole[:, index].T, atol=1e-4)


def test_the_part_enlarged_is_around_the_landmark_near_the_section_that_moves_most():
    volume = np.zeros((40, 30, 20))
    points = np.array([[5.0, 10, 4], [20, 12, 10], [36, 12, 18], [10, 29, 9]])
    steps = np.array([[1.0, 0, 0], [0, 0, 2], [1, 0, 1], [9, 9, 9]])  # the last is far from the section
    place = overlay_figure.choose_place(volume, volume, (1, 2, 3), (points, points + steps))
    assert (place.index, place.size, place.corner) == (12, (8, 16), (6, 12))
    steps[2] = 3  # at the edge: the part stays inside
    place = overlay_figure.choose_place(volume, volume, (1, 2, 3), (points, points + steps))
    assert place.corner == (12, 24)
    assert place.cut(volume[:, 12].T).shape == place.size
    alone = (points[[0, 3]], points[[0, 3]] + steps[[0, 3]])  # both farther than 10 mm from the section between them
    place = overlay_figure.choose_place(volume, volume, (1, 2, 3), alone)
    assert place.index == 20


def test_without_landmarks_the_part_where_images_differ_most_is_enlarged():
    fixed, moving = np.zeros((40, 30, 20)), np.zeros((40, 30, 20))
    moving[30:34, :, 4:8] = 1
    place = overlay_figure.choose_place(fixed, moving, (1, 1, 1), None)
    assert place.index == 15
    assert place.cut((moving - fixed)[:, 15].T).sum() == 16


@pytest.mark.parametrize("name", AFFINES)
@pytest.mark.parametrize(("world", "place"), [((-1, 0.1, 2), "right top"), ((1, 0.1, -2), "left bottom")])
def test_overlays_show_left_on_the_right_and_the_head_on_top(tmp_path, name, world, place):
    affine, paper_run = AFFINES[name], block_run(tmp_path)
    image, writer = np.full(SHAPE, 0.1), Writer(tmp_path / "spots")
    index = list(extreme(affine, SHAPE, world))
    (front,) = np.flatnonzero(np.argmax(np.abs(affine[:3, :3]), axis=0) == 1)
    index[front] = slice(None)  # in every coronal section
    image[tuple(index)] = 1
    for case in ("f0", "m0"):
        writer.image(case, image, affine)
    writer.finish(Description(name="spots", training=TrainingSplit(()), test=(PAIRS[0],)))
    data = open_dataset(tmp_path / "spots")
    taken = overlay_figure._take_pair(paper_run, Volumes({"spots": data}, lambda *_: tmp_path), data, [], number=1)
    bright = overlay_figure._row(paper_run, data, [], taken).panels[0].colours[..., 1]
    (y, x), (rows, columns) = np.argwhere(bright == bright.max())[0], bright.shape
    assert (x, y) == ((columns - 1, 0) if place == "right top" else (0, rows - 1))


def test_registered_images_agree_and_unregistered_ones_do_not(tmp_path):
    paper_run = block_run(tmp_path)
    data, methods = paper_run.datasets["one"], ["syn", "net"]
    taken = overlay_figure._take_pair(paper_run, paper_run.run.pictures.volumes, data, methods, number=1)
    shown = overlay_figure._row(paper_run, data, methods, taken)
    before, unmoved, aligned = (panel.colours for panel in shown.panels)
    orange = np.isclose(before, to_rgb(overlay_figure.FIXED), atol=0.01).all(axis=-1)
    blue = np.isclose(before, to_rgb(overlay_figure.MOVING), atol=0.01).all(axis=-1)
    # Blocks of 4 x 4 pixels, one 2 columns and 1 row away: 2 x 3 are in both
    assert np.count_nonzero(orange) == np.count_nonzero(blue) == 10
    assert np.argwhere(orange)[:, 1].mean() > np.argwhere(blue)[:, 1].mean()  # fixed lies further to the left
    np.testing.assert_array_equal(unmoved, before)
    assert np.all(np.ptp(aligned, axis=-1) < 0.01)
    assert shown.ratio == pytest.approx(8 * 2.0 / (12 * 1.0))


def test_overlays_say_whose_pairs_they_are_and_their_error(tmp_path):
    ((number, caption, path, _),) = draw_figures(block_run(tmp_path), tmp_path / "figures")
    text = svg_of(path)
    assert number == 8
    assert "a stand-in for ONE" in text
    for shown in ("before", "SyN", "Net", "SyN, enlarged", "Net, enlarged", "pair 1", "pair 2"):
        assert f">{shown}<" in text
    assert [text.count(f">TRE {tre} mm<") for tre in ("6.00", "5.00", "1.25", "77.00")] == [2, 2, 2, 0]
    assert "(continuous)" in caption


def test_what_is_missing_from_the_overlays_is_told(tmp_path):
    rows = [*block_rows("syn", 5)[4:], failed_row("lungs", PAIRS[0].name, "syn", status="diverged")]
    entry = {**OVERLAYS, "pairs": [1, 2, 8], "methods": ["syn", "absent", "net"]}
    paper_run = varied(block_run(tmp_path, (entry,), rows + block_rows("net", 1)), landmarks=None)
    ((_, caption, path, _),) = draw_figures(paper_run, tmp_path / "figures")
    text = svg_of(path)
    assert text.count(">diverged<") == 2  # the image and what is enlarged of it
    assert text.count(">TRE not measured<") == 3  # twice before, once diverged
    for told in ("Pair 8 not shown: there are 2 test pairs.", "Not in this profile: absent.", "without landmarks"):
        assert told in caption


@pytest.mark.parametrize(("entry", "changed", "reason"), [
    ({}, {"plays": {}}, "no data set plays ONE in this profile"),
    ({}, {"methods": {}}, "none of syn, net is in this profile"),
    ({"pairs": [7, 8]}, {}, "lungs has 2 test pairs, none of them pair 7, 8"),
    ({}, {"metrics": frame(block_rows("identity", 6))}, "not registered"),
])  # fmt: skip
def test_overlays_of_nothing_are_not_drawn(tmp_path, entry, changed, reason):
    paper_run = varied(block_run(tmp_path, [{**OVERLAYS, **entry}]), **changed)
    assert draw_figures(paper_run, tmp_path / "figures") == [(8, "Overlays.", None, reason)]


# Landmark correlation


@pytest.mark.parametrize("name", AFFINES)
def test_steps_are_turned_to_left_back_and_head(name):
    voxels = np.linalg.inv(AFFINES[name][:3, :3]) @ np.diag([-3.0, -4.0, 5.0])  # of 3, 4, 5 mm to left, back, head
    np.testing.assert_allclose(correlation_figure.to_patient(voxels.T, AFFINES[name]), np.diag([3, 4, 5]), atol=1e-12)
