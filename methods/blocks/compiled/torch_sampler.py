"""Images read at points by torch's own operations: on GPUs, in other precisions, and for tensors without memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor


def torch_sampler(image: Tensor, *, mode: str, border: bool) -> Callable[[Tensor], Tensor]:
    """Return `spatial.sampler` of an image ``(n, c, D, H, W)``: coordinates ``(n, 3, *out)`` to ``(n, c, *out)``."""
    # A grid of 2^k + 1 points makes the way to normalised coordinates and back exact for integers; without the extra
    # voxels (never read: their weight is zero) a zero displacement would blur the image by a rounding error.
    room = [1 + (1 << max(n - 2, 0).bit_length()) for n in image.shape[2:]]
    padded = F.pad(image, [v for n, m in zip(image.shape[:1:-1], room[::-1], strict=True) for v in (0, m - n)])
    scale = _along_axes(image, tuple(2 / (m - 1) for m in room))
    last = _along_axes(image, tuple(n - 1 for n in image.shape[2:]))

    def at(points: Tensor) -> Tensor:
        points = points.to(image.dtype)
        if border:  # flat beyond the last voxel and on it, where the extra voxels would lend it a slope
            points = torch.where(points >= last, last, points.clamp(min=0))
        # Turned round as long as each component is in one piece, which costs a tenth of turning round every point.
        grid = (points * scale).sub_(1).flip(1).movedim(1, -1)
        return F.grid_sample(padded, grid, mode=mode, padding_mode="zeros", align_corners=True)

    return at


def _along_axes(image: Tensor, values: tuple[float, ...]) -> Tensor:
    """Return a number for each axis ``(3, 1, 1, 1)``; on a GPU it is kept, for to send it there halts what runs."""
    if image.is_cuda and type(image) is Tensor:
        return _kept(values, image.dtype, image.device)
    return image.new_tensor(values).view(3, 1, 1, 1)


@lru_cache(maxsize=64)
@torch.inference_mode(False)  # what is kept serves training too
def _kept(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.tensor(values, dtype=dtype, device=device).view(3, 1, 1, 1)
