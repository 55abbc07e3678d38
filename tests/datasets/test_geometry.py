"""The displacement convention against closed forms, properties and SimpleITK, on grids without equal sides."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - the field's own name
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from datasets import geometry
from tests.composition import compose

SHAPE = (5, 7, 9)
COEFFICIENTS = np.array([2.0, -3.0, 5.0])
AXES = [0, 1, 2]


def points(shape=SHAPE):
    return geometry.identity_grid(shape, np.float64)


def ramp(shape=SHAPE, coefficients=COEFFICIENTS):
    """A linear image, different along each axis: ``1 + c . x``."""
    return 1.0 + np.tensordot(coefficients, points(shape), axes=1)


def constant(vector, shape=SHAPE):
    return np.broadcast_to(np.asarray(vector, np.float64)[:, None, None, None], (3, *shape)).copy()


def linear(matrix, shape=SHAPE):
    """The displacement ``u(x) = A x``."""
    return np.tensordot(np.asarray(matrix, np.float64), points(shape), axes=1)


def inner(margin):
    return (..., *[slice(margin, -margin)] * 3)


def along(axis, amount):
    vector = np.zeros(3)
    vector[axis] = amount
    return vector


shifts = st.lists(st.floats(-1.9, 1.9), min_size=3, max_size=3).map(np.array)
small_matrices = arrays(np.float64, (3, 3), elements=st.floats(-0.9, 0.9))


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


class TestJacobian:
    @pytest.mark.parametrize("scheme", ["forward", "central"])
    @settings(max_examples=25, deadline=None)
    @given(matrix=small_matrices)
    def test_of_a_linear_displacement_is_exact(self, scheme, matrix):
        determinant = geometry.jacobian_determinant(linear(matrix), scheme=scheme)
        np.testing.assert_allclose(determinant, np.linalg.det(np.eye(3) + matrix), atol=1e-10)

    def test_of_a_quadratic_displacement(self):
        d, h, w = points()
        u = np.stack([0.1 * d * h, 0.2 * h**2, 0.05 * w**2 + 0.1 * d])
        central = (1 + 0.1 * h) * (1 + 0.4 * h) * (1 + 0.1 * w)
        got = geometry.jacobian_determinant(u, scheme="central")
        np.testing.assert_allclose(got[inner(1)], central[inner(1)], rtol=1e-12)
        forward = (1 + 0.1 * h) * (1 + 0.2 * (2 * h + 1)) * (1 + 0.05 * (2 * w + 1))
        got = geometry.jacobian_determinant(u, scheme="forward")
        assert got.shape == (4, 6, 8)
        np.testing.assert_allclose(got, forward[:-1, :-1, :-1], rtol=1e-12)

    def test_central_is_one_sided_on_the_faces(self):
        d, _, _ = points()
        u = np.stack([0.1 * d**2, 0 * d, 0 * d])
        face = geometry.jacobian_determinant(u)[[0, -1], 3, 3]
        np.testing.assert_allclose(face, [1 + 0.1, 1 + 0.1 * (4**2 - 3**2)])

    @pytest.mark.parametrize("axis", AXES)
    def test_a_threefold_reflection_has_determinant_minus_two(self, axis):
        u = linear(np.diag(along(axis, -3.0)))
        for scheme in ("forward", "central"):
            np.testing.assert_allclose(geometry.jacobian_determinant(u, scheme=scheme), -2.0)

    def test_does_not_see_a_constant_shift(self):
        u = np.random.default_rng(5).normal(size=(3, *SHAPE))
        moved = u + np.array([3.0, -1.0, 2.0])[:, None, None, None]
        np.testing.assert_allclose(geometry.jacobian_determinant(moved), geometry.jacobian_determinant(u), atol=1e-12)

    def test_central_agrees_with_simpleitk_in_the_interior(self):
        u = np.random.default_rng(6).normal(size=(3, *SHAPE)) * 0.3
        spacing = (2.0, 0.5, 1.25)
        field = sitk_field(geometry.to_physical(u, spacing[::-1], axes="zyx"), spacing[::-1], np.eye(3))
        oracle = sitk.GetArrayFromImage(sitk.DisplacementFieldJacobianDeterminant(field))
        np.testing.assert_allclose(geometry.jacobian_determinant(u)[inner(1)], oracle[inner(1)], atol=1e-5)

    def test_refuses_what_has_no_derivative(self):
        with pytest.raises(ValueError, match=r"got \(3, 1, 7, 9\)"):
            geometry.jacobian_determinant(np.zeros((3, 1, 7, 9)))
        with pytest.raises(ValueError, match="'forward' or 'central', got 'backward'"):
            geometry.jacobian_determinant(np.zeros((3, *SHAPE)), scheme="backward")


def sitk_field(array, spacing, direction):
    field = sitk.GetImageFromArray(np.asarray(array, np.float64), isVector=True)
    field.SetSpacing([float(v) for v in spacing])
    field.SetDirection(np.asarray(direction, np.float64).ravel().tolist())
    field.SetOrigin((11.0, -7.0, 3.0))
    return field


def rotation(seed):
    orthonormal, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return orthonormal


signs = st.lists(st.sampled_from([-1.0, 1.0]), min_size=3, max_size=3)
flips_and_permutations = st.tuples(st.sampled_from(list(permutations(range(3)))), signs).map(
    lambda pair: np.eye(3)[list(pair[0])] * pair[1]
)
directions = st.one_of(st.integers(0, 99).map(rotation), flips_and_permutations)
spacings = st.lists(st.floats(0.3, 5.0), min_size=3, max_size=3)


class TestPhysical:
    @settings(max_examples=40, deadline=None)
    @given(spacing=spacings, direction=directions, axes=st.sampled_from(["xyz", "zyx"]), seed=st.integers(0, 9))
    def test_round_trip(self, spacing, direction, axes, seed):
        u = np.random.default_rng(seed).normal(size=(3, *SHAPE)).astype(np.float32)
        field = geometry.to_physical(u, spacing, direction, axes=axes)
        assert field.shape == (*SHAPE, 3)
        back = geometry.from_physical(field, spacing, direction, axes=axes)
        assert back.dtype == np.float32
        np.testing.assert_allclose(back, u, atol=2e-5)

    @settings(max_examples=20, deadline=None)
    @given(spacing=spacings, direction=directions)
    def test_voxels_are_what_simpleitk_says(self, spacing, direction):
        rng = np.random.default_rng(7)
        field = sitk_field(rng.normal(size=(*SHAPE, 3)) * 4, spacing, direction)
        u = geometry.from_physical(sitk.GetArrayFromImage(field), spacing, direction, axes="zyx")
        grid = sitk.Image(field.GetSize(), sitk.sitkUInt8)
        grid.CopyInformation(field)
        transform = sitk.DisplacementFieldTransform(field)
        for index in rng.integers(0, SHAPE, (5, 3)):
            world = grid.TransformIndexToPhysicalPoint(index[::-1].tolist())
            there = grid.TransformPhysicalPointToContinuousIndex(transform.TransformPoint(world))[::-1]
            np.testing.assert_allclose(index + u[(slice(None), *index)], there, atol=1e-4)

    @settings(max_examples=20, deadline=None)
    @given(spacing=spacings, direction=directions)
    def test_the_two_axis_orders_are_transposes(self, spacing, direction):
        field = np.random.default_rng(8).normal(size=(*SHAPE, 3))
        forwards = geometry.from_physical(field, spacing, direction, axes="xyz")
        backwards = geometry.from_physical(field.transpose(2, 1, 0, 3), spacing, direction, axes="zyx")
        np.testing.assert_array_equal(forwards, backwards[::-1].transpose(0, 3, 2, 1))

    def test_identity_direction_divides_by_the_spacing(self):
        field = np.broadcast_to([6.0, -3.0, 1.0], (*SHAPE, 3))
        assert geometry.from_physical(field, (2.0, 1.5, 4.0))[:, 1, 2, 3].tolist() == [3.0, -2.0, 0.25]
        assert geometry.from_physical(field, (2.0, 1.5, 4.0), axes="zyx")[:, 1, 2, 3].tolist() == [0.25, -2.0, 3.0]

    def test_refuses_foreign_shapes_and_orders(self):
        with pytest.raises(ValueError, match=r"got shape \(3, 5, 7, 9\)"):
            geometry.from_physical(np.zeros((3, *SHAPE)), (1, 1, 1))
        with pytest.raises(ValueError, match="'xyz' or 'zyx', got 'ijk'"):
            geometry.from_physical(np.zeros((*SHAPE, 3)), (1, 1, 1), axes="ijk")
        with pytest.raises(ValueError, match="'xyz' or 'zyx', got 'ijk'"):
            geometry.to_physical(np.zeros((3, *SHAPE)), (1, 1, 1), axes="ijk")


class TestResize:
    NEW = (10, 21, 6)

    def test_keeps_the_field_of_view(self):
        shape, new = (10, 14, 18), (20, 7, 9)
        resized = geometry.resize(ramp(shape), new)
        position = (points(new) + 0.5) * (np.array(shape) / new)[:, None, None, None] - 0.5
        expected = 1 + np.tensordot(COEFFICIENTS, position, axes=1)
        assert resized.shape == new
        np.testing.assert_allclose(resized[inner(1)], expected[inner(1)], rtol=1e-12)

    def test_agrees_with_simpleitk_over_the_same_extent(self):
        image = np.random.default_rng(9).random(SHAPE)
        source = sitk.GetImageFromArray(image)
        size, step = self.NEW[::-1], [o / n for o, n in zip(SHAPE[::-1], self.NEW[::-1], strict=True)]
        origin = [(v - 1) / 2 for v in step]
        args = (size, sitk.Transform(3, sitk.sitkIdentity), sitk.sitkLinear, origin, step, source.GetDirection(), -1.0)
        oracle = sitk.GetArrayFromImage(sitk.Resample(source, *args))
        got = geometry.resize(image, self.NEW)
        assert np.mean(oracle != -1) > 0.3  # SimpleITK fills where a new voxel's centre lies outside the old centres
        np.testing.assert_allclose(got[oracle != -1], oracle[oracle != -1], atol=1e-6)

    def test_a_bright_voxel_keeps_its_place(self):
        image = np.zeros((10, 14, 18))
        image[6:8, 2:4, 12:14] = 1.0
        new = (5, 7, 9)
        bright = np.argwhere(geometry.resize(image, new) > 0.99)
        np.testing.assert_array_equal(bright, [[3, 1, 6]])


class TestResampleToGrid:
    def affine(self, seed, spacing, origin):
        matrix = np.eye(4)
        matrix[:3, :3] = rotation(seed) @ np.diag(spacing)
        matrix[:3, 3] = origin
        return matrix

    def itk_image(self, array, affine):
        image = sitk.GetImageFromArray(array.transpose(2, 1, 0))  # array axis 0 is ITK's x
        spacing = np.linalg.norm(affine[:3, :3], axis=0)
        image.SetSpacing(spacing.tolist())
        image.SetDirection((affine[:3, :3] / spacing).ravel().tolist())
        image.SetOrigin(affine[:3, 3].tolist())
        return image

    @pytest.mark.parametrize(("order", "interpolator"), [(0, sitk.sitkNearestNeighbor), (1, sitk.sitkLinear)])
    def test_agrees_with_simpleitk(self, order, interpolator):
        image = np.random.default_rng(13).random((12, 14, 17))
        affine = self.affine(1, (1.0, 1.5, 0.8), (3.0, -2.0, 5.0))
        centre = affine @ [5.6, 6.3, 8.2, 1]
        target = self.affine(2, (0.7, 0.9, 1.1), (0, 0, 0))
        target[:3, 3] = centre[:3] - target[:3, :3] @ [2, 3, 4]
        like = self.itk_image(np.zeros(SHAPE), target)
        transform = sitk.Transform(3, sitk.sitkIdentity)
        oracle = sitk.Resample(self.itk_image(image, affine), like, transform, interpolator, -1.0)
        oracle = sitk.GetArrayFromImage(oracle).transpose(2, 1, 0)
        assert np.all(oracle >= 0)  # the target lies inside
        got = geometry.resample_to_grid(image, affine, target, SHAPE, order=order)
        np.testing.assert_allclose(got, oracle, atol=1e-6)

    def test_own_grid_and_outside(self):
        image, affine = ramp(), self.affine(3, (2.0, 1.0, 3.0), (1.0, 2.0, 3.0))
        np.testing.assert_allclose(geometry.resample_to_grid(image, affine, affine, SHAPE), image, atol=1e-9)
        away = affine.copy()
        away[:3, 3] += affine[:3, 0] * 50
        filled = geometry.resample_to_grid(image, affine, away, SHAPE, outside=-3.0)
        np.testing.assert_allclose(filled, -3.0, rtol=1e-12)
