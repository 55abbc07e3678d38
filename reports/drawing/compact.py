"""Planes of images as small whole numbers: what a picture of them can show, and not more, for an archive.

Grey values have 256 steps, as a screen has them; displacements steps of 1/16 voxel; Jacobian determinants 127 steps to
the unit up to 2, where the colours of pictures end, and a value of their own for what is folded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from datasets.files import Array
from reports.drawing.planes import Plane

STEPS = 16  # to a voxel of displacement
FINE = 127  # to 1 of a Jacobian determinant
FOLDED = 0  # a determinant of zero or less


def grey(values: ArrayLike) -> Array:
    """Return grey values in [0, 1] as uint8."""
    return np.round(255 * np.clip(values, 0, 1)).astype(np.uint8)


def lit(stored: Array) -> Array:
    """Return grey values in [0, 1] from those of `grey`, as float32."""
    return stored.astype(np.float32) / 255


def small(labels: ArrayLike) -> Array:
    """Return whole numbers from 0 in the smallest type that holds them."""
    array = np.asarray(labels)
    return array.astype(np.min_scalar_type(int(array.max(initial=0))))


@dataclass(frozen=True)
class CompactPlane:
    """A `planes.Plane` in small whole numbers."""

    name: str
    fixed: Array
    moving: Array
    warped: Array
    displacement: Array
    determinant: Array
    fixed_labels: Array | None
    warped_labels: Array | None
    voxel: tuple[float, float]


def pack(plane: Plane) -> CompactPlane:
    """Return a plane in small whole numbers."""
    steps = np.clip(np.round(STEPS * plane.displacement), -(2**15), 2**15 - 1).astype(np.int16)
    unfolded = 1 + np.round(FINE * np.clip(plane.determinant, 0, 2))
    return CompactPlane(
        plane.name,
        grey(plane.fixed),
        grey(plane.moving),
        grey(plane.warped),
        steps,
        np.where(plane.determinant > 0, unfolded, FOLDED).astype(np.uint8),
        None if plane.fixed_labels is None else small(plane.fixed_labels),
        None if plane.warped_labels is None else small(plane.warped_labels),
        plane.voxel,
    )


def unpack(stored: CompactPlane) -> Plane:
    """Return the plane that is drawn of a packed one; a folded voxel has the determinant -1."""
    determinant = np.where(stored.determinant == FOLDED, -1, np.maximum((stored.determinant - 1.0) / FINE, 1e-3))
    return Plane(
        stored.name,
        lit(stored.fixed),
        lit(stored.moving),
        lit(stored.warped),
        stored.displacement.astype(np.float32) / STEPS,
        determinant.astype(np.float32),
        stored.fixed_labels,
        stored.warped_labels,
        stored.voxel,
    )
