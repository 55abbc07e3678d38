"""The planes that a picture of a registration shows, cut from volumes and turned by the affine; only they are warped.

Axial planes show the patient's right on the viewer's left and the front on top, coronal planes the head on top.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from nibabel.orientations import apply_orientation, axcodes2ornt, io_orientation, ornt_transform

from datasets import geometry
from datasets.files import Array, Volume

AXES = ("L", "P", "I")  # axes so turned print as images: the first to the right, another one downwards
VIEWS = (("axial", 2), ("coronal", 1))
LINES = 24

Turned = Sequence[tuple[Array, float]]  # three components, each with the sign it is to be read with


@dataclass(frozen=True)
class Plane:
    """One row of a picture: images ``(rows, columns)``, displacement ``(2, rows, columns)`` to the right and down."""

    name: str
    fixed: Array
    moving: Array
    warped: Array
    displacement: Array
    determinant: Array
    fixed_labels: Array | None
    warped_labels: Array | None
    voxel: tuple[float, float]  # width and height in mm

    @property
    def ratio(self) -> float:
        """Height over width of the plane, both in mm."""
        rows, columns = self.fixed.shape
        return rows * self.voxel[1] / (columns * self.voxel[0])


def oriented(array: Array, affine: Array) -> Array:
    """Turn the three axes of an array ``(D, H, W)`` to left, posterior, inferior, by a view."""
    return apply_orientation(array, _turn(affine))


def oriented_displacement(displacement: Array, affine: Array) -> Turned:
    """Turn a displacement ``(3, D, H, W)`` like `oriented`: its components in the new order, by views, with signs."""
    turn = _turn(affine)
    turned = {int(axis): (apply_orientation(u, turn), sign) for u, (axis, sign) in zip(displacement, turn, strict=True)}
    return [turned[axis] for axis in range(3)]


def oriented_points(points: Array, volume: Volume) -> Array:
    """Turn voxel coordinates ``(n, 3)`` of a volume to those of the array that `oriented` makes of it."""
    turn, turned = _turn(volume.affine), np.empty(np.shape(points))
    for column, (axis, sign), size in zip(np.transpose(points), turn, volume.array.shape, strict=True):
        turned[:, int(axis)] = column if sign > 0 else size - 1 - column
    return turned


def oriented_spacing(volume: Volume) -> tuple[float, ...]:
    """Return the spacing of a volume along the axes of the array that `oriented` makes of it, in mm."""
    spacing = np.empty(3)
    spacing[_turn(volume.affine)[:, 0].astype(int)] = volume.spacing
    return tuple(float(value) for value in spacing)


def planes(
    fixed: Volume, moving: Volume, displacement: Array, labels: tuple[Array | None, Array | None] = (None, None)
) -> list[Plane]:
    """Cut the axial and the coronal plane through the middle of the fixed labels, or of the bright part of the image.

    ``displacement`` is ``(3, D, H, W)``, ``labels`` the label maps of the fixed and of the moving image.
    """
    maps = [None if each is None else oriented(each, fixed.affine) for each in labels]
    turned = _Turned(
        oriented(fixed.array, fixed.affine),
        oriented(moving.array, fixed.affine),
        *(maps[0], maps[1]),
        oriented_displacement(displacement, fixed.affine),
        oriented_spacing(fixed),
    )
    middle = _middle(turned.fixed if maps[0] is None or not np.any(maps[0]) else maps[0])
    return [_plane(name, axis, middle[axis], turned) for name, axis in VIEWS]


def outline(labels: Array) -> Array:
    """Return the edges between pixels of different label, as segments ``(n, 2, 2)`` of (column, row)."""
    down, right = np.nonzero(labels[1:] != labels[:-1]), np.nonzero(labels[:, 1:] != labels[:, :-1])
    level = np.stack([np.c_[down[1] - 0.5, down[0] + 0.5], np.c_[down[1] + 0.5, down[0] + 0.5]], axis=1)
    upright = np.stack([np.c_[right[1] + 0.5, right[0] - 0.5], np.c_[right[1] + 0.5, right[0] + 0.5]], axis=1)
    return np.concatenate([level, upright])


def grid_lines(displacement: Array, voxel: tuple[float, float]) -> list[Array]:
    """Return a regular grid's lines moved to x + u(x); ``displacement`` is ``(2, rows, columns)`` as (right, down).

    The lines stand about equally many millimetres apart both ways.
    """
    _, rows, columns = displacement.shape
    pitch = max(rows * voxel[1], columns * voxel[0]) / LINES
    y, x = np.mgrid[:rows, :columns].astype(np.float64)
    points = np.stack([x + displacement[0], y + displacement[1]], axis=-1)
    level = [points[row] for row in range(0, rows, max(1, round(pitch / voxel[1])))]
    upright = [points[:, column] for column in range(0, columns, max(1, round(pitch / voxel[0])))]
    return [*level, points[-1], *upright, points[:, -1]]


@dataclass(frozen=True)
class _Turned:
    """A pair, its displacement and spacing, all turned by `oriented`."""

    fixed: Array
    moving: Array
    fixed_labels: Array | None
    moving_labels: Array | None
    displacement: Turned
    spacing: Sequence[float]


def _turn(affine: Array) -> Array:
    return ornt_transform(io_orientation(affine), axcodes2ornt(AXES))


def _middle(array: Array) -> list[int]:
    bright = array > 0.1 * float(array.max())
    if not bright.any():
        return [n // 2 for n in array.shape]
    along = [bright.sum(axis=tuple(other for other in range(3) if other != axis)) for axis in range(3)]
    return [round(float(np.average(np.arange(len(counts)), weights=counts))) for counts in along]


def _plane(name: str, axis: int, index: int, pair: _Turned) -> Plane:
    slab = _slab(pair.displacement, axis, index, 0)
    right, down = (a for a in range(3) if a != axis)
    first = max(index - 1, 0)
    determinant = geometry.jacobian_determinant(_slab(pair.displacement, axis, index, 1))
    start = np.zeros((3, 1, 1, 1), np.float32)
    start[axis] = index  # `warp` counts from the corner of the slab
    return Plane(
        name,
        _cut(pair.fixed, axis, index),
        _cut(pair.moving, axis, index),
        _cut(geometry.warp(pair.moving, slab + start), axis, 0),
        np.stack([_cut(slab[right], axis, 0), _cut(slab[down], axis, 0)]),
        _cut(determinant, axis, index - first),
        None if pair.fixed_labels is None else _cut(pair.fixed_labels, axis, index),
        None if pair.moving_labels is None else _cut(geometry.warp(pair.moving_labels, slab + start, order=0), axis, 0),
        (pair.spacing[right], pair.spacing[down]),
    )


def _slab(u: Turned, axis: int, index: int, margin: int) -> Array:
    cut = [slice(None)] * 3
    cut[axis] = slice(max(index - margin, 0), index + margin + 1)
    return np.stack([component[tuple(cut)] * np.float32(sign) for component, sign in u])


def _cut(array: Array, axis: int, index: int) -> Array:
    return np.take(array, index, axis=axis).T
