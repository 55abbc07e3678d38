"""Instance optimisation: some steps of Adam that fit a displacement further to its own pair.

What a network has learned is a start; its loss can be lowered further on the very pair that is registered, as
Balakrishnan et al. 2019 (doi:10.1109/TMI.2019.2897538) do with VoxelMorph. Here cubic B-splines are added to the
displacement, and Adam moves their control points against the images' difference and the roughness of the sum. What
comes back has the lowest loss that was seen, the start's included, and folds nothing that the start did not fold.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from datasets.geometry import Array
from methods.blocks.options import not_negative, positive
from methods.blocks.precision import single_precision
from methods.blocks.refinement.folds import without_new_folds
from methods.blocks.refinement.similarity import Similarity, difference
from methods.blocks.refinement.splines import Splines
from methods.blocks.registration import in_memory
from methods.blocks.spatial import warp

ROUNDING = 1e-6  # by less than this no loss is lower than the start's

Loss = Callable[[Tensor], tuple[float, Tensor]]


@dataclass(frozen=True)
class Refinement:
    """The options of instance optimisation."""

    steps: int = 0  # steps of Adam after each registration; 0 leaves its displacement as it is
    similarity: Similarity = "local_correlation"  # of cubes of both images, of the whole, or squared differences
    smoothness: float = 1.0  # weight of the displacement's roughness, half its mean squared difference to a neighbour
    rate: float = 0.1  # how far a step moves a control point at first, in voxels; it falls to 0 along a cosine
    cell: int = 4  # voxels from one control point to the next
    window: int = 9  # voxels a side of the cubes of local_correlation

    def __post_init__(self) -> None:
        not_negative("refine", steps=self.steps, smoothness=self.smoothness)
        positive("refine", rate=self.rate, cell=self.cell)
        if self.window < 2:
            raise ValueError(f"refine: window must be 2 or more, got {self.window}")


def refinement(options: Refinement, device: str) -> Callable[[Array, Array, Array], Array]:
    """Return the function of fixed image, moving image ``(D, H, W)`` and displacement that returns a better one.

    Displacements are ``(3, D, H, W)``, those of `datasets.geometry`.
    """
    if not options.steps:
        return lambda fixed, moving, displacement: displacement
    small = np.indices((8, 8, 8), np.float32)
    _refine(replace(options, steps=1), device, small[0], small[1], 0 * small)  # loops compile before the clock runs
    return partial(_refine, options, device)


def _refine(options: Refinement, device: str, fixed: Array, moving: Array, displacement: Array) -> Array:
    still, moved = (torch.tensor(np.asarray(image, np.float32), device=device)[None, None] for image in (fixed, moving))
    start = torch.tensor(np.asarray(displacement, np.float32), device=device)
    with single_precision(), torch.enable_grad():
        loss = partial(_loss, difference(options.similarity, options.window), options.smoothness, still, moved)
        change = _change(options, loss, start)
        return in_memory(start if change is None else without_new_folds(start, change))


def _change(options: Refinement, loss: Loss, start: Tensor) -> Tensor | None:
    """Return what to add to a displacement ``(3, D, H, W)``; None where no step has lowered the loss."""
    splines = Splines.over(start.shape[1:], options.cell, start.device)
    values, best, kept = splines.zeros, math.inf, None
    optimiser = torch.optim.Adam([values], lr=options.rate)
    for step in range(options.steps + 1):
        lost, force = loss(start + splines.field(values))
        if lost < best:
            best, kept = lost if step else lost - ROUNDING, values.clone() if step else None
        if step < options.steps:
            values.grad = splines.gradient(force)
            optimiser.param_groups[0]["lr"] = options.rate * (1 + math.cos(math.pi * step / options.steps)) / 2
            optimiser.step()
    return None if kept is None else splines.field(kept)


def _loss(
    differ: Callable[[Tensor, Tensor], Tensor], weight: float, fixed: Tensor, moving: Tensor, displacement: Tensor
) -> tuple[float, Tensor]:
    """Return the loss of a displacement ``(3, D, H, W)``, and its gradient by it."""
    u = displacement.detach()[None].requires_grad_()
    lost = differ(fixed, warp(moving, u))
    (force,) = torch.autograd.grad(lost, u)
    rough, by_rough = _roughness(displacement)
    return lost.item() + weight * rough, force[0].add(by_rough, alpha=weight)


def _roughness(displacement: Tensor) -> tuple[float, Tensor]:
    """Return half the mean of squared differences to the next voxel, summed over axes, and its gradient."""
    force, squares = torch.zeros_like(displacement), displacement.new_zeros(())
    for axis in (1, 2, 3):
        steps = displacement.diff(dim=axis)
        force.narrow(axis, 1, steps.shape[axis]).add_(steps)
        force.narrow(axis, 0, steps.shape[axis]).sub_(steps)
        squares += steps.square_().sum()
    return squares.item() / 2 / displacement.numel(), force.div_(displacement.numel())
