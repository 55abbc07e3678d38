"""A convolution with gradients that takes torch's fast kernel for a single small volume too.

On the CPU torch leaves a batch of one with few values to a plain kernel, which takes up to seven times as long, forward
and backward, as oneDNN's, which it takes for a batch of two. Features that are laid out as oneDNN's own are always
convolved by it; to lay them out and back, with the weights, takes longer than it saves on the smallest grids and for
convolutions that halve theirs, so these stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

SMALL = 20_480  # values of the first four axes up to which torch takes its plain kernel
WORTH = 512  # voxels from which oneDNN's is the faster one


def convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    *,
    stride: Sequence[int] = (1, 1, 1),
    pads: Sequence[int] = (0, 0, 0),
) -> Tensor:
    """Return `torch.nn.functional.conv3d`, equal but for rounding.

    Where `is_better_laid_out` it has first derivatives only.

    Args:
        x: ``(n, i, D, H, W)``.
        weight: ``(o, i, *kernel)``.
        bias: ``(o,)``.
        stride: on each axis.
        pads: zeros before and after each axis.
    """
    if is_better_laid_out(x, weight, stride):
        laid_out: Tensor = x.to_mkldnn()
        return F.conv3d(laid_out, weight, bias, list(stride), list(pads)).to_dense()
    return F.conv3d(x, weight, bias, list(stride), list(pads))


def is_better_laid_out(x: Tensor, weight: Tensor, stride: Sequence[int]) -> bool:
    """Return whether torch would take its plain kernel although oneDNN has a faster one (single precision, CPU)."""
    n, channels, depth, height, width = x.shape
    return (
        n == 1
        and channels * depth * height <= SMALL
        and depth * height * width >= WORTH
        and all(step == 1 for step in stride)
        and x.device.type == "cpu"
        and x.dtype == weight.dtype == torch.float32
        and min(weight.shape[3:]) <= 3  # it takes oneDNN for larger ones
        and max(weight.shape[2:]) > 1  # a kernel of 1 would gain nothing
        and torch.backends.mkldnn.is_available()
        and not torch.is_autocast_enabled("cpu")
    )
