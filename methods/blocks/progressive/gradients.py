"""What the progressive networks see: how steep an image is, by a Gaussian's gradient."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import torch
from torch import Tensor

SLAB = 8  # voxels along the first axis that a CPU works on at a time; a GPU takes all at once


def gradient_magnitude(images: Tensor, sigma: float = 0.5) -> Tensor:
    """Return the magnitude of the Gaussian's gradient, per voxel, of images ``(n, c, D, H, W)``.

    As SciPy's ``gaussian_gradient_magnitude``: kernels cut at four sigma, borders reflected.
    """
    (d, along_d), (h, along_h), (w, along_w) = (
        _gaussian(size, sigma, images.dtype, images.device) for size in images.shape[2:]
    )
    out = torch.empty_like(images)
    size = images.shape[2]
    for here, near in _slabs(size, SLAB if images.device.type == "cpu" else size, _reach(sigma)):
        smooth, steep = (_first_axis(matrix[here, near], images[:, :, near]) for matrix in (d, along_d))
        square = (h @ steep @ w.T).square_()
        for gradient in (along_h @ smooth @ w.T, h @ smooth @ along_w.T):
            square.addcmul_(gradient, gradient)
        torch.sqrt(square, out=out[:, :, here])
    return out


def _first_axis(matrix: Tensor, images: Tensor) -> Tensor:
    return (matrix @ images.flatten(3)).unflatten(3, images.shape[3:])


def _slabs(size: int, step: int, reach: int) -> Iterator[tuple[slice, slice]]:
    """Yield slices of an axis, ``step`` voxels at a time, and all those within ``reach`` of them."""
    for low in range(0, size, step):
        yield slice(low, low + step), slice(max(low - reach, 0), low + step + reach)


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
