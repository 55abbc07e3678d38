"""The displacement convention against closed forms, properties and SimpleITK, on grids without equal sides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets import geometry
from tests.composition import compose
from tests.datasets.ramps import AXES, COEFFICIENTS, SHAPE, along, constant, inner, linear, points, ramp, small_matrices

shifts = st.lists(st.floats(-1.9, 1.9), min_size=3, max_size=3).map(np.array)


def test_identity_grid_counts_voxels_in_array_order():
    grid = geometry.identity_grid(SHAPE)
    assert grid.shape == (3, *SHAPE)
    assert grid.dtype == np.float32
    np.testing.assert_array_equal(grid[:, 1, 4, 8], [1, 4, 8])


class TestCheckDisplacement:
    def test_returns_contiguous_float32(self):
        u = np.moveaxis(np.arange(3 * 5 * 7 * 9, dtype=np.float64).reshape(*SHAPE, 3), -1, 0)
        checked = geometry.check_displacement(u, SHAPE)
        assert checked.dtype == np.float32
        assert checked.flags.c_contiguous
        np.testing.assert_array_equal(checked, u)

    @pytest.mark.parametrize(
        ("bad", "message"),
        [
            (np.zeros((*SHAPE, 3), np.float32), r"expected shape \(3, 5, 7, 9\), got \(5, 7, 9, 3\)"),
            (np.zeros((3, *SHAPE), np.int16), "int16"),
            (np.full((3, *SHAPE), np.nan, np.float32), "945 of 945 values"),
        ],
    )
    def test_says_what_is_wrong(self, bad, message):
        with pytest.raises(ValueError, match=message):
            geometry.check_displacement(bad, SHAPE, where="mine")
        with pytest.raises(ValueError, match=r"^mine: "):
            geometry.check_displacement(bad, SHAPE, where="mine")


class TestWarp:
    @pytest.mark.parametrize("axis", AXES)
    @pytest.mark.parametrize("amount", [2.0, -1.0, 0.25, -1.75])
    @pytest.mark.parametrize("order", [1, 3])
    def test_pulls_a_ramp_by_its_slope(self, axis, amount, order):
        shape = (11, 12, 14)
        warped = geometry.warp(ramp(shape), constant(along(axis, amount), shape), order=order)
        expected = ramp(shape) + COEFFICIENTS[axis] * amount
        margin = 2 if order == 1 else 4  # the spline's clamped border reaches a little further inside
        # 0.04: what is left there of that border, against slopes of 2 to 5 a voxel
        np.testing.assert_allclose(warped[inner(margin)], expected[inner(margin)], atol=1e-4 if order == 1 else 0.04)

    @pytest.mark.parametrize("axis", AXES)
    @pytest.mark.parametrize("order", [0, 1, 3])
    def test_whole_voxel_shift_is_a_roll_of_the_other_sign(self, axis, order):
        image = np.random.default_rng(0).random(SHAPE)
        warped = geometry.warp(image, constant(along(axis, 1.0)), order=order)
        expected = np.roll(image, -1, axis=axis)
        kept = tuple(slice(0, -1) if a == axis else slice(None) for a in AXES)
        np.testing.assert_allclose(warped[kept], expected[kept], atol=0 if order == 0 else 1e-6)

    @pytest.mark.parametrize("axis", AXES)
    @pytest.mark.parametrize("order", [0, 1])
    def test_outside_is_the_border_voxel_or_the_given_number(self, axis, order):
        image, u = ramp(), constant(along(axis, 2.0))
        last = tuple(slice(-1, None) if a == axis else slice(None) for a in AXES)
        border = np.broadcast_to(image[last], image.shape)
        np.testing.assert_allclose(geometry.warp(image, u, order=order)[last], border[last])
        np.testing.assert_array_equal(geometry.warp(image, u, order=order, outside=-7.0)[last], -7.0)

    def test_fill_fades_in_within_the_voxel_outside(self):
        warped = geometry.warp(np.full(SHAPE, 4.0), constant((0.25, 0, 0)), outside=0.0)
        np.testing.assert_allclose(warped[-1], 3.0)

    def test_output_has_the_grid_of_the_displacement(self):
        other = (4, 3, 6)
        warped = geometry.warp(ramp(), constant((0.5, 1.0, 1.5), other))
        np.testing.assert_allclose(warped, ramp(other) + COEFFICIENTS @ [0.5, 1.0, 1.5], rtol=1e-6)

    def test_labels_stay_labels(self):
        labels = np.random.default_rng(0).integers(0, 200, SHAPE).astype(np.uint16)
        warped = geometry.warp(labels, constant((0.4, -0.3, 0.2)), order=0)
        assert warped.dtype == labels.dtype
        np.testing.assert_array_equal(warped, labels)

    def test_refuses_points_in_place_of_a_displacement(self):
        with pytest.raises(ValueError, match="warp: expected a displacement"):
            geometry.warp(ramp(), np.zeros((*SHAPE, 3)))
        with pytest.raises(ValueError, match="sample: expected a 3-D image"):
            geometry.sample(ramp(), np.zeros((4, 3)))


class TestPoints:
    def test_sample_reads_a_ramp_exactly_between_voxels(self):
        where = np.random.default_rng(1).uniform(0, np.array(SHAPE) - 1, (20, 3))
        np.testing.assert_allclose(geometry.sample(ramp(), where.T), 1 + where @ COEFFICIENTS, rtol=1e-12)

    @settings(max_examples=25, deadline=None)
    @given(matrix=small_matrices)
    def test_move_points_follows_a_linear_displacement(self, matrix):
        where = np.random.default_rng(2).uniform(0, np.array(SHAPE) - 1, (6, 3))
        moved = geometry.move_points(linear(matrix), where)
        np.testing.assert_allclose(moved, where @ (np.eye(3) + matrix).T, atol=1e-10)

    def test_a_fixed_landmark_lands_on_the_bright_voxel_that_it_shows(self):
        moving = np.zeros(SHAPE)
        moving[3, 2, 6] = 1.0
        u = constant((1, -2, 3))
        bright = np.argwhere(geometry.warp(moving, u) > 0.5)
        np.testing.assert_array_equal(bright, [[2, 4, 3]])
        np.testing.assert_array_equal(geometry.move_points(u, bright), [[3, 2, 6]])


class TestCompose:
    """The reference that networks are compared with is itself pinned to closed forms."""

    @settings(max_examples=25, deadline=None)
    @given(first=shifts, then=shifts)
    def test_shifts_add(self, first, then):
        total = compose(constant(first), constant(then))
        np.testing.assert_allclose(total, constant(first + then), atol=1e-5)

    @settings(max_examples=25, deadline=None)
    @given(first=small_matrices, then=small_matrices)
    def test_of_linear_maps_is_their_product(self, first, then):
        shape = (6, 7, 9)
        centre = np.array(shape)[:, None, None, None] // 2
        a, b = first * 0.2, then * 0.2
        about = points(shape) - centre
        total = compose(np.tensordot(a, about, axes=1), np.tensordot(b, about, axes=1))
        expected = np.tensordot((np.eye(3) + a) @ (np.eye(3) + b) - np.eye(3), about, axes=1)
        outside = np.tensordot(np.eye(3) + b, about, axes=1) + centre
        seen = np.all((outside >= 0) & (outside <= np.array(shape)[:, None, None, None] - 1), axis=0)
        np.testing.assert_allclose(total[:, seen], expected[:, seen], atol=1e-5)

    def test_equals_two_warps_one_after_the_other(self):
        shape = (12, 13, 15)
        rng = np.random.default_rng(3)
        first, then = linear(rng.uniform(-0.05, 0.05, (3, 3)), shape), linear(rng.uniform(-0.05, 0.05, (3, 3)), shape)
        once = geometry.warp(ramp(shape), compose(first, then))
        twice = geometry.warp(geometry.warp(ramp(shape), first), then)
        other_order = geometry.warp(ramp(shape), compose(then, first))
        np.testing.assert_allclose(once[inner(3)], twice[inner(3)], atol=1e-4)
        assert np.abs(other_order - twice)[inner(3)].max() > 1e-2

    def test_with_the_identity_on_either_side_changes_nothing(self):
        u = np.random.default_rng(4).normal(size=(3, *SHAPE))
        np.testing.assert_array_equal(compose(np.zeros_like(u), u), u)
        np.testing.assert_array_equal(compose(u, np.zeros_like(u)), u)
