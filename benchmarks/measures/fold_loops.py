"""The volume that a map turns inside out, voxel by voxel (compiled, for `benchmarks.measures.folds`).

Between voxel centres a map is linear on tetrahedra. A cell of eight voxels divides into five in two ways: four at
corners and one in the middle. A voxel answers for the eight corner tetrahedra that meet in it and for one middle one
of each of two cells, the one before it and the one after it. Beyond the faces the displacement goes on unchanged.

Stretches without a fold are told by a loop that stores nothing, so that the compiler takes many voxels at once; only
where it finds one are volumes added up, one voxel after the other.
"""

from __future__ import annotations

from typing import Any

from datasets.compiled import compiled
from datasets.files import Array

STRETCH = 128  # voxels

Around = Any  # three components of a row at each of the 13 places around a voxel that its tetrahedra reach
Places = Any  # indices before, at and after a voxel, along each axis
Vector = Any  # three numbers


@compiled
def folded_volume(u: Array, mask: Array, volumes: Array) -> None:
    """Add to ``volumes`` ``(2,)`` the folded volume in voxels, over the mask ``(D, H, W)`` and over all."""
    depth, height, width = u.shape[1:]
    for z in range(depth):
        planes = max(z - 1, 0), z, min(z + 1, depth - 1)
        for y in range(height):
            rows = max(y - 1, 0), y, min(y + 1, height - 1)
            _add(u, (planes, rows, (0, 0, 1)), 1, mask, volumes)
            for x in range(1, width - 1, STRETCH):
                _add(u, (planes, rows, (x - 1, x, x + 1)), min(STRETCH, width - 1 - x), mask, volumes)
            _add(u, (planes, rows, (width - 2, width - 1, width - 1)), 1, mask, volumes)


@compiled
def _add(u: Array, places: Places, size: int, mask: Array, volumes: Array) -> None:
    """Add the folded volume of a stretch of ``size`` voxels."""
    around = _around(u, places, size)
    if _folds(around, size) == 0:
        return
    (_, z, _), (_, y, _), (_, x, _) = places
    for i in range(size):
        lost = float(_lost(around, i))
        volumes[1] += lost
        if mask[z, y, x + i]:
            volumes[0] += lost


@compiled
def _around(u: Array, places: Places, size: int) -> Around:
    (z0, z, z1), (y0, y, y1), (x0, x, x1) = places
    return (
        *(_at(u, z, y, x, size), _at(u, z0, y, x, size), _at(u, z1, y, x, size), _at(u, z, y0, x, size)),
        *(_at(u, z, y1, x, size), _at(u, z, y, x0, size), _at(u, z, y, x1, size)),
        *(_at(u, z0, y0, x, size), _at(u, z0, y, x0, size), _at(u, z, y0, x0, size)),
        *(_at(u, z1, y1, x, size), _at(u, z1, y, x1, size), _at(u, z, y1, x1, size)),
    )


@compiled
def _at(u: Array, z: int, y: int, x: int, size: int) -> tuple[Array, Array, Array]:
    return u[0, z, y, x : x + size], u[1, z, y, x : x + size], u[2, z, y, x : x + size]


@compiled
def _folds(around: Around, size: int) -> int:
    """Return how many voxels of a stretch have a tetrahedron that is not sound."""
    count = 0
    for i in range(size):
        low = _lowest(_determinants(around, i))
        count += 0 if low >= 0 else 1
    return count


@compiled
def _lost(around: Around, i: int) -> float:
    """Return the folded volume of a voxel: a sixth of each determinant below zero, for one of the two divisions."""
    lost = around[0][0].dtype.type(0)
    for determinant in _determinants(around, i):
        if not determinant >= 0:
            lost -= determinant
    return lost / 12


@compiled
def _lowest(values: Any) -> float:
    low = values[0]
    for value in values[1:]:
        low = low if low < value else value
    return low


@compiled
def _determinants(around: Around, i: int) -> Any:
    here, z0, z1, y0, y1, x0, x1, zy0, zx0, yx0, zy1, zx1, yx1 = around
    one = here[0].dtype.type(1)
    none, p = one - one, _of(here, i)
    along, across, over = (one, none, none), (none, one, none), (none, none, one)
    back, front = _edge(_of(z0, i), p, along), _edge(p, _of(z1, i), along)
    low, high = _edge(_of(y0, i), p, across), _edge(p, _of(y1, i), across)
    left, right = _edge(_of(x0, i), p, over), _edge(p, _of(x1, i), over)
    a, b, c, d = _cross(low, left), _cross(low, right), _cross(high, left), _cross(high, right)
    zy, zx, yx = (one, one, none), (one, none, one), (none, one, one)
    # In this order of their edges positive where nothing folds, too.
    before = _cross(_edge(_of(yx0, i), p, yx), _edge(_of(zx0, i), p, zx))
    after = _cross(_edge(p, _of(yx1, i), yx), _edge(p, _of(zx1, i), zx))
    return (
        *(_dot(back, a), _dot(back, b), _dot(back, c), _dot(back, d)),
        *(_dot(front, a), _dot(front, b), _dot(front, c), _dot(front, d)),
        *(_dot(_edge(_of(zy0, i), p, zy), before), _dot(_edge(p, _of(zy1, i), zy), after)),
    )


@compiled
def _of(rows: tuple[Array, Array, Array], i: int) -> Vector:
    return rows[0][i], rows[1][i], rows[2][i]


@compiled
def _edge(start: Vector, end: Vector, step: Vector) -> Vector:
    """Return where an edge of the grid leads once it is mapped."""
    return end[0] - start[0] + step[0], end[1] - start[1] + step[1], end[2] - start[2] + step[2]


@compiled
def _dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@compiled
def _cross(a: Vector, b: Vector) -> Vector:
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]
