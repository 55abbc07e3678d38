"""Scans on grids of their own choice: a grid with other voxels over the same view, and what is read on it."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# SimpleITK is not typed.

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the library's usual name
from numpy.typing import ArrayLike

from datasets.files import Array, DataError
from datasets.own.scans import SMALLEST, TURNED, Scan, array_of
from datasets.own.words import outside
from datasets.placement import Placement
from datasets.values import dark_and_bright

MOST = 64_000_000  # voxels of a grid: 400 x 400 x 400
COARSER = 1.5  # times as large as an image's voxels, and the image is smoothed before it is read on a grid


def resized(image: Any, spacing: ArrayLike, option: str) -> Any:
    """Return an empty grid over the field of view of an ITK image, with voxels of about ``spacing`` mm ``(3,)``.

    Raises:
        DataError: that makes too few voxels, or too many; the message begins with the name of the ``option``.
    """
    size, old = np.asarray(image.GetSize()), np.asarray(image.GetSpacing())
    shape: list[int] = np.maximum(np.round(size * old / np.asarray(spacing, np.float64)), 1).astype(int).tolist()
    what = f"{option}: voxels of {', '.join(f'{each:g}' for each in np.unique(spacing))} mm"
    if min(shape) < SMALLEST:
        raise DataError(f"{what} leave {_sizes(shape)} of them; choose smaller ones")
    if math.prod(shape) > MOST:
        raise DataError(f"{what} make {_sizes(shape)} of them; choose larger ones")
    return with_shape(image, shape)


def with_shape(image: Any, shape: Sequence[int]) -> Any:
    """Return an empty grid of ``shape`` voxels over the field of view of an ITK image."""
    old, directions = np.asarray(image.GetSpacing()), np.reshape(image.GetDirection(), (3, 3))
    new = np.asarray(image.GetSize()) * old / np.asarray(shape)
    grid = sitk.Image([int(n) for n in shape], sitk.sitkUInt8)
    grid.SetSpacing(new.tolist())
    grid.SetDirection(image.GetDirection())
    grid.SetOrigin((np.asarray(image.GetOrigin()) + directions @ ((new - old) / 2)).tolist())
    return grid


def frame(place: Placement) -> Any:
    """Return an empty ITK image that lies so."""
    grid = sitk.Image([int(n) for n in place.shape], sitk.sitkUInt8)
    grid.SetSpacing(place.spacing)
    grid.SetDirection((TURNED @ place.directions).ravel().tolist())
    grid.SetOrigin((TURNED @ place.affine[:3, 3]).tolist())
    return grid


def read_on(grid: Any, scan: Scan, offset: Sequence[float] = (0.0, 0.0, 0.0)) -> Array:
    """Return the intensities of a scan on the grid ``(D, H, W)`` of an ITK image, linearly, float32.

    Places are those of both headers, those of the scan ``offset`` mm (LPS) away; beyond the scan its smallest intensity
    stands. Where the grid's voxels are much larger the scan is smoothed first.
    """
    smallest = float(sitk.GetArrayViewFromImage(scan.image).min())
    there = sitk.TranslationTransform(3, tuple(map(float, offset)))
    smooth = _smoothed(scan.image, grid)
    return array_of(sitk.Resample(smooth, grid, there, sitk.sitkLinear, smallest, sitk.sitkFloat32))


def nearest_on(grid: Any, labels: Any) -> Array:
    """Return a label map, an ITK image, on a grid: the label at each place, 0 beyond it."""
    there = sitk.Transform(3, sitk.sitkIdentity)
    return array_of(sitk.Resample(labels, grid, there, sitk.sitkNearestNeighbor, 0, labels.GetPixelID()))


def share_covered(grid: Any, scan: Scan, offset: Sequence[float] = (0.0, 0.0, 0.0)) -> float:
    """Return the share of a grid that a scan reaches, from every few voxels."""
    axes = [np.linspace(0, n - 1, 12) for n in grid.GetSize()]
    voxels = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    there = scan.to_voxels(Scan(scan.path, grid).to_millimetres(voxels) + offset)
    return float(np.mean(np.all((there >= -0.5) & (there <= np.asarray(scan.shape) - 0.5), axis=1)))


def intensities(
    values: Array, window: tuple[float, float] | None, levels: tuple[float, float] = (0.0, 1.0)
) -> tuple[Array, tuple[float, float]]:
    """Return an image in [0, 1], and the two values that became 0 and 1.

    These are a window's, or such that what is dark and what is bright in the image (`values.PERCENTILES`) come to
    ``levels``, within [0, 1].

    Raises:
        DataError: nothing is left to tell its voxels apart; the message lacks the name of the file.
    """
    low, high = window or dark_and_bright(values)
    if not high > low:  # such as a few bright voxels on black
        low, high = float(values.min()), float(values.max())
    if not high > low:
        raise DataError("has one value alone where the pair overlaps; there is nothing to register")
    if window is None:
        width = (high - low) / (levels[1] - levels[0])
        low, high = low - levels[0] * width, low + (1 - levels[0]) * width
    scaled = np.clip((values - low) / (high - low), 0, 1).astype(np.float32)
    if scaled.min() == scaled.max():
        raise DataError(outside(float(values.min()), float(values.max()), (low, high)))
    return scaled, (low, high)


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


def _sizes(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))
