"""Chest CT on a prepared grid: lungs by threshold, a box around them, resampling, landmarks, the scanner's bore.

Everything lies on grids whose axes point to the patient's left, posterior and superior, as in the phantoms. Places are
millimetres in the patient's frame (DICOM's: x to the left, y to posterior, z to superior) until they become voxels of
the prepared grid, so that one map (`datasets.grid.Grid`) serves images, landmarks and masks alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import ndimage

from datasets import geometry
from datasets.description import Window
from datasets.files import DataError
from datasets.geometry import Array
from datasets.grid import Grid

WINDOW = Window("HU", -1024.0, 1000.0)  # of every chest, real or drawn
LUNG_HU = -400.0  # below: air and lung; above: soft tissue, vessels wider than a voxel
BORE = 250 / 512  # radius of the scanner's bore in widths of a whole slice, doi:10.1109/TMI.2019.2953788
_COARSE_MM = 2.0  # lungs are sought on about this grid: a box needs no finer one
_SMALLEST_ML = 100.0  # less air than this inside of the body is no lung
_SECOND_LUNG = 0.2  # an air space this large beside the largest is a lung too; smaller ones are stomach and bowel
_REACH_MM = 5.0  # landmarks are branchings of vessels, which the threshold leaves out of the lung around them


@dataclass(frozen=True)
class Scan:
    """Hounsfield units, or a mask, ``(D, H, W)`` on a grid in the patient."""

    values: Array
    grid: Grid


def find_lungs(scan: Scan, where: str) -> Scan:
    """Find the lungs as a boolean mask on a grid of about 2 mm: air that reaches no side of the slices.

    Raises:
        DataError: there is none, and the message names the scan (``where``).
    """
    steps = [max(1, round(_COARSE_MM / size)) for size in scan.grid.spacing]
    air = scan.values[tuple(slice(None, None, step) for step in steps)] < LUNG_HU
    spacing = tuple(size * step for size, step in zip(scan.grid.spacing, steps, strict=True))
    grid = Grid.from_origin(air.shape, spacing, scan.grid.origin)
    regions = np.empty(air.shape, np.int32)
    ndimage.label(air, output=regions)
    sizes = np.bincount(regions.ravel())
    # Lungs may be cut by the first and the last slice, by the sides of a slice never: that air is around the patient.
    for side in (regions[0], regions[-1], regions[:, 0], regions[:, -1]):
        sizes[np.unique(side)] = 0
    sizes[0] = 0
    if sizes.max() * np.prod(spacing) < _SMALLEST_ML * 1000:
        raise DataError(f"{where}: no lungs found below {LUNG_HU:g} HU; is this a chest, in Hounsfield units?")
    return Scan((sizes >= _SECOND_LUNG * sizes.max())[regions], grid)


def lung_box(lungs: Sequence[Scan], margin_mm: float, grid: Grid) -> tuple[Array, Array]:
    """Return the corners (mm) of a box ``margin_mm`` around lungs, in whole voxels of ``grid``, no larger."""
    low, high = zip(*(_extent(mask) for mask in lungs), strict=True)
    first, shape = grid.corners[0], np.asarray(grid.shape)
    start = np.floor((np.min(low, axis=0) - margin_mm - first) / grid.spacing + 1e-6)
    stop = np.ceil((np.max(high, axis=0) + margin_mm - first) / grid.spacing - 1e-6)
    return first + np.clip(start, 0, shape) * grid.spacing, first + np.clip(stop, 0, shape) * grid.spacing


def _extent(mask: Scan) -> tuple[Array, Array]:
    found = ndimage.find_objects(mask.values.astype(np.uint8))[0]
    corner = np.asarray(mask.grid.spacing) / 2
    start, stop = np.array([[part.start, part.stop - 1] for part in found]).T
    return mask.grid.to_mm(start) - corner, mask.grid.to_mm(stop) + corner


def share_inside(lungs: Scan, points: ArrayLike) -> float:
    """Return the share of points ``(n, 3)``, mm, that have lung within 5 mm."""
    steps = [range(-int(_REACH_MM / size), int(_REACH_MM / size) + 1) for size in lungs.grid.spacing]
    offsets = np.stack(np.meshgrid(*steps, indexing="ij"), -1).reshape(-1, 3)
    offsets = offsets[np.linalg.norm(offsets * np.asarray(lungs.grid.spacing), axis=1) <= _REACH_MM]
    voxels = np.rint(lungs.grid.to_voxels(points)).astype(int)[:, None] + offsets
    seen = np.all((voxels >= 0) & (voxels < lungs.values.shape), axis=-1)
    found = lungs.values[tuple(np.moveaxis(np.where(seen[..., None], voxels, 0), -1, 0))] & seen
    return float(found.any(axis=1).mean())


def resample(scan: Scan, grid: Grid) -> Array:
    """Resample a scan linearly on another grid, in Hounsfield units; below -1024 is padding, not tissue."""
    values = np.maximum(scan.values, np.float32(WINDOW.low))
    return geometry.resample_to_grid(values, scan.grid.affine, grid.affine, grid.shape)


def field_of_view(grid: Grid, slices: Grid | None) -> Array:
    """Return the voxels ``(D, H, W)`` that the scanner's bore leaves: a disc amid whole ``slices``.

    All of it where ``slices`` is None: where the images were cut before they came here, by an unknown amount.
    """
    if slices is None:
        return np.ones(grid.shape, dtype=bool)
    voxels = slices.to_voxels(grid.to_mm(np.indices((*grid.shape[:2], 1)).reshape(3, -1).T))
    distance = np.hypot(*(voxels[:, :2] / slices.shape[:2] - 0.5).T).reshape(*grid.shape[:2], 1)
    return np.broadcast_to(distance < BORE, grid.shape)
