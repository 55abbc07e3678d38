"""Elastix: an affine stage, then free-form B-splines, by stochastic gradient descent (itk-elastix).

Klein et al. 2010, doi:10.1109/TMI.2009.2035616; optimiser doi:10.1007/s11263-008-0168-y; B-splines after Rueckert et
al. 1999, doi:10.1109/42.796284.

Presets, and what a pair takes on one core whatever its size:

- ``liver``: normalised correlation, for one modality and small volumes; about 10 s.
- ``brain``: mutual information and a 5 mm grid after set Par0035 of the elastix Model Zoo, with a bending penalty,
  since without one that grid folds about 2 % of a head; about 100 s.
- ``lung``: after set Par0011, a first B-spline stage with a bending penalty at twice the spacing and a second one
  without; about 3 minutes. The published second stage is held to a lung mask, this one is not.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from datasets.geometry import from_physical

Metric = Literal["ncc", "mattes"]
Map = dict[str, list[str]]


@dataclass(frozen=True)
class Setup:
    """A chain of stages; see `load` for the words."""

    metric: Metric
    grid_mm: float | None
    grid_voxels: float | None
    resolutions: int
    iterations: int
    samples: int
    bending: float = 0.0
    coarse_stage: bool = False
    affine_resolutions: int = 3
    affine_iterations: int = 500
    affine_samples: int = 2000
    step_samples: int | None = None


PRESETS: dict[str, Setup] = {
    "liver": Setup("ncc", None, 8.0, resolutions=4, iterations=500, samples=2000),
    "brain": Setup("mattes", 5.0, None, resolutions=3, iterations=250, samples=2500, bending=10.0),
    "lung": Setup(
        "ncc", 5.0, None, resolutions=4, iterations=1000, samples=2000, coarse_stage=True,
        affine_resolutions=4, affine_iterations=1000,
    ),
}  # fmt: skip
METRICS = {"ncc": "AdvancedNormalizedCorrelation", "mattes": "AdvancedMattesMutualInformation"}
COARSE_BENDING = 0.05  # Par0011: the bending penalty's pull relative to the similarity's


def load(
    *,
    device: str,
    seed: int,
    checkpoint: Path | None = None,
    preset: Literal["liver", "brain", "lung"] = "liver",
    metric: Literal["ncc", "mattes"] | None = None,
    grid_mm: float | None = None,
    grid_voxels: float | None = None,
    resolutions: int | None = None,
    iterations: int | None = None,
    samples: int | None = None,
    bending: float | None = None,
    step_samples: int | None = None,
) -> Callable[..., NDArray[np.float32]]:
    """Import itk-elastix and return the registration; what is not given comes from ``preset``.

    Args:
        device: ignored, elastix has a CPU version only.
        seed: draws the samples of every iteration.
        checkpoint: ignored, nothing is learned.
        preset: the chain of stages.
        metric: normalised correlation, or mutual information with 32 bins, of all stages.
        grid_mm: spacing of the final control points in millimetres; at most one of this and ``grid_voxels``.
        grid_voxels: the same in voxels of the fixed image along each axis.
        resolutions: levels of the B-spline stages, each half as coarse as the one before, spacing included.
        iterations: of each level of the B-spline stages.
        samples: voxels drawn for each iteration of the B-spline stages.
        bending: weight of the bending energy, against a similarity of weight 1, in the final stage; 0 is none, and
            more than 0 makes an iteration about four times as long.
        step_samples: voxels from which each level of every stage estimates its step size; None is elastix' 100,000.
            With a bending penalty on a small image that estimate takes longer than the iterations.
    """
    setup = configure(
        preset,
        metric=metric,
        grid_mm=grid_mm,
        grid_voxels=grid_voxels,
        resolutions=resolutions,
        iterations=iterations,
        samples=samples,
        bending=bending,
        step_samples=step_samples,
    )
    import itk  # takes up to 20 s and 0.8 GB

    itk.ParameterObject.New()  # itk loads elastix lazily, at its first use

    def register(fixed: NDArray, moving: NDArray, spacing: tuple[float, float, float]) -> NDArray[np.float32]:
        images = [_image(itk, array, spacing) for array in (fixed, moving)]
        found = _run(itk, *images, stages(setup, seed))
        # Of all stages together: the last B-spline alone lacks the affine that came before it. A folder of its own:
        # elastix also writes the field to a file, by default in the working directory.
        with tempfile.TemporaryDirectory(prefix="elastix_") as folder:
            field = itk.transformix_deformation_field(images[1], found, output_directory=folder)
            return from_physical(itk.array_from_image(field), tuple(spacing)[::-1], axes="zyx")

    return register


def configure(preset: str, **options: Any) -> Setup:
    """Return a preset with the options of `load` that are not None in place of its own; raise ValueError if unfit."""
    changes = {name: value for name, value in options.items() if value is not None}
    grids = {"grid_mm", "grid_voxels"} & changes.keys()
    if len(grids) == 2:
        pair = f"grid_mm ({changes['grid_mm']}) or grid_voxels ({changes['grid_voxels']})"
        raise ValueError(f"elastix_bspline.load: give {pair}, not both")
    if grids:
        changes = {"grid_mm": None, "grid_voxels": None, **changes}
    return _check(replace(PRESETS[preset], **changes))


def stages(setup: Setup, seed: int) -> list[Map]:
    """Return the complete parameter map of each stage, in order; the last one is the finest B-spline."""
    affine = {
        **_shared(setup, seed, setup.affine_resolutions, setup.affine_iterations, setup.affine_samples),
        "Transform": ["AffineTransform"],
        "AutomaticScalesEstimation": ["true"],
        "AutomaticTransformInitialization": ["true"],
        **_metric(setup.metric),
    }
    splines = [_bspline(setup, seed, bending=setup.bending)]
    if setup.coarse_stage:
        splines.insert(0, _bspline(setup, seed, coarser=2.0, bending=COARSE_BENDING, relative=True))
    return [affine, *splines]


def _bspline(setup: Setup, seed: int, *, coarser: float = 1.0, bending: float = 0.0, relative: bool = False) -> Map:
    if setup.grid_mm is not None:
        grid = {"FinalGridSpacingInPhysicalUnits": [str(setup.grid_mm * coarser)]}
    else:
        grid = {"FinalGridSpacingInVoxels": [str(setup.grid_voxels * coarser)]}
    schedule = [str(2**level) for level in reversed(range(setup.resolutions))]
    return {
        **_shared(setup, seed, setup.resolutions, setup.iterations, setup.samples),
        "Transform": ["BSplineTransform"],
        "BSplineTransformSplineOrder": ["3"],
        "GridSpacingSchedule": schedule,
        **grid,
        **_metric(setup.metric, bending=bending, relative=relative),
    }


def _metric(metric: Metric, *, bending: float = 0.0, relative: bool = False) -> Map:
    similarity = {"NumberOfHistogramBins": ["32"]} if metric == "mattes" else {}
    if not bending:
        return {**similarity, "Registration": ["MultiResolutionRegistration"], "Metric": [METRICS[metric]]}
    kind = "RelativeWeight" if relative else "Weight"
    return {
        **similarity,
        "Registration": ["MultiMetricMultiResolutionRegistration"],
        "Metric": [METRICS[metric], "TransformBendingEnergyPenalty"],
        "UseRelativeWeights": [str(relative).lower()],
        f"Metric0{kind}": ["1.0"],
        f"Metric1{kind}": [str(bending)],
    }


def _shared(setup: Setup, seed: int, resolutions: int, iterations: int, samples: int) -> Map:
    """What every stage has in common; elastix has no defaults of its own for a map that is not complete."""
    step = {} if setup.step_samples is None else {"NumberOfSamplesForExactGradient": [str(setup.step_samples)]}
    return {
        **step,
        "FixedInternalImagePixelType": ["float"],
        "MovingInternalImagePixelType": ["float"],
        "UseDirectionCosines": ["true"],
        "FixedImagePyramid": ["FixedSmoothingImagePyramid"],
        "MovingImagePyramid": ["MovingSmoothingImagePyramid"],
        "NumberOfResolutions": [str(resolutions)],
        "ImageSampler": ["RandomCoordinate"],
        "NumberOfSpatialSamples": [str(samples)],
        "NewSamplesEveryIteration": ["true"],
        "MaximumNumberOfSamplingAttempts": ["8"],
        "CheckNumberOfSamples": ["true"],
        "ErodeMask": ["false"],
        "Interpolator": ["LinearInterpolator"],
        "Optimizer": ["AdaptiveStochasticGradientDescent"],
        "MaximumNumberOfIterations": [str(iterations)],
        "AutomaticParameterEstimation": ["true"],
        "UseAdaptiveStepSizes": ["true"],
        "HowToCombineTransforms": ["Compose"],
        "Resampler": ["DefaultResampler"],
        "ResampleInterpolator": ["FinalBSplineInterpolator"],
        "FinalBSplineInterpolationOrder": ["3"],
        "DefaultPixelValue": ["0"],
        "WriteResultImage": ["false"],
        "ResultImagePixelType": ["float"],
        "RandomSeed": [str(seed)],
    }


def _run(itk: Any, fixed: Any, moving: Any, maps: list[Map]) -> Any:
    """Run the stages and return their transforms as elastix' parameter object."""
    parameters = itk.ParameterObject.New()
    for stage in maps:
        parameters.AddParameterMap(stage)
    # No number_of_threads: above 1 it crashes elastix as soon as a stage has a bending penalty.
    _, found = itk.elastix_registration_method(fixed, moving, parameter_object=parameters, log_to_console=False)
    return found


def _image(itk: Any, array: NDArray, spacing: tuple[float, float, float]) -> Any:
    # A copy, since the input may be read-only; in C order, since itk takes another order for another shape.
    image = itk.image_from_array(np.array(array, np.float32, order="C"))
    image.SetSpacing([float(value) for value in reversed(spacing)])
    return image


def _check(setup: Setup) -> Setup:
    for name in ("grid_mm", "grid_voxels", "resolutions", "iterations", "samples", "step_samples"):
        value = getattr(setup, name)
        if value is not None and value <= 0:
            raise ValueError(f"elastix_bspline.load: {name} must be positive, got {value}")
    if setup.bending < 0:
        raise ValueError(f"elastix_bspline.load: bending must not be negative, got {setup.bending}")
    return setup
