"""The dense networks of the cascades: each predicts a displacement from a fixed and a (warped) moving image.

Layer by layer those of the released code of Recursive Cascaded Networks and LDR (Tran et al., arXiv:2110.01293), and
the network that the text of the LDR paper describes. Padding and initialisation are TensorFlow's, see
`methods.blocks.layers` and `methods.blocks.initial`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from methods.blocks.layers import SLOPE, SameConv3d, SkipConv3d, UpConv3d, stack_pair


class StridedUNet(nn.Module):
    """Displacement ``(n, 3, D, H, W)`` from two images ``(n, 1, D, H, W)``; every axis a multiple of 16.

    Args:
        encoder: widths of the four 3^3 convolutions at stride 2.
        decoder: widths of the convolutions at 1/16, 1/8, 1/4, 1/2, 1/2, 1 and 1 of the resolution. Between them:
            nearest up-sampling, then the skip appended after the features.
    """

    def __init__(self, encoder: Sequence[int], decoder: Sequence[int]) -> None:
        super().__init__()
        down = [SameConv3d(a, b, stride=2, slope=SLOPE) for a, b in zip([2, *encoder], encoder, strict=False)]
        bottom, eighth, quarter, half, half_1, full, full_1 = decoder
        skips = encoder[2::-1]
        self.down = nn.ModuleList(down)
        self.bottom = SameConv3d(encoder[3], bottom, slope=SLOPE)
        self.up = nn.ModuleList(
            SkipConv3d(a, skip, b, slope=SLOPE)
            for a, skip, b in zip((bottom, eighth, quarter), skips, (eighth, quarter, half), strict=True)
        )
        self.half_out = SameConv3d(half, half_1, slope=SLOPE)
        self.full_size = nn.ModuleList(
            [SkipConv3d(half_1, 2, full, slope=SLOPE), SameConv3d(full, full_1, slope=SLOPE)]
        )
        self.displacement = SameConv3d(full_1, 3, std=1e-5, exact=True)  # starts next to the identity

    def forward(self, fixed: Tensor, moving: Tensor) -> Tensor:
        """Return the displacement ``(n, 3, D, H, W)`` of two images ``(n, 1, D, H, W)``."""
        features = [stack_pair(fixed, moving)]
        for conv in self.down:
            features.append(conv(features[-1]))
        x = self.bottom(features.pop())
        for conv in self.up:
            x = conv(x, features.pop())
        first, second = self.full_size
        return self.displacement(second(first(self.half_out(x), features.pop())))


class DenseVTN(nn.Module):
    """The dense sub-network of VTN (arXiv:1902.05020) as released with RCN: 28,252,203 parameters at 16 channels.

    Six strided convolutions down to 1/64 of the resolution, six transposed ones up. On the way up each level gets the
    skip, the features, and a 3-channel prediction of the level below, up-sampled, which no loss looks at. A level whose
    size is odd is cut to its skip's size at the end, as 'SAME' has it, so that every grid fits.

    Args:
        channels: width of the first convolution.
        extra: one more convolution at a quarter of the resolution, which makes it the U-Net of LDR's Table III.
    """

    def __init__(self, channels: int, *, extra: bool = False) -> None:
        super().__init__()
        widths = [channels * 2**level for level in range(6)]
        doubled = [False, extra, True, True, True, True]
        self.down = nn.ModuleList(
            SameConv3d(a, b, stride=2, slope=SLOPE) for a, b in zip([2, *widths], widths, strict=False)
        )
        self.same = nn.ModuleList(
            SameConv3d(width, width, slope=SLOPE) if wanted else nn.Identity()
            for width, wanted in zip(widths, doubled, strict=True)
        )
        self.predict, self.carry, self.up = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        features = widths[-1]
        for width in widths[-2::-1]:
            self.predict.append(SameConv3d(features, 3))
            self.carry.append(UpConv3d(3, 3))
            self.up.append(UpConv3d(features, width, slope=SLOPE))
            features = 2 * width + 3
        self.displacement = UpConv3d(features, 3, exact=True)

    def forward(self, fixed: Tensor, moving: Tensor) -> Tensor:
        """Return the displacement ``(n, 3, D, H, W)`` of two images ``(n, 1, D, H, W)``."""
        x, skips = stack_pair(fixed, moving), []
        for strided, same in zip(self.down, self.same, strict=True):
            x = same(strided(x))
            skips.append(x)
        skips.pop()
        for predict, carry, up in zip(self.predict, self.carry, self.up, strict=True):
            skip = skips.pop()
            x = torch.cat([skip, _cut(up(x), skip), _cut(carry(predict(x)), skip)], dim=1)
        return _cut(self.displacement(x), fixed)


class TextLDR(nn.Module):
    """The network that the text of the LDR paper describes (Sec. III-C): 1,548,528 parameters at 16 channels.

    Four 4^3 convolutions at stride 2 and three transposed ones with skips, ReLU. Four halvings need four doublings, so
    a fourth transposed convolution, linear as VTN's, gives the displacement; the text leaves that step open.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        widths = [channels * 2**level for level in range(4)]
        self.down = nn.ModuleList(
            SameConv3d(a, b, 4, stride=2, slope=0) for a, b in zip([2, *widths], widths, strict=False)
        )
        inputs = [widths[3], 2 * widths[2], 2 * widths[1]]
        self.up = nn.ModuleList(UpConv3d(a, b, slope=0) for a, b in zip(inputs, widths[2::-1], strict=True))
        self.displacement = UpConv3d(2 * widths[0], 3, exact=True)

    def forward(self, fixed: Tensor, moving: Tensor) -> Tensor:
        """Return the displacement ``(n, 3, D, H, W)`` of two images ``(n, 1, D, H, W)``."""
        x, skips = stack_pair(fixed, moving), []
        for conv in self.down:
            x = conv(x)
            skips.append(x)
        skips.pop()
        for up in self.up:
            skip = skips.pop()
            x = torch.cat([_cut(up(x), skip), skip], dim=1)
        return _cut(self.displacement(x), fixed)


def _cut(x: Tensor, like: Tensor) -> Tensor:
    """Return the first voxels of ``x``, as many as ``like`` has: the output shape that TensorFlow gets."""
    depth, height, width = like.shape[2:]
    return x[:, :, :depth, :height, :width]
