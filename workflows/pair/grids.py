"""The grid on which a pair is registered, the way of both images there, and the way of the displacement back.

The rule: the grid is the fixed image's own, its axes turned to left, posterior and superior as far as that needs no
interpolation; with a ``spacing``, or where it has more voxels than `MOST`, it has larger voxels over the same field of
view. A network whose weights record what it has learned from is given that: voxels of that size, axes in that order,
over the fixed image's field of view, so that what it sees has the scale that it knows. The moving image is read there
at the same places in millimetres, as both headers have them, linearly; an image with finer voxels than the grid's is
smoothed first. Intensities between two percentiles of each image, or within a window, become [0, 1]; for a network
whose weights record it the two percentiles become what they are in the images that it has learned from.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# SimpleITK is not typed.

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the library's usual name

from datasets.files import Array, DataError
from datasets.geometry import to_physical
from datasets.own.resampling import read_on, resized, share_covered
from datasets.own.scans import Scan
from workflows.pair.fields import Field
from workflows.pair.rule import Rule

MOST = 8_000_000  # voxels: some 200 x 200 x 200
LARGER = 2.0  # times as long from corner to corner as the other image, and it is warned of
OVERLAP = 0.25  # of the fixed image's field of view that the moving one has to cover at least


@dataclass(frozen=True, eq=False)
class Grid:
    """The grid of a registration: an ITK image without content, ``offset`` the mm (LPS) from fixed to moving places."""

    image: Any
    offset: tuple[float, float, float]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along its axes: left, posterior, superior where no network knows others."""
        x, y, z = self.image.GetSize()
        return int(x), int(y), int(z)

    @property
    def affine(self) -> Array:
        """Voxel-to-world affine ``(4, 4)`` in RAS millimetres."""
        return self.as_scan.affine

    @property
    def as_scan(self) -> Scan:
        """The grid as a scan, which knows where its voxels lie."""
        return Scan(Path(), self.image)

    def read(self, scan: Scan, *, moving: bool) -> Array:
        """Return the intensities of an image on the grid ``(D, H, W)``; places beyond it have its smallest one."""
        return read_on(self.image, scan, self.offset if moving else (0.0, 0.0, 0.0))

    def back(self, displacement: Array, fixed: Scan) -> Field:
        """Return a displacement ``(3, D, H, W)`` of this grid, in voxels, on the fixed image's own grid."""
        spacing, directions = self.image.GetSpacing(), np.reshape(self.image.GetDirection(), (3, 3))
        field = to_physical(displacement, spacing, directions) + np.asarray(self.offset, np.float32)
        image = sitk.GetImageFromArray(np.ascontiguousarray(field.transpose(2, 1, 0, 3), np.float64), isVector=True)
        image.CopyInformation(self.image)
        clamp = True  # the outermost voxel centres of two grids differ
        identity = sitk.Transform(3, sitk.sitkIdentity)
        return Field(sitk.Resample(image, fixed.image, identity, sitk.sitkLinear, 0.0, image.GetPixelID(), clamp))


def working_grid(fixed: Scan, moving: Scan, rule: Rule) -> Grid:
    """Return the grid to register on; raise `DataError` where the two images hardly overlap on it."""
    image = _resized(_turned(fixed, rule.axes), rule)
    centre = np.zeros(3) if rule.align == "header" else _centre(moving) - _centre(fixed)
    grid = Grid(image, (float(centre[0]), float(centre[1]), float(centre[2])))
    covered, unlike = share_covered(image, moving, grid.offset), sizes(fixed, moving)
    if covered < OVERLAP:
        hint = "the images differ too much in size" if rule.align == "centre" else "try --align centre"
        raise DataError(
            f"{moving.path}: covers only {covered:.0%} of the field of view of {fixed.path}, as their headers place "
            f"them; {hint}{f'; {unlike}' if unlike else ''}"
        )
    return grid


def sizes(fixed: Scan, moving: Scan) -> str:
    """Return how large both images are where one is far larger than the other; empty where they are about alike."""
    large = [np.array(scan.shape) * scan.spacing for scan in (fixed, moving)]
    lengths = [float(np.linalg.norm(each)) for each in large]
    if max(lengths) <= LARGER * min(lengths):
        return ""
    ours, theirs = (" x ".join(f"{length:.3g}" for length in each) for each in large)
    return f"the fixed image is {ours} mm large, the moving one {theirs} mm: are the voxel sizes in both headers right?"


def _turned(fixed: Scan, axes: str) -> Any:
    """Return the fixed grid with its axes in an order such as LPS; oblique ones go to the closest."""
    return sitk.DICOMOrient(sitk.Image(fixed.image), axes)


def _resized(image: Any, rule: Rule) -> Any:
    """Return a grid over the same field of view with voxels of the size that is wanted, or so large as they must be."""
    size, spacing = np.asarray(image.GetSize()), np.asarray(image.GetSpacing())
    if rule.spacing is not None:
        return resized(image, np.full(3, rule.spacing), "--spacing")
    if rule.known is not None:
        return resized(image, rule.known, "--weights: as they record")
    if size.prod() > MOST:
        return resized(image, np.maximum(spacing, _coarser(size * spacing, spacing)), "--spacing")
    return image


def _coarser(extent: Array, spacing: Array) -> float:
    """Return the voxel size that leaves `MOST` voxels: axes that are coarser already stay."""
    low, high = float(spacing.min()), float(extent.max())
    for _ in range(60):
        middle = math.sqrt(low * high)
        many = float(np.prod(extent / np.maximum(spacing, middle))) > MOST
        low, high = (middle, high) if many else (low, middle)
    return high


def _centre(scan: Scan) -> Array:
    return scan.to_millimetres((np.asarray(scan.shape)[None] - 1) / 2)[0]
