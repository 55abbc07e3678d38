"""Splines with control points at the centres of cells: against SciPy, closed forms, and their own derivative."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import ndimage

from methods.blocks.cascades.control import field_of, spline_weights

CONTROLS, SHAPE = (4, 3, 5), (16, 9, 20)  # four, three and four voxels a cell


def centres(controls, shape):
    """The voxels of a grid, in cells from the first control point."""
    axes = [(np.arange(size) + 0.5) * n / size - 0.5 for n, size in zip(controls, shape, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"))


def test_is_the_cubic_spline_of_scipy_whose_outermost_values_go_on():
    values = np.random.default_rng(0).normal(size=(2, 3, *CONTROLS)).astype(np.float32)
    room = [(3, 3)] * 3  # written out, for SciPy's own border works on the result of its prefilter
    points = centres(CONTROLS, SHAPE) + 3
    expected = [
        [ndimage.map_coordinates(np.pad(each, room, "edge"), points, order=3, prefilter=False) for each in field]
        for field in values
    ]
    assert_allclose(field_of(torch.from_numpy(values), SHAPE), expected, atol=1e-5)


@settings(deadline=None)
@given(controls=st.integers(1, 9), voxels=st.integers(1, 40))
def test_a_shift_stays_one_on_any_grid(controls, voxels):
    weights = spline_weights(voxels, controls)
    assert weights.shape == (voxels, controls)
    assert float(weights.min()) >= 0
    assert_allclose(weights.sum(1), 1, atol=1e-12)


def test_a_straight_line_stays_one_where_all_its_points_are_inside():
    line = spline_weights(48, 6) @ torch.arange(6, dtype=torch.float64)
    place = (torch.arange(48) + 0.5) / 8 - 0.5
    inside = (place > 1) & (place < 4)
    assert inside.sum() == 24
    assert_allclose(line[inside], place[inside], atol=1e-12)
    assert not np.allclose(line, place, atol=0.1)


def test_finer_voxels_average_to_coarser_ones_as_images_do():
    """Cells of all grids nest: the middle of a pair of voxels is the voxel of the grid half as fine."""
    fine, coarse = spline_weights(32, 4), spline_weights(16, 4)
    assert_allclose(fine.view(16, 2, 4).mean(1), coarse, atol=0.01)
    assert_allclose(fine.flip(0, 1), fine, atol=1e-12)  # and no side is preferred


def test_derivative():
    values = torch.randn(1, 2, *CONTROLS, dtype=torch.float32, requires_grad=True)
    force = torch.randn(1, 2, *SHAPE)
    (field_of(values, SHAPE) * force).sum().backward()
    d, h, w = (spline_weights(n, c, dtype=torch.float32) for n, c in zip(SHAPE, CONTROLS, strict=True))
    assert_allclose(values.grad, torch.einsum("ncdhw,da,hb,wk->ncabk", force, d, h, w), atol=1e-4)


@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 7, 3)])
def test_memory_is_in_the_order_that_callers_want(shape):
    assert field_of(torch.randn(2, 3, 2, 1, 3), shape).is_contiguous()
