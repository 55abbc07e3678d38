"""Shapes as signed distances in millimetres (negative inside), and the canvas that paints them over one another.

Points are float32 arrays ``(3, n)`` in mm. Distances are exact for spheres and tubes and to first order near the
surface for ellipsoids; that is all that partial volume and blending need.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import PchipInterpolator
from scipy.spatial import cKDTree

from datasets.geometry import Array

FAR = 1e3  # mm: the distance reported where a tube was not looked for


@dataclass
class Canvas:
    """An image under the brush: ``intensity`` float32 ``(n,)`` and hard ``labels`` uint16 ``(n,)``.

    ``edge_mm`` is the width over which one intensity gives way to the next: the partial-volume effect of a voxel.
    """

    intensity: Array
    labels: NDArray[np.uint16]
    edge_mm: float

    @classmethod
    def blank(cls, count: int, *, value: float, edge_mm: float) -> Canvas:
        """Return a canvas of ``count`` points that shows ``value`` everywhere and no label."""
        return cls(np.full(count, value, dtype=np.float32), np.zeros(count, dtype=np.uint16), edge_mm)

    def add(self, distance: Array, value: ArrayLike, label: ArrayLike | None = None) -> None:
        """Paint ``value`` where ``distance`` is negative, and write ``label`` there (None: leave the labels alone)."""
        cover = np.clip(0.5 - distance / self.edge_mm, 0, 1)
        self.intensity += cover * (value - self.intensity)
        if label is not None:
            self.labels = np.where(distance < 0, label, self.labels).astype(np.uint16)


def rotation(*, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Array:
    """Return the rotation matrix ``(3, 3)`` by degrees about axis 0, then 1, then 2."""
    matrix = np.eye(3)
    for axis, degrees in enumerate((x, y, z)):
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        i, j = [k for k in range(3) if k != axis]
        turn = np.eye(3)
        turn[i, i], turn[i, j], turn[j, i], turn[j, j] = c, -s, s, c
        matrix = turn @ matrix
    return matrix.astype(np.float32)


def ellipsoid(points: Array, centre: Sequence[float] | Array, radii: ArrayLike, turn: Array | None = None) -> Array:
    """Return the distance to an ellipsoid; ``turn`` is the rotation that its axes have undergone."""
    q = [points[k] - np.float32(centre[k]) for k in range(3)]
    if turn is not None:
        q = list(turn.T @ np.stack(q))
    inverse = 1 / np.asarray(radii, dtype=np.float32)
    unit = sum((part * i) ** 2 for part, i in zip(q, inverse, strict=True))
    slope = sum((part * i * i) ** 2 for part, i in zip(q, inverse, strict=True))
    norm = np.sqrt(unit)
    return norm * (norm - 1) / np.sqrt(slope + 1e-12)


def box(points: Array, centre: Sequence[float], half: Sequence[float], *, corner: float) -> Array:
    """Return the distance to a box with rounded corners of radius ``corner``."""
    q = [np.abs(points[k] - np.float32(centre[k])) - np.float32(half[k] - corner) for k in range(3)]
    outside = np.sqrt(sum(np.maximum(part, 0) ** 2 for part in q))
    return outside + np.minimum(np.maximum(np.maximum(q[0], q[1]), q[2]), 0) - np.float32(corner)


def plane(points: Array, through: Sequence[float], normal: Sequence[float]) -> Array:
    """Return the distance to the half-space on the far side of ``normal``: negative against the normal's direction."""
    n = np.asarray(normal, dtype=np.float32) / np.float32(np.linalg.norm(normal))
    return np.asarray(sum((points[k] - np.float32(through[k])) * n[k] for k in range(3)))


def union(a: Array, b: Array, *, blend: float = 0.0) -> Array:
    """Return the distance to the union of two shapes, their seam rounded over about ``blend`` mm."""
    if blend <= 0:
        return np.minimum(a, b)
    h = np.maximum(blend - np.abs(a - b), 0) / blend
    return np.minimum(a, b) - h * h * np.float32(blend / 4)


