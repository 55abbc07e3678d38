"""Displacements in millimetres, in either order of axes, against SimpleITK."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - the field's own name
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets import geometry
from tests.datasets.ramps import SHAPE, rotation, sitk_field

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
