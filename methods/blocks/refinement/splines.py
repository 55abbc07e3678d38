"""Smooth displacements: sums of cubic B-splines on a regular grid of control points, and the way of a gradient back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Splines:
    """B-splines over a grid: ``weights`` has a matrix ``(voxels, control points)`` for each of its three axes.

    Control points lie ``cell`` voxels apart, the first one of an axis a cell before its first voxel. The weights of a
    voxel sum to one, so that equal values of all control points are a shift.
    """

    weights: tuple[Tensor, Tensor, Tensor]

    @classmethod
    def over(cls, shape: Sequence[int], cell: int, device: torch.device | str | None = None) -> Splines:
        """Return the splines over a grid ``(D, H, W)`` with control points every ``cell`` voxels."""
        depth, height, width = (_weights(size, cell).to(device) for size in shape)
        return cls((depth, height, width))

    @property
    def zeros(self) -> Tensor:
        """Values ``(3, A, B, C)`` of the control points that move nothing."""
        return self.weights[0].new_zeros(3, *(each.shape[1] for each in self.weights))

    def field(self, values: Tensor) -> Tensor:
        """Return the displacement ``(3, D, H, W)`` of values ``(3, A, B, C)``: one small matrix product an axis."""
        d, h, w = self.weights
        across = torch.einsum("cabk,wk->cabw", values, w)
        return torch.einsum("cahw,da->cdhw", torch.einsum("cabw,hb->cahw", across, h), d)

    def gradient(self, force: Tensor) -> Tensor:
        """Return the gradient by the values ``(3, A, B, C)`` of what has ``force`` ``(3, D, H, W)`` by the field."""
        d, h, w = self.weights
        across = torch.einsum("cdhw,da->cahw", force, d)
        return torch.einsum("cabw,wk->cabk", torch.einsum("cahw,hb->cabw", across, h), w)


def _weights(size: int, cell: int) -> Tensor:
    controls = math.ceil((size - 1) / cell) + 3
    places, centres = torch.arange(size, dtype=torch.float64), cell * torch.arange(-1.0, controls - 1)
    distance = (places[:, None] - centres).abs() / cell
    return (((2 - distance).relu() ** 3 - 4 * (1 - distance).relu() ** 3) / 6).float()
