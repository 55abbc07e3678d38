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


@dataclass(frozen=True)
class Plane:
    """What one row shows: images ``(rows, columns)``, in-plane displacement ``(2, rows, columns)`` as (right, down)."""

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


def oriented_displacement(displacement: Array, affine: Array) -> Array:
    """Turn a displacement ``(3, D, H, W)`` like `oriented`: its axes, and its components with their signs."""
    turn = _turn(affine)
    out: list[Array] = [displacement[0]] * 3
    for component, (axis, sign) in zip(displacement, turn, strict=True):
        out[int(axis)] = apply_orientation(component, turn) * np.float32(sign)
    return np.stack(out)


def oriented_spacing(volume: Volume) -> tuple[float, ...]:
    spacing = np.empty(3)
    spacing[_turn(volume.affine)[:, 0].astype(int)] = volume.spacing
    return tuple(float(value) for value in spacing)


def planes(
    fixed: Volume, moving: Volume, displacement: Array, labels: tuple[Array | None, Array | None] = (None, None)
) -> list[Plane]:
    """The axial and the coronal plane through the middle of the fixed labels, or of the bright part of the image.

    ``displacement`` is ``(3, D, H, W)``, ``labels`` the label maps of the fixed and of the moving image.
    """
    u = oriented_displacement(displacement, fixed.affine)
    turned = [None if a is None else oriented(a, fixed.affine) for a in (fixed.array, moving.array, *labels)]
    middle = _middle(turned[2] if turned[2] is not None and np.any(turned[2]) else turned[0])
    spacing = oriented_spacing(fixed)
    return [_plane(name, axis, middle[axis], turned, u, spacing) for name, axis in VIEWS]


def outline(labels: Array) -> Array:
    """Edges between pixels of different label, as segments ``(n, 2, 2)`` of (column, row)."""
    down, right = np.nonzero(labels[1:] != labels[:-1]), np.nonzero(labels[:, 1:] != labels[:, :-1])
    level = np.stack([np.c_[down[1] - 0.5, down[0] + 0.5], np.c_[down[1] + 0.5, down[0] + 0.5]], axis=1)
    upright = np.stack([np.c_[right[1] + 0.5, right[0] - 0.5], np.c_[right[1] + 0.5, right[0] + 0.5]], axis=1)
    return np.concatenate([level, upright])


def grid_lines(displacement: Array, voxel: tuple[float, float]) -> list[Array]:
    """Lines of a regular grid moved to x + u(x); ``displacement`` is ``(2, rows, columns)`` as (right, down).

    The lines stand about equally many millimetres apart both ways.
    """
    _, rows, columns = displacement.shape
    pitch = max(rows * voxel[1], columns * voxel[0]) / LINES
    y, x = np.mgrid[:rows, :columns].astype(np.float64)
    points = np.stack([x + displacement[0], y + displacement[1]], axis=-1)
    level = [points[row] for row in range(0, rows, max(1, round(pitch / voxel[1])))]
    upright = [points[:, column] for column in range(0, columns, max(1, round(pitch / voxel[0])))]
    return [*level, points[-1], *upright, points[:, -1]]


def _turn(affine: Array) -> Array:
    return ornt_transform(io_orientation(affine), axcodes2ornt(AXES))


def _middle(array: Array) -> list[int]:
    bright = array > 0.1 * float(array.max())
    means = [float(np.mean(np.nonzero(bright)[axis])) if bright.any() else n / 2 for axis, n in enumerate(array.shape)]
    return [min(round(mean), n - 1) for mean, n in zip(means, array.shape, strict=True)]


def _plane(
    name: str, axis: int, index: int, volumes: Sequence[Array | None], u: Array, spacing: Sequence[float]
) -> Plane:
    fixed, moving, fixed_labels, moving_labels = volumes
    slab = _slab(u, axis, index, 0)
    right, down = (a for a in range(3) if a != axis)
    first = max(index - 1, 0)
    determinant = geometry.jacobian_determinant(_slab(u, axis, index, 1))
    start = np.zeros((3, 1, 1, 1), np.float32)
    start[axis] = index  # `warp` counts from the corner of the slab
    return Plane(
        name,
        _cut(fixed, axis, index),
        _cut(moving, axis, index),
        _cut(geometry.warp(moving, slab + start), axis, 0),
        np.stack([_cut(slab[right], axis, 0), _cut(slab[down], axis, 0)]),
        _cut(determinant, axis, index - first),
        None if fixed_labels is None else _cut(fixed_labels, axis, index),
        None if moving_labels is None else _cut(geometry.warp(moving_labels, slab + start, order=0), axis, 0),
        (spacing[right], spacing[down]),
    )


def _slab(u: Array, axis: int, index: int, margin: int) -> Array:
    cut = [slice(None)] * 4
    cut[axis + 1] = slice(max(index - margin, 0), index + margin + 1)
    return u[tuple(cut)]


def _cut(array: Array, axis: int, index: int) -> Array:
    return np.take(array, index, axis=axis).T
