"""The layers that several networks share, and how the released cascades pad.

They pad as TensorFlow's 'SAME' does: at stride 2 on an even size a 3-wide kernel gets 0 voxels before and 1 after;
``padding=1`` in torch would sample a grid shifted by one voxel, at the same parameter count.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.1
SMALL = 20_480  # values of the first four axes up to which torch takes its plain kernel


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return the voxels to pad before and after one axis, so that the output has ``ceil(size / stride)`` voxels."""
    total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class SameConv3d(nn.Conv3d):
    """A 3-D convolution with 'SAME' padding for any kernel, stride and size; ``size`` becomes ``ceil(size / stride)``.

    ``std`` asks `methods.blocks.initial.initialise` for a normal kernel of that standard deviation in place of uniform
    scaling, ``truncated`` at twice that.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int = 3,
        *,
        stride: int = 1,
        std: float | None = None,
        truncated: bool = False,
    ) -> None:
        super().__init__(channels_in, channels_out, kernel, stride=stride)
        self.std, self.truncated = std, truncated

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of ``(n, c, D, H, W)``."""
        pads = [same_padding(*axis) for axis in zip(x.shape[2:], self.kernel_size, self.stride, strict=True)]
        if all(before == after for before, after in pads):
            return F.conv3d(x, self.weight, self.bias, self.stride, [before for before, _ in pads])
        x = F.pad(x, [v for pad in reversed(pads) for v in pad])
        return F.conv3d(x, self.weight, self.bias, self.stride)


def same_upconv3d(channels_in: int, channels_out: int) -> nn.ConvTranspose3d:
    """Return a transposed convolution 4^3 at stride 2 without bias; it doubles every axis, as 'SAME' does."""
    return nn.ConvTranspose3d(channels_in, channels_out, 4, stride=2, padding=1, bias=False)


def end_padding(shape: Sequence[int], multiple: int) -> list[int]:
    """Return the voxels to add at the end of each axis to reach a multiple, in the order of torch's `pad`."""
    return [v for n in reversed(shape) for v in (0, -n % multiple)]


class Conv3d(nn.Conv3d):
    """`torch.nn.Conv3d` of stride 1 with zero padding; equal to it but for rounding.

    For a batch of one on a small grid torch takes a plain kernel, for two its library of fast ones, two to three times
    as fast. So such a volume is laid out as two: its halves along the first axis, each with what the kernel reaches
    of the other.
    """

    def __init__(self, channels_in: int, channels_out: int, kernel: int) -> None:
        super().__init__(channels_in, channels_out, kernel, padding=kernel // 2)
        self.reach = kernel // 2

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of ``(n, c, D, H, W)``."""
        n, channels, depth, height, width = x.shape
        if n > 1 or depth % 2 or channels * depth * height > SMALL or x.device.type != "cpu":
            return super().forward(x)
        reach, half = self.reach, depth // 2
        halves = F.pad(x[0], (0, 0, 0, 0, reach, reach)).unfold(1, half + 2 * reach, half)  # (c, 2, h, w, half + ...)
        y = F.conv3d(halves.permute(1, 0, 4, 2, 3), self.weight, self.bias, padding=(0, reach, reach))
        return y.transpose(0, 1).reshape(1, -1, depth, height, width)


def stack_pair(fixed: Tensor, moving: Tensor) -> Tensor:
    """Return both images as the two channels of one."""
    # Channels last halves the time of these narrow convolutions on CPUs, forward and backward.
    return torch.cat([fixed, moving], dim=1).contiguous(memory_format=torch.channels_last_3d)


def active(x: Tensor) -> Tensor:
    """Return the leaky ReLU of the released networks, slope 0.1."""
    return F.leaky_relu(x, SLOPE)
