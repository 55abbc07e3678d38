"""ANTs symmetric normalisation (SyN) through antspyx: an affine stage, then a greedy symmetric diffeomorphism.

Avants et al. 2008, doi:10.1016/j.media.2007.06.004; evaluation 2011, doi:10.1016/j.neuroimage.2010.09.025.

Two variants, by ``metric``:

- ``mattes``: antspyx's own defaults (mutual information, 40 x 20 x 0 iterations). What most papers run as "ANTs SyN":
  quick, and without any iteration at full resolution.
- ``cc``: cross-correlation in a window of radius 2 voxels, 100 x 70 x 50 x 20 iterations, the deformable stage of
  the ANTs authors' script antsRegistrationSyN.sh.

The same seed repeats a result exactly on one thread alone. ITK reads ``ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS`` once,
before its first use, so the process that registers must be started with it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from datasets.geometry import Array, from_physical
from methods import Register

ITERATIONS = {"mattes": (40, 20, 0), "cc": (100, 70, 50, 20)}
BINS = 32  # of the mutual information's histogram, antspyx's default
SEED_VARIABLE = "ANTS_RANDOM_SEED"


@dataclass(frozen=True)
class Params:
    """The options of the registration."""

    # similarity of the deformable stage; the affine stage always uses mutual information
    metric: Literal["mattes", "cc"] = "mattes"
    # SyN starts with an affine stage, SyNOnly has none and starts from the identity
    transform: Literal["SyN", "SyNOnly"] = "SyN"
    # what the affine stage starts from: mass aligns the centres of intensity first, identity does not
    start: Literal["mass", "identity"] = "mass"
    radius: int = 2  # radius of the cross-correlation window, in voxels
    # iterations at each level, coarse to fine, the last at full resolution; null takes those of the metric's variant
    iterations: tuple[int, ...] | None = None
    gradient_step: float = 0.2  # largest update of one iteration, in voxels
    flow_variance: float = 3.0  # variance of the Gaussian on the update field, in squared voxels
    total_variance: float = 0.0  # variance of the Gaussian on the whole field, in squared voxels


def load(params: Params, *, device: str, seed: int, checkpoint: Path | None = None) -> Register:
    """Import antspyx and return the registration, on the CPU; ``seed`` draws the affine stage's samples."""
    levels = _check_iterations(ITERATIONS[params.metric] if params.iterations is None else params.iterations)
    identity = params.start == "identity" and params.transform == "SyN"
    # antspyx drops keywords that it does not know without a word: these are its own names.
    options = {
        "type_of_transform": params.transform,
        "initial_transform": "Identity" if identity else None,
        "syn_metric": {"mattes": "mattes", "cc": "CC"}[params.metric],
        "syn_sampling": params.radius if params.metric == "cc" else BINS,
        "reg_iterations": levels,
        "grad_step": params.gradient_step,
        "flow_sigma": params.flow_variance,  # a variance, whatever its name
        "total_sigma": params.total_variance,
    }
    import ants  # takes seconds

    def register(fixed: Array, moving: Array, spacing: tuple[float, float, float]) -> Array:
        os.environ[SEED_VARIABLE] = _ants_seed(seed)  # ANTs reads it at each run; others of this process set their own
        still, moved = (
            ants.from_numpy(np.array(image, np.float32), spacing=tuple(spacing)) for image in (fixed, moving)
        )
        # A folder for each pair: antspyx gathers its results by file name and would pick up those of another run.
        with tempfile.TemporaryDirectory(prefix="ants_syn_") as folder:
            result = ants.registration(still, moved, outprefix=f"{folder}/", **options)
            total = ants.apply_transforms(still, moved, result["fwdtransforms"], compose=f"{folder}/total_")
            return from_physical(ants.image_read(total).numpy(), spacing, axes="xyz")

    return register


def across_modalities(params: Params) -> bool:
    """Return whether images of two modalities can be registered."""
    return params.metric == "mattes"


def _ants_seed(seed: int) -> str:
    return str(seed + 1)  # 0 means "by the clock" to ANTs


def _check_iterations(iterations: Sequence[int]) -> tuple[int, ...]:
    levels = tuple(iterations)
    if not levels or any(not isinstance(n, int) or n < 0 for n in levels) or not any(levels):
        raise ValueError(f"ants_syn.load: iterations must be whole numbers, one a level, not all zero; got {levels}")
    return levels
