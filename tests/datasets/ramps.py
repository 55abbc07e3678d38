"""Linear images and displacements on a grid without equal sides, of which everything is known."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the field's own name
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from datasets import geometry

SHAPE = (5, 7, 9)
COEFFICIENTS = np.array([2.0, -3.0, 5.0])
AXES = [0, 1, 2]
small_matrices = arrays(np.float64, (3, 3), elements=st.floats(-0.9, 0.9))


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


def sitk_field(array, spacing, direction):
    field = sitk.GetImageFromArray(np.asarray(array, np.float64), isVector=True)
    field.SetSpacing([float(v) for v in spacing])
    field.SetDirection(np.asarray(direction, np.float64).ravel().tolist())
    field.SetOrigin((11.0, -7.0, 3.0))
    return field


def rotation(seed):
    orthonormal, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return orthonormal
