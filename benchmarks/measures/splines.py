"""A displacement read by cubic spline, as SciPy's ``map_coordinates`` does by default, at a few points alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from datasets.files import Array

REACH = 18  # voxels from a point beyond which a value weighs less than 1e-10


def read_by_spline(displacement: ArrayLike, points: ArrayLike) -> NDArray[np.float64]:
    """Read a displacement ``(3, D, H, W)`` by interpolating cubic spline at ``points`` ``(n, 3)``; gives ``(n, 3)``.

    Points beyond the outermost voxel centres read 0. It is ``map_coordinates`` of order 3 in its mode ``constant`` up
    to 1e-9 of the values, without filtering the whole grid: along each axis the spline's value is a weighted sum of
    all voxels, and weights fall by a factor of four a voxel.
    """
    u, at = np.asarray(displacement), np.asarray(points, np.float64)
    last = np.array(u.shape[1:]) - 1
    inside = np.all((at >= 0) & (at <= last), axis=1)
    found = np.zeros((len(at), 3))
    weights = [_weights(n, at[inside, axis]) for axis, n in enumerate(u.shape[1:])]
    for place, point, *along in zip(np.flatnonzero(inside), at[inside], *weights, strict=True):
        near = [slice(max(int(t) - REACH, 0), int(t) + REACH + 1) for t in point]
        first, second, third = (each[part] for each, part in zip(along, near, strict=True))
        found[place] = u[(slice(None), *near)] @ third @ second @ first
    return found


def _weights(n: int, at: Array) -> Array:
    """Return how much each of ``n`` values along an axis weighs in the spline at each place, ``(len(at), n)``."""
    from scipy import ndimage  # takes a quarter of a second

    coefficients = ndimage.spline_filter1d(np.eye(n), order=3, axis=0)  # of the spline of each single value
    base = np.floor(at)
    f = at - base
    shares = ((1 - f) ** 3, 3 * f**3 - 6 * f**2 + 4, 3 * (1 - f) ** 3 - 6 * (1 - f) ** 2 + 4, f**3)
    taken = (_mirrored(base.astype(int) + step, n) for step in (-1, 0, 1, 2))
    return sum((share[:, None] / 6 * coefficients[i] for share, i in zip(shares, taken, strict=True)), np.zeros(n))


def _mirrored(index: Array, n: int) -> Array:
    index = np.abs(index)
    return np.clip(np.where(index >= n, 2 * (n - 1) - index, index), 0, n - 1)
