"""Colour overlays and landmark correlation of a paper: what they show and say, orientation, what is missing."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from datasets import geometry
from datasets.case import Pair, Truth, Writer, open_dataset
from datasets.description import Description, TrainingSplit
from datasets.files import Volume, write_displacement
from reports.drawing import planes
from reports.paper.draw import draw_figures
from reports.paper.figures import colour_overlays as overlay_figure
from reports.paper.figures import landmark_correlation as correlation_figure
from reports.reading import registrations
from reports.reading.pictures import Volumes
from reports.reading.trainings import Training
from tests.reports.paper.paper_inputs import LEARNED, layout, make_run, varied
from tests.reports.report_inputs import AFFINES, extreme, failed_row, frame, row

OVERLAYS = {
    "number": 8,
    "kind": "colour_overlays",
    "caption": "Overlays.",
    "dataset": "one",
    "pairs": [1, 2],
    "methods": ["syn", "net"],
}
CORRELATION = {
    "number": 9,
    "kind": "landmark_correlation",
    "caption": "Points.",
    "datasets": ["one", "two"],
    "methods": ["syn", "net"],
}
SHAPE, AFFINE = (12, 10, 8), np.diag([1.0, 1.5, 2.0, 1.0])  # axes to the right, to the front, to the head
PAIRS = [Pair("f0", "m0"), Pair("f1", "m1")]
SHIFT = np.array([2, 0, 1])  # voxels that moving blocks and landmarks lie further
LANDMARKS = np.array([[3.0, 2, 2], [5, 4, 3], [6, 4, 5], [4, 8, 4]])
STEPS = SHIFT + np.array([[0, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 2]])  # of the landmarks, in voxels


def write_blocks(folder, affine=AFFINE):
    writer = Writer(folder / "lungs")
    for pair in PAIRS:
        for case, offset in ((pair.fixed, 0), (pair.moving, SHIFT)):
            image = np.zeros(SHAPE)
            image[3:7, 2:8, 2:6] = 0.6
            writer.image(case, np.roll(image, offset, axis=(0, 1, 2)), affine)
        writer.landmarks(pair, LANDMARKS, LANDMARKS + STEPS)
    split = TrainingSplit(())
    writer.finish(Description(name="lungs", title="Blocks", phantom=True, training=split, test=tuple(PAIRS)))
    return open_dataset(folder / "lungs")


def block_rows(method, tre, seeds=(0, 1)):
    return [
        row(
            "lungs",
            pair.name,
            method,
            metric,
            value,
            seed=seed,
            unit="mm",
            **({"protocol": "continuous"} if metric == "tre" else {}),
        )
        for pair in PAIRS
        for seed in seeds
        for metric, value in (("seconds", 1.0), ("tre", tre if seed == 0 else 77.0))
    ]


def block_run(tmp_path, figures=(OVERLAYS,), rows=None):
    """``syn`` leaves the moving image as it is, ``net`` undoes the shift."""
    rows = block_rows("identity", 6, (0,)) + block_rows("syn", 5) + block_rows("net", 1.25) if rows is None else rows
    data = write_blocks(tmp_path)

    def displacement_path(dataset, method, seed, pair):
        path = tmp_path / f"{dataset}-{method}-{seed}-{pair}.nii.gz"
        u = np.zeros((3, *SHAPE), np.float32) + (SHIFT if method == "net" else 0 * SHIFT)[:, None, None, None]
        write_displacement(path, u, AFFINE)
        return path

    paper_run = make_run(tmp_path, rows, plays={}, layout={**layout(), "figures": list(figures)})
    return varied(
        paper_run,
        plays={"one": data},
        displacement_path=displacement_path,
        landmarks=lambda _, pair: Truth(data.folder).landmarks(Pair.from_name(pair)),
    )


def svg_of(drawn):
    return drawn.with_name(f"{drawn.name}.svg").read_text(encoding="utf-8")


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


def kept(paper_run, method, pair):
    return registrations.kept(paper_run.run, paper_run.run.pictures.volumes, pair, dataset="lungs", method=method)


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


def test_agreement_against_a_line_and_where_it_is_undefined():
    true = np.array([-1.0, 0, 2, 5])
    np.testing.assert_allclose(correlation_figure.agreement(true, 0.5 * true - 1), (1, 0.5, -1))
    np.testing.assert_allclose(correlation_figure.agreement(true, -2 * true), (-1, -2, 0), atol=1e-12)
    r, slope, _ = correlation_figure.agreement(true, 0 * true)
    assert (np.isnan(r), slope) == (True, pytest.approx(0))
    assert np.isnan(correlation_figure.agreement(0 * true, true)).all()
    assert np.isnan(correlation_figure.agreement(true[:1], true[:1])).all()


def test_displacements_of_landmarks_are_pooled_over_pairs(tmp_path):
    paper_run = block_run(tmp_path)
    sample = correlation_figure.read_sample(paper_run, paper_run.run.pictures.volumes, ["one"], "net")
    mm = STEPS * [-1.0, -1.5, 2.0]  # axes point to the right, to the front, to the head
    np.testing.assert_allclose(sample.true, np.concatenate([mm, mm]), atol=1e-3)
    np.testing.assert_allclose(sample.estimated, np.tile(SHIFT * [-1.0, -1.5, 2.0], (8, 1)), atol=1e-3)
    assert sample.missing == {}


def test_correlation_says_r_slope_and_count(tmp_path):
    paper_run = block_run(tmp_path, (CORRELATION,))
    path = tmp_path / "u.nii.gz"
    x = geometry.identity_grid(SHAPE)
    write_displacement(path, np.stack([x[0] - 3, 0 * x[1], 0 * x[2] + 1]), AFFINE)  # read at the fixed landmarks
    paper_run = varied(
        paper_run, displacement_path=lambda dataset, method, *_: path if method == "net" else tmp_path / "none"
    )
    ((number, caption, drawn, _),) = draw_figures(paper_run, tmp_path / "figures")
    text, estimated = svg_of(drawn), np.tile(LANDMARKS[:, 0] - 3, 2)
    r, slope = np.corrcoef(np.tile(STEPS[:, 0], 2), estimated)[0, 1], np.polyfit(np.tile(STEPS[:, 0], 2), estimated, 1)
    assert number == 9
    for shown in (
        f"r = {r:.2f}",
        f"slope = {slope[0]:.2f}",
        "r = undefined",
        "slope = 0.00",
        "x: left-right",
        "true (mm, + to the left)",
        "true (mm, + to the back)",
        "true (mm, + to the head)",
    ):
        assert f">{shown}<" in text
    assert text.count(">not kept<") == 3  # a panel for each axis
    assert "Net: 8 landmarks." in caption
    assert "SyN: 0 landmarks; left out: 2 pairs (not kept)." in caption
    assert "No data set plays TWO in this profile." in caption
    assert text.count("<image") == 3  # points are pictures


def test_points_beyond_the_frame_are_counted(tmp_path):
    paper_run = block_run(tmp_path, (CORRELATION,))
    path, u = tmp_path / "u.nii.gz", np.zeros((3, *SHAPE), np.float32)
    u[0, 3, 2, 2] = 400  # at the first landmark
    write_displacement(path, u, AFFINE)
    ((*_, drawn, _),) = draw_figures(varied(paper_run, displacement_path=lambda *_: path), tmp_path / "figures")
    assert svg_of(drawn).count(">2 beyond<") == 2  # that landmark in both pairs, for both methods


@pytest.mark.parametrize(("changed", "reason"), [
    ({"plays": {}}, "no data set plays ONE, TWO in this profile"),
    ({"methods": {}}, "none of syn, net is in this profile"),
    ({"landmarks": None}, "no landmarks"),
    ({"metrics": frame(block_rows("identity", 6))}, "not registered"),
])  # fmt: skip
def test_correlation_of_nothing_is_not_drawn(tmp_path, changed, reason):
    paper_run = varied(block_run(tmp_path, [CORRELATION]), **changed)
    assert draw_figures(paper_run, tmp_path / "figures") == [(9, "Points.", None, reason)]
