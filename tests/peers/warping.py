"""Warps as they are usually written with `F.grid_sample`: grid built, normalised and permuted in each call."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def voxel_grid(shape: torch.Size) -> Tensor:
    """Return voxel coordinates ``(1, 3, D, H, W)``."""
    return torch.stack(torch.meshgrid([torch.arange(0, n) for n in shape], indexing="ij")).float()[None]


def warp(image: Tensor, flow: Tensor) -> Tensor:
    """Return ``image(x + flow(x))``, trilinear with border clamp."""
    points = voxel_grid(flow.shape[2:]) + flow
    for axis, size in enumerate(flow.shape[2:]):
        points[:, axis] = 2 * (points[:, axis] / (size - 1) - 0.5)
    points = points.permute(0, 2, 3, 4, 1)[..., [2, 1, 0]]
    return F.grid_sample(image, points, align_corners=True, mode="bilinear", padding_mode="border")


def compose(first: Tensor, then: Tensor) -> Tensor:
    """Return the flow that warps by ``first`` and the result by ``then``."""
    return then + warp(first, then)
