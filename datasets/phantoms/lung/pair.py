"""One breathing pair of the lung phantom: both scans of a subject on one grid, the map between them, and landmarks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from datasets.geometry import Array
from datasets.grid import Grid
from datasets.phantoms.fields import mesh
from datasets.phantoms.lung.anatomy import Chest, Mask
from datasets.phantoms.lung.breathing import BORE_RADIUS, Breathing, draw_breathing, table_top
from datasets.phantoms.lung.landmarks import EXTENT_MM, calibrate, choose, meet
from datasets.phantoms.lung.subject import draw_chest
from datasets.phantoms.shapes import Canvas

LANDMARKS = 300
OUTSIDE = -1024.0
MARGIN_MM = 10.0  # around the lungs of a cropped scan
SLIVER_MM2 = 400.0  # a plane with less lung is no part of the lungs' box: the recess beside the diaphragm runs far down
_SLAB_POINTS = 400_000  # points painted at once: bounds the memory of large grids


@dataclass(frozen=True)
class BreathingPair:
    """One subject's two scans with all that is true of them.

    Attributes:
        grid: the voxel grid of both scans.
        chest: the anatomy, in exhale coordinates.
        breathing: the exact map from inhale to exhale, in mm.
        fixed, moving: noise-free Hounsfield units ``(D, H, W)`` at end-inhale and end-exhale.
        fixed_labels, moving_labels: uint16 ``(D, H, W)``, named in `anatomy.NAMES`.
        displacement: ``(3, D, H, W)`` float32, voxels, pull-back.
        fixed_landmarks, moving_landmarks: ``(n, 3)`` voxels.
    """

    grid: Grid
    chest: Chest
    breathing: Breathing
    fixed: Array
    fixed_labels: Array
    moving: Array
    moving_labels: Array
    displacement: Array
    fixed_landmarks: Array
    moving_landmarks: Array

    @property
    def tre_before(self) -> float:
        """Mean distance of the landmarks before registration, mm."""
        gap = (self.moving_landmarks - self.fixed_landmarks) * np.asarray(self.grid.spacing)
        return float(np.linalg.norm(gap, axis=1).mean())


def draw_pair(
    rng: np.random.Generator,
    grid: Grid,
    *,
    tre_mm: float,
    landmarks: int = LANDMARKS,
    tips: int = 140,
    crop: float = 0.0,
    exact: bool = False,
) -> BreathingPair:
    """Draw a subject and its two scans, breathing so deeply that its landmarks move by ``tre_mm`` mm on average.

    ``landmarks`` is how many are wanted: branchings of the lung vessels, and where these do not suffice also places
    between; each of a lung's two vessel trees has ``tips`` tips. ``crop`` narrows the field of view, with the same
    number of voxels: 0 leaves it, 1 is the box around the lungs. With ``exact`` there are never fewer landmarks, and
    they move by exactly this distance; else all branchings of the vessels do. Raises ``ValueError`` where so deep a
    breath would nearly fold the lung, and where the grid holds no landmark, or too few.
    """
    chest = draw_chest(rng, tips=tips)
    depth = float(chest.domes[:, 2].mean())
    breathing, points = calibrate(draw_breathing(rng, chest.cavity, chest.skin, diaphragm=depth), chest, grid, tre_mm)
    if crop:
        grid = _between(grid, around_lungs(chest, breathing, grid.shape), crop)
    if exact or crop:
        breathing, points = meet(breathing, chest, grid, tre_mm=tre_mm, count=landmarks, rng=rng)
    else:
        points = choose(breathing, chest, grid, points, count=landmarks, rng=rng)
    fixed_landmarks, moving_landmarks = (grid.to_voxels(p.T) for p in points)
    return BreathingPair(grid, chest, breathing, *_scans(chest, breathing, grid), fixed_landmarks, moving_landmarks)


def around_lungs(chest: Chest, breathing: Breathing, shape: Sequence[int]) -> Grid:
    """Return a grid of ``shape`` that fills the box of both scans' lungs, `MARGIN_MM` wider each side.

    Planes that hold less than `SLIVER_MM2` of lung do not count. The spacing follows, other along each axis.
    """
    step = 5.0
    axes = [np.arange(-extent / 2, extent / 2 + step, step) for extent in EXTENT_MM]
    points = mesh(axes).reshape(3, -1)
    near = np.flatnonzero(breathing.cavity.distance(points) < 20)  # the wall sinks less than that: spares time
    lungs = np.zeros((2, *map(len, axes)), dtype=bool)
    for scan, where in zip(lungs.reshape(2, -1), (breathing(points[:, near]), points[:, near]), strict=True):
        scan[near] = np.minimum(*chest.lungs(where)) < 0
    low, high = np.empty(3), np.empty(3)
    for axis, places in enumerate(axes):
        area = lungs.sum(axis=tuple({1, 2, 3} - {axis + 1})).max(axis=0) * step**2
        low[axis], high[axis] = places[area >= SLIVER_MM2][[0, -1]]
    size = high - low + step + 2 * MARGIN_MM
    return Grid(tuple(shape), tuple((size / shape).tolist()), tuple(((low + high) / 2).tolist()))


def _between(wide: Grid, narrow: Grid, share: float) -> Grid:
    """A grid of the same shape whose field of view lies between two others, ``share`` of the way."""
    spacing, centre = (
        tuple((1 - share) * a + share * b for a, b in zip(*ends, strict=True))
        for ends in ((wide.spacing, narrow.spacing), (wide.centre, narrow.centre))
    )
    return Grid(wide.shape, spacing, centre)


def field_of_view(grid: Grid) -> Array:
    """Return the mask ``(D, H, W)`` of the scanner's bore, the same for every scan."""
    x, y, _ = np.meshgrid(*grid.axes, indexing="ij", sparse=True)
    return np.broadcast_to(np.hypot(x, y) < BORE_RADIUS, grid.shape)


