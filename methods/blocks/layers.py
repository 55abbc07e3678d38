"""The layers that several networks share, and how the released cascades pad.

They pad as TensorFlow's 'SAME' does: at stride 2 on an even size a 3-wide kernel gets 0 voxels before and 1 after;
``padding=1`` in torch would sample a grid shifted by one voxel, at the same parameter count.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.blocks.convolutions.packed import (
    PackedConv3d,
    PackedSkipConv3d,
    PackedUpConv3d,
    activate,
    doubling,
    is_flat,
    same_padding,
)
from methods.blocks.convolutions.single import convolution
from methods.blocks.convolutions.taps import doubling_reach, reaching
from methods.blocks.precision import full_precision

SLOPE = 0.1  # of the released networks' leaky ReLU


def _same_convolution(x: Tensor, weight: Tensor, bias: Tensor | None, stride: Sequence[int]) -> Tensor:
    axes = zip(x.shape[2:], weight.shape[2:], stride, strict=True)
    weight, pads = reaching(weight, [same_padding(*axis) for axis in axes], x.shape[2:], stride)
    if all(before == after for before, after in pads):
        return convolution(x, weight, bias, stride=stride, pads=[before for before, _ in pads])
    return convolution(F.pad(x, [v for pad in reversed(pads) for v in pad]), weight, bias, stride=stride)


class SameConv3d(nn.Conv3d):
    """A 3-D convolution with 'SAME' padding for any kernel, stride and size; ``size`` becomes ``ceil(size / stride)``.

    Args:
        channels_in: of the features it takes.
        channels_out: of those it gives.
        kernel: its size on each axis.
        stride: on each axis.
        slope: of the leaky ReLU that follows, 0 for a ReLU, None for none.
        exact: computed in the weights' precision, also where others are in bfloat16 (as on a grid that `is_flat`).
        std: asks `methods.blocks.initial.initialise` for a normal kernel of that standard deviation in place of uniform
            scaling.
        truncated: at twice that.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int = 3,
        *,
        stride: int = 1,
        slope: float | None = None,
        exact: bool = False,
        std: float | None = None,
        truncated: bool = False,
    ) -> None:
        super().__init__(channels_in, channels_out, kernel, stride=stride)
        self.slope, self.exact, self.std, self.truncated = slope, exact, std, truncated

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of ``(n, c, D, H, W)``."""
        exact = self.exact or is_flat(x, self.stride)
        with full_precision(x) if exact else nullcontext():
            x = x.to(self.weight.dtype) if exact else x
            return activate(_same_convolution(x, self.weight, self.bias, self.stride), self.slope)

    def packed(self, dtype: torch.dtype) -> nn.Module:
        """Return the layer as it registers on the CPU."""
        dtype = self.weight.dtype if self.exact else dtype
        return PackedConv3d(self.weight, self.bias, self.stride, slope=self.slope, dtype=dtype)


class SkipConv3d(SameConv3d):
    """A convolution 3^3 of features that are doubled first, by the nearest voxel, with a skip's appended after them.

    A kernel 3^3 sees each doubled voxel through 2^3 at most, so on the CPU a transposed convolution 4^3 at stride 2
    with sums of the kernel's weights takes its place: the same but for rounding, with 8 products for 27.
    """

    def __init__(self, features: int, skip: int, channels_out: int, *, slope: float) -> None:
        super().__init__(features + skip, channels_out, slope=slope)
        self.features = features

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the convolution of ``(n, features, D, H, W)``, doubled, and ``(n, skip, 2 D, 2 H, 2 W)``."""
        if x.device.type != "cpu":
            return super().forward(torch.cat([F.interpolate(x, scale_factor=2, mode="nearest"), skip], dim=1))
        exact = is_flat(x)
        with full_precision(x) if exact else nullcontext():
            x, skip = (each.to(self.weight.dtype) if exact else each for each in (x, skip))
            doubled = F.conv_transpose3d(x, doubling(self.weight[:, : self.features]), stride=2, padding=1)
            kept = convolution(skip, self.weight[:, self.features :], self.bias, pads=(1, 1, 1))
            return activate(doubled + kept, self.slope)

    def packed(self, dtype: torch.dtype) -> nn.Module:
        """Return the layer as it registers on the CPU."""
        return PackedSkipConv3d(
            doubling(self.weight[:, : self.features]),
            self.weight[:, self.features :],
            self.bias,
            slope=self.slope,
            dtype=dtype,
        )


class UpConv3d(nn.ConvTranspose3d):
    """A transposed convolution that doubles every axis: 4^3 without bias, as 'SAME' pads it, or 2^3 with bias.

    ``slope`` and ``exact`` are those of `SameConv3d`.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: Literal[2, 4] = 4,
        *,
        slope: float | None = None,
        exact: bool = False,
    ) -> None:
        super().__init__(channels_in, channels_out, kernel, stride=2, padding=kernel // 2 - 1, bias=kernel == 2)
        self.slope, self.exact = slope, exact

    def forward(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the features ``(n, c, D, H, W)`` at twice the resolution."""
        exact = self.exact or is_flat(x)
        with full_precision(x) if exact else nullcontext():
            return activate(self._convolution(x.to(self.weight.dtype) if exact else x), self.slope)

    def _convolution(self, x: Tensor) -> Tensor:
        weight, pads = doubling_reach(self.weight, self.weight.shape[-1] // 2 - 1, x.shape[2:])
        return F.conv_transpose3d(x, weight, self.bias, stride=2, padding=pads)

    def packed(self, dtype: torch.dtype) -> nn.Module:
        """Return the layer as it registers on the CPU."""
        dtype = self.weight.dtype if self.exact else dtype
        return PackedUpConv3d(self.weight, self.bias, slope=self.slope, dtype=dtype)


def end_padding(shape: Sequence[int], multiple: int) -> list[int]:
    """Return the voxels to add at the end of each axis to reach a multiple, in the order of torch's `pad`."""
    return [v for n in reversed(shape) for v in (0, -n % multiple)]


def stack_pair(fixed: Tensor, moving: Tensor) -> Tensor:
    """Return both images as the two channels of one."""
    # Channels last halves the time of these narrow convolutions on CPUs, forward and backward.
    return torch.cat([fixed, moving], dim=1).contiguous(memory_format=torch.channels_last_3d)
