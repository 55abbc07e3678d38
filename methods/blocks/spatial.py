"""Warps, compositions and Jacobians in torch, batched ``(n, c, *spatial)``, for networks and optimisers.

The convention is that of `datasets.geometry`: a displacement is ``(n, 3, D, H, W)`` in voxels of the fixed grid,
components in array-axis order, pull-back. The sampler's own convention (corners aligned, normalised, x before y before
z) appears in `sample` and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Mode = Literal["bilinear", "nearest"]
Padding = Literal["border", "zeros"]
Scheme = Literal["forward", "central"]


def identity_grid(
    shape: Sequence[int], *, dtype: torch.dtype = torch.float32, device: torch.device | str | None = None
) -> Tensor:
    """Return the voxel coordinates of a grid: ``(3, D, H, W)`` for ``shape`` ``(D, H, W)``."""
    axes = [torch.arange(n, dtype=dtype, device=device) for n in shape]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))


def sample(image: Tensor, points: Tensor, *, mode: Mode = "bilinear", padding: Padding = "border") -> Tensor:
    """Interpolate an image ``(n, c, D, H, W)`` at voxel coordinates ``(n, 3, *out)``; gives ``(n, c, *out)``.

    Coordinates that are integers return the voxel itself, bit for bit.

    Args:
        image: to be read.
        points: where.
        mode: ``bilinear`` is trilinear in 3-D, ``nearest`` rounds exact halves to even.
        padding: ``border`` clamps coordinates to the border voxel, ``zeros`` fades to zero within one voxel outside.
    """
    return sampler(image, mode=mode, padding=padding)(points)


def sampler(image: Tensor, *, mode: Mode = "bilinear", padding: Padding = "border") -> Callable[[Tensor], Tensor]:
    """Return `sample` of an image as a function of the points, to be called for one set after another."""
    if mode not in ("bilinear", "nearest"):
        raise ValueError(f"sample: mode must be 'bilinear' or 'nearest', got {mode!r}")
    if padding not in ("border", "zeros"):
        raise ValueError(f"sample: padding must be 'border' or 'zeros', got {padding!r}")
    # A grid of 2^k + 1 points makes the way to normalised coordinates and back exact for integers; without the extra
    # voxels (never read: their weight is zero) a zero displacement would blur the image by a rounding error.
    room = [1 + (1 << max(n - 2, 0).bit_length()) for n in image.shape[2:]]
    padded = F.pad(image, [v for n, m in zip(image.shape[:1:-1], room[::-1], strict=True) for v in (0, m - n)])
    scale = image.new_tensor([2 / (m - 1) for m in room]).view(3, 1, 1, 1)
    last = _last(image)

    def at(points: Tensor) -> Tensor:
        points = points.to(image.dtype)
        if padding == "border":
            points = points.clamp(min=torch.zeros_like(last), max=last)
        # Turned round as long as each component is in one piece, which costs a tenth of turning round every point.
        grid = (points * scale).sub_(1).flip(1).movedim(1, -1)
        return F.grid_sample(padded, grid, mode=mode, padding_mode="zeros", align_corners=True)

    return at


def warp(image: Tensor, displacement: Tensor, *, mode: Mode = "bilinear", padding: Padding = "border") -> Tensor:
    """Return ``warped(x) = image(x + u(x))``.

    Args:
        image: ``(n, c, D, H, W)``.
        displacement: u, ``(n, 3, *fixed)``.
        mode: see `sample`.
        padding: see `sample`.
    """
    if displacement.ndim != 5 or displacement.shape[1] != 3:
        raise ValueError(f"warp: expected a displacement (n, 3, D, H, W), got shape {tuple(displacement.shape)}")
    if image.ndim != 5 or image.shape[0] != displacement.shape[0]:
        raise ValueError(
            f"warp: expected an image ({displacement.shape[0]}, c, D, H, W), got shape {tuple(image.shape)}"
        )
    grid = identity_grid(displacement.shape[2:], dtype=displacement.dtype, device=displacement.device)
    return sample(image, grid + displacement, mode=mode, padding=padding)


def compose(first: Tensor, then: Tensor) -> Tensor:
    """Return the one displacement that warps by ``first`` and warps the result by ``then``.

    Both are ``(n, 3, D, H, W)`` on one grid: ``u(x) = then(x) + first(x + then(x))``, ``first`` read trilinearly with
    border clamp.
    """
    if first.shape != then.shape:
        raise ValueError(f"compose: shapes differ, {tuple(first.shape)} and {tuple(then.shape)}")
    return then + warp(first, then)


def affine_displacement(matrix: Tensor, translation: Tensor, shape: Sequence[int]) -> Tensor:
    """Return ``u = W r + b`` with ``r = index - (N - 1) / 2`` on each axis; ``(n, 3, *shape)``, in voxels.

    ``matrix`` is ``W``, ``(n, 3, 3)``, its column j multiplying coordinate j; ``translation`` is ``b``, ``(n, 3)``.
    """
    grid = identity_grid(shape, dtype=matrix.dtype, device=matrix.device)
    centred = grid - (grid.new_tensor(list(shape)) - 1).view(3, 1, 1, 1) / 2
    return torch.einsum("nij,jdhw->nidhw", matrix, centred) + translation[:, :, None, None, None]


def jacobian_determinant(displacement: Tensor, scheme: Scheme = "forward") -> Tensor:
    """Return the determinant of the Jacobian of ``x + u(x)`` for ``(n, 3, D, H, W)``.

    ``forward``: forward differences, ``(n, D-1, H-1, W-1)``. ``central``: central differences inside, one-sided ones on
    the faces, ``(n, D, H, W)``. Both as `datasets.geometry.jacobian_determinant`.
    """
    u = displacement
    if u.ndim != 5 or u.shape[1] != 3 or min(u.shape[2:]) < 2:
        raise ValueError(f"jacobian_determinant: expected (n, 3, D, H, W), axes of 2 or more, got {tuple(u.shape)}")
    if scheme == "forward":
        d, h, w = (n - 1 for n in u.shape[2:])
        gradients = [u.diff(dim=axis)[..., :d, :h, :w] for axis in (2, 3, 4)]
    elif scheme == "central":
        gradients = list(torch.gradient(u, dim=(2, 3, 4)))
    else:
        raise ValueError(f"jacobian_determinant: scheme must be 'forward' or 'central', got {scheme!r}")
    (a, d, g), (b, e, h), (c, f, i) = (gradient.unbind(1) for gradient in gradients)
    a, e, i = a + 1, e + 1, i + 1
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)


def _last(image: Tensor) -> Tensor:
    return image.new_tensor([n - 1 for n in image.shape[2:]]).view(3, 1, 1, 1)
