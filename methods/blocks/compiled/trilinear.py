"""Loops that read images at points between their voxels, and their derivatives, for numba; `spatial` runs them.

Every row of points first becomes offsets and weights, in `_row`; rows are short enough for the fastest cache, and each
loop over one is laid out for vector instructions. The derivative by a point that lies on a voxel is the one behind it,
none at the last voxel of an image whose border is held. A point that is NaN reads 0.
"""

# ruff: noqa: N806 (D, H and W are axes)

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

F, N = np.float32, np.int32
ONE, ZERO = F(1), F(0)
ROUND = F(3 << 22)  # added and taken away it rounds a number below 2^22 to the nearest integer, halves to even


class Image(NamedTuple):
    """An image by its ``memory``, flat, its ``shape`` ``(n, c, D, H, W)`` and its ``steps`` from voxel to voxel there.

    So channels may come last.
    """

    memory: np.ndarray
    shape: tuple[int, ...]
    steps: tuple[int, ...]


class Task(NamedTuple):
    """Planes from ``low`` to ``high``, counted through the batch, and how points are read.

    ``relative``: from their own voxel (a displacement). ``plus``: they are added to what is read (a composition).
    ``border``: held where they leave the image, which else fades to zero within one voxel. ``linear``: interpolated,
    else the nearest voxel.
    """

    low: int
    high: int
    relative: bool
    plus: bool
    border: bool
    linear: bool


FIVE = types.UniTuple(types.int64, 5)
IMAGE = types.NamedTuple((types.Array(types.float32, 1, "C"), FIVE, FIVE), Image)
TASK = types.NamedTuple((types.int64, types.int64, *[types.boolean] * 4), Task)
FIELD, ANY = (types.Array(types.float32, 5, layout) for layout in "CA")
READ = (IMAGE, ANY, FIELD, TASK)
POINT_GRADIENT = (IMAGE, ANY, types.Tuple((ANY, FIELD)), TASK)
IMAGE_GRADIENT = (IMAGE, ANY, ANY, TASK)


