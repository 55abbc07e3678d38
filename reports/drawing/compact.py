"""Planes of images as small whole numbers: what a picture of them can show, and not more, for an archive.

Grey values have 256 steps, as a screen has them; displacements steps of 1/16 voxel; Jacobian determinants 60 steps to
the unit up to 2, where the colours of pictures end, and a value of their own for what is folded. What is of the pair
and what is of its registration are kept apart: many registrations are of the same pair.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from datasets.files import Array
from reports.drawing.planes import Plane

STEPS = 16  # to a voxel of displacement
FINE = 60  # to 1 of a Jacobian determinant; pictures have 81 colours from 0 to 2
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
class PairPlane:
    """What a `planes.Plane` has of its pair, in small whole numbers."""

    name: str
    fixed: Array
    moving: Array
    labels: Array | None  # of the fixed image
    voxel: tuple[float, float]


@dataclass(frozen=True)
class WarpedPlane:
    """What a `planes.Plane` has of its registration, in small whole numbers."""

    warped: Array
    labels: Array | None
    displacement: Array
    determinant: Array


def pack_pair(plane: Plane) -> PairPlane:
    """Return what a plane has of its pair."""
    labels = None if plane.fixed_labels is None else small(plane.fixed_labels)
    return PairPlane(plane.name, grey(plane.fixed), grey(plane.moving), labels, plane.voxel)


def pack_warped(plane: Plane) -> WarpedPlane:
    """Return what a plane has of its registration."""
    steps = np.clip(np.round(STEPS * plane.displacement), -(2**15), 2**15 - 1).astype(np.int16)
    unfolded = 1 + np.round(FINE * np.clip(plane.determinant, 0, 2))
    determinant = np.where(plane.determinant > 0, unfolded, FOLDED).astype(np.uint8)
    labels = None if plane.warped_labels is None else small(plane.warped_labels)
    return WarpedPlane(grey(plane.warped), labels, steps, determinant)


def unpack(pair: PairPlane, own: WarpedPlane) -> Plane:
    """Return the plane that is drawn of packed parts; a folded voxel has the determinant -1."""
    unfolded = np.maximum((own.determinant - 1.0) / FINE, 1e-3)
    return Plane(
        pair.name,
        lit(pair.fixed),
        lit(pair.moving),
        lit(own.warped),
        own.displacement.astype(np.float32) / STEPS,
        np.where(own.determinant == FOLDED, -1, unfolded).astype(np.float32),
        pair.labels,
        own.labels,
        pair.voxel,
    )
