"""Landmarks of the lung phantom, and how deeply a subject has to breathe for them to move as far as asked.

Landmarks are branchings of the lung vessels, as in DIR-Lab (DOI 10.1088/0031-9155/54/7/001). Points are ``(3, n)`` in
mm: axis 0 to the patient's left, 1 to posterior, 2 to superior.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from datasets.geometry import Array
from datasets.grid import Grid
from datasets.phantoms.fields import mesh
from datasets.phantoms.lung.anatomy import Chest
from datasets.phantoms.lung.breathing import Breathing
from datasets.phantoms.tree import Tree

Points = tuple[Array, Array]  # the same points at inhale (fixed) and at exhale (moving)

EXTENT_MM = (330.0, 250.0, 280.0)  # of a whole chest
TOLERANCE = 0.005  # of the mean landmark distance, where it has to be met
_ROUNDS = 12
_PARTS = (1, 2, 4)  # landmarks lie at branchings, where these are too few also halfway between them, or at quarters


def calibrate(breathing: Breathing, chest: Chest, grid: Grid, tre_mm: float) -> tuple[Breathing, Points]:
    """Breathe so deeply that the branchings move by ``tre_mm`` mm on average; also return where they lie.

    Raises ``ValueError`` where so deep a breath would nearly fold the lung.
    """
    # The distance grows almost in proportion to the depth of the breath: three corrections meet it within a percent.
    for _ in range(3):
        points = correspondences(breathing, chest, grid, chest.lung_vessels.branchings)
        breathing = breathing.scaled(tre_mm / max(np.linalg.norm(points[0] - points[1], axis=0).mean(), 1e-9))
    points = correspondences(breathing, chest, grid, chest.lung_vessels.branchings)
    _check_tightness(breathing, chest, tre_mm)
    return breathing, points


def choose(
    breathing: Breathing, chest: Chest, grid: Grid, points: Points, *, count: int, rng: np.random.Generator
) -> Points:
    """Choose ``count`` landmarks, far from each other, or as many as there are, from the branchings ``points``.

    Coarse voxels leave few branchings clear of the pleura: then middles of vessel segments serve too.
    """
    if points[0].shape[1] < count:
        points = correspondences(breathing, chest, grid, _places(chest.lung_vessels, 2))
    chosen = _spread(rng, points[1], count)
    return points[0][:, chosen], points[1][:, chosen]


def meet(
    breathing: Breathing, chest: Chest, grid: Grid, *, tre_mm: float, count: int, rng: np.random.Generator
) -> tuple[Breathing, Points]:
    """Choose exactly ``count`` landmarks and breathe so deeply that these move by ``tre_mm`` mm on average.

    ``breathing`` must nearly do so already. Raises ``ValueError`` where the grid has fewer landmarks, where so deep a
    breath would nearly fold the lung, and where the distance cannot be met within `TOLERANCE`.
    """
    distance, start = 0.0, int(rng.integers(2**31))  # each round begins its choice alike
    for _ in range(_ROUNDS):
        points = _exactly(np.random.default_rng(start), breathing, chest, grid, count)
        distance = float(np.linalg.norm(points[0] - points[1], axis=0).mean())
        if abs(distance - tre_mm) <= TOLERANCE * tre_mm:
            _check_tightness(breathing, chest, tre_mm)
            return breathing, points
        breathing = breathing.scaled(tre_mm / max(distance, 1e-9))
    raise ValueError(f"draw_pair: {count} landmarks move by {distance:.3g} mm, not by {tre_mm:g}; try another seed")


def correspondences(breathing: Breathing, chest: Chest, grid: Grid, places: Array) -> Points:
    """Return where the exhale places ``(n, 3)`` that can be landmarks lie at inhale and at exhale.

    Raises ``ValueError`` where there is none.
    """
    moving = places.T
    moving = moving[:, np.minimum(*chest.lungs(moving)) < -3]
    fixed, error = breathing.inverse(moving)
    good = error < 0.005 * min(grid.spacing)
    half = (np.asarray(grid.shape) / 2 - 1.5)[:, None] * np.asarray(grid.spacing)[:, None]
    centre = np.asarray(grid.centre)[:, None]
    good &= np.all((np.abs(fixed - centre) < half) & (np.abs(moving - centre) < half), axis=0)
    good &= _clear_of_pleura(breathing, grid, fixed)
    if not good.any():
        raise ValueError(f"draw_pair: no landmark lies within grid {grid.shape} at {grid.spacing} mm; is it too small?")
    return fixed[:, good], moving[:, good]


def _exactly(rng: np.random.Generator, breathing: Breathing, chest: Chest, grid: Grid, count: int) -> Points:
    found = 0
    for parts in _PARTS:
        points = correspondences(breathing, chest, grid, _places(chest.lung_vessels, parts))
        if (found := points[0].shape[1]) >= count:
            chosen = _spread(rng, points[1], count)
            return points[0][:, chosen], points[1][:, chosen]
    raise ValueError(f"draw_pair: {count} landmarks wanted, grid {grid.shape} has {found}; take fewer or a finer grid")


def _places(vessels: Tree, parts: int) -> Array:
    """The branchings ``(n, 3)``, and the places that cut each vessel segment into equal ``parts``."""
    cuts = [(vessels.starts * (parts - k) + vessels.ends * k) / parts for k in range(1, parts)]
    return np.concatenate([vessels.branchings, *cuts])


def _clear_of_pleura(breathing: Breathing, grid: Grid, points: Array) -> NDArray[np.bool_]:
    """Whether the eight voxels around a point all lie inside of the cavity, so that the true field is smooth there."""
    spacing, shift = np.asarray(grid.spacing)[:, None], (np.asarray(grid.shape)[:, None] - 1) / 2
    centre = np.asarray(grid.centre)[:, None]
    corner = np.floor((points - centre) / spacing + shift)
    inside = np.ones(points.shape[1], dtype=bool)
    for offset in np.ndindex(2, 2, 2):
        voxel = (corner + np.asarray(offset)[:, None] - shift) * spacing + centre
        inside &= breathing.cavity.distance(breathing.sink(voxel)) < 0
    return inside


def _spread(rng: np.random.Generator, points: Array, count: int) -> NDArray[np.intp]:
    """Choose ``count`` of the points ``(3, n)``, each as far from those before it as any; all where there are fewer."""
    chosen = [int(rng.integers(len(points.T)))]
    gap = np.full(len(points.T), np.inf)
    while len(chosen) < min(count, points.shape[1]):
        gap = np.minimum(gap, np.linalg.norm(points - points[:, chosen[-1:]], axis=0))
        chosen.append(int(np.argmax(gap)))
    return np.asarray(chosen)


def _check_tightness(breathing: Breathing, chest: Chest, tre_mm: float) -> None:
    smallest = _tightest(breathing, chest)
    if smallest < 0.25:
        raise ValueError(f"draw_pair: tre_mm {tre_mm:g} would squeeze lung tissue to {smallest:.2f} of its volume")


def _tightest(breathing: Breathing, chest: Chest) -> float:
    """The smallest ratio of exhale to inhale volume at points 12 mm apart throughout the lungs."""
    points = mesh([np.arange(-extent / 2, extent / 2, 12.0) for extent in EXTENT_MM]).reshape(3, -1)
    inside = np.minimum(*chest.lungs(breathing.inner(points))) < 0
    return float(breathing.expansion(points[:, inside]).min())
