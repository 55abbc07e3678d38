"""Elastix: an affine stage, then free-form B-splines, by stochastic gradient descent (itk-elastix).

Klein et al. 2010, doi:10.1109/TMI.2009.2035616; optimiser doi:10.1007/s11263-008-0168-y; B-splines after Rueckert et
al. 1999, doi:10.1109/42.796284.

Presets, and what a pair takes on one core whatever its size:

- ``liver``: normalised correlation, for one modality and small volumes; about 10 s.
- ``brain``: mutual information and a 5 mm grid after set Par0035 of the elastix Model Zoo; a minute. It folds some
  2 % of a head; ``bending: 10`` with 250 iterations of 2,500 samples folds 0.06 %, and loses 0.02 of Dice there.
- ``lung``: after set Par0011, a first B-spline stage with a bending penalty at twice the spacing and a second one
  without; about 3 minutes. The published second stage is held to a lung mask, this one is not.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from datasets.geometry import Array, from_physical
from methods import Register
from methods.blocks.options import OPEN, fill, not_negative, positive

Preset = Literal["liver", "brain", "lung"]
Metric = Literal["ncc", "mattes"]
Map = dict[str, list[str]]
MILLIMETRES, VOXELS = "FinalGridSpacingInPhysicalUnits", "FinalGridSpacingInVoxels"


@dataclass(frozen=True)
class Setup:
    """The values that a preset gives to options left open."""

    metric: Metric
    resolutions: int
    iterations: int
    samples: int
    bending: float = 0.0


@dataclass(frozen=True)
class Chain:
    """The grid of a preset, in elastix' word for its unit, and the stages before the final one."""

    grid: tuple[str, float]
    coarse_stage: bool = False
    affine_resolutions: int = 3
    affine_iterations: int = 500


PRESETS: Mapping[Preset, tuple[Setup, Chain]] = {
    "liver": (Setup("ncc", resolutions=4, iterations=500, samples=2000), Chain((VOXELS, 8.0))),
    "brain": (Setup("mattes", resolutions=3, iterations=500, samples=5000), Chain((MILLIMETRES, 5.0))),
    "lung": (
        Setup("ncc", resolutions=4, iterations=1000, samples=2000),
        Chain((MILLIMETRES, 5.0), coarse_stage=True, affine_resolutions=4, affine_iterations=1000),
    ),
}
METRICS = {"ncc": "AdvancedNormalizedCorrelation", "mattes": "AdvancedMattesMutualInformation"}
COARSE_BENDING = 0.05  # Par0011: the bending penalty's pull relative to the similarity's
AFFINE_SAMPLES = 2000


@dataclass(frozen=True)
class Params:
    """The options of the registration; what is left open comes from the preset."""

    preset: Preset = "liver"  # the chain of stages
    metric: Metric = OPEN  # similarity of all stages: normalised correlation, or mutual information with 32 bins
    # spacing of the final control points in millimetres; null takes the preset's unless grid_voxels is given
    grid_mm: float | None = None
    grid_voxels: float | None = None  # the same spacing in voxels of the fixed image along each axis; give at most one
    resolutions: int = OPEN  # levels of the B-spline stages, each half as coarse as the one before, spacing included
    iterations: int = OPEN  # iterations of each level of the B-spline stages
    samples: int = OPEN  # voxels drawn for each iteration of the B-spline stages
    # weight of the bending energy, against a similarity of weight 1, in the final stage; 0 is none, and more than 0
    # makes an iteration about four times as long
    bending: float = OPEN
    # voxels from which each level of every stage estimates its step size; null takes elastix' 100,000. With a bending
    # penalty on a small image that estimate takes longer than the iterations.
    step_samples: int | None = None

    def __post_init__(self) -> None:
        fill(self, PRESETS[self.preset][0])
        where = "elastix_bspline.load"
        if self.grid_mm is not None and self.grid_voxels is not None:
            raise ValueError(f"{where}: give grid_mm ({self.grid_mm}) or grid_voxels ({self.grid_voxels}), not both")
        positive(where, grid_mm=self.grid_mm, grid_voxels=self.grid_voxels, resolutions=self.resolutions)
        positive(where, iterations=self.iterations, samples=self.samples, step_samples=self.step_samples)
        not_negative(where, bending=self.bending)

    @property
    def chain(self) -> Chain:
        """The preset's chain of stages, on the grid of these options."""
        chain = PRESETS[self.preset][1]
        if self.grid_mm is not None:
            return replace(chain, grid=(MILLIMETRES, self.grid_mm))
        return chain if self.grid_voxels is None else replace(chain, grid=(VOXELS, self.grid_voxels))


def load(params: Params, *, device: str, seed: int, checkpoint: Path | None = None) -> Register:
    """Import itk-elastix and return the registration, on the CPU; ``seed`` draws the samples of every iteration."""
    import itk as lazy  # takes up to 20 s and 0.8 GB

    itk: Any = lazy  # its names appear at their first use, without types
    itk.ParameterObject.New()  # itk loads elastix lazily, at its first use

    def register(fixed: Array, moving: Array, spacing: tuple[float, float, float]) -> Array:
        still, moved = (_image(itk, array, spacing) for array in (fixed, moving))
        found = _run(itk, still, moved, stages(params, seed))
        # Of all stages together: the last B-spline alone lacks the affine that came before it. A folder of its own:
        # elastix also writes the field to a file, by default in the working directory.
        with tempfile.TemporaryDirectory(prefix="elastix_") as folder:
            field = itk.transformix_deformation_field(moved, found, output_directory=folder)
            return from_physical(itk.array_from_image(field), tuple(spacing)[::-1], axes="zyx")

    return register


def across_modalities(params: Params) -> bool:
    """Return whether images of two modalities can be registered."""
    return params.metric == "mattes"


def stages(params: Params, seed: int) -> list[Map]:
    """Return the complete parameter map of each stage, in order; the last one is the finest B-spline."""
    chain = params.chain
    affine = {
        **_shared(params, seed, chain.affine_resolutions, chain.affine_iterations, AFFINE_SAMPLES),
        "Transform": ["AffineTransform"],
        "AutomaticScalesEstimation": ["true"],
        "AutomaticTransformInitialization": ["true"],
        **_metric(params.metric),
    }
    splines = [_bspline(params, seed, bending=params.bending)]
    if chain.coarse_stage:
        splines.insert(0, _bspline(params, seed, coarser=2.0, bending=COARSE_BENDING, relative=True))
    return [affine, *splines]


def _bspline(params: Params, seed: int, *, coarser: float = 1.0, bending: float = 0.0, relative: bool = False) -> Map:
    unit, spacing = params.chain.grid
    return {
        **_shared(params, seed, params.resolutions, params.iterations, params.samples),
        "Transform": ["BSplineTransform"],
        "BSplineTransformSplineOrder": ["3"],
        "GridSpacingSchedule": [str(2**level) for level in reversed(range(params.resolutions))],
        unit: [str(spacing * coarser)],
        **_metric(params.metric, bending=bending, relative=relative),
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


def _shared(params: Params, seed: int, resolutions: int, iterations: int, samples: int) -> Map:
    """Return the options that all stages share; elastix has no defaults of its own for a map that is not complete."""
    step = {} if params.step_samples is None else {"NumberOfSamplesForExactGradient": [str(params.step_samples)]}
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


def _image(itk: Any, array: Array, spacing: tuple[float, float, float]) -> Any:
    # A copy, since the input may be read-only; in C order, since itk takes another order for another shape.
    image = itk.image_from_array(np.array(array, np.float32, order="C"))
    image.SetSpacing([float(value) for value in reversed(spacing)])
    return image
