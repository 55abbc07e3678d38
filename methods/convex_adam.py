"""ConvexAdam: a coupled convex search over discrete displacements, then Adam on one pair (the authors' convexAdam).

Siebert et al. 2022, doi:10.1007/978-3-030-97281-3_25; what it compares is the images' self-similarity (MIND), so that
they may be of two modalities. There is no affine stage: the pair must be roughly aligned, within ``grid * search``
voxels. Its displacements are those of `datasets.geometry`; it knows no spacing, and takes voxels for cubes.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from datasets.geometry import Array
from methods import Register
from methods.blocks.options import not_negative, positive

COARSEST = 2  # cells of the search's grid that each axis must have


@dataclass(frozen=True)
class Params:
    """The options of the registration; the defaults are the package's own."""

    mind_radius: int = 1  # radius of the patches that are compared, in voxels
    mind_dilation: int = 2  # distance of the patches from each other, in voxels
    grid: int = 6  # voxels a side of a cell of the discrete search
    search: int = 4  # displacements that it tries, in cells each way
    iterations: int = 80  # steps of Adam
    adam_grid: int = 2  # voxels a side of a cell in which Adam moves
    smoothness: float = 1.25  # weight of the displacement's squared gradient
    smoothing: int = 0  # width of the box that smooths the result three times, odd, in voxels; 0 is none
    inverse_consistent: bool = True  # make the search agree with the one of the swapped pair

    def __post_init__(self) -> None:
        cells = {"mind_radius": self.mind_radius, "mind_dilation": self.mind_dilation, "grid": self.grid}
        positive("convex_adam", **cells, search=self.search, iterations=self.iterations, adam_grid=self.adam_grid)
        positive("convex_adam", smoothness=self.smoothness)
        not_negative("convex_adam", smoothing=self.smoothing)
        if self.smoothing and self.smoothing % 2 == 0:
            raise ValueError(f"convex_adam: smoothing must be odd or 0, got {self.smoothing}")


def load(params: Params, *, device: str, seed: int, checkpoint: Path | None = None) -> Register:
    """Import convexAdam and return the registration; nothing in it is drawn or learnt."""
    with warnings.catch_warnings():  # its import would silence every warning of the process
        from convexAdam.convex_adam_MIND import convex_adam_pt
    import torch

    solve = partial(
        convex_adam_pt,
        mind_r=params.mind_radius,
        mind_d=params.mind_dilation,
        lambda_weight=params.smoothness,
        grid_sp=params.grid,
        disp_hw=params.search,
        selected_niter=params.iterations,
        selected_smooth=params.smoothing,
        grid_sp_adam=params.adam_grid,
        ic=params.inverse_consistent,
        dtype=torch.float32,
        device=torch.device(device),
    )
    return partial(_register, solve, COARSEST * max(params.grid, params.adam_grid))


def across_modalities(params: Params) -> bool:
    """Return whether images of two modalities can be registered."""
    return True  # self-similarity


def _register(solve: Any, shortest: int, fixed: Array, moving: Array, spacing: tuple[float, float, float]) -> Array:
    if min(fixed.shape) < shortest:
        raise ValueError(f"convex_adam: every axis needs {shortest} voxels or more for this grid, got {fixed.shape}")
    import torch

    devices = range(torch.cuda.device_count())
    with torch.random.fork_rng(devices=devices), torch.enable_grad():  # it draws weights that it then fills
        displacement = solve(np.array(fixed, np.float32), np.array(moving, np.float32))
    return np.ascontiguousarray(np.moveaxis(displacement, -1, 0), dtype=np.float32)
