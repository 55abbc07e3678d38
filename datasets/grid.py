"""Voxel grids in the patient: axis 0 grows to the patient's left, 1 to posterior, 2 to superior; places are in mm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from datasets.geometry import Array


@dataclass(frozen=True)
class Grid:
    """A voxel grid of ``shape`` (D, H, W) and ``spacing`` mm around ``centre`` mm."""

    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    centre: tuple[float, ...] = (0.0, 0.0, 0.0)

    @classmethod
    def from_origin(cls, shape: Sequence[int], spacing: ArrayLike, origin: ArrayLike) -> Grid:
        """Return the grid whose voxel (0, 0, 0) has its centre at ``origin`` mm."""
        sizes = np.asarray(spacing, float)
        middle = np.asarray(origin, float) + (np.asarray(shape) - 1) / 2 * sizes
        return cls(tuple(map(int, shape)), tuple(sizes.tolist()), tuple(middle.tolist()))

    @classmethod
    def between(cls, low: ArrayLike, high: ArrayLike, shape: Sequence[int]) -> Grid:
        """Return the grid of ``shape`` whose voxels fill the box between two corners, mm."""
        size, middle = np.subtract(high, low, dtype=float), np.add(low, high, dtype=float) / 2
        return cls(tuple(map(int, shape)), tuple((size / shape).tolist()), tuple(middle.tolist()))

    @property
    def origin(self) -> tuple[float, ...]:
        """The centre of voxel (0, 0, 0), mm."""
        return tuple(self.to_mm(np.zeros((1, 3)))[0].tolist())

    @property
    def axes(self) -> list[Array]:
        """Millimetre coordinates of the voxel centres along each axis."""
        sizes = zip(self.shape, self.spacing, self.centre, strict=True)
        return [(np.arange(n) - (n - 1) / 2) * s + c for n, s, c in sizes]

    @property
    def corners(self) -> tuple[Array, Array]:
        """Outer edges of the first and of the last voxel, mm."""
        half = np.multiply(self.shape, self.spacing) / 2
        return np.asarray(self.centre) - half, np.asarray(self.centre) + half

    @property
    def affine(self) -> Array:
        """Voxel-to-world affine ``(4, 4)`` in RAS millimetres: the axes, the first two negated."""
        affine = np.diag([-self.spacing[0], -self.spacing[1], self.spacing[2], 1.0])
        affine[:3, 3] = np.multiply(self.centre, (-1, -1, 1)) - affine[:3, :3] @ ((np.asarray(self.shape) - 1) / 2)
        return affine

    def to_mm(self, voxels: ArrayLike) -> Array:
        """Return the places in millimetres of voxel coordinates ``(n, 3)``."""
        return (np.asarray(voxels) - (np.asarray(self.shape) - 1) / 2) * np.asarray(self.spacing) + self.centre

    def to_voxels(self, points: ArrayLike) -> Array:
        """Return the voxel coordinates of points ``(n, 3)`` in millimetres."""
        return (np.asarray(points) - self.centre) / np.asarray(self.spacing) + (np.asarray(self.shape) - 1) / 2
