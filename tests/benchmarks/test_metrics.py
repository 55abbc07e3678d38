"""Landmark, folding and displacement metrics against closed forms, and the call that computes them all."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose

from benchmarks import statistics
from benchmarks.evidence import Evidence
from benchmarks.measures import deformation, landmarks, overlap
from benchmarks.metrics import METRICS, evaluate
from datasets import geometry
from tests.benchmarks.judge_inputs import SHAPE, SPACING, label_blocks, smooth_displacement, values


def linear_displacement(matrix, shape=SHAPE):
    """u(x) = matrix x, whose Jacobian is matrix + 1 everywhere and in every scheme."""
    return np.einsum("ij,jdhw->idhw", np.asarray(matrix, float), geometry.identity_grid(shape, np.float64))


def test_a_true_shift_gives_dice_one_and_no_error():
    rng = np.random.default_rng(5)
    moving = label_blocks(rng)
    truth = np.zeros((3, *SHAPE), np.float32)
    truth[:] = np.reshape((2, -1, 3), (3, 1, 1, 1))
    fixed = geometry.warp(moving, truth, order=0)
    points = rng.uniform(4, 8, (6, 3))
    rows = evaluate(
        Evidence(
            truth,
            spacing=SPACING,
            fixed_labels=fixed,
            moving_labels=moving,
            labels=[1, 2, 3],
            landmarks=(points, points + truth[:, 0, 0, 0]),
            true_displacement=truth,
            mask=fixed > 0,
        )
    )
    for protocol in overlap.OF_JACCARD:
        expected = {"mean": 1, "count": 3, "label_1": 1, "label_2": 1, "label_3": 1}
        assert values(rows, "dice", protocol) == values(rows, "jaccard", protocol) == expected
    assert values(rows, "displacement_error", "mask") == values(rows, "displacement_error", "grid")
    assert set(values(rows, "displacement_error", "mask").values()) == {0}
    assert_allclose(
        [values(rows, "tre", "continuous")[name] for name in ("mean", "p95", "count")], [0, 0, 6], atol=1e-6
    )


def test_wrong_sign_of_the_truth_is_punished():
    moving = label_blocks(np.random.default_rng(6))
    truth = np.full((3, *SHAPE), 2, np.float32)
    fixed = geometry.warp(moving, truth, order=0)
    right, wrong = (
        values(evaluate(Evidence(u, spacing=SPACING, fixed_labels=fixed, moving_labels=moving)), "dice", "nearest")[
            "mean"
        ]
        for u in (truth, -truth)
    )
    assert right == 1 > 0.5 > wrong


def test_tre_of_the_identity_is_the_distance_in_mm():
    fixed = np.array([[1.0, 2.0, 3.0], [4.0, 4.0, 4.0]])
    moving = fixed + np.array([[1, 2, -3], [0, 0, 2]])
    got = landmarks.tre(np.zeros((3, *SHAPE)), fixed, moving, SPACING)
    assert_allclose(got, [np.sqrt(2.5**2 + 2.0**2 + 2.1**2), 1.4], rtol=1e-12)


def test_tre_reads_the_displacement_between_voxels_in_axis_order():
    matrix = [[0.1, 0, 0], [0, 0, 0.2], [0, -0.3, 0]]
    points = np.random.default_rng(7).uniform(1, 10, (9, 3))
    expected = np.linalg.norm(points @ np.transpose(matrix) * SPACING, axis=1)
    assert_allclose(landmarks.tre(linear_displacement(matrix), points, points, SPACING), expected, rtol=1e-6)


def test_snapped_tre_rounds_the_mapped_point():
    u = np.zeros((3, *SHAPE))
    u[0], u[2] = 0.4, 0.5
    points = [[3.0, 3.0, 3.0]]
    assert_allclose(landmarks.tre(u, points, points, SPACING), np.hypot(0.4 * 2.5, 0.5 * 0.7))
    assert_allclose(landmarks.tre(u, points, points, SPACING, protocol="snapped"), 0.7)


def test_tre_summary_and_pooling():
    rng = np.random.default_rng(8)
    groups = [rng.uniform(0, 9, n) for n in (5, 12)]
    count, mean, sd = zip(*[(len(v), v.mean(), v.std()) for v in groups], strict=True)
    assert_allclose(statistics.pooled(count, mean, sd), [np.hstack(groups).mean(), np.hstack(groups).std()])
    fixed = np.full((3, 3), 4.0)
    moving = fixed + np.diag([1, 3, 10])  # 2.5, 3 and 7 mm
    got = values(
        evaluate(Evidence(np.zeros((3, *SHAPE), np.float32), spacing=SPACING, landmarks=(fixed, moving))),
        "tre",
        "snapped",
    )
    expected = {"mean": 12.5 / 3, "sd": np.std([2.5, 3, 7]), "median": 3, "p95": 3 + 0.9 * 4, "count": 3}
    assert got == pytest.approx(expected)


def test_correlation_of_displacements_by_axis():
    """Along axis 0 the estimate is twice the truth, along 1 its opposite and an offset, along 2 unrelated."""
    rng = np.random.default_rng(12)
    fixed = rng.uniform(1, 10, (40, 3))
    u = linear_displacement(np.diag([0.2, -0.1, 0]))
    u[1] += 2
    noise = rng.normal(size=40)
    moving = fixed + np.stack([0.1 * fixed[:, 0], 0.3 * fixed[:, 1], noise], axis=1)
    got = landmarks.displacement_correlation(u, fixed, moving)
    assert_allclose(got[:2], [1, -1], rtol=1e-6)
    assert np.isnan(got[2])  # the estimate is 0 everywhere
    u[2] = 0.05 * geometry.identity_grid(SHAPE)[0]
    got = landmarks.displacement_correlation(u, fixed, moving)
    assert got[2] == pytest.approx(np.corrcoef(noise, fixed[:, 0])[0, 1], rel=1e-5)
    measured = evaluate(Evidence(u.astype(np.float32), spacing=SPACING, landmarks=(fixed, moving)))
    rows = values(measured, "landmark_correlation", "continuous")
    assert rows == pytest.approx({"mean": got.mean(), "axis_0": 1, "axis_1": -1, "axis_2": got[2]}, rel=1e-4)


def test_an_undefined_correlation_is_no_row():
    points = np.random.default_rng(13).uniform(1, 10, (9, 3))
    still = evaluate(Evidence(np.zeros((3, *SHAPE), np.float32), spacing=SPACING, landmarks=(points, points + 1)))
    assert not values(still, "landmark_correlation", "continuous")
    stretched = linear_displacement(np.diag([0.1, 0, 0])).astype(np.float32)
    one_axis = evaluate(Evidence(stretched, spacing=SPACING, landmarks=(points, points * 1.1)))
    assert values(one_axis, "landmark_correlation", "continuous") == {"axis_0": pytest.approx(1)}
    single = evaluate(Evidence(stretched, spacing=SPACING, landmarks=(points[:1], points[:1] + 1)))
    assert not values(single, "landmark_correlation", "continuous")


def test_a_shifted_field_has_no_correlation_for_its_rounding():
    """A field that is the same everywhere but for float32 says nothing about where landmarks go."""
    points = np.random.default_rng(14).uniform(1, 10, (30, 3))
    shift = (np.full((3, *SHAPE), 7.1) + np.random.default_rng(15).normal(size=(3, *SHAPE)) * 1e-7).astype(np.float32)
    assert np.isnan(landmarks.displacement_correlation(shift, points, points * 1.2)).all()


@pytest.mark.parametrize("moving", [[[1.0, 2.0, 3.0]] * 2, [[1.0, 2.0]], [[1.0, 2.0, np.nan]]])
def test_bad_landmarks_are_refused(moving):
    with pytest.raises(ValueError, match="moving_landmarks"):
        landmarks.tre(np.zeros((3, *SHAPE)), [[1.0, 2.0, 3.0]], moving, SPACING)


def test_a_reflected_field_is_folded_everywhere():
    u = linear_displacement(np.diag([-3, 0, 0]), (5, 7, 9)).astype(np.float32)  # determinant -2
    rows = evaluate(Evidence(u, spacing=SPACING))
    assert values(rows, "folding_count", "forward") == {"all": 4 * 6 * 8}
    assert values(rows, "folding_percent", "central_grid") == {"all": 100}


def test_folding_is_counted_inside_the_mask():
    u = np.zeros((3, 6, 7, 9))
    u[0, 3] = -2  # steps of -2 and +2 along axis 0
    determinant = geometry.jacobian_determinant(u, scheme="central")  # rows: 1, 1, 0, 1, 2, 1
    mask = np.zeros((6, 7, 9), bool)
    mask[2:4, :, :3] = True
    assert deformation.folding_percent(determinant) == pytest.approx(100 / 6)
    assert deformation.folding_percent(determinant, mask) == pytest.approx(50)
    assert np.isnan(deformation.folding_percent(determinant, np.zeros_like(mask)))
    assert deformation.folding_count(geometry.jacobian_determinant(u, scheme="forward")) == 6 * 8


def test_schemes_differ_on_a_quadratic_field():
    x = geometry.identity_grid((8, 5, 6), np.float64)[1]
    u = np.stack([np.zeros_like(x), 0.1 * x**2, np.zeros_like(x)])
    forward, central = (geometry.jacobian_determinant(u, scheme=scheme) for scheme in ("forward", "central"))
    expected = 1 + 0.1 * (2 * np.arange(4) + 1)  # ((x + 1)^2 - x^2)
    assert deformation.jacobian_std(forward) == pytest.approx(expected.std())
    inner = 1 + 0.1 * np.array([1, 2, 4, 6, 7])  # one-sided at both ends, 2x between
    assert deformation.sdlogj(central) == pytest.approx(np.log(inner).std())
    assert_allclose(np.unique(np.round(forward, 9)), expected)


def test_learn2regs_variant_shifts_by_three_and_cuts_the_border():
    rng = np.random.default_rng(9)
    determinant = rng.uniform(-0.5, 2, SHAPE)
    mask = rng.random(SHAPE) > 0.4
    inner = (slice(2, -2),) * 3
    assert deformation.sdlogj_l2r(determinant) == pytest.approx(np.log(determinant[inner] + 3).std())
    in_mask = np.ma.MaskedArray(np.log(determinant[inner] + 3), ~mask[inner]).std()
    assert deformation.sdlogj_l2r(determinant, mask) == pytest.approx(in_mask)
    assert deformation.sdlogj(determinant) > 5 * deformation.sdlogj_l2r(determinant)


def test_sdlogj_clips_folded_voxels():
    determinant = np.array([1.0, -2.0, 1.0, 1.0]).reshape(1, 2, 2)
    assert deformation.sdlogj(determinant) == pytest.approx(np.std([0, np.log(1e-9), 0, 0]))
    assert np.isnan(deformation.sdlogj_l2r(determinant))  # nothing is left of a grid this thin


def test_an_overflowing_determinant_counts_as_folded():
    assert deformation.folding_count(np.array([1.0, np.nan, 0.0])) == 2


def test_displacement_error_in_anisotropic_mm():
    truth = smooth_displacement(np.random.default_rng(10))
    u = truth + np.reshape((2, -1, 3), (3, 1, 1, 1))
    mask = np.zeros(SHAPE, bool)
    mask[3, 4:6, 2:9] = True
    got = deformation.displacement_error(u, truth, SPACING, mask)
    assert got.shape == (14,)
    assert_allclose(got, np.sqrt(5**2 + 1 + 2.1**2), rtol=1e-6)
    assert np.all(deformation.displacement_error(truth, truth, SPACING) == 0)


def test_displacement_error_mean_and_p95_within_the_mask():
    u = np.zeros((3, 5, 7, 9), np.float32)
    u[1] = np.arange(9)
    mask = np.zeros((5, 7, 9), bool)
    mask[2, 3, :5] = True
    rows = evaluate(Evidence(u, spacing=SPACING, true_displacement=np.zeros_like(u), mask=mask))
    assert values(rows, "displacement_error", "mask") == pytest.approx({"mean": 2, "p95": 3.8})
    assert values(rows, "displacement_error", "grid")["mean"] == pytest.approx(4)


def test_every_row_is_described_in_the_table():
    rng = np.random.default_rng(11)
    fixed, moving, u = label_blocks(rng), label_blocks(rng), smooth_displacement(rng)
    rows = evaluate(
        Evidence(
            u,
            spacing=SPACING,
            fixed_labels=fixed,
            moving_labels=moving,
            landmarks=([[1, 2, 3], [6, 7, 8]], [[2, 2, 2], [6, 8, 6]]),
            true_displacement=u * 2,
            opposite=-u,
            images=(fixed / 5, moving / 5),
            learn2reg=True,
            mask=fixed > 0,
        )
    )
    keys = [(row["metric"], row["protocol"], row["region"]) for row in rows]
    assert len(keys) == len(set(keys))
    assert {key[:2] for key in keys} == {(n, p) for n, m in METRICS.items() if m.needs != "none" for p in m.protocols}
    for row in rows:
        assert row["unit"] == ("1" if row["region"] == "count" else METRICS[row["metric"]].unit)
    assert {(n, m.region) for n, m in METRICS.items() if m.needs != "none"} <= {(m, r) for m, _, r in keys}
    json.dumps(rows, allow_nan=False)


def test_only_what_the_inputs_allow_is_computed():
    rows = evaluate(Evidence(np.zeros((3, 5, 7, 9), np.float32), spacing=SPACING))
    assert {row["metric"] for row in rows} == {n for n, m in METRICS.items() if m.needs == "displacement"}
    assert values(rows, "sdlogj", "central_grid") == {"all": 0}
    assert not values(rows, "sdlogj", "central_mask")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"displacement": np.full((3, 5, 7, 9), np.nan, np.float32)}, "evaluate: displacement.*NaN"),
        ({"fixed_labels": np.zeros((5, 7, 9), int)}, "moving_labels"),
        ({"fixed_labels": np.zeros((7, 5, 9), int), "moving_labels": np.zeros((5, 7, 9), int)}, "grids differ"),
        ({"fixed_labels": np.zeros((5, 7, 9)), "moving_labels": np.zeros((5, 7, 9), int)}, "fixed labels.*float64"),
        ({"fixed_labels": np.full((5, 7, 9), 70000), "moving_labels": np.zeros((5, 7, 9), int)}, "to 65535, got 70000"),
        (
            {"fixed_labels": np.zeros((5, 7, 9), int), "moving_labels": np.zeros((5, 7, 9), int), "labels": [-1]},
            "got -1",
        ),
        ({"spacing": (1.0, 0.0, 1.0)}, "spacing"),
        ({"mask": np.ones((9, 7, 5), bool)}, "mask"),
        ({"mask": np.ones((5, 7, 9))}, "mask.*float64"),
        ({"true_displacement": np.zeros((3, 9, 7, 5))}, "displacement_error"),
        ({"opposite": np.zeros((3, 9, 7, 5))}, "inverse_consistency"),
        ({"images": (np.zeros((5, 7, 9)), np.zeros((9, 7, 5)))}, "similarity"),
        ({"images": (np.zeros((9, 7, 5)), np.zeros((5, 7, 9)))}, "correlation"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(change, message):
    arguments = {"displacement": np.zeros((3, 5, 7, 9), np.float32), "spacing": SPACING, **change}
    with pytest.raises(ValueError, match=message):
        evaluate(Evidence(arguments.pop("displacement"), **arguments))
