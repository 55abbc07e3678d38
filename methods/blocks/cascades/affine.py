"""Affine networks: twelve numbers from two images. VTN's stem, the light stem of LDR, and the MobileNet student.

All are built for 128^3, where their last kernel is as large as the grid that remains. Here what remains of any other
grid is averaged or repeated to that size (`adaptive_avg_pool3d`), so that the weights fit every grid; at 128^3 that
step changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from methods.blocks.cascades.cascade import Affine
from methods.blocks.layers import SLOPE, SameConv3d, stack_pair
from methods.blocks.precision import full_precision


class AffineHead(nn.Module):
    """Features to `Affine`: one kernel^3 convolution without bias over all that remains of the grid."""

    def __init__(self, features: int, kernel: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.matrix = nn.Conv3d(features, 9, kernel, bias=False)
        self.translation = nn.Conv3d(features, 3, kernel, bias=False)

    def forward(self, x: Tensor) -> Affine:
        """Return the affine map of features ``(n, c, d, h, w)``."""
        with full_precision(x):
            x = F.adaptive_avg_pool3d(x.to(self.matrix.weight.dtype), self.kernel)
            return Affine(_whole(self.matrix, x).reshape(-1, 3, 3), _whole(self.translation, x).reshape(-1, 3))


def _whole(conv: nn.Conv3d, x: Tensor) -> Tensor:
    """Return the convolution over all of a grid: on the CPU as the product of matrices that it is."""
    return F.linear(x.flatten(1), conv.weight.flatten(1)) if x.device.type == "cpu" else conv(x)


class VTNAffineStem(nn.Module):
    """The affine stem of VTN and RCN: 14,166,288 parameters at 16 channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        widths = [channels * 2**level for level in range(6)]
        layers: list[nn.Module] = []
        for before, width in zip([2, *widths], widths, strict=False):
            layers.append(SameConv3d(before, width, stride=2, slope=SLOPE))
            if width >= 4 * channels:
                layers.append(SameConv3d(width, width, slope=SLOPE))
        self.layers = nn.ModuleList(layers)
        self.head = AffineHead(widths[-1], 2)

    def forward(self, fixed: Tensor, moving: Tensor) -> Affine:
        """Return the affine map of two images ``(n, 1, D, H, W)``."""
        x = stack_pair(fixed, moving)
        for conv in self.layers:
            x = conv(x)
        return self.head(x)


class LightAffineStem(nn.Module):
    """The stem of LDR for brains (LDRUtilStem of the released code): 332,880 parameters at widths 16, 32, 64, 128."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.down = nn.ModuleList(
            SameConv3d(a, b, stride=2, slope=SLOPE) for a, b in zip([2, *widths], widths, strict=False)
        )
        self.head = AffineHead(widths[-1], 3)

    def forward(self, fixed: Tensor, moving: Tensor) -> Affine:
        """Return the affine map of two images ``(n, 1, D, H, W)``."""
        x = stack_pair(fixed, moving)
        for conv in self.down:
            x = conv(x)
        return self.head(F.avg_pool3d(x, [min(3, n) for n in x.shape[2:]], stride=2))


class MobileNetAffine(nn.Module):
    """The "MobileNet" student of the released LDR code: 1,252,960 parameters at 32 channels.

    Ordinary convolutions (not depth-wise separable) at stride 2 and 3, ReLU, and an affine output alone: it has no
    dense displacement.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [SameConv3d(2, channels, stride=2, slope=0)]
        for level in range(3):
            width = channels * 2 ** (level + 1)
            layers += [SameConv3d(width // 2, width, stride=3, slope=0), SameConv3d(width, width, 1, slope=0)]
        self.layers = nn.ModuleList(layers)
        self.head = AffineHead(8 * channels, 1)

    def forward(self, fixed: Tensor, moving: Tensor) -> Affine:
        """Return the affine map of two images ``(n, 1, D, H, W)``."""
        x = stack_pair(fixed, moving)
        for conv in self.layers:
            x = conv(x)
        return self.head(F.avg_pool3d(x, [min(3, n) for n in x.shape[2:]], stride=2))
