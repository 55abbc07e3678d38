"""Displacements by cubic B-splines added at bent places, for numba; `progressive.bspline` runs them.

A few rows of voxels at a time, so that all that is made of them stays in the fastest cache; each loop over them is laid
out for vector instructions. The splines are written in the basis that `progressive.bspline` explains.
"""

# ruff: noqa: N806 (D, H and W are axes)

from __future__ import annotations

import numpy as np
from numba import njit, types

F, N = np.float32, np.int32
ZERO, ONE = F(0), F(1)
ROUND = F(3 << 22)  # added and taken away it rounds a number below 2^22 to the nearest integer, halves to even
POINTS = 384  # at a time

FIELD = types.Array(types.float32, 5, "C")
AXIS = types.Tuple(
    (types.Array(types.float32, 2, "C"), types.Array(types.float32, 1, "C"), types.Array(types.float32, 1, "C"))
)
BEND = (FIELD, types.UniTuple(AXIS, 3), types.UniTuple(FIELD, 2), types.UniTuple(types.int64, 2))


@njit(inline="always")
def _weigh(places, size, axis, powers, weights):
    """Turn places along an axis of ``size`` voxels into the weights ``(controls, m)`` of its control values."""
    matrix, knots, sides = axis
    last, turn = F(matrix.shape[0] - 1), F(1) / F(2 * size)
    half, twice = last / F(2), F(2) * last
    for m in range(places.size):
        t = places[m] * turn
        t = t - ((t + ROUND) - ROUND)
        x = (t if t > ZERO else -t) * twice - half
        powers[0, m], powers[1, m], powers[2, m], powers[3, m] = ONE, x, x * x, x * (x * x)
    for q in range(knots.size):
        side, knot = sides[q], knots[q]
        for m in range(places.size):
            d = powers[1, m] * side - knot
            d = d if d > ZERO else ZERO
            powers[4 + q, m] = d * d * d
    for g in range(matrix.shape[0]):
        a, b, c, d = matrix[g, 0], matrix[g, 1], matrix[g, 2], matrix[g, 3]
        for m in range(places.size):
            weights[g, m] = a * powers[0, m] + b * powers[1, m] + c * powers[2, m] + d * powers[3, m]
        for q in range(4, matrix.shape[1]):
            a = matrix[g, q]
            for m in range(places.size):
                weights[g, m] += a * powers[q, m]


@njit(inline="always")
def _line(values, weights, out):
    """Sum the control values along the last axis; two at a time, to pass less often over ``out``."""
    a, b = values[0], values[1]
    for m in range(out.size):
        out[m] = a * weights[0, m] + b * weights[1, m]
    for k in range(2, values.size - 1, 2):
        a, b = values[k], values[k + 1]
        for m in range(out.size):
            out[m] += a * weights[k, m] + b * weights[k + 1, m]
    if values.size % 2:
        k = values.size - 1
        a = values[k]
        for m in range(out.size):
            out[m] += a * weights[k, m]


@njit(inline="always")
def _plus(weights, what, first, out):
    """Add ``what`` by its weights to ``out``, or begin it."""
    if first:
        for m in range(out.size):
            out[m] = weights[m] * what[m]
    else:
        for m in range(out.size):
            out[m] += weights[m] * what[m]


def bend(values, axes, fields, planes):
    """Fill the second of ``fields`` ``(n, 3, D, H, W)`` by the first, u: ``u(x) + spline(x + u(x))``.

    ``values`` ``(n, 3, A, B, C)`` are spread over the grid. ``planes``: from, and to, counted through the batch.
    """
    displacement, out = fields
    A, B, _ = values.shape[2:]
    D, H, W = out.shape[2:]
    rows = min(max(POINTS // W, 1), H)
    places, powers = np.empty((3, rows * W), F), np.empty((max(values.shape[2:]) + 2, rows * W), F)
    weights = np.empty((3, max(values.shape[2:]), rows * W), F)
    lines, sheets, total = np.empty(rows * W, F), np.empty(rows * W, F), np.empty(rows * W, F)
    for plane in range(planes[0], planes[1]):
        n, z = plane // D, plane % D
        for y in range(0, H, rows):
            count = min(rows, H - y) * W
            for r in range(count // W):
                for x in range(W):
                    m = r * W + x
                    places[0, m] = displacement[n, 0, z, y + r, x] + F(z)
                    places[1, m] = displacement[n, 1, z, y + r, x] + F(y + r)
                    places[2, m] = displacement[n, 2, z, y + r, x] + F(N(x))
            _weigh(places[0, :count], D, axes[0], powers, weights[0])
            _weigh(places[1, :count], H, axes[1], powers, weights[1])
            _weigh(places[2, :count], W, axes[2], powers, weights[2])
            line, sheet, sums = lines[:count], sheets[:count], total[:count]
            for c in range(3):
                for i in range(A):
                    for j in range(B):
                        _line(values[n, c, i, j], weights[2], line)
                        _plus(weights[1, j], line, j == 0, sheet)
                    _plus(weights[0, i], sheet, i == 0, sums)
                for r in range(count // W):
                    for x in range(W):
                        out[n, c, z, y + r, x] = displacement[n, c, z, y + r, x] + sums[r * W + x]