def intersection(a: Array, b: Array, *, blend: float = 0.0) -> Array:
    """Return the distance to what two shapes share."""
    return -union(-a, -b, blend=blend)


def difference(a: Array, b: Array, *, blend: float = 0.0) -> Array:
    """Return the distance to the first shape without the second."""
    return -union(-a, b, blend=blend)


def curve(knots: ArrayLike, *, step: float = 1.0) -> Array:
    """Return points ``(m, k)`` about ``step`` mm apart along a smooth curve through ``knots`` ``(n, k)``.

    The first three columns are the position; further ones, such as the radius, are carried along.
    """
    knots = np.asarray(knots, dtype=np.float64)
    at = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(knots[:, :3], axis=0), axis=1))])
    count = max(int(np.ceil(at[-1] / step)) + 1, 2)
    return PchipInterpolator(at, knots)(np.linspace(0.0, float(at[-1]), count))


@dataclass(frozen=True)
class Tubes:
    """Curved tubes of varying radius: rows ``(m, 4)`` of centre and radius in mm, densely sampled (see `curve`)."""

    beads: Array

    @classmethod
    def along(cls, *curves: ArrayLike) -> Tubes:
        """Return tubes along curves, each given by its knots ``(n, 4)``: position and radius."""
        return cls(np.concatenate([curve(knots) for knots in curves]))

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(self.beads[:, :3])

    def distance(self, points: Array, *, where: NDArray[np.bool_] | None = None, reach: float = 4.0) -> Array:
        """Return the distance to the nearest tube, sought at ``where``, up to ``reach`` mm; elsewhere it is far."""
        result = np.full(points.shape[1], FAR, dtype=np.float32)
        low, high = self.beads[:, :3].min(0), self.beads[:, :3].max(0)
        bound = float(self.beads[:, 3].max() + reach)
        middle, half = (low + high) / 2, (high - low) / 2 + bound
        near = np.all([np.abs(points[k] - middle[k]) < half[k] for k in range(3)], axis=0)
        chosen = np.flatnonzero(near if where is None else near & where)
        gap, index = map(np.asarray, self._tree.query(points[:, chosen].T, distance_upper_bound=bound))
        found = np.isfinite(gap)
        result[chosen[found]] = gap[found] - self.beads[index[found], 3]
        return result


@dataclass(frozen=True)
class Waves:
    """A fixed pseudo-periodic pattern: a sum of plane waves of one wavelength in many directions.

    Its zero set is a labyrinth of sheets about half a wavelength apart, as sulci are.
    """

    vectors: Array
    phases: Array

    @classmethod
    def draw(cls, seed: int, *, wavelength_mm: float, count: int = 16) -> Waves:
        """Draw ``count`` waves."""
        rng = np.random.default_rng(seed)
        direction = rng.standard_normal((count, 3))
        length = 2 * np.pi / wavelength_mm * rng.uniform(0.85, 1.15, (count, 1))
        vectors = direction / np.linalg.norm(direction, axis=1, keepdims=True) * length
        return cls(vectors.astype(np.float32), rng.uniform(0, 2 * np.pi, count).astype(np.float32))

    def value(self, points: Array) -> Array:
        """Return the pattern at ``points`` ``(3, n)``, of about unit variance."""
        total = np.zeros(points.shape[1], dtype=np.float32)
        for vector, phase in zip(self.vectors, self.phases, strict=True):
            total += np.sin(vector @ points + phase)
        return total * np.float32(np.sqrt(2 / len(self.phases)))

    def sheet_distance(self, points: Array) -> Array:
        """Return the unsigned distance in mm, to first order, to the pattern's zero set."""
        value, gradient = np.zeros(points.shape[1], np.float32), np.zeros(points.shape, np.float32)
        for vector, phase in zip(self.vectors, self.phases, strict=True):
            angle = vector @ points + phase
            value += np.sin(angle)
            gradient += np.cos(angle) * vector[:, None]
        squares: Array = np.sum(self.vectors**2, axis=1)
        typical = np.float32(np.mean(squares) * len(self.phases) / 2)
        return np.abs(value) / np.sqrt(np.sum(gradient**2, axis=0) + 0.15 * typical)
