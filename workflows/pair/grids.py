"""The grid on which a pair is registered, the way of both images there, and the way of the displacement back.

The rule: the grid is the fixed image's own, its axes turned to left, posterior and superior as far as that needs no
interpolation; with a ``spacing``, or where it has more voxels than `MOST`, it has larger voxels over the same field of
view. The moving image is read there at the same places in millimetres, as both headers have them, linearly; an image
with finer voxels than the grid's is smoothed first. Intensities between two percentiles of each image, or within a
window, become [0, 1].
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# SimpleITK is not typed.

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the library's usual name

from datasets.files import Array, DataError
from datasets.geometry import to_physical
from workflows.pair.fields import Field
from workflows.pair.scans import SMALLEST, Scan

Align = Literal["header", "centre"]
MOST = 8_000_000  # voxels: some 200 x 200 x 200
PERCENTILES = (0.5, 99.5)
COARSER = 1.5  # times as large as an image's voxels, and the image is smoothed before it is read on a grid
OVERLAP = 0.25  # of the fixed image's field of view that the moving one has to cover at least


@dataclass(frozen=True)
class Rule:
    """What may be said of the grid and the intensities: voxel size in mm, a window, how the images are laid."""

    spacing: float | None = None
    window: tuple[float, float] | None = None
    align: Align = "header"


@dataclass(frozen=True, eq=False)
class Grid:
    """The grid of a registration: an ITK image without content, ``offset`` the mm (LPS) from fixed to moving places."""

    image: Any
    offset: tuple[float, float, float]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along left, posterior, superior."""
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
        image, smallest = _smoothed(scan.image, self.image), float(sitk.GetArrayViewFromImage(scan.image).min())
        where = self._offset() if moving else sitk.Transform(3, sitk.sitkIdentity)
        return _array(sitk.Resample(image, self.image, where, sitk.sitkLinear, smallest, sitk.sitkFloat32))

    def _offset(self) -> Any:
        return sitk.TranslationTransform(3, self.offset)

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
    image = _resized(_turned(fixed), rule.spacing)
    centre = np.zeros(3) if rule.align == "header" else _centre(moving) - _centre(fixed)
    grid = Grid(image, (float(centre[0]), float(centre[1]), float(centre[2])))
    covered = _covered(grid, moving)
    if covered < OVERLAP:
        hint = "the images differ too much in size" if rule.align == "centre" else "try --align centre"
        raise DataError(
            f"{moving.path}: covers only {covered:.0%} of the field of view of {fixed.path}, as their headers place "
            f"them; {hint}"
        )
    return grid


def intensities(values: Array, window: tuple[float, float] | None) -> tuple[Array, tuple[float, float]]:
    """Return an image in [0, 1], and the two values that became 0 and 1: a window, or `PERCENTILES` of the image."""
    low, high = window or map(float, np.percentile(values, PERCENTILES))
    if not high > low:  # such as a few bright voxels on black
        low, high = float(values.min()), float(values.max())
    if not high > low:
        raise DataError("an image has one value alone where the pair overlaps; there is nothing to register")
    return np.clip((values - low) / (high - low), 0, 1).astype(np.float32), (low, high)


def _turned(fixed: Scan) -> Any:
    """Return the fixed grid with its axes in the order left, posterior, superior; oblique ones go to the closest."""
    return sitk.DICOMOrient(sitk.Image(fixed.image), "LPS")


def _resized(image: Any, wanted: float | None) -> Any:
    """Return a grid over the same field of view with voxels of the size that is wanted, or so large as they must be."""
    size, spacing = np.asarray(image.GetSize()), np.asarray(image.GetSpacing())
    extent = size * spacing
    if wanted is not None:
        new = np.full(3, wanted)
    elif size.prod() > MOST:
        new = np.maximum(spacing, _coarser(extent, spacing))
    else:
        return image
    shape = np.maximum(np.round(extent / new), 1).astype(int)
    many = " x ".join(map(str, shape))
    if shape.min() < SMALLEST:
        raise DataError(f"--spacing: voxels of {wanted:g} mm leave {many} of them; choose smaller ones")
    if shape.astype(float).prod() > 8 * MOST:
        raise DataError(f"--spacing: voxels of {wanted:g} mm make {many} of them; choose larger ones")
    new = extent / shape
    grid = sitk.Image([int(n) for n in shape], sitk.sitkUInt8)
    directions = np.reshape(image.GetDirection(), (3, 3))
    grid.SetSpacing(new.tolist())
    grid.SetDirection(image.GetDirection())
    grid.SetOrigin((np.asarray(image.GetOrigin()) + directions @ ((new - spacing) / 2)).tolist())
    return grid


def _coarser(extent: Array, spacing: Array) -> float:
    """Return the voxel size that leaves `MOST` voxels: axes that are coarser already stay."""
    low, high = float(spacing.min()), float(extent.max())
    for _ in range(60):
        middle = math.sqrt(low * high)
        many = float(np.prod(extent / np.maximum(spacing, middle))) > MOST
        low, high = (middle, high) if many else (low, middle)
    return high


def _smoothed(image: Any, grid: Any) -> Any:
    """Return an image without the detail that a coarser grid cannot hold."""
    floating = sitk.Cast(image, sitk.sitkFloat32)
    own, grids = (np.reshape(each.GetDirection(), (3, 3)) for each in (image, grid))
    along = np.sqrt(((own.T @ grids) ** 2) @ np.square(grid.GetSpacing()))  # the grid's voxels along the image's axes
    for axis, (step, wanted) in enumerate(zip(image.GetSpacing(), along, strict=True)):
        if wanted > COARSER * step:
            smooth = sitk.RecursiveGaussianImageFilter.ZeroOrder
            floating = sitk.RecursiveGaussian(floating, 0.5 * float(wanted), False, smooth, axis)
    return floating


def _centre(scan: Scan) -> Array:
    return scan.to_millimetres((np.asarray(scan.shape)[None] - 1) / 2)[0]


def _covered(grid: Grid, moving: Scan) -> float:
    """Return the share of the grid that the moving image reaches, from every few voxels."""
    axes = [np.linspace(0, n - 1, 12) for n in grid.shape]
    voxels = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    there = moving.to_voxels(grid.as_scan.to_millimetres(voxels) + grid.offset)
    return float(np.mean(np.all((there >= -0.5) & (there <= np.asarray(moving.shape) - 0.5), axis=1)))


def _array(image: Any) -> Array:
    return np.ascontiguousarray(sitk.GetArrayViewFromImage(image).transpose(2, 1, 0))
