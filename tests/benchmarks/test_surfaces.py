"""Distances between surfaces: closed forms, SciPy's distance transform and MONAI, and labels that one map lacks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose
from scipy import ndimage

from benchmarks.evidence import Evidence
from benchmarks.measures import surfaces
from benchmarks.metrics import evaluate
from tests.benchmarks.judge_inputs import SHAPE, SPACING, label_blocks, smooth_displacement, values


def by_transform(one, other, spacing):
    """HD95 of two masks by a distance transform of the whole grid."""
    edges = [mask & ~ndimage.binary_erosion(mask) for mask in (one, other)]
    if not (one.any() and other.any()):
        return np.nan
    there, back = (ndimage.distance_transform_edt(~end, sampling=spacing)[start] for start, end in (edges, edges[::-1]))
    return max(np.percentile(there, 95), np.percentile(back, 95))


def one_label(shape, *places):
    found = np.zeros(shape, np.uint16)
    for place in places:
        found[place] = 7
    return found


@pytest.mark.parametrize("step", [(0, 0, 0), (1, 0, 0), (0, -2, 0), (0, 0, 3), (2, 3, -4), (-7, 8, 9)])
def test_two_voxels_are_as_far_apart_as_they_are_in_mm(step):
    """The last step is beyond the ball in which a partner is looked for first."""
    fixed, warped = one_label(SHAPE, (8, 3, 4)), one_label(SHAPE, tuple(np.add((8, 3, 4), step)))
    length = np.linalg.norm(np.multiply(step, SPACING))
    assert_allclose(surfaces.hausdorff95(fixed, warped, [7], SPACING), [length], rtol=1e-12)


def test_two_sheets_are_as_far_apart_everywhere():
    fixed, warped = one_label((9, 11, 13), np.s_[:, 2]), one_label((9, 11, 13), np.s_[:, 6])
    assert_allclose(surfaces.hausdorff95(fixed, warped, [7], SPACING), [4 * SPACING[1]])


def test_it_is_a_percentile_of_the_surface_and_the_larger_direction():
    """A row of 40 voxels of which 2 or 4 are missing at one end: 1 % and 6 % of the whole row are far from the rest."""
    row, spacing = one_label((3, 4, 60), np.s_[1, 2, 5:45]), (1.0, 1.0, 0.5)
    for missing in (2, 4):
        short = one_label((3, 4, 60), np.s_[1, 2, 5 : 45 - missing])
        distances = [0.0] * (40 - missing) + [0.5 * (k + 1) for k in range(missing)]
        expected = np.percentile(distances, 95)
        assert_allclose(surfaces.hausdorff95(row, short, [7], spacing), [expected])
        assert_allclose(surfaces.hausdorff95(short, row, [7], spacing), [expected])


@pytest.mark.parametrize("seed", range(3))
def test_distances_are_those_of_a_transform_of_the_grid(seed):
    rng = np.random.default_rng(seed)
    fixed, warped = label_blocks(rng), label_blocks(rng)
    expected = [by_transform(fixed == label, warped == label, SPACING) for label in range(1, 5)]
    assert_allclose(surfaces.hausdorff95(fixed, warped, range(1, 5), SPACING), expected, rtol=1e-12)


MAPS = arrays(np.uint16, (4, 5, 30), elements=st.sampled_from([0, 0, 0, 0, 3, 65535]))


@given(MAPS, MAPS, st.tuples(*[st.sampled_from([0.3, 1.0, 2.5])] * 3))
def test_whatever_the_maps_and_the_spacing(fixed, warped, spacing):
    expected = [by_transform(fixed == label, warped == label, spacing) for label in (3, 65535)]
    assert_allclose(surfaces.hausdorff95(fixed, warped, [3, 65535], spacing), expected, rtol=1e-12)


@pytest.mark.parametrize("far", [3, 5, 7, 20])
def test_points_far_away_count_as_far_as_they_are(far):
    """Of 100 voxels up to 20 are beyond the ball; some of these counts need their distances and some do not."""
    fixed = one_label((100, 12, 60), np.s_[:, 1, 1])
    warped = one_label((100, 12, 60), np.s_[:, 1, 2])
    fixed[:far, 1, 1], fixed[:far, 5, 59] = 0, 7
    expected = by_transform(fixed == 7, warped == 7, SPACING)
    assert_allclose(surfaces.hausdorff95(fixed, warped, [7], SPACING), [expected], rtol=1e-12)


def test_distances_agree_with_monai():
    torch, monai = pytest.importorskip("torch"), pytest.importorskip("monai.metrics")
    rng = np.random.default_rng(2)
    fixed, warped = (np.pad(label_blocks(rng), 1) for _ in range(2))
    one_hot = [torch.as_tensor(np.stack([m == v for v in (1, 2, 4)])[None].astype(float)) for m in (warped, fixed)]
    theirs = monai.compute_hausdorff_distance(*one_hot, include_background=True, percentile=95, spacing=SPACING)
    assert_allclose(surfaces.hausdorff95(fixed, warped, [1, 2, 4], SPACING), theirs[0], rtol=1e-5)


def rows_of(fixed, moving, u, **more):
    return values(evaluate(Evidence(u, SPACING, fixed_labels=fixed, moving_labels=moving, **more)), "hd95", "nearest")


def test_rows_are_of_the_labels_warped_by_the_nearest_voxel():
    rng = np.random.default_rng(3)
    fixed, moving, u = label_blocks(rng), label_blocks(rng), smooth_displacement(rng)
    got = rows_of(fixed, moving, u, labels=[1, 3])
    points = np.rint(np.clip(np.indices(SHAPE) + u, 0, np.reshape(SHAPE, (3, 1, 1, 1)) - 1)).astype(int)
    warped = moving[tuple(points)]
    expected = {f"label_{label}": by_transform(fixed == label, warped == label, SPACING) for label in (1, 3)}
    assert got == pytest.approx({**expected, "mean": np.mean(list(expected.values())), "count": 2})


def test_a_label_that_an_image_lacks_is_left_out_and_one_that_the_warp_loses_leaves_no_mean():
    fixed, moving = np.zeros(SHAPE, np.uint16), np.zeros(SHAPE, np.uint16)
    fixed[2, 3, 4], moving[2, 3, 7] = 1, 1
    fixed[5, 5, 5] = 2
    still = np.zeros((3, *SHAPE), np.float32)
    got = rows_of(fixed, moving, still)
    assert (got["mean"], got["count"], got["label_1"]) == (pytest.approx(3 * SPACING[2]), 1, pytest.approx(2.1))
    assert np.isnan(got["label_2"])
    moving[6, 6, 6] = 2
    away = still.copy()
    away[:, 5:8, 5:8, 5:8] = 2  # nothing comes from where the second label is
    got = rows_of(fixed, moving, away)
    assert got["count"] == 2
    assert np.isnan([got["mean"], got["label_2"]]).all()
    assert got["label_1"] == pytest.approx(2.1)


def test_grids_that_differ_are_refused():
    with pytest.raises(ValueError, match="grids differ"):
        surfaces.hausdorff95(np.zeros((2, 3, 4), np.uint16), np.zeros((4, 3, 2), np.uint16), [1], SPACING)