def _scans(chest: Chest, breathing: Breathing, grid: Grid) -> tuple[Array, Array, Array, Array, Array]:
    fixed, moving = (np.empty(grid.shape, np.float32) for _ in range(2))
    fixed_labels, moving_labels = (np.empty(grid.shape, np.uint16) for _ in range(2))
    displacement = np.empty((3, *grid.shape), np.float32)
    edge = max(1.5, 0.7 * float(np.mean(grid.spacing)))
    thick = max(1, _SLAB_POINTS // (grid.shape[1] * grid.shape[2]))
    for low in range(0, grid.shape[0], thick):
        part = slice(low, low + thick)
        box = mesh([grid.axes[0][part], *grid.axes[1:]])
        size, points = box.shape[1:], box.reshape(3, -1)
        there = breathing(points)
        displacement[:, part] = ((there - points) / np.asarray(grid.spacing)[:, None]).reshape(3, *size)
        for image, labels, where, expansion in (
            (fixed, fixed_labels, there, partial(_expansion, breathing, points)),
            (moving, moving_labels, points, None),
        ):
            values, names = chest.paint(where, edge_mm=edge, expansion=expansion)
            image[part] = _scanner(points, values, edge).reshape(size)
            labels[part] = names.reshape(size)
    return fixed, fixed_labels, moving, moving_labels, displacement


def _expansion(breathing: Breathing, points: Array, chosen: Mask) -> Array:
    return breathing.expansion(points[:, chosen])


def _scanner(points: Array, values: Array, edge_mm: float) -> Array:
    """Lay the table and the bore, which stand still, over the patient's Hounsfield units."""
    canvas = Canvas(values, np.zeros(len(values), np.uint16), edge_mm)
    radius, below = np.hypot(points[0], points[1]), points[1] - table_top(points[0])
    canvas.add(np.maximum(np.abs(below - 1.5) - 1.5, np.abs(points[0]) - 150), 60.0)
    canvas.add(np.abs(radius - BORE_RADIUS - 2.5) - 2.5, 250.0)
    canvas.intensity[radius > BORE_RADIUS + 5] = OUTSIDE
    return canvas.intensity
