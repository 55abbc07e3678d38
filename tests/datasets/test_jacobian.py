"""The determinant of the Jacobian against closed forms and SimpleITK."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - the field's own name
from hypothesis import given, settings

from datasets import geometry
from tests.datasets.ramps import AXES, SHAPE, along, inner, linear, points, sitk_field, small_matrices


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