def _load(_context: Any, array: Any, start: Any, z: Any, y: Any, x: Any) -> Any:
    """``array[start + z + y + x]``, the last three in 32 bits, as instructions that read many places at once need."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        _, start, z, y, x = arguments
        place = builder.add(builder.add(z, y, flags=["nsw"]), x, flags=["nsw"])
        return builder.load(builder.gep(builder.gep(data, [start], inbounds=True), [place], inbounds=True))

    return array.dtype(array, types.intp, types.int32, types.int32, types.int32), code


_at: Any = intrinsic(_load)


@njit(inline="always")
def _limits(n, border):
    return (ZERO, F(n - 1)) if border else (-ONE, F(n))


@njit(inline="always")
def _axis(places, n, step, task, offsets, weights):
    """Turn places along an axis into the offsets of the voxels before and behind, and their weights."""
    low, high = _limits(n, task.border)
    linear, step, last = task.linear, N(step), N(n - 1)
    for x in range(places.size):
        place = places[x]
        p = place if place > low else low
        p = p if p < high else high
        whole = (p + ROUND) - ROUND
        whole = whole - ONE if (linear and whole > p) else whole
        behind = p - whole if linear else ZERO
        i = N(whole)
        j = N(i + N(1))
        weights[0, x] = ONE - behind if (place == place and i >= N(0) and i <= last) else ZERO
        weights[1, x] = behind if (place == place and j <= last) else ZERO
        i = i if i > N(0) else N(0)
        i = i if i < last else last
        j = (j if j < last else last) if linear else i  # what has no weight is not read
        offsets[0, x] = i * step
        offsets[1, x] = j * step


@njit(inline="always")
def _slopes(places, n, task, slopes):
    """Derive the weights of `_axis` by the place: at a voxel as behind it, and 0 where the image is flat."""
    low, high = _limits(n, task.border)
    for x in range(places.size):
        place = places[x]
        inside = task.linear and place >= low and place < high
        slopes[0, x] = -ONE if (inside and place >= ZERO) else ZERO
        slopes[1, x] = ONE if (inside and place < F(n - 1)) else ZERO


@njit(inline="always")
def _places(points, b, z, y, axis, relative, places):
    start = F((z, y, 0)[axis]) if relative else ZERO
    step = ONE if (relative and axis == 2) else ZERO
    for x in range(places.size):
        places[x] = points[b, axis, z, y, x] + (start + step * F(N(x)))


@njit(inline="always")
def _row(image, points, b, z, y, task, places, offsets, weights):
    for axis in range(3):
        _places(points, b, z, y, axis, task.relative, places[axis])
        _axis(places[axis], image.shape[axis + 2], image.steps[axis + 2], task, offsets[axis], weights[axis])


def read(image, points, out, task):
    """Fill the planes ``low`` to ``high`` of ``out``, counted through the batch."""
    memory, (D, H, W) = image.memory, out.shape[2:]
    places, weights = np.empty((3, W), F), np.empty((3, 2, W), F)
    offsets = np.empty((3, 2, W), N)
    (wz, wy, wx), (oz, oy, ox) = (weights[0], weights[1], weights[2]), (offsets[0], offsets[1], offsets[2])
    for plane in range(task.low, task.high):
        b, z = plane // D, plane % D
        for y in range(H):
            _row(image, points, b, z, y, task, places, offsets, weights)
            for c in range(image.shape[1]):
                row, k = out[b, c, z, y], b * image.steps[0] + c * image.steps[1]
                if task.linear:
                    for x in range(W):
                        z0, z1, y0, y1, x0, x1 = oz[0, x], oz[1, x], oy[0, x], oy[1, x], ox[0, x], ox[1, x]
                        a, e = wx[0, x], wx[1, x]
                        v00 = a * _at(memory, k, z0, y0, x0) + e * _at(memory, k, z0, y0, x1)
                        v01 = a * _at(memory, k, z0, y1, x0) + e * _at(memory, k, z0, y1, x1)
                        v10 = a * _at(memory, k, z1, y0, x0) + e * _at(memory, k, z1, y0, x1)
                        v11 = a * _at(memory, k, z1, y1, x0) + e * _at(memory, k, z1, y1, x1)
                        before, behind = wy[0, x] * v00 + wy[1, x] * v01, wy[0, x] * v10 + wy[1, x] * v11
                        row[x] = wz[0, x] * before + wz[1, x] * behind
                else:
                    for x in range(W):
                        row[x] = (wz[0, x] * wy[0, x] * wx[0, x]) * _at(memory, k, oz[0, x], oy[0, x], ox[0, x])
                if task.plus:
                    for x in range(W):
                        row[x] += points[b, c, z, y, x]


def point_gradient(image, points, fields, task):
    """Fill planes of the second of ``fields``: the derivatives by the points of what `read` gives, times the first."""
    gradient, out = fields
    memory, (D, H, W) = image.memory, out.shape[2:]
    places, weights, slopes = np.empty((3, W), F), np.empty((3, 2, W), F), np.empty((3, 2, W), F)
    offsets = np.empty((3, 2, W), N)
    (wz, wy, wx), (oz, oy, ox) = (weights[0], weights[1], weights[2]), (offsets[0], offsets[1], offsets[2])
    sz, sy, sx = slopes[0], slopes[1], slopes[2]
    g = np.empty(W, F)
    for plane in range(task.low, task.high):
        b, z = plane // D, plane % D
        for y in range(H):
            _row(image, points, b, z, y, task, places, offsets, weights)
            for axis in range(3):
                _slopes(places[axis], image.shape[axis + 2], task, slopes[axis])
                for x in range(W):
                    out[b, axis, z, y, x] = gradient[b, axis, z, y, x] if task.plus else ZERO
            by_z, by_y, by_x = out[b, 0, z, y], out[b, 1, z, y], out[b, 2, z, y]
            for c in range(image.shape[1]):
                k = b * image.steps[0] + c * image.steps[1]
                for x in range(W):
                    g[x] = gradient[b, c, z, y, x]
                for x in range(W):
                    z0, z1, y0, y1, x0, x1 = oz[0, x], oz[1, x], oy[0, x], oy[1, x], ox[0, x], ox[1, x]
                    a, e, da, de = wx[0, x], wx[1, x], sx[0, x], sx[1, x]
                    v, w = _at(memory, k, z0, y0, x0), _at(memory, k, z0, y0, x1)
                    v00, d00 = a * v + e * w, da * v + de * w
                    v, w = _at(memory, k, z0, y1, x0), _at(memory, k, z0, y1, x1)
                    v01, d01 = a * v + e * w, da * v + de * w
                    v, w = _at(memory, k, z1, y0, x0), _at(memory, k, z1, y0, x1)
                    v10, d10 = a * v + e * w, da * v + de * w
                    v, w = _at(memory, k, z1, y1, x0), _at(memory, k, z1, y1, x1)
                    v11, d11 = a * v + e * w, da * v + de * w
                    a, e, da, de = wy[0, x], wy[1, x], sy[0, x], sy[1, x]
                    by_z[x] += g[x] * (sz[0, x] * (a * v00 + e * v01) + sz[1, x] * (a * v10 + e * v11))
                    by_y[x] += g[x] * (wz[0, x] * (da * v00 + de * v01) + wz[1, x] * (da * v10 + de * v11))
                    by_x[x] += g[x] * (wz[0, x] * (a * d00 + e * d01) + wz[1, x] * (a * d10 + e * d11))


def image_gradient(out, points, gradient, task):
    """Add to planes of ``out``, zeros before, the derivatives by the image of what `read` gives, times ``gradient``.

    The planes are the image's, counted through the batch: each voxel has what reaches it added in one order, however
    the planes are shared out.
    """
    D, (H, W), step = out.shape[2], points.shape[3:], out.steps[2]
    places, weights = np.empty((3, W), F), np.empty((3, 2, W), F)
    offsets = np.empty((3, 2, W), N)
    (wz, wy, wx), (oz, oy, ox) = (weights[0], weights[1], weights[2]), (offsets[0], offsets[1], offsets[2])
    for b in range(task.low // D, (task.high + D - 1) // D):
        # Among the planes between these two, by their offsets.
        first, end = max(task.low - b * D, 0) * step, min(task.high - b * D, D) * step
        for z in range(points.shape[2]):
            for y in range(H):
                _places(points, b, z, y, 0, task.relative, places[0])
                _axis(places[0], D, step, task, oz, wz)
                if oz[1].max() < first or oz[0].min() >= end:
                    continue
                _row(out, points, b, z, y, task, places, offsets, weights)
                for c in range(out.shape[1]):
                    for x in range(W):
                        g = gradient[b, c, z, y, x]
                        k = b * out.steps[0] + c * out.steps[1]
                        for i in range(2):
                            if oz[i, x] < first or oz[i, x] >= end:
                                continue
                            for j in range(2):
                                w, o = g * (wz[i, x] * wy[j, x]), k + oz[i, x] + oy[j, x]
                                out.memory[o + ox[0, x]] += w * wx[0, x]
                                out.memory[o + ox[1, x]] += w * wx[1, x]
