"""The lung phantom: pairs of chest CT scans of one subject, end-inhale (fixed) and end-exhale (moving).

The exhale scan is drawn from a subject's anatomy (`datasets.anatomy.chest`). The inhale scan is drawn from the same
anatomy at the displaced points, ``fixed(x) = moving(x + u(x))``, so that ``u`` is exact (`datasets.anatomy.breathing`);
lung tissue is as much thinner as its volume is larger. Bore and table are drawn in the scanner's frame and never move.
Phases, number of landmarks and depth of breathing follow the ten DIR-Lab cases (DOI 10.1088/0031-9155/54/7/001).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.anatomy.breathing import BORE_RADIUS, Breathing, draw_breathing, table_top
from datasets.anatomy.chest import NAMES, Chest
from datasets.anatomy.chest_subject import draw_chest
from datasets.anatomy.fields import Grid, mesh
from datasets.anatomy.shapes import Canvas
from datasets.case import Pair, Writer

Array = NDArray[Any]

EXTENT_MM = (330.0, 250.0, 280.0)
INTENSITY = {"unit": "HU", "low": -1024.0, "high": 1000.0}
LUNGS = (1, 2)
LANDMARKS = 300
NOISE_HU = 18.0
SEVERITY_MM = (7.0, 10.5, 4.2, 14.5, 8.5, 5.5, 12.5, 7.8, 9.5, 6.2)  # mean landmark distance of test pair 0, 1, ...
OUTSIDE = -1024.0
_SPLITS = {"train": 0, "test": 1}
_SLAB_POINTS = 400_000  # points painted at once: bounds the memory of large grids


@dataclass(frozen=True)
class BreathingPair:
    """One subject's two scans with all that is true of them.

    Attributes:
        grid: the voxel grid of both scans.
        chest: the anatomy, in exhale coordinates.
        breathing: the exact map from inhale to exhale, in mm.
        fixed, moving: noise-free Hounsfield units ``(D, H, W)`` at end-inhale and end-exhale.
        fixed_labels, moving_labels: uint16 ``(D, H, W)``, named in `NAMES`.
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


def prepare(
    writer: Writer,
    *,
    shape: Sequence[int],
    spacing: Sequence[float] | None,
    training: int,
    test: int,
    difficulty: float,
    seed: int,
    show: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Write ``training`` and ``test`` subjects, two scans each, and return what dataset.json says about them.

    Args:
        writer: receives images, field-of-view masks, and for test pairs labels, landmarks and true displacements.
        shape: ``(D, H, W)``, voxels to the left, to posterior and to superior.
        spacing: mm; None fits `EXTENT_MM` to ``shape``.
        training: number of subjects whose pairs, in both directions, are for training.
        test: number of subjects whose pair (fixed inhale, moving exhale) is registered.
        difficulty: scales how deeply they breathe; 1 is as deep as in DIR-Lab.
        seed: each subject's random numbers come from it, the split and the subject's number.
        show: called with a line of progress after each subject.

    Raises:
        ValueError: when the difficulty is so large that a lung would nearly fold.
    """
    sizes = spacing or [extent / n for extent, n in zip(EXTENT_MM, shape, strict=True)]
    grid = Grid(tuple(int(n) for n in shape), tuple(float(s) for s in sizes))
    pairs: dict[str, list[Pair]] = {"train": [], "test": []}
    severity = {}
    for split, number in [("train", k) for k in range(training)] + [("test", k) for k in range(test)]:
        rng = np.random.default_rng([seed, _SPLITS[split], number])
        scans = draw_pair(rng, grid, tre_mm=difficulty * SEVERITY_MM[number % len(SEVERITY_MM)])
        pair = Pair(f"{split}{number:02d}_inhale", f"{split}{number:02d}_exhale")
        _write(writer, pair, scans, rng, truth=split == "test")
        pairs[split].append(pair)
        if split == "test":
            severity[pair.name] = round(scans.tre_before, 3)
        if show:
            show(f"{pair.name}: {scans.tre_before:.1f} mm before registration")
    return _about(grid, pairs, severity)


def draw_pair(
    rng: np.random.Generator, grid: Grid, *, tre_mm: float, landmarks: int = LANDMARKS, tips: int = 140
) -> BreathingPair:
    """Draw a subject and its two scans, breathing so deeply that its landmarks move by ``tre_mm`` mm on average.

    ``landmarks`` is how many are wanted: branchings of the lung vessels, and where these do not suffice also the
    middles of vessel segments; each of a lung's two vessel trees has ``tips`` tips. Raises ``ValueError`` where so deep
    a breath would nearly fold the lung, and where the grid holds no landmark.
    """
    chest = draw_chest(rng, tips=tips)
    depth = float(chest.domes[:, 2].mean())
    breathing, points = _calibrate(draw_breathing(rng, chest.cavity, chest.skin, diaphragm=depth), chest, grid, tre_mm)
    if points[0].shape[1] < landmarks:  # coarse voxels leave few branchings clear of the pleura: add places between
        vessels = chest.lung_vessels
        between = np.concatenate([vessels.branchings, (vessels.starts + vessels.ends) / 2])
        points = _correspondences(breathing, chest, grid, between)
    chosen = _spread(rng, points[1], landmarks)
    fixed_landmarks, moving_landmarks = (grid.to_voxels(p[:, chosen]) for p in points)
    return BreathingPair(grid, chest, breathing, *_scans(chest, breathing, grid), fixed_landmarks, moving_landmarks)


def field_of_view(grid: Grid) -> Array:
    """The mask ``(D, H, W)`` of the scanner's bore, the same for every scan."""
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
            (fixed, fixed_labels, there, lambda chosen, points=points: breathing.expansion(points[:, chosen])),
            (moving, moving_labels, points, None),
        ):
            values, names = chest.paint(where, edge_mm=edge, expansion=expansion)
            image[part] = _scanner(points, values, edge).reshape(size)
            labels[part] = names.reshape(size)
    return fixed, fixed_labels, moving, moving_labels, displacement


