"""Coronal sections of pairs: which one shows the motion, which part of it is enlarged, and how it is cut.

Volumes and points are turned by `planes.oriented`: to the patient's left, to the back, down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from datasets import geometry
from datasets.files import Array
from reports.drawing.planes import Turned

CORONAL = 1  # of the axes that `oriented` turns to
NEAR = 10.0  # mm from the section within which landmarks decide what is enlarged
SHARE = 0.4  # of the section's width and height that is enlarged


@dataclass(frozen=True)
class Place:
    """The part of a pair that is shown: index of the section, first row and column of what is enlarged, its size."""

    index: int
    corner: tuple[int, int]
    size: tuple[int, int]

    def cut(self, section: Array) -> Array:
        """Return the part of a section that is enlarged."""
        rows, columns = (slice(start, start + n) for start, n in zip(self.corner, self.size, strict=True))
        return section[rows, columns]


def warped_coronal(moving: Array, u: Turned, index: int) -> Array:
    """Return coronal section ``index`` of ``moving(x + u(x))``, both turned by `oriented`, as ``(rows, columns)``."""
    slab = np.stack([component[:, index : index + 1] * np.float32(sign) for component, sign in u])
    slab[CORONAL] += index  # `warp` counts from the corner of the slab
    return cut(geometry.warp(moving, slab), 0)


def choose_place(fixed: Array, moving: Array, spacing: Sequence[float], landmarks: tuple[Array, Array] | None) -> Place:
    """Choose the section through the median landmark, and the part of it around the landmark near it that moves most.

    Images and landmarks ``(n, 3)`` are turned to left, posterior, inferior; ``spacing`` in mm. Without landmarks: the
    middle section, and the part of it where the images differ most.
    """
    columns, depth, rows = fixed.shape
    size = (max(1, round(SHARE * rows)), max(1, round(SHARE * columns)))
    if landmarks is None:
        index = depth // 2
        centre = _most_different(cut(fixed, index), cut(moving, index), size)
    else:
        index = int(np.clip(round(float(np.median(landmarks[0][:, CORONAL]))), 0, depth - 1))
        centre = _most_moved(*landmarks, index, spacing)
    room = zip(centre, size, (rows, columns), strict=True)
    row, column = (int(np.clip(round(at - part / 2), 0, n - part)) for at, part, n in room)
    return Place(index, (row, column), size)


def _most_moved(points: Array, moved: Array, index: int, spacing: Sequence[float]) -> tuple[float, float]:
    """Return row and column of the landmark that moves most of those near the section, or of the nearest."""
    away = np.abs(points[:, CORONAL] - index) * spacing[CORONAL]
    motion = np.linalg.norm((moved - points) * np.asarray(spacing), axis=1)
    column, _, row = points[np.argmax(np.where(away <= max(NEAR, float(away.min())), motion, -1))]
    return float(row), float(column)


def _most_different(fixed: Array, moving: Array, size: tuple[int, int]) -> tuple[float, float]:
    """Return row and column around which two sections differ most over a part of ``size``."""
    difference = ndimage.uniform_filter(np.abs(fixed - moving), size, mode="constant")
    row, column = np.unravel_index(np.argmax(difference), fixed.shape)
    return float(row), float(column)


def cut(volume: Array, index: int) -> Array:
    """Return coronal section ``index`` of a volume that `oriented` turned, as ``(rows, columns)`` of a print."""
    return volume[:, index].T
