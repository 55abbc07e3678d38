"""The volume that a map turns inside out: closed forms, tetrahedra one by one, and folds that determinants miss."""

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from benchmarks.evidence import Evidence
from benchmarks.measures import deformation, folds
from benchmarks.metrics import evaluate
from datasets import geometry
from tests.benchmarks.judge_inputs import SHAPE, SPACING, smooth_displacement, values

CORNERS = list(product((0, 1), repeat=3))
EVEN, ODD = ([c for c in CORNERS if sum(c) % 2 == odd] for odd in (0, 1))


def tetrahedra():
    """The two divisions of a cell into five tetrahedra: the middle one of four corners, and what it leaves of each."""
    for middle, others in ((EVEN, ODD), (ODD, EVEN)):
        yield middle
        for corner in others:
            yield [corner, *(c for c in middle if sum(abs(a - b) for a, b in zip(c, corner, strict=True)) == 1)]


def volume(points):
    return np.linalg.det(np.stack([points[1] - points[0], points[2] - points[0], points[3] - points[0]])) / 6


def by_cells(u):
    """The folded volume in voxels, every tetrahedron of every cell by its own volume before and after."""
    mapped = np.moveaxis(geometry.identity_grid(u.shape[1:], np.float64) + u, 0, -1)
    total = 0.0
    for cell in np.ndindex(*(n - 1 for n in u.shape[1:])):
        for corners in tetrahedra():
            before = volume(np.array(corners, float))
            after = volume(np.array([mapped[tuple(np.add(cell, corner))] for corner in corners]))
            total += max(0.0, -after * np.sign(before)) / 2
    return total


def test_tetrahedra_of_the_oracle_fill_a_cell_twice():
    volumes = [abs(volume(np.array(corners, float))) for corners in tetrahedra()]
    assert sorted(volumes) == pytest.approx([1 / 6] * 8 + [1 / 3] * 2)


@pytest.mark.parametrize("seed", range(3))
def test_the_volume_is_that_of_all_tetrahedra(seed):
    u = np.random.default_rng(seed).normal(size=(3, 4, 3, 5)) * 0.7
    assert folds.folded_volume_percent(u)[1] == pytest.approx(100 * share_by_voxels(u), rel=1e-9)


def share_by_voxels(u):
    """The share by voxels, each with its own tetrahedra alone; the displacement goes on beyond the faces."""
    shape, padded = u.shape[1:], np.pad(u, [(0, 0), (1, 1), (1, 1), (1, 1)], mode="edge")
    mapped = np.moveaxis(geometry.identity_grid(padded.shape[1:], np.float64) + padded, 0, -1)
    total = 0.0
    for voxel in np.ndindex(*shape):
        at = np.add(voxel, 1)
        for corners in own_tetrahedra():
            before = volume(np.array(corners, float))
            after = volume(np.array([mapped[tuple(at + corner)] for corner in corners]))
            total += max(0.0, -after * np.sign(before)) / 2
    return total / np.prod(shape)


def own_tetrahedra():
    for signs in product((-1, 1), repeat=3):
        yield [(0, 0, 0), *(tuple(sign * np.eye(3, dtype=int)[axis]) for axis, sign in enumerate(signs))]
    for sign in (-1, 1):
        yield [(0, 0, 0), *(tuple(sign * np.array(step)) for step in sorted(set(permutations((1, 1, 0)))))]