def _scanner(points: Array, values: Array, edge_mm: float) -> Array:
    """Lay the table and the bore, which stand still, over the patient's Hounsfield units."""
    canvas = Canvas(values, np.zeros(len(values), np.uint16), edge_mm)
    radius, below = np.hypot(points[0], points[1]), points[1] - table_top(points[0])
    canvas.add(np.maximum(np.abs(below - 1.5) - 1.5, np.abs(points[0]) - 150), 60.0)
    canvas.add(np.abs(radius - BORE_RADIUS - 2.5) - 2.5, 250.0)
    canvas.intensity[radius > BORE_RADIUS + 5] = OUTSIDE
    return canvas.intensity


def _calibrate(breathing: Breathing, chest: Chest, grid: Grid, tre_mm: float) -> tuple[Breathing, tuple[Array, Array]]:
    # The distance grows almost in proportion to the depth of the breath: three corrections meet it within a percent.
    for _ in range(3):
        points = _correspondences(breathing, chest, grid, chest.lung_vessels.branchings)
        breathing = breathing.scaled(tre_mm / max(np.linalg.norm(points[0] - points[1], axis=0).mean(), 1e-9))
    points = _correspondences(breathing, chest, grid, chest.lung_vessels.branchings)
    smallest = _tightest(breathing, chest)
    if smallest < 0.25:
        raise ValueError(f"draw_pair: tre_mm {tre_mm:g} would squeeze lung tissue to {smallest:.2f} of its volume")
    return breathing, points


def _tightest(breathing: Breathing, chest: Chest) -> float:
    """The smallest ratio of exhale to inhale volume at points 12 mm apart throughout the lungs."""
    points = mesh([np.arange(-extent / 2, extent / 2, 12.0) for extent in EXTENT_MM]).reshape(3, -1)
    inside = np.minimum(*chest.lungs(breathing.inner(points))) < 0
    return float(breathing.expansion(points[:, inside]).min())


def _correspondences(breathing: Breathing, chest: Chest, grid: Grid, places: Array) -> tuple[Array, Array]:
    """Those exhale places ``(n, 3)`` that can serve as landmarks: where they lie at inhale and at exhale, mm."""
    moving = places.T
    moving = moving[:, np.minimum(*chest.lungs(moving)) < -3]
    fixed, error = breathing.inverse(moving)
    good = error < 0.005 * min(grid.spacing)
    half = (np.asarray(grid.shape) / 2 - 1.5)[:, None] * np.asarray(grid.spacing)[:, None]
    good &= np.all((np.abs(fixed) < half) & (np.abs(moving) < half), axis=0)
    good &= _clear_of_pleura(breathing, grid, fixed)
    if not good.any():
        raise ValueError(f"draw_pair: no landmark lies within grid {grid.shape} at {grid.spacing} mm; is it too small?")
    return fixed[:, good], moving[:, good]


