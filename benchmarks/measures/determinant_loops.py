"""The determinant of the Jacobian of ``x + u(x)`` voxel by voxel (compiled, for `benchmarks.measures.deformation`).

The same sums and products as `datasets.geometry.jacobian_determinant`, in its order and in the displacement's own
precision, but in one pass and without an array for each derivative.
"""

from __future__ import annotations

from typing import Any

from datasets.compiled import compiled
from datasets.files import Array

Rows = Any  # two rows of voxels and the factor of their difference, along each of two axes


@compiled
def forward(u: Array, determinant: Array) -> None:
    """Write the determinant by forward differences to ``determinant`` ``(D - 1, H - 1, W - 1)``."""
    one = u.dtype.type(1)
    for z in range(u.shape[1] - 1):
        for y in range(u.shape[2] - 1):
            here = u[:, z, y]
            _row(here, (here, u[:, z + 1, y], one), (here, u[:, z, y + 1], one), (False, determinant[z, y]))


@compiled
def central(u: Array, determinant: Array) -> None:
    """Write the determinant by central differences, one-sided on the faces, to ``determinant`` ``(D, H, W)``."""
    depth, height = u.shape[1:3]
    for z in range(depth):
        z0, z1 = max(z - 1, 0), min(z + 1, depth - 1)
        for y in range(height):
            y0, y1 = max(y - 1, 0), min(y + 1, height - 1)
            across = (u[:, z0, y], u[:, z1, y], _factor(u, z1 - z0))
            along = (u[:, z, y0], u[:, z, y1], _factor(u, y1 - y0))
            _row(u[:, z, y], across, along, (True, determinant[z, y]))


@compiled
def _factor(u: Array, steps: int) -> float:
    return u.dtype.type(0.5 if steps == 2 else 1)


@compiled
def _row(row: Array, across: Rows, along: Rows, out: tuple[bool, Array]) -> None:
    """Write the determinants of a row of voxels; ``out`` says whether the differences are central, and where to."""
    is_central, determinant = out
    width = row.shape[1]
    if not is_central:
        for x in range(width - 1):
            determinant[x] = _at(row, across, along, (x, x, x + 1))
        return
    determinant[0] = _at(row, across, along, (0, 0, 1))
    for x in range(1, width - 1):
        determinant[x] = _at(row, across, along, (x, x - 1, x + 1))
    determinant[width - 1] = _at(row, across, along, (width - 1, width - 2, width - 1))


@compiled
def _at(row: Array, across: Rows, along: Rows, place: tuple[int, int, int]) -> float:
    (x, x0, x1), one = place, row.dtype.type(1)
    (back, front, half), (low, high, part) = across, along
    step = row.dtype.type(0.5 if x1 - x0 == 2 else 1)
    a, d, g = (front[0, x] - back[0, x]) * half, (front[1, x] - back[1, x]) * half, (front[2, x] - back[2, x]) * half
    b, e, h = (high[0, x] - low[0, x]) * part, (high[1, x] - low[1, x]) * part, (high[2, x] - low[2, x]) * part
    c, f, i = (row[0, x1] - row[0, x0]) * step, (row[1, x1] - row[1, x0]) * step, (row[2, x1] - row[2, x0]) * step
    a, e, i = a + one, e + one, i + one
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
