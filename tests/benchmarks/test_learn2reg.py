"""Learn2Reg's numbers, by SciPy as that challenge's evaluator calls it: order, fill, clipping and cut by default."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose
from scipy import ndimage

from benchmarks.evidence import Evidence
from benchmarks.measures import landmarks, overlap, splines, surfels
from benchmarks.metrics import evaluate
from tests.benchmarks.judge_inputs import SHAPE, SPACING, label_blocks, smooth_displacement, values


def evaluator_dice(fixed, moving, u, labels):
    warped = ndimage.map_coordinates(moving.astype(float), np.indices(fixed.shape) + u.astype(float), order=0)
    found = {}
    for label in labels:
        here, there = fixed == label, warped == label
        scored = here.any() and (moving == label).any()
        found[f"label_{label}"] = 2 * (here & there).sum() / (here.sum() + there.sum()) if scored else np.nan
    return {**found, "mean": np.nanmean(list(found.values()))}


def evaluator_displacement(u, points):
    return np.stack([ndimage.map_coordinates(part.astype(float), points.T) for part in u], axis=1)


def evaluator_sdlogj(u):
    """Differences by correlation with (-0.5, 0, 0.5), 0 outside; two voxels of each face cut; 3 added and clipped."""
    kernel = np.array([-0.5, 0, 0.5])
    rows = [[ndimage.correlate1d(part.astype(float), kernel, axis, mode="constant") for axis in range(3)] for part in u]
    jacobian = np.moveaxis(np.array(rows), (0, 1), (-2, -1)) + np.eye(3)
    return np.log((np.linalg.det(jacobian[2:-2, 2:-2, 2:-2]) + 3).clip(1e-9, 1e9)).std()


@pytest.mark.parametrize("size", [0.5, 2.0, 6.0])
def test_every_number_is_the_evaluators(size):
    rng = np.random.default_rng(int(10 * size))
    fixed, moving, u = label_blocks(rng), label_blocks(rng), smooth_displacement(rng, size=size)
    fixed[fixed == 4] = 0  # in one image only
    points = rng.uniform(-1, np.array(SHAPE), (40, 3))  # some are outside of the grid
    other = points + rng.normal(size=points.shape)
    rows = evaluate(
        Evidence(u, SPACING, fixed_labels=fixed, moving_labels=moving, labels=[1, 2, 3, 4], landmarks=(points, other))
    )
    dice = values(rows, "dice", "learn2reg")
    assert dice.pop("count") == 3
    assert dice == pytest.approx(evaluator_dice(fixed, moving, u, [1, 2, 3, 4]), abs=1e-12, nan_ok=True)
    distances = np.linalg.norm((points + evaluator_displacement(u, points) - other) * SPACING, axis=1)
    assert values(rows, "tre", "learn2reg")["mean"] == pytest.approx(distances.mean(), rel=1e-7)
    assert values(rows, "sdlogj_l2r", "central_grid")["all"] == pytest.approx(evaluator_sdlogj(u), rel=1e-5)


def test_a_shift_out_of_the_grid_fills_with_background():
    """A slab of 8 planes at the face, 3 planes beyond: 5 planes come from the grid, and 3 from outside of it."""
    labels = np.zeros((16, 5, 6), np.uint16)
    labels[8:] = 1
    u = np.zeros((3, 16, 5, 6), np.float32)
    u[0] = 3
    rows = evaluate(Evidence(u, SPACING, fixed_labels=labels, moving_labels=labels))
    assert values(rows, "dice", "nearest")["mean"] == pytest.approx(2 * 8 / (8 + 11))  # 0.8421
    assert values(rows, "dice", "learn2reg")["mean"] == pytest.approx(2 * 5 / (8 + 8))  # 0.6250


@pytest.mark.parametrize("shape", [(12, 14, 17), (40, 41, 70), (3, 2, 1)])
def test_a_displacement_is_read_by_the_spline_of_the_whole_grid(shape):
    rng = np.random.default_rng(0)
    u = rng.normal(size=(3, *shape)).astype(np.float32)
    points = rng.uniform(-1, np.array(shape), (60, 3))
    points[:8] = [[i & 1 and shape[0] - 1, i & 2 and shape[1] - 1, i & 4 and shape[2] - 1] for i in range(8)]
    assert_allclose(splines.read_by_spline(u, points), evaluator_displacement(u, points), atol=1e-8)


@given(arrays(np.float64, (4, 3), elements=st.floats(-2, 18)))
def test_wherever_the_points_lie(points):
    u = smooth_displacement(np.random.default_rng(3))
    assert_allclose(splines.read_by_spline(u, points), evaluator_displacement(u, points), atol=1e-8)


def test_a_spline_overshoots_where_a_trilinear_reading_does_not():
    u = np.zeros((3, 9, 10, 11), np.float32)
    u[0, 5:] = 1  # a step
    point = [[6.5, 4.0, 4.0]]
    assert landmarks.tre(u, point, [[7.5, 4.0, 4.0]], SPACING) == 0
    read = evaluator_displacement(u, np.array(point))[0, 0]
    assert abs(read - 1) > 0.01
    got = landmarks.tre(u, point, [[7.5, 4.0, 4.0]], SPACING, protocol="learn2reg")
    assert got == pytest.approx(abs(read - 1) * SPACING[0], rel=1e-6)


def box(shape, *sides):
    found = np.zeros(shape, np.uint16)
    found[tuple(slice(*side) for side in sides)] = 3
    return found


def test_a_voxel_is_cut_off_by_eight_triangles():
    """Of one voxel each of the eight corners has the same area, so that the percentile is one of nine distances."""
    one, other = box((6, 7, 8), (2, 3), (2, 3), (2, 3)), box((6, 7, 8), (2, 3), (2, 3), (5, 6))
    assert surfels.hausdorff95_l2r(one, one, [3]) == [0]
    assert surfels.hausdorff95_l2r(one, other, [3]) == [3]  # half of the corners 2 voxels away, half 3


def test_areas_are_those_of_the_surface_through_the_voxels():
    """A large box shows its faces inside with 1 a corner, its edges with a chamfer, its corners with a triangle."""
    areas = surfels._areas(box((9, 10, 11), (0, 9), (2, 8), (3, 8)) == 3)
    faces, edges, corners = 8 * 5 + 8 * 4 + 5 * 4, 8 + 5 + 4, 8
    expected = 2 * faces + 4 * edges * np.sqrt(2) / 2 + corners * np.sqrt(3) / 8
    assert areas.shape == (10, 11, 12)
    assert areas.sum() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("seed", "expected"),
    [
        (0, [5.385164807134504, 4.242640687119285, 3.1622776601683795, 3.0]),
        (1, [4.242640687119285, 3.605551275463989, 3.605551275463989, 3.0]),
        (2, [3.7416573867739413, 4.0, 3.605551275463989, 3.605551275463989]),
        (3, [3.605551275463989, 3.605551275463989, 3.1622776601683795, 5.0]),
    ],
)
def test_distances_are_those_of_the_package_that_the_evaluator_calls(seed, expected):
    """By compute_robust_hausdorff of surface-distance 0.1, with a spacing of ones."""
    rng = np.random.default_rng(seed)
    fixed, warped = label_blocks(rng), label_blocks(rng)
    assert_allclose(surfels.hausdorff95_l2r(fixed, warped, [1, 2, 3, 4]), expected, rtol=1e-12)


def test_hd95_is_there_where_it_is_asked_for():
    rng = np.random.default_rng(4)
    fixed, moving, u = label_blocks(rng), label_blocks(rng), smooth_displacement(rng)
    fixed[fixed == 4] = 0
    given = {"fixed_labels": fixed, "moving_labels": moving, "labels": [1, 2, 4]}
    assert not values(evaluate(Evidence(u, SPACING, **given)), "hd95_l2r", "learn2reg")
    got = values(evaluate(Evidence(u, SPACING, learn2reg=True, **given)), "hd95_l2r", "learn2reg")
    warped = overlap.warp_labels(moving, u, protocol="learn2reg")
    expected = surfels.hausdorff95_l2r(fixed, warped, [1, 2])
    assert [got["label_1"], got["label_2"], got["mean"]] == [*expected, expected.mean()]
    assert got["count"] == 2
    assert np.isnan(got["label_4"])
    assert np.isnan(surfels.hausdorff95_l2r(fixed, np.zeros_like(fixed), [1])).all()
