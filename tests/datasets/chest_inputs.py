"""A small chest in Hounsfield units whose lungs hold a ramp, so that a shift by any part of a voxel can be seen."""

from __future__ import annotations

import numpy as np

from datasets import geometry

SHAPE, SPACING = (40, 34, 30), (6.0, 6.0, 7.0)
SLOPES = {"inhale": (2, 3, -4), "exhale": (-3, 2, 4)}  # HU a voxel to the left, posterior, superior
SHIFT = (1, -1, 2)  # voxels from a landmark at inhale to the same one at exhale


def draw_chest(phase: str, shape=SHAPE) -> np.ndarray:
    """Integer Hounsfield units ``(x, y, z)`` to left, posterior, superior: body, two unlike lungs, air, a table."""
    i, j, k = np.indices(shape)
    values = np.full(shape, -1000)
    values[_ellipsoid(shape, (0.5, 0.5, 0.5), (0.46, 0.42, 5.0))] = 40
    values[:, -2, :] = 200  # the table
    ramp = sum(slope * axis for slope, axis in zip(SLOPES[phase], (i, j, k), strict=True))
    return np.where(lungs(shape, phase), -800 + ramp, values)


def lungs(shape=SHAPE, phase: str = "inhale", part: float = 1.0) -> np.ndarray:
    """The right lung, lower and to the front, and the smaller left one; ``part`` scales both about their centres."""
    back = 0.0 if phase == "inhale" else 1 / shape[1]  # a voxel, so that neither scan's lungs hold the other's
    right = _ellipsoid(shape, (0.3, 0.46 + back, 0.44), np.array([0.13, 0.22, 0.4]) * part)
    return right | _ellipsoid(shape, (0.7, 0.5 + back, 0.58), np.array([0.12, 0.2, 0.3]) * part)


def landmarks(count: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Corresponding voxels ``(n, 3)`` at inhale and exhale, well within the lungs at both; none of the shifts alike."""
    rng = np.random.default_rng(5)
    inner = lungs(part=0.7) & lungs(phase="exhale", part=0.7)
    inhale = rng.permutation(
        np.argwhere(inner & np.roll(inner, np.negative(SHIFT), (0, 1, 2)) & np.roll(inner, (-1, 1, 0), (0, 1, 2)))
    )[:count]
    return inhale, inhale + np.column_stack([np.full((count, 2), SHIFT[:2]), SHIFT[2] * rng.integers(0, 2, count)])


def expected_hu(phase: str, voxels: np.ndarray) -> np.ndarray:
    return -800 + np.asarray(voxels) @ np.asarray(SLOPES[phase])


def seen_hu(image: np.ndarray, voxels: np.ndarray) -> np.ndarray:
    """Hounsfield units of a prepared image at voxel coordinates ``(n, 3)``."""
    return geometry.sample(image.astype(np.float64), np.asarray(voxels, float).T) * 2024 - 1024


def _ellipsoid(shape, centre, radii) -> np.ndarray:
    axes = [np.arange(n).reshape([-1 if a == b else 1 for b in range(3)]) for a, n in enumerate(shape)]
    places = zip(axes, shape, centre, radii, strict=True)
    return sum(((axis / n - c) / r) ** 2 for axis, n, c, r in places) < 1
