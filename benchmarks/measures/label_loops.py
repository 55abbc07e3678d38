"""Label maps warped and counted voxel by voxel, all labels in one pass (compiled, for `benchmarks.measures.overlap`).

Under ``linear_thr128`` a label wins a voxel where its mask, times 255 and warped trilinearly, exceeds 128. Only labels
of the eight corners around a point have a share in it, and a share above one half is the only one, so that one vote
among the eight stands for the warps of all masks. Weights and sums are those of `scipy.ndimage.map_coordinates` to the
last bit, its rounding to float32 included: the points are float32, the weights float64, the corners in C order.

Maps are C-contiguous and integer, displacements ``(3, D, H, W)`` C-contiguous float32 in voxels, pull-back.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from datasets.compiled import compiled
from datasets.files import Array

NO_LABEL = -1  # bin 0 counts it, bin n + 1 the label n
FULL, THRESHOLD = 255.0, np.float32(128)

Maps = Any  # three label maps (D, H, W)
Found = Any  # a label for each way of warping
Corners = Any  # eight labels, in C order of the corners
Fractions = Any  # three numbers from 0 to 1


@compiled
def count(values: Array, bins: Array) -> None:
    """Add to ``bins`` ``(labels + 1,)`` how often each label occurs in a map."""
    flat, run, last = values.ravel(), 0, 0
    for i in range(flat.size):
        label = int(flat[i])
        if label != last:  # labels come in runs, and adding to one bin again and again has to wait for memory
            bins[last + 1] += run
            last, run = label, 0
        run += 1
    bins[last + 1] += run


@compiled
def count_pairs(first: Array, second: Array, bins: Array) -> None:
    """Add to ``bins`` ``(3, labels + 1)`` how often a label occurs in the first map, the second, and both at once."""
    a, b, run = first.ravel(), second.ravel(), 0
    here, there = 0, 0
    for i in range(a.size):
        if a[i] != here or b[i] != there:
            _add(bins, here, there, run)
            here, there, run = int(a[i]), int(b[i]), 0
        run += 1
    _add(bins, here, there, run)


@compiled
def warp(labels: Array, displacement: Array, way: int, warped: Array) -> None:
    """Write to ``warped`` ``(D, H, W)`` the labels of one of the three ways of `count_warped`."""
    for z in range(warped.shape[0]):
        for y in range(warped.shape[1]):
            for x in range(warped.shape[2]):
                warped[z, y, x] = _labels_of(labels, displacement, z, y, x)[way]


@compiled
def count_warped(maps: Maps, displacement: Array, bins: Array) -> None:
    """Warp the moving map in three ways, count each against the fixed one as `count_pairs` does, keep the second.

    ``maps`` are the fixed one, the moving one, and that which the second is written to. ``bins`` is
    ``(3, 3, labels + 1)``: of ``linear_thr128``, of the nearest voxels, and of these with 0 outside.
    """
    fixed, moving, warped = maps
    linear, nearest, filled = bins[0], bins[1], bins[2]
    before, run = (0, 0, 0, 0), 0
    for z in range(fixed.shape[0]):
        for y in range(fixed.shape[1]):
            for x in range(fixed.shape[2]):
                winner, closest, inside = _labels_of(moving, displacement, z, y, x)
                warped[z, y, x] = closest
                now = int(fixed[z, y, x]), winner, closest, inside
                if now != before:
                    _add(linear, before[0], before[1], run)
                    _add(nearest, before[0], before[2], run)
                    _add(filled, before[0], before[3], run)
                    before, run = now, 0
                run += 1
    _add(linear, before[0], before[1], run)
    _add(nearest, before[0], before[2], run)
    _add(filled, before[0], before[3], run)


@compiled
def _add(bins: Array, first: int, second: int, times: int) -> None:
    bins[0, first + 1] += times
    bins[1, second + 1] += times
    if first == second:
        bins[2, first + 1] += times


@compiled
def _labels_of(labels: Array, displacement: Array, z: int, y: int, x: int) -> Found:
    """Return the label that wins at the moved point of a voxel or ``NO_LABEL``, the nearest one, and that or 0 outside.

    The last is `scipy.ndimage.map_coordinates` of order 0 with points of float64, in its mode ``constant``.
    """
    u = displacement[0, z, y, x], displacement[1, z, y, x], displacement[2, z, y, x]
    z0, z1, fz = _between(np.float32(z) + u[0], labels.shape[0] - 1)
    y0, y1, fy = _between(np.float32(y) + u[1], labels.shape[1] - 1)
    x0, x1, fx = _between(np.float32(x) + u[2], labels.shape[2] - 1)
    corners = (
        *(labels[z0, y0, x0], labels[z0, y0, x1], labels[z0, y1, x0], labels[z0, y1, x1]),
        *(labels[z1, y0, x0], labels[z1, y0, x1], labels[z1, y1, x0], labels[z1, y1, x1]),
    )
    if _alike(corners):
        label = np.int64(corners[0])
        return label, label, label if _rounded(labels, u, z, y, x)[0] >= 0 else 0
    nearest = labels[z1 if fz >= 0.5 else z0, y1 if fy >= 0.5 else y0, x1 if fx >= 0.5 else x0]
    a, b, c = _rounded(labels, u, z, y, x)
    return _winner(corners, (fz, fy, fx)), np.int64(nearest), np.int64(labels[a, b, c] if a >= 0 else 0)


@compiled
def _rounded(labels: Array, u: Fractions, z: int, y: int, x: int) -> tuple[int, int, int]:
    """Return the voxel nearest to a moved point, -1 where the point lies beyond the outermost voxel centres."""
    a, b, c = float(z) + float(u[0]), float(y) + float(u[1]), float(x) + float(u[2])
    inside = (0 <= a <= labels.shape[0] - 1) & (0 <= b <= labels.shape[1] - 1) & (0 <= c <= labels.shape[2] - 1)
    return (int(a + 0.5), int(b + 0.5), int(c + 0.5)) if inside else (-1, -1, -1)


@compiled
def _between(point: float, last: int) -> tuple[int, int, float]:
    """Return the two voxels around a point along an axis, and how far it is past the first; clamped to the grid."""
    inside = min(float(point), float(last)) if point > 0 else 0.0
    first = int(inside)
    return first, min(first + 1, last), inside - first


@compiled
def _alike(corners: Corners) -> bool:
    alike = True
    for i in range(1, 8):
        alike &= corners[i] == corners[0]
    return alike


@compiled
def _winner(corners: Corners, fractions: Fractions) -> int:
    """Return the label whose share passes the threshold, or ``NO_LABEL``."""
    weights = _weights(fractions)
    label, lead = corners[0], weights[0]
    for i in range(1, 8):  # whoever has more than half is left over when unlike votes cancel each other
        if corners[i] == label:
            lead += weights[i]
        elif weights[i] > lead:
            label, lead = corners[i], weights[i] - lead
        else:
            lead -= weights[i]
    share = 0.0
    for i in range(8):
        if corners[i] == label:
            share += weights[i]
    return int(label) if np.float32(share) > THRESHOLD else NO_LABEL


@compiled
def _weights(fractions: Fractions) -> Any:
    """Return the weights of the eight corners, of a sum of 255."""
    (z0, z1), (y0, y1), (x0, x1) = _sides(fractions[0]), _sides(fractions[1]), _sides(fractions[2])
    near, far = FULL * z0, FULL * z1
    return (
        *(near * y0 * x0, near * y0 * x1, near * y1 * x0, near * y1 * x1),
        *(far * y0 * x0, far * y0 * x1, far * y1 * x0, far * y1 * x1),
    )


@compiled
def _sides(fraction: float) -> tuple[float, float]:
    low = 1.0 - fraction
    return low, 1.0 - low