def test_a_fold_inside_is_counted_as_by_cells():
    """With still faces it does not matter who answers for a tetrahedron."""
    rng = np.random.default_rng(5)
    u = np.zeros((3, 7, 6, 8))
    u[:, 2:5, 2:4, 2:6] = rng.normal(size=(3, 3, 2, 4))
    assert folds.folded_volume_percent(u)[1] * u[0].size / 100 == pytest.approx(by_cells(u), rel=1e-9)
    assert by_cells(u) > 1


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize(("height", "lost"), [(0.4, 0.0), (0.5, 0.0), (1.0, 50.0), (2.0, 150.0)])
def test_a_checkerboard_shows_that_central_differences_miss(axis, height, lost):
    """Steps of -2h and 2h in turn: every other cell has the signed volume 1 - 2h, central differences are 0."""
    u = np.zeros((3, *SHAPE), np.float32)
    u[axis] = height * (-1.0) ** np.arange(SHAPE[axis]).reshape([-1 if each == axis else 1 for each in range(3)])
    inner = np.zeros(SHAPE, bool)
    inner[2:-2, 2:-2, 2:-2] = True
    masked, _ = folds.folded_volume_percent(u, inner)
    assert masked == pytest.approx(lost, abs=1e-4)
    central = geometry.jacobian_determinant(u, scheme="central")
    assert deformation.folding_percent(central, inner) == 0
    if lost:
        forward = deformation.folding_percent(geometry.jacobian_determinant(u, scheme="forward"))
        assert forward == pytest.approx(50, abs=10)


@given(arrays(np.float32, (3, 3, 4, 5), elements=st.floats(-0.078125, 0.078125, width=32)))
def test_small_steps_fold_nothing(u):
    """Neighbours that differ by less than a sixth of a voxel keep every tetrahedron the right way round."""
    assert folds.folded_volume_percent(u) == (0, 0)


@pytest.mark.parametrize(
    "gradient", [np.diag([-3, 0, 0]), [[-1, 2, 0], [2, -1, 0], [0, 0, 0]], np.diag([0.3, -0.2, 0])]
)
def test_a_linear_map_loses_its_determinant(gradient):
    u = np.einsum("ij,jdhw->idhw", np.asarray(gradient, float), geometry.identity_grid(SHAPE, np.float64))
    inner = np.zeros(SHAPE, bool)
    inner[1:-1, 1:-1, 1:-1] = True
    determinant = np.linalg.det(np.asarray(gradient, float) + np.eye(3))
    assert folds.folded_volume_percent(u, inner)[0] == pytest.approx(100 * max(0, -determinant), abs=1e-9)


def test_a_mask_takes_the_voxels_inside():
    """The volume of a mask and of what is left add up to the whole."""
    rng = np.random.default_rng(4)
    u, mask = smooth_displacement(rng, size=4.0), rng.random(SHAPE) > 0.3
    parts = [folds.folded_volume_percent(u, part)[0] * part.sum() / mask.size for part in (mask, ~mask)]
    assert sum(parts) == pytest.approx(folds.folded_volume_percent(u)[1], rel=1e-9) != 0
    assert np.isnan(folds.folded_volume_percent(u, np.zeros_like(mask))[0])


def test_a_stretch_of_many_voxels_is_the_same_as_one_by_one():
    """Rows longer than what is looked at in one go, with a fold in each part."""
    rng = np.random.default_rng(8)
    u = np.zeros((3, 2, 2, 300), np.float32)
    u[:, :, :, [0, 1, 127, 128, 129, 200, 256, 298, 299]] = rng.normal(size=(3, 2, 2, 9))
    assert folds.folded_volume_percent(u)[1] == pytest.approx(100 * share_by_voxels(u.astype(float)), rel=1e-4)


def test_rows_are_of_the_mask_and_of_the_grid():
    u, mask = np.zeros((3, *SHAPE), np.float32), np.ones(SHAPE, bool)
    rows = evaluate(Evidence(u, spacing=SPACING, mask=mask))
    assert values(rows, "folded_volume", "mask") == values(rows, "folded_volume", "grid") == {"all": 0}
    assert not values(evaluate(Evidence(u, spacing=SPACING)), "folded_volume", "mask")


@pytest.mark.parametrize(
    "change", [{"u": np.zeros((3, 1, 5, 5))}, {"mask": np.ones((4, 5, 5), bool)}, {"mask": np.ones((5, 5, 5))}]
)
def test_what_does_not_fit_is_refused(change):
    given = {"u": np.zeros((3, 5, 5, 5)), "mask": np.ones((5, 5, 5), bool), **change}
    with pytest.raises(ValueError, match="expected"):
        folds.folded_volume_percent(given["u"], given["mask"])
