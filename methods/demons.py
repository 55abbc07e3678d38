"""Diffeomorphic demons through SimpleITK, coarse to fine: a whole method in one short file, an example to copy.

Vercauteren et al. 2009, doi:10.1016/j.neuroimage.2008.10.040. There is no affine stage: the pair must be roughly
aligned, and of one modality or nearly so.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from datasets.geometry import Array, from_physical
from methods import Register

BINS, MATCH_POINTS = 256, 15  # of the histogram matching


@dataclass(frozen=True)
class Params:
    """The options of the registration."""

    # iterations at each level, coarse to fine; a level halves the voxels of the one before, the last is the images'
    iterations: tuple[int, ...] = (100, 70, 40)
    update_sigma: float = 1.0  # width of the Gaussian on each update (a fluid), in voxels; 0 is none
    field_sigma: float = 1.0  # width of the Gaussian on the whole field (an elastic body), in voxels; 0 is none
    step: float = 2.0  # longest update of one iteration, in voxels
    forces: Literal["symmetric", "fixed", "moving"] = "symmetric"  # whose gradient drives the demons
    match_histograms: bool = False  # give the moving image the histogram of the fixed one first


def load(params: Params, *, device: str, seed: int, checkpoint: Path | None = None) -> Register:
    """Import SimpleITK and return the registration; it runs on the CPU, draws nothing and learns nothing."""
    levels = list(params.iterations)
    if not levels or any(count < 0 for count in levels):
        raise ValueError(f"demons.load: iterations must be one count a level, none negative; got {levels}")
    import SimpleITK as sitk  # noqa: N813 - the library's usual name

    demons = _demons(sitk, params)

    def register(fixed: Array, moving: Array, spacing: tuple[float, float, float]) -> Array:
        still, moved = (_image(sitk, array, spacing) for array in (fixed, moving))
        if params.match_histograms:
            moved = sitk.HistogramMatching(moved, still, BINS, MATCH_POINTS)
        field = sitk.Image(still.GetSize(), sitk.sitkVectorFloat64)
        field.CopyInformation(still)
        for level, count in enumerate(levels):
            coarse_fixed, coarse_moving = (_coarsen(sitk, i, 2 ** (len(levels) - 1 - level)) for i in (still, moved))
            demons.SetNumberOfIterations(count)
            field = demons.Execute(coarse_fixed, coarse_moving, _resample(sitk, field, coarse_fixed))
        field = sitk.GetArrayFromImage(_resample(sitk, field, still))
        return from_physical(field, tuple(spacing)[::-1], axes="zyx")

    return register


def _demons(sitk: Any, params: Params) -> Any:
    demons = sitk.DiffeomorphicDemonsRegistrationFilter()
    demons.SetUseGradientType(
        {"symmetric": demons.Symmetric, "fixed": demons.Fixed, "moving": demons.WarpedMoving}[params.forces]
    )
    demons.SetMaximumUpdateStepLength(params.step)
    demons.SetSmoothUpdateField(params.update_sigma > 0)
    demons.SetUpdateFieldStandardDeviations(max(params.update_sigma, 1e-3))
    demons.SetSmoothDisplacementField(params.field_sigma > 0)
    demons.SetStandardDeviations(max(params.field_sigma, 1e-3))
    return demons


def _image(sitk: Any, array: Array, spacing: tuple[float, float, float]) -> Any:
    image = sitk.GetImageFromArray(np.asarray(array, np.float32))
    image.SetSpacing([float(value) for value in reversed(spacing)])
    return image


def _coarsen(sitk: Any, image: Any, factor: int) -> Any:
    """Smooth and keep every ``factor``-th voxel, of axes long enough to leave eight."""
    factors = [max(1, min(factor, size // 8)) for size in image.GetSize()]
    sigmas = [0.5 * f * step if f > 1 else 1e-6 for f, step in zip(factors, image.GetSpacing(), strict=True)]
    return sitk.Shrink(sitk.SmoothingRecursiveGaussian(image, sigmas), factors) if max(factors) > 1 else image


def _resample(sitk: Any, field: Any, like: Any) -> Any:
    """Read a field in millimetres on another grid; its border values hold outside."""
    clamp = True  # the outermost voxel centres of two levels differ by up to half a coarse voxel
    identity = sitk.Transform(3, sitk.sitkIdentity)
    return sitk.Resample(field, like, identity, sitk.sitkLinear, 0.0, field.GetPixelID(), clamp)
