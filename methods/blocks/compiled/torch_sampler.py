"""Images read at points by torch's own operations: on GPUs, in other precisions, and for tensors without memory."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def torch_sampler(image: Tensor, *, mode: str, border: bool) -> Callable[[Tensor], Tensor]:
    """Return `spatial.sampler` of an image ``(n, c, D, H, W)``: coordinates ``(n, 3, *out)`` to ``(n, c, *out)``."""
    # A grid of 2^k + 1 points makes the way to normalised coordinates and back exact for integers; without the extra
    # voxels (never read: their weight is zero) a zero displacement would blur the image by a rounding error.
    room = [1 + (1 << max(n - 2, 0).bit_length()) for n in image.shape[2:]]
    padded = F.pad(image, [v for n, m in zip(image.shape[:1:-1], room[::-1], strict=True) for v in (0, m - n)])
    scale = image.new_tensor([2 / (m - 1) for m in room]).view(3, 1, 1, 1)
    last = image.new_tensor([n - 1 for n in image.shape[2:]]).view(3, 1, 1, 1)

    def at(points: Tensor) -> Tensor:
        points = points.to(image.dtype)
        if border:  # flat beyond the last voxel and on it, where the extra voxels would lend it a slope
            points = torch.where(points >= last, last, points.clamp(min=0))
        # Turned round as long as each component is in one piece, which costs a tenth of turning round every point.
        grid = (points * scale).sub_(1).flip(1).movedim(1, -1)
        return F.grid_sample(padded, grid, mode=mode, padding_mode="zeros", align_corners=True)

    return at
