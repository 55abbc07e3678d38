"""Training pairs with a known displacement: one image, warped twice by random B-splines.

After Eppenhof et al., "Progressively trained convolutional neural networks for deformable image registration" (IEEE
TMI, doi 10.1109/TMI.2019.2953788), sections II-D to II-F and Table I: with the random transforms ``T1`` and
``T2 = t21 o t22``, the moving image is ``I(T1(x))``, the fixed one ``I(T1(T2(x)))``, and hence the truth is
``u(x) = T2(x) - x``: ``fixed(x) = moving(x + u(x))``. A network sees both as magnitudes of their gradients.

Voxel k of an axis of n lies at the fraction k / n of the image, as in gryds, the authors' own generator: an image of
another size is warped and resampled in one interpolation. What the ranges of Table I make of 128 voxels: a mean
displacement of 6.2 voxels, whose mean square, 47, is the loss of a network that predicts nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from methods.blocks.compiled.threads import in_parts
from methods.blocks.progressive import bspline
from methods.blocks.progressive.gradients import gradient_magnitude
from methods.blocks.spatial import Mode, compilable, identity_grid, jacobian_determinant, sampler, warp

ATTEMPTS = 100
ROW, SHORTEST_ROW = 512, 64  # points


@dataclass(frozen=True)
class Bend:
    """A random transform: ``controls`` an axis, each drawn from plus or minus ``ranges``, fractions of the axis.

    Axes in array order, the paper's z, y, x.
    """

    controls: tuple[int, int, int]
    ranges: tuple[float, float, float]


@dataclass(frozen=True)
class Recipe:
    """``T1`` is ``initial``; ``T2`` bends by ``fine`` first and by ``coarse`` then. The defaults are Table I.

    ``reject_folding`` draws a pair anew while its ``T2`` folds (forward differences). It is off, since the paper draws
    once: of 2,000 draws on 40^3 voxels 7 fold, in 0.002 to 0.17 % of their voxels.
    """

    initial: Bend = Bend((2, 2, 2), (0.05, 0.05, 0.05))
    coarse: Bend = Bend((4, 4, 4), (0.1, 0.05, 0.025))
    fine: Bend = Bend((8, 8, 8), (0.025, 0.025, 0.025))
    reject_folding: bool = False

    @property
    def bends(self) -> tuple[Bend, Bend, Bend]:
        """The three transforms, in the order in which they are drawn."""
        return self.initial, self.coarse, self.fine


@dataclass(frozen=True)
class Pairs:
    """A batch: images and masks ``(n, 1, D, H, W)``, the true ``displacement`` ``(n, 3, D, H, W)`` in voxels.

    ``moving_mask`` is ``M(T1(x))``, the published weight of the loss (Eq 4); ``fixed_mask`` is ``M(T1(T2(x)))``, the
    mask where the fixed image is, and thus where the displacement is needed. Both are 0 or 1.
    """

    fixed: Tensor
    moving: Tensor
    displacement: Tensor
    fixed_mask: Tensor
    moving_mask: Tensor


def synthesise(
    images: Tensor,
    generator: torch.Generator,
    *,
    recipe: Recipe | None = None,
    mask: Tensor | None = None,
    shape: Sequence[int] | None = None,
    sigma: float | None = 0.5,
) -> Pairs:
    """Make one pair of each image, on its device.

    Random numbers are drawn on the CPU, pair after pair: a batch is what its pairs would be singly, on any device.

    Args:
        images: ``(n, 1, D, H, W)``; outside of an image is 0, so air should be.
        generator: of the draws.
        recipe: the transforms, Table I where left out.
        mask: ``(1 or n, 1, d, h, w)`` of any size, everything where left out.
        shape: of the pairs, the images' own where left out.
        sigma: width in voxels of the Gaussian whose gradients' magnitudes the pair shows, None for the intensities.
    """
    if images.ndim != 5 or images.shape[1] != 1:
        raise ValueError(f"synthesise: expected images (n, 1, D, H, W), got shape {tuple(images.shape)}")
    recipe, shape = recipe or Recipe(), tuple(shape or images.shape[2:])
    values = draw_bends(images.shape[0], shape, generator, recipe, device=images.device)
    return pairs_of(images, values, mask=mask, shape=shape, sigma=sigma)


def draw_bends(
    n: int,
    shape: Sequence[int],
    generator: torch.Generator,
    recipe: Recipe,
    *,
    device: torch.device | str | None = None,
) -> list[Tensor]:
    """Draw the control values of pairs: for each bend ``(n, 3, A, B, C)``, in voxels.

    Args:
        n: how many pairs.
        shape: of their grid.
        generator: of the draws.
        recipe: the bends.
        device: where the values go.
    """
    if not recipe.reject_folding:
        return [values.to(device) for values in _control_values(n, shape, generator, recipe)]
    single = [_unfolded(shape, generator, recipe, device) for _ in range(n)]
    return [torch.cat(bends) for bends in zip(*single, strict=True)]


def pairs_of(
    images: Tensor, values: Sequence[Tensor], *, mask: Tensor | None, shape: Sequence[int], sigma: float | None
) -> Pairs:
    """Return the pairs that the control values of `draw_bends` make of images; see `synthesise` for other arguments.

    Args:
        images: ``(n, 1, D, H, W)``.
        values: of each bend.
        mask: the field of view.
        shape: of the pairs.
        sigma: of the Gaussian.
    """
    initial, coarse, fine = values
    u = true_displacement(coarse, fine, shape)
    there = torch.cat([bend(initial, u), bspline.on_grid(initial, shape)])
    warped = _read(images.repeat(2, 1, 1, 1, 1), there, "bilinear")
    inside = warped.new_ones(warped.shape) if mask is None else _mask_at(mask, there)
    if sigma is not None:
        # The masks come after the gradient: before it they would draw an edge of their own around the bore.
        warped = gradient_magnitude(warped, sigma).mul_(inside)
    (fixed, moving), (fixed_mask, moving_mask) = warped.chunk(2), inside.chunk(2)
    return Pairs(fixed, moving, u, fixed_mask, moving_mask)


def true_displacement(coarse: Tensor, fine: Tensor, shape: Sequence[int]) -> Tensor:
    """Return ``T2 - x`` with ``T2(x) = t21(t22(x))``, ``(n, 3, *shape)`` in voxels, by the values of `draw_bends`."""
    return bend(coarse, bspline.on_grid(fine, shape))


def bend(values: Tensor, displacement: Tensor) -> Tensor:
    """Return the displacement that goes on by a spline: ``u(x) + spline(x + u(x))``, ``(n, 3, D, H, W)``.

    On the CPU in single precision by compiled loops, else by torch; the two differ by rounding. No gradients.

    Args:
        values: control values ``(n, 3, A, B, C)``, spread over the grid of the displacement.
        displacement: u, ``(n, 3, D, H, W)`` in voxels.
    """
    u, out = displacement.contiguous(), torch.empty_like(displacement, memory_format=torch.contiguous_format)
    at = bspline.evaluator(values, u.shape[2:])
    if compilable(values, u) and u.dtype == torch.float32:
        _bend_by_loops(values, u, out)
    else:
        for x, by, into in bspline.in_cache(_grid(u), u, out):
            torch.add(by, at(x + by), out=into)
    return out


def _bend_by_loops(values: Tensor, u: Tensor, out: Tensor) -> None:
    arrays = [each.detach().contiguous().numpy() for each in (values, u, out)]
    axes = (bspline.axis_of(g, values.dtype, values.device) for g in values.shape[2:])
    tables = tuple(
        (np.ascontiguousarray(axis.weights), axis.knots.numpy().ravel(), axis.sides.numpy().ravel()) for axis in axes
    )
    control, before, after = arrays
    in_parts(
        lambda low, high: _loop()(control, tables, (before, after), (low, high)),
        u.shape[0] * u.shape[2],
        values=u.numel(),
    )


@cache
def _loop() -> Any:
    from methods.blocks.compiled import kernel, splines  # numba need not be there where nothing is bent on the CPU

    return kernel.compiled(splines.bend, splines.BEND)


def _control_values(n: int, shape: Sequence[int], generator: torch.Generator, recipe: Recipe) -> list[Tensor]:
    sizes = [3 * math.prod(bend.controls) for bend in recipe.bends]
    numbers = (torch.rand(n, sum(sizes), generator=generator) * 2 - 1).split(sizes, dim=1)
    voxels = (torch.tensor([r * s for r, s in zip(bend.ranges, shape, strict=True)]) for bend in recipe.bends)
    return [
        part.reshape(n, 3, *bend.controls) * size.view(3, 1, 1, 1)
        for part, bend, size in zip(numbers, recipe.bends, voxels, strict=True)
    ]


def _unfolded(
    shape: Sequence[int], generator: torch.Generator, recipe: Recipe, device: torch.device | str | None
) -> list[Tensor]:
    for _ in range(ATTEMPTS):
        values = [value.to(device) for value in _control_values(1, shape, generator, recipe)]
        _, coarse, fine = values
        if jacobian_determinant(true_displacement(coarse, fine, shape)).min() > 0:
            return values
    raise ValueError(f"synthesise: {ATTEMPTS} draws in a row folded; make the ranges of {recipe} smaller")


def _mask_at(mask: Tensor, displacement: Tensor) -> Tensor:
    """Return ``(n, 1, *shape)``: the nearest voxel of a mask of any size where a displacement leads, 0 outside.

    On a GPU reading by index does what `spatial.sample` does in half the time.
    """
    n = len(displacement)
    if mask.ndim != 5 or mask.shape[1] != 1 or n % mask.shape[0]:
        raise ValueError(f"synthesise: expected a mask (1 or n, 1, d, h, w), got shape {tuple(mask.shape)}")
    if mask.device.type == "cpu":
        mask = mask.to(displacement.dtype)
        return _read(
            mask.expand(n, *mask.shape[1:]) if len(mask) == 1 else mask.repeat(n // len(mask), 1, 1, 1, 1),
            displacement,
            "nearest",
        )
    # One voxel of nothing all around: what lies outside is read there, wherever it is.
    shape, last = displacement.shape[2:], displacement.new_tensor(mask.shape[2:])[:, None]
    h, w = (m + 2 for m in mask.shape[3:])
    points = (_grid(displacement) + displacement).flatten(2)
    nearest = torch.minimum(_rescaled(points, shape, mask.shape[2:]).round(), last).clamp_(min=-1)
    i, j, k = nearest.add_(1).int().unbind(1)
    places = i.mul_(h).add_(j).mul_(w).add_(k)
    tables = list(F.pad(mask, [1] * 6).flatten(1)) * (n // mask.shape[0])
    found = [table.index_select(0, place) for table, place in zip(tables, places, strict=True)]
    return torch.stack(found).view(n, 1, *shape).to(displacement.dtype)


def _read(images: Tensor, displacement: Tensor, mode: Mode) -> Tensor:
    """Read images ``(n, 1, D, H, W)`` of any size where a displacement in voxels of its own grid leads, 0 outside."""
    shape, size = displacement.shape[2:], images.shape[2:]
    if shape == size:
        return warp(images, displacement, mode=mode, padding="zeros")
    read, out = sampler(images, mode=mode, padding="zeros"), images.new_empty(len(images), 1, *shape)
    for x, u, into in bspline.in_cache(_grid(displacement), displacement, out):
        into.copy_(_at_points(read, _rescaled(x + u, shape, size)))
    return out


def _grid(u: Tensor) -> Tensor:
    return identity_grid(u.shape[2:], dtype=u.dtype, device=u.device)[None]


def _at_points(read: Callable[[Tensor], Tensor], points: Tensor) -> Tensor:
    """Read points ``(n, 3, m)``, laid out in rows of a size that compiled loops have in cache; ``(n, c, m)``."""
    width = math.gcd(points.shape[2], ROW)
    width = width if width >= SHORTEST_ROW else points.shape[2]
    return read(points.unflatten(2, (-1, 1, width))).flatten(2)


def _rescaled(points: Tensor, shape: Sequence[int], to: Sequence[int]) -> Tensor:
    """Return points in voxels of a grid ``shape`` as voxels of a grid ``to`` of the same image."""
    return points * points.new_tensor([m / n for m, n in zip(to, shape, strict=True)])[:, None]
