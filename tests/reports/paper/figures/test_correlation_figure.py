"""The figure of landmarks' displacements against those of networks, axis by axis: numbers by hand, and what it says."""

import numpy as np
import pytest

from datasets import geometry
from datasets.files import write_displacement
from reports.paper.draw import draw_figures
from reports.paper.figures import landmark_correlation as correlation_figure
from tests.reports.paper.figures.image_inputs import (
    AFFINE,
    CORRELATION,
    LANDMARKS,
    SHAPE,
    SHIFT,
    STEPS,
    block_rows,
    block_run,
    svg_of,
)
from tests.reports.paper.paper_inputs import varied
from tests.reports.report_inputs import frame


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
