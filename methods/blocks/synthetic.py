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
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from methods.blocks import bspline
from methods.blocks.spatial import identity_grid, jacobian_determinant, sample

BORE = 250 / 512  # radius of the scanner's bore, of a slice's width
ATTEMPTS = 100


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
    """Make one pair of each image ``(n, 1, D, H, W)``, on its device; outside of an image is 0, so air should be.

    ``mask`` is ``(1 or n, 1, d, h, w)`` of any size, everything where left out. ``shape`` is that of the pairs, the
    images' own where left out. ``sigma`` is the width in voxels of the Gaussian whose gradients' magnitudes the pair
    shows, None for the intensities. Random numbers are drawn on the CPU, pair after pair: a batch is what its pairs
    would be singly, on any device.
    """
    if images.ndim != 5 or images.shape[1] != 1:
        raise ValueError(f"synthesise: expected images (n, 1, D, H, W), got shape {tuple(images.shape)}")
    recipe, shape = recipe or Recipe(), tuple(shape or images.shape[2:])
    values = draw(images.shape[0], shape, generator, recipe, device=images.device)
    return pairs_of(images, values, mask=mask, shape=shape, sigma=sigma)


def draw(
    n: int,
    shape: Sequence[int],
    generator: torch.Generator,
    recipe: Recipe,
    *,
    device: torch.device | str | None = None,
) -> list[Tensor]:
    """Draw the control values of ``n`` pairs of a grid ``shape``: of each bend ``(n, 3, A, B, C)``, in voxels."""
    if not recipe.reject_folding:
        return [values.to(device) for values in _draw(n, shape, generator, recipe)]
    single = [_unfolded(shape, generator, recipe, device) for _ in range(n)]
    return [torch.cat(bends) for bends in zip(*single, strict=True)]


def pairs_of(
    images: Tensor, values: Sequence[Tensor], *, mask: Tensor | None, shape: Sequence[int], sigma: float | None
) -> Pairs:
    """The pairs that the control values of `draw` make of images."""
    initial, coarse, fine = values
    x = identity_grid(shape, dtype=images.dtype, device=images.device)
    u = true_displacement(coarse, fine, shape)
    there = x + u
    points = torch.cat([there + bspline.at_points(initial, there, shape), x + bspline.on_grid(initial, shape)])
    warped = sample(images.repeat(2, 1, 1, 1, 1), _rescaled(points, shape, images.shape[2:]), padding="zeros")
    inside = _masks(mask, points, shape)
    if sigma is not None:
        # The masks come after the gradient: before it they would draw an edge of their own around the bore.
        warped = gradient_magnitude(warped, sigma) * inside
    return Pairs(*warped.chunk(2), u, *inside.chunk(2))


def true_displacement(coarse: Tensor, fine: Tensor, shape: Sequence[int]) -> Tensor:
    """``u = T2 - x`` with ``T2(x) = t21(t22(x))``, in voxels: ``(n, 3, *shape)``; control values as from `draw`."""
    first = bspline.on_grid(fine, shape)
    grid = identity_grid(shape, dtype=fine.dtype, device=fine.device)
    return first + bspline.at_points(coarse, grid + first, shape)


def bore_mask(shape: Sequence[int], *, radius: float = BORE, device: torch.device | str | None = None) -> Tensor:
    """The disc of a scanner's bore in every slice, ``(1, 1, D, H, W)``, 0 or 1.

    ``radius`` is a fraction of a slice's width (250 of 512 pixels), its centre the voxel n / 2.
    """
    h, w = (torch.arange(n, dtype=torch.float64, device=device) / n - 0.5 for n in shape[1:])
    disc = h[:, None] ** 2 + w**2 <= radius**2
    return disc.float().expand(1, 1, *shape).contiguous()


