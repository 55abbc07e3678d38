"""Kernels without what only ever meets padding, for the deepest layers, whose grids are a voxel or two wide.

Of a kernel 3^3 on a single voxel 1 of 27 values is left, of a transposed one 4^3 that doubles it 8 of 64. These layers
are the widest of a cascade: on the CPU, to lay out whole kernels and their gradients took a third of an update of RCN's
weights. Elsewhere kernels stay whole, and so they are counted (`methods.blocks.cost`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


class _Cut(torch.autograd.Function):
    """A part of a kernel, whose gradient is laid out in memory as the kernel is."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, taps: tuple[slice, ...]) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.taps = taps
        return weight[(slice(None), slice(None), *taps)].clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (weight,), [gradient] = ctx.saved_tensors, gradients
        whole = torch.zeros_like(weight)
        whole[(slice(None), slice(None), *ctx.taps)] = gradient
        return whole, None


def reaching(
    weight: Tensor, pads: Sequence[tuple[int, int]], shape: Sequence[int], stride: Sequence[int]
) -> tuple[Tensor, list[tuple[int, int]]]:
    """Return what of a convolution's kernel reaches voxels, and the padding that is left.

    Args:
        weight: ``(o, i, *kernel)``.
        pads: voxels before and after each axis.
        shape: of the features, ``(D, H, W)``.
        stride: on each axis.
    """
    taps, left = list[slice](), list[tuple[int, int]]()
    if weight.device.type != "cpu":
        return weight, [*pads]
    for (before, after), n, kernel, step in zip(pads, shape, weight.shape[2:], stride, strict=True):
        last = (n + before + after - kernel) // step  # voxel of the output
        first, end = max(0, before - last * step), min(kernel, n + before)
        taps.append(slice(first, end))
        left.append((before - first, after - (kernel - end)))
    return _cut(weight, taps), left


def doubling_reach(weight: Tensor, pad: int, shape: Sequence[int]) -> tuple[Tensor, list[int]]:
    """Return what of a transposed kernel of stride 2 stays within twice the ``shape``, and the padding that is left.

    One voxel becomes two, by the two values in the middle of ``weight`` ``(i, o, k, k, k)``.
    """
    kernel = weight.shape[-1]
    if weight.device.type != "cpu":
        return weight, [pad] * 3
    taps = [slice(pad, pad + 2) if n == 1 else slice(0, kernel) for n in shape]
    return _cut(weight, taps), [0 if n == 1 else pad for n in shape]


def _cut(weight: Tensor, taps: Sequence[slice]) -> Tensor:
    if all(part.stop - part.start == size for part, size in zip(taps, weight.shape[2:], strict=True)):
        return weight
    return _Cut.apply(weight, tuple(taps))
