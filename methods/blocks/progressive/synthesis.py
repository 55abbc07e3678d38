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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from methods.blocks.progressive import bspline
from methods.blocks.spatial import identity_grid, jacobian_determinant, sampler

ATTEMPTS = 100
SLAB = 8
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
    n, (initial, coarse, fine) = len(images), values
    u, u1 = true_displacement(coarse, fine, shape), bspline.on_grid(initial, shape)
    bend, read_mask = bspline.evaluator(initial, shape), _mask_reader(mask, 2 * n, shape)
    read_image = sampler(images.repeat(2, 1, 1, 1, 1), padding="zeros")
    warped, inside = (images.new_empty(2 * n, 1, *shape) for _ in range(2))
    for x, by, by1, warped_part, inside_part in bspline.in_cache(_grid(u), u, u1, warped, inside):
        there = x + by
        points = torch.cat([there + bend(there), x + by1])
        warped_part.copy_(_at_points(read_image, _rescaled(points, shape, images.shape[2:])))
        inside_part.copy_(read_mask(points))
    if sigma is not None:
        # The masks come after the gradient: before it they would draw an edge of their own around the bore.
        warped = gradient_magnitude(warped, sigma).mul_(inside)
    (fixed, moving), (fixed_mask, moving_mask) = warped.chunk(2), inside.chunk(2)
    return Pairs(fixed, moving, u, fixed_mask, moving_mask)


def true_displacement(coarse: Tensor, fine: Tensor, shape: Sequence[int]) -> Tensor:
    """Return ``T2 - x`` with ``T2(x) = t21(t22(x))``, ``(n, 3, *shape)`` in voxels, by the values of `draw_bends`."""
    u, bend = bspline.on_grid(fine, shape), bspline.evaluator(coarse, shape)
    for x, by in bspline.in_cache(_grid(u), u):
        by += bend(x + by)
    return u


def gradient_magnitude(images: Tensor, sigma: float = 0.5) -> Tensor:
    """Return the magnitude of the Gaussian's gradient, per voxel, of images ``(n, c, D, H, W)``.

    As SciPy's ``gaussian_gradient_magnitude``: kernels cut at four sigma, borders reflected.
    """
    (d, along_d), (h, along_h), (w, along_w) = (
        _gaussian(size, sigma, images.dtype, images.device) for size in images.shape[2:]
    )
    out = torch.empty_like(images)
    for here, near in _slabs(images.shape[2], _reach(sigma)):
        smooth, steep = (_first_axis(matrix[here, near], images[:, :, near]) for matrix in (d, along_d))
        square = (h @ steep @ w.T).square_()
        for gradient in (along_h @ smooth @ w.T, h @ smooth @ along_w.T):
            square.addcmul_(gradient, gradient)
        torch.sqrt(square, out=out[:, :, here])
    return out


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


def _grid(u: Tensor) -> Tensor:
    return identity_grid(u.shape[2:], dtype=u.dtype, device=u.device)[None]


def _mask_reader(mask: Tensor | None, n: int, shape: Sequence[int]) -> Callable[[Tensor], Tensor]:
    """Return a function of points ``(n, 3, m)`` in voxels of ``shape``: the mask's nearest voxel there, ``(n, 1, m)``.

    0 outside, everything 1 where there is no mask. On a GPU `spatial.sample` does the same in twice the time.
    """
    if mask is None:
        return lambda points: points.new_ones(())
    if mask.ndim != 5 or mask.shape[1] != 1 or n % mask.shape[0]:
        raise ValueError(f"synthesise: expected a mask (1 or n, 1, d, h, w), got shape {tuple(mask.shape)}")
    if mask.device.type == "cpu":
        masks = mask.float()
        masks = masks.expand(n, *mask.shape[1:]) if len(mask) == 1 else masks.repeat(n // len(mask), 1, 1, 1, 1)
        nearest = sampler(masks, mode="nearest", padding="zeros")
        return lambda points: _at_points(nearest, _rescaled(points, shape, mask.shape[2:]))
    # One voxel of nothing all around: what lies outside is read there, wherever it is.
    h, w = (m + 2 for m in mask.shape[3:])
    tables = list(F.pad(mask, [1] * 6).flatten(1)) * (n // mask.shape[0])

    def read(points: Tensor) -> Tensor:
        last = points.new_tensor(mask.shape[2:])[:, None]
        nearest = torch.minimum(_rescaled(points, shape, mask.shape[2:]).round(), last).clamp_(min=-1)
        i, j, k = nearest.add_(1).int().unbind(1)
        places = i.mul_(h).add_(j).mul_(w).add_(k)
        return torch.stack([table.index_select(0, place) for table, place in zip(tables, places, strict=True)])[:, None]

    return read


def _at_points(read: Callable[[Tensor], Tensor], points: Tensor) -> Tensor:
    """Read points ``(n, 3, m)``, laid out in rows of a size that compiled loops have in cache; ``(n, c, m)``."""
    width = math.gcd(points.shape[2], ROW)
    width = width if width >= SHORTEST_ROW else points.shape[2]
    return read(points.unflatten(2, (-1, 1, width))).flatten(2)


def _rescaled(points: Tensor, shape: Sequence[int], to: Sequence[int]) -> Tensor:
    """Return points in voxels of a grid ``shape`` as voxels of a grid ``to`` of the same image."""
    if tuple(shape) == tuple(to):
        return points
    return points * points.new_tensor([m / n for m, n in zip(to, shape, strict=True)])[:, None]


def _first_axis(matrix: Tensor, images: Tensor) -> Tensor:
    return (matrix @ images.flatten(3)).unflatten(3, images.shape[3:])


def _slabs(size: int, reach: int) -> Iterator[tuple[slice, slice]]:
    """Yield slices of an axis, as many at a time as a CPU can cache, and all those within ``reach`` of them."""
    for low in range(0, size, SLAB):
        yield slice(low, low + SLAB), slice(max(low - reach, 0), low + SLAB + reach)


def _reach(sigma: float) -> int:
    return int(4 * sigma + 0.5)


@lru_cache(maxsize=16)
@torch.inference_mode(False)  # what is kept serves training too
def _gaussian(size: int, sigma: float, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return matrices ``(size, size)`` that smooth an axis by a Gaussian and take its derivative."""
    steps = torch.arange(-_reach(sigma), _reach(sigma) + 1)
    kernel = torch.exp(-0.5 * (steps.double() / sigma) ** 2)
    kernel /= kernel.sum()
    reached = (torch.arange(size)[:, None] + steps) % (2 * size)
    columns = torch.where(reached < size, reached, 2 * size - 1 - reached)
    smooth, derivative = (
        torch.zeros(size, size, dtype=torch.float64).scatter_add_(1, columns, taps.expand(size, -1))
        for taps in (kernel, kernel * steps / sigma**2)
    )
    return smooth.to(device, dtype), derivative.to(device, dtype)
