"""A displacement on the fixed image's own grid, and what other tools make of it."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# SimpleITK is not typed.

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the library's usual name

from datasets.files import Array
from datasets.geometry import from_physical


@dataclass(frozen=True, eq=False)
class Field:
    """A displacement on the fixed image's own grid, as ITK has it: mm along left, posterior, superior, pull-back."""

    image: Any

    @property
    def transform(self) -> Any:
        """The ITK transform that takes a fixed place to the moving one."""
        return sitk.DisplacementFieldTransform(sitk.Image(self.image))  # it takes the image it is given

    @property
    def voxels(self) -> Array:
        """The displacement ``(3, i, j, k)`` in voxels of the fixed image, along its own axes."""
        array = np.transpose(sitk.GetArrayFromImage(self.image), (2, 1, 0, 3))
        return from_physical(array, self.image.GetSpacing(), np.reshape(self.image.GetDirection(), (3, 3)))

    def carry(self, moving: Any, *, labels: bool = False) -> Any:
        """Return the moving image, or its label map, on the fixed grid, in its own type."""
        how, values = (sitk.sitkNearestNeighbor if labels else sitk.sitkLinear), sitk.GetArrayViewFromImage(moving)
        outside = 0.0 if labels else float(values.min())
        kind = moving.GetPixelID() if labels else sitk.sitkFloat64
        warped = sitk.Resample(moving, self.image, self.transform, how, outside, kind)
        # ITK cuts decimals off where it casts.
        whole = np.issubdtype(values.dtype, np.integer) and not labels
        return sitk.Cast(sitk.Round(warped) if whole else warped, moving.GetPixelID())
