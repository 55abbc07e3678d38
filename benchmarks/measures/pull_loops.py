"""Images and displacements read at moved points, voxel by voxel (compiled, for `similarity` and `consistency`).

Trilinear, at the border of the grid its outermost voxels; in float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from datasets.compiled import compiled
from datasets.files import Array

Both = Any  # two displacements
Place = Any  # the two voxels around a point along each axis, and how far it is past the first


@compiled
def warp(image: Array, displacement: Array, warped: Array) -> None:
    """Write to ``warped`` ``(D, H, W)`` the values of the image at the moved points."""
    for z in range(warped.shape[0]):
        for y in range(warped.shape[1]):
            for x in range(warped.shape[2]):
                warped[z, y, x] = _read(image, _place(displacement, z, y, x))


@compiled
def residuals(both: Both, mask: Array, spacing: Array, totals: Array) -> None:
    """Add to ``totals`` ``(2, 2)`` number and sum of the distances in mm from each voxel to where it comes back.

    First over the voxels of the mask, then over all; but for those that leave the grid. ``both`` are the displacement
    there ``(3, D, H, W)`` and the one back.
    """
    there, back = both
    for z in range(there.shape[1]):
        for y in range(there.shape[2]):
            for x in range(there.shape[3]):
                if _inside(there, z, y, x):
                    place, squares = _place(there, z, y, x), 0.0
                    for axis in range(3):
                        squares += ((float(there[axis, z, y, x]) + _read(back[axis], place)) * spacing[axis]) ** 2
                    distance = np.sqrt(squares)
                    totals[1, 0] += 1
                    totals[1, 1] += distance
                    if mask[z, y, x]:
                        totals[0, 0] += 1
                        totals[0, 1] += distance


@compiled
def _inside(u: Array, z: int, y: int, x: int) -> bool:
    a, b, c = z + float(u[0, z, y, x]), y + float(u[1, z, y, x]), x + float(u[2, z, y, x])
    return (0 <= a <= u.shape[1] - 1) & (0 <= b <= u.shape[2] - 1) & (0 <= c <= u.shape[3] - 1)


@compiled
def _place(u: Array, z: int, y: int, x: int) -> Place:
    return (
        _between(z + float(u[0, z, y, x]), u.shape[1] - 1),
        _between(y + float(u[1, z, y, x]), u.shape[2] - 1),
        _between(x + float(u[2, z, y, x]), u.shape[3] - 1),
    )


@compiled
def _between(point: float, last: int) -> tuple[int, int, float]:
    inside = min(point, float(last)) if point > 0 else 0.0
    first = int(inside)
    return first, min(first + 1, last), inside - first


@compiled
def _read(image: Array, place: Place) -> float:
    (z0, z1, fz), (y0, y1, fy), (x0, x1, fx) = place
    near = _along(image[z0, y0, x0], image[z0, y0, x1], fx), _along(image[z0, y1, x0], image[z0, y1, x1], fx)
    far = _along(image[z1, y0, x0], image[z1, y0, x1], fx), _along(image[z1, y1, x0], image[z1, y1, x1], fx)
    return _along(_along(near[0], near[1], fy), _along(far[0], far[1], fy), fz)


@compiled
def _along(first: Any, second: Any, fraction: float) -> float:
    return float(first) * (1 - fraction) + float(second) * fraction
