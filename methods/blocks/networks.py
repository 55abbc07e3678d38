"""The networks of the cascades: a strided U-Net that predicts a displacement, and a light affine stem.

Layer by layer those of the released LDR code (Tran et al., arXiv:2110.01293), whose U-Net is the strided VoxelMorph of
Recursive Cascaded Networks with other widths.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.blocks.cascade import Affine
from methods.blocks.padding import SameConv3d

SLOPE = 0.1


class StridedUNet(nn.Module):
    """Displacement ``(n, 3, D, H, W)`` from two images ``(n, 1, D, H, W)``; every axis a multiple of 16.

    Args:
        encoder: widths of the four 3^3 convolutions at stride 2.
        decoder: widths of the convolutions at 1/16, 1/8, 1/4, 1/2, 1/2, 1 and 1 of the resolution. Between them:
            nearest up-sampling, then the skip appended after the features.
    """

    def __init__(self, encoder: Sequence[int], decoder: Sequence[int]) -> None:
        super().__init__()
        down = [SameConv3d(a, b, stride=2) for a, b in zip([2, *encoder], encoder, strict=False)]
        bottom, eighth, quarter, half, half_1, full, full_1 = decoder
        skips = encoder[2::-1]
        self.down = nn.ModuleList(down)
        self.bottom = SameConv3d(encoder[3], bottom)
        self.up = nn.ModuleList(
            SameConv3d(a + skip, b)
            for a, skip, b in zip((bottom, eighth, quarter), skips, (eighth, quarter, half), strict=True)
        )
        self.half_out = SameConv3d(half, half_1)
        self.full_size = nn.ModuleList([SameConv3d(half_1 + 2, full), SameConv3d(full, full_1)])
        self.displacement = SameConv3d(full_1, 3, std=1e-5)  # starts next to the identity

    def forward(self, fixed: Tensor, moving: Tensor) -> Tensor:
        features = [_pair(fixed, moving)]
        for conv in self.down:
            features.append(_active(conv(features[-1])))
        x = _active(self.bottom(features.pop()))
        for conv in self.up:
            x = _active(conv(_up(x, features.pop())))
        x = _up(_active(self.half_out(x)), features.pop())
        for conv in self.full_size:
            x = _active(conv(x))
        with torch.autocast("cuda", enabled=False):  # bfloat16 would round displacements to a sixteenth of a voxel
            return self.displacement(x.to(self.displacement.weight.dtype))


class LightAffineStem(nn.Module):
    """`Affine` from two images: four strided convolutions, an average pool, and one 3^3 kernel over what remains.

    The released stem is built for 128^3, where the pool leaves 3^3 voxels. Here any other remainder is averaged or
    repeated to 3^3 (`adaptive_avg_pool3d`), so that the weights fit every grid; at 128^3 that step changes nothing.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.down = nn.ModuleList(SameConv3d(a, b, stride=2) for a, b in zip([2, *widths], widths, strict=False))
        self.matrix = nn.Conv3d(widths[-1], 9, 3, bias=False)
        self.translation = nn.Conv3d(widths[-1], 3, 3, bias=False)

    def forward(self, fixed: Tensor, moving: Tensor) -> Affine:
        x = _pair(fixed, moving)
        for conv in self.down:
            x = _active(conv(x))
        with torch.autocast("cuda", enabled=False):
            x = x.to(self.matrix.weight.dtype)
            x = F.avg_pool3d(x, [min(3, n) for n in x.shape[2:]], stride=2)
            x = F.adaptive_avg_pool3d(x, 3)
            return Affine(self.matrix(x).reshape(-1, 3, 3), self.translation(x).reshape(-1, 3))


def _pair(fixed: Tensor, moving: Tensor) -> Tensor:
    # Channels last halves the time of these narrow convolutions on CPUs, forward and backward.
    return torch.cat([fixed, moving], dim=1).contiguous(memory_format=torch.channels_last_3d)


def _active(x: Tensor) -> Tensor:
    return F.leaky_relu(x, SLOPE)


def _up(x: Tensor, skip: Tensor) -> Tensor:
    return torch.cat([F.interpolate(x, scale_factor=2, mode="nearest"), skip], dim=1)
