"""How a volume lies in space, and whether two volumes lie alike."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# nibabel is typed in part only.

from __future__ import annotations

from dataclasses import dataclass

import nibabel as nib
import numpy as np
from numpy.typing import ArrayLike

from datasets.geometry import Array

# Two volumes lie alike within these; each comparison is written so that NaN fails it.
SPACING_TOLERANCE = 1e-3  # of a voxel size, relative
DIRECTION_TOLERANCE = 1e-3  # of a direction cosine; so much may axes depart from right angles, too
ORIGIN_TOLERANCE = 0.01  # of a voxel


@dataclass(frozen=True)
class Placement:
    """The ``shape`` (D, H, W) of a volume and its voxel-to-world ``affine`` ``(4, 4)`` (RAS, mm)."""

    shape: tuple[int, ...]
    affine: Array

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel size in millimetres, array-axis order."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0).tolist()
        return x, y, z

    @property
    def orientation(self) -> tuple[str, ...]:
        """Where each array axis points to, such as ``('L', 'P', 'S')``."""
        axes: tuple[str, ...] = nib.aff2axcodes(self.affine)
        return axes

    @property
    def directions(self) -> Array:
        """Direction cosines ``(3, 3)``, one column an array axis."""
        return self.affine[:3, :3] / self.spacing

    def difference(self, other: Placement, *, place: bool = True) -> str:
        """Return in words how another volume lies differently, or "" where it lies alike.

        ``place=False`` compares shape and directions alone, for images whose millimetres nobody measures.
        """
        if self.shape != other.shape:
            return f"shapes differ, {_sizes(self.shape)} and {_sizes(other.shape)} voxels"
        if not np.all(np.abs(self.directions - other.directions) <= DIRECTION_TOLERANCE):
            return f"orientations differ, {self._axes(other)} and {other._axes(self)}"
        if place and not np.allclose(self.spacing, other.spacing, rtol=SPACING_TOLERANCE, atol=0):
            return f"voxel sizes differ, {_numbers(self.spacing)} and {_numbers(other.spacing)} mm"
        away = np.abs(self.directions.T @ (self.affine[:3, 3] - other.affine[:3, 3])) / self.spacing
        if place and not np.all(away <= ORIGIN_TOLERANCE):
            return f"origins differ, {_numbers(self.affine[:3, 3])} and {_numbers(other.affine[:3, 3])} mm"
        return ""

    def _axes(self, other: Placement) -> str:
        """Return the axes as letters, with the direction cosines where letters do not tell the two apart."""
        letters = "".join(self.orientation)
        return (
            letters if self.orientation != other.orientation else f"{letters} {np.round(self.directions, 4).tolist()}"
        )


def affine_fault(affine: ArrayLike) -> str:
    """Return in words why an affine cannot be used, with what to do about it, or "" where it can."""
    matrix = np.asarray(affine)
    if matrix.shape != (4, 4) or matrix.dtype.kind not in "iuf" or not np.all(np.isfinite(matrix)):
        return f"the affine must be 4 x 4 finite numbers, got {matrix.tolist()}; correct the header"
    sizes = np.linalg.norm(matrix[:3, :3], axis=0)
    if not np.all(sizes > 0) or not np.array_equal(matrix[3], (0, 0, 0, 1)):
        return f"the affine is degenerate, with voxels of {_numbers(sizes)} mm; correct the header"
    cosines = (matrix[:3, :3] / sizes).T @ (matrix[:3, :3] / sizes) - np.eye(3)
    if not np.abs(np.linalg.det(matrix[:3, :3] / sizes)) > DIRECTION_TOLERANCE:
        return "two axes of the affine point the same way; correct the header"
    if not np.all(np.abs(cosines) <= DIRECTION_TOLERANCE):
        return (
            f"the affine is sheared (its axes meet at cosines up to {np.abs(cosines).max():.3g}), so that distances "
            "would be wrong; resample to a straight grid first (nibabel.processing.resample_to_output)"
        )
    return ""


def _sizes(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _numbers(values: ArrayLike) -> str:
    return ", ".join(f"{value:.6g}" for value in np.asarray(values, float).tolist())