def gradient_magnitude(images: Tensor, sigma: float = 0.5) -> Tensor:
    """Magnitude of the Gaussian's gradient, per voxel, of images ``(n, c, D, H, W)``.

    As SciPy's ``gaussian_gradient_magnitude``: kernels cut at four sigma, borders reflected.
    """
    d, h, w = ([matrix.to(images) for matrix in _gaussian(n, sigma)] for n in images.shape[2:])
    smooth, along_w = (images @ matrix.T for matrix in w)
    square = _first_axis(d[0], h[0] @ along_w).square_()
    square += _first_axis(d[0], h[1] @ smooth).square_()
    square += _first_axis(d[1], h[0] @ smooth).square_()
    return square.sqrt_()


def _draw(n: int, shape: Sequence[int], generator: torch.Generator, recipe: Recipe) -> list[Tensor]:
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
        values = [value.to(device) for value in _draw(1, shape, generator, recipe)]
        if jacobian_determinant(true_displacement(*values[1:], shape)).min() > 0:
            return values
    raise ValueError(f"synthesise: {ATTEMPTS} draws in a row folded; make the ranges of {recipe} smaller")


def _masks(mask: Tensor | None, points: Tensor, shape: Sequence[int]) -> Tensor:
    """The mask at points ``(2 n, 3, D, H, W)``, nearest voxel, 0 outside."""
    if mask is None:
        return points.new_ones(points.shape[0], 1, *points.shape[2:])
    if mask.ndim != 5 or mask.shape[1] != 1 or points.shape[0] % mask.shape[0]:
        raise ValueError(f"synthesise: expected a mask (1 or n, 1, d, h, w), got shape {tuple(mask.shape)}")
    values = mask[:, 0].to(points).flatten(1).repeat(points.shape[0] // mask.shape[0], 1)
    out = points.new_empty(points.shape[0], 1, *points.shape[2:])
    for part, into in zip(bspline.in_cache(points), bspline.in_cache(out), strict=True):
        into.copy_(_nearest(values, mask.shape[2:], part, shape)[:, None])
    return out


def _nearest(values: Tensor, size: Sequence[int], points: Tensor, shape: Sequence[int]) -> Tensor:
    """Read flat images ``(n, d h w)`` at points ``(n, 3, m)``; `spatial.sample` does the same in twice the time."""
    inside = torch.ones_like(points[:, 0], dtype=torch.bool)
    place = torch.zeros_like(points[:, 0], dtype=torch.long)
    for axis, (m, n) in enumerate(zip(size, shape, strict=True)):
        index = (points[:, axis] * (m / n)).round_()
        nearest = index.clamp(0, m - 1)
        inside &= nearest == index
        place = place * m + nearest.long()
    return values.gather(1, place) * inside


def _rescaled(points: Tensor, shape: Sequence[int], to: Sequence[int]) -> Tensor:
    """Points in voxels of a grid ``shape`` in those of a grid ``to`` of the same image."""
    if tuple(shape) == tuple(to):
        return points
    return points * points.new_tensor([m / n for m, n in zip(to, shape, strict=True)]).view(3, 1, 1, 1)


def _first_axis(matrix: Tensor, images: Tensor) -> Tensor:
    return (matrix @ images.flatten(3)).view(images.shape)


def _gaussian(size: int, sigma: float) -> tuple[Tensor, Tensor]:
    """Matrices ``(size, size)`` that smooth an axis by a Gaussian and take its derivative; float64."""
    radius = int(4 * sigma + 0.5)
    steps = torch.arange(-radius, radius + 1)
    kernel = torch.exp(-0.5 * (steps.double() / sigma) ** 2)
    kernel /= kernel.sum()
    reached = (torch.arange(size)[:, None] + steps) % (2 * size)
    columns = torch.where(reached < size, reached, 2 * size - 1 - reached)
    smooth, derivative = (
        torch.zeros(size, size, dtype=torch.float64).scatter_add_(1, columns, taps.expand(size, -1))
        for taps in (kernel, kernel * steps / sigma**2)
    )
    return smooth, derivative
