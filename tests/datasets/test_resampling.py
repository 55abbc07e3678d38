"""Images on another number of voxels, or on another grid, against SimpleITK."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - the field's own name

from datasets import geometry
from tests.datasets.ramps import COEFFICIENTS, SHAPE, inner, points, ramp, rotation


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
