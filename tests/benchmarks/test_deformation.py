"""Numbers of a deformation taken plane by plane are those of whole arrays: determinants, spreads, errors, landmarks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage

from benchmarks.measures import deformation
from datasets import geometry
from tests.benchmarks.judge_inputs import SHAPE, SPACING, smooth_displacement

GRIDS = st.tuples(st.integers(2, 5), st.integers(2, 6), st.integers(2, 7))


@pytest.mark.parametrize("scheme", ["forward", "central"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(data=st.data())
def test_determinant_is_numpys_to_the_last_bit(scheme, dtype, data):
    shape = (3, *data.draw(GRIDS))
    u = data.draw(arrays(dtype, shape, elements=st.floats(-50, 50, width=32)))
    ours = deformation.jacobian_determinant(u, scheme=scheme)
    assert ours.dtype == dtype
    assert_array_equal(ours, geometry.jacobian_determinant(u, scheme=scheme))


@pytest.mark.parametrize("shape", [(3, 1, 5, 5), (2, 5, 5, 5), (3, 5, 5)])
def test_a_grid_without_neighbours_has_no_determinant(shape):
    with pytest.raises(ValueError, match="jacobian_determinant"):
        deformation.jacobian_determinant(np.zeros(shape, np.float32), scheme="central")


@given(arrays(np.float32, (4, 5, 6), elements=st.floats(-4, 40, width=32)), arrays(bool, (4, 5, 6)))
def test_spreads_are_numpys_standard_deviations(determinant, mask):
    values = determinant.astype(np.float64)
    logs = np.log(np.clip(values, 1e-9, 1e9))
    close = {"rtol": 1e-11, "atol": 1e-7}  # NumPy's own mean of equal values is off by a rounding
    assert_allclose(deformation.jacobian_std(determinant), values.std(), **close)
    assert_allclose(deformation.sdlogj(determinant), logs.std(), **close)
    if mask.any():
        assert_allclose(deformation.sdlogj(determinant, mask), logs[mask].std(), **close)
    else:
        assert np.isnan(deformation.sdlogj(determinant, mask))


def test_a_spread_about_a_large_mean_keeps_its_digits():
    values = 1e6 + np.random.default_rng(0).normal(size=SHAPE)
    assert deformation.jacobian_std(values) == pytest.approx(values.std(), rel=1e-9)
    assert deformation.jacobian_std(np.full(SHAPE, 1.3, np.float32)) == 0


def test_error_is_the_length_of_the_difference_in_mm():
    rng = np.random.default_rng(1)
    u, truth, mask = smooth_displacement(rng), smooth_displacement(rng), rng.random(SHAPE) > 0.5
    expected = np.linalg.norm((u.astype(float) - truth) * np.reshape(SPACING, (3, 1, 1, 1)), axis=0)
    assert_allclose(deformation.displacement_error(u, truth, SPACING), expected.ravel(), rtol=1e-12)
    assert_allclose(deformation.displacement_error(u, truth, SPACING, mask), expected[mask], rtol=1e-12)


def test_a_displacement_is_read_at_points_as_from_float64():
    rng = np.random.default_rng(2)
    u, points = smooth_displacement(rng), rng.uniform(-3, 20, (50, 3))  # some are outside of the grid
    read = [ndimage.map_coordinates(component.astype(np.float64), points.T, order=1, mode="nearest") for component in u]
    assert_array_equal(geometry.sample_displacement(u, points), np.stack(read, axis=-1))