def _clear_of_pleura(breathing: Breathing, grid: Grid, points: Array) -> NDArray[np.bool_]:
    """Whether the eight voxels around a point all lie inside of the cavity, so that the true field is smooth there."""
    spacing, shift = np.asarray(grid.spacing)[:, None], (np.asarray(grid.shape)[:, None] - 1) / 2
    corner = np.floor(points / spacing + shift)
    inside = np.ones(points.shape[1], dtype=bool)
    for offset in np.ndindex(2, 2, 2):
        voxel = (corner + np.asarray(offset)[:, None] - shift) * spacing
        inside &= breathing.cavity.distance(breathing.sink(voxel)) < 0
    return inside


def _spread(rng: np.random.Generator, points: Array, count: int) -> NDArray[np.intp]:
    """Choose ``count`` of the points ``(3, n)``, each as far from those before it as any; all where there are fewer."""
    chosen = [int(rng.integers(points.shape[1]))]
    gap = np.full(points.shape[1], np.inf)
    while len(chosen) < min(count, points.shape[1]):
        gap = np.minimum(gap, np.linalg.norm(points - points[:, chosen[-1:]], axis=0))
        chosen.append(int(np.argmax(gap)))
    return np.asarray(chosen)


def _write(writer: Writer, pair: Pair, scans: BreathingPair, rng: np.random.Generator, *, truth: bool) -> None:
    affine, mask = scans.grid.affine, field_of_view(scans.grid)
    for case, values in ((pair.fixed, scans.fixed), (pair.moving, scans.moving)):
        writer.image(case, _window(values + _noise(rng, scans.grid) * mask), affine)
        writer.mask(case, mask, affine)
    if truth:
        writer.labels(pair.fixed, scans.fixed_labels, affine)
        writer.labels(pair.moving, scans.moving_labels, affine)
        writer.displacement(pair, scans.displacement, affine)
        writer.landmarks(pair, scans.fixed_landmarks, scans.moving_landmarks)


def _noise(rng: np.random.Generator, grid: Grid) -> Array:
    grain = ndimage.gaussian_filter(rng.standard_normal(grid.shape).astype(np.float32), 0.5)
    return NOISE_HU * grain / grain.std()


def _window(values: Array) -> Array:
    low, high = INTENSITY["low"], INTENSITY["high"]
    return np.clip((values - low) / (high - low), 0, 1).astype(np.float32)


def _about(grid: Grid, pairs: dict[str, list[Pair]], severity: dict[str, float]) -> dict[str, Any]:
    both = [p for pair in pairs["train"] for p in (pair, Pair(pair.moving, pair.fixed))]
    cases = {case: case.split("_")[0] for pair in pairs["train"] + pairs["test"] for case in (pair.fixed, pair.moving)}
    return {
        "title": "Lung phantom, breathing pairs",
        "phantom": True,
        "anatomy": "lung",
        "modality": "CT",
        "licence": "Apache-2.0 (generated by this project's own code; no patient data)",
        "source": "drawn by datasets/anatomy/lung.py",
        "preprocessing": [
            f"drawn on the grid; no resampling, no alignment ({grid.shape} voxels)",
            "fixed is end-inhale, moving end-exhale; lung density follows the volume",
            "intensity window -1024 to 1000 HU mapped to [0, 1]",
        ],
        "intensity": INTENSITY,
        "shape": list(grid.shape),
        "spacing": list(grid.spacing),
        "orientation": ["L", "P", "S"],
        "labels": {str(label): name for label, name in NAMES.items()},
        "evaluated_labels": list(LUNGS),
        "primary": "tre",  # two lungs overlap well before registration; their vessels do not
        "subjects": cases,
        "training": {
            "cases": [case for case in cases if case.startswith("train")],
            "pairs": "listed",
            "list": [{"fixed": pair.fixed, "moving": pair.moving} for pair in both],
        },
        "test": [{"fixed": pair.fixed, "moving": pair.moving} for pair in pairs["test"]],
        "severity": severity,
    }
