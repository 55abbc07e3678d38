"""Convolutions of a registration on the CPU: weights packed once for oneDNN, the activation in the same pass.

torch's own choice leaves a single small volume to a plain kernel that takes two to three times as long, and packs the
weights again at every call; these layers do neither. They have no gradients. Features are laid out channels last.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FEW = 8  # channels up to which a transposed convolution would leave most of a vector register empty


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return the voxels to pad before and after one axis, so that the output has ``ceil(size / stride)`` voxels."""
    total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def is_flat(x: Tensor, stride: Sequence[int] = (1, 1, 1)) -> bool:
    """Return whether features ``(n, c, D, H, W)`` on the CPU have an axis of one voxel, or will after a stride.

    There oneDNN 3.12 reads memory that nobody wrote, in bfloat16 with AMX: the convolution or its gradients come out
    different at each call, now and then as NaN. So such convolutions, which cost next to nothing, stay in float32.
    """
    return x.device.type == "cpu" and any(n <= step for n, step in zip(x.shape[2:], stride, strict=True))


def activate(x: Tensor, slope: float | None) -> Tensor:
    """Return the leaky ReLU of a slope, with 0 the ReLU, without one ``x`` itself."""
    if slope is None:
        return x
    return F.leaky_relu(x, slope) if slope else x.relu()


def doubling(weight: Tensor) -> Tensor:
    """Return the kernel ``(i, o, 4, 4, 4)`` of the transposed convolution that doubles and convolves at once.

    At stride 2 it does what ``weight`` ``(o, i, 3, 3, 3)`` does after each axis is doubled by the nearest voxel. Voxel
    i reaches voxel ``2 i + t - 1`` through the taps ``2 - t`` and ``3 - t``, as far as they exist.
    """
    for axis in (2, 3, 4):
        turned = weight.flip(axis)
        nothing = torch.zeros_like(turned.narrow(axis, 0, 1))
        weight = torch.cat([turned, nothing], axis) + torch.cat([nothing, turned], axis)
    return weight.transpose(0, 1)


class PackedConv3d(nn.Module):
    """A convolution with 'SAME' padding, see `methods.blocks.layers.SameConv3d`."""

    def __init__(
        self, weight: Tensor, bias: Tensor | None, stride: Sequence[int], *, slope: float | None, dtype: torch.dtype
    ) -> None:
        super().__init__()
        self.kernel, self.stride, self.slope, self.dtype = weight.shape[2:], list(stride), slope, dtype
        self.weight, self.bias = _Packed(weight, dtype), None if bias is None else bias.detach()

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of ``(n, c, D, H, W)``."""
        dtype = _type(x, self.dtype, self.stride)
        x, pads = _padded(_laid_out(x, dtype), self.kernel, self.stride)
        weight = self.weight(x, pads, self.stride)
        return _convolve(x, weight, _like(self.bias, x), pads, self.stride, *_fused(self.slope))


class PackedSkipConv3d(nn.Module):
    """A convolution of doubled features and a skip, see `methods.blocks.layers.SkipConv3d`.

    ``doubled`` is the transposed kernel of `doubling`, ``weight`` the skip's.
    """

    def __init__(
        self, doubled: Tensor, weight: Tensor, bias: Tensor | None, *, slope: float | None, dtype: torch.dtype
    ) -> None:
        super().__init__()
        self.up = PackedUpConv3d(doubled, None, slope=None, dtype=dtype)
        self.same = PackedConv3d(weight, bias, [1, 1, 1], slope=None, dtype=dtype)
        self.slope, self.dtype = slope, dtype

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Return the convolution of ``(n, c, D, H, W)``, doubled, and ``(n, k, 2 D, 2 H, 2 W)``."""
        doubled, pads = self.up(x), [1, 1, 1]
        skip = _laid_out(skip, doubled.dtype)
        weight, bias = self.same.weight(skip, pads, pads), _like(self.same.bias, skip)
        y = _add_convolution(skip, doubled, weight, bias, pads, [1] * 3, [1] * 3, 1, "add", 1.0, None, [], None)
        return y if self.slope is None else F.leaky_relu_(y, self.slope)


class PackedUpConv3d(nn.Module):
    """A transposed convolution that doubles every axis, see `methods.blocks.layers.UpConv3d`."""

    def __init__(self, weight: Tensor, bias: Tensor | None, *, slope: float | None, dtype: torch.dtype) -> None:
        super().__init__()
        self.pads, self.slope, self.dtype = [weight.shape[-1] // 2 - 1] * 3, slope, dtype
        self.weight, self.bias = _Packed(weight, dtype, transposed=True), None if bias is None else bias.detach()

    def forward(self, x: Tensor) -> Tensor:
        """Return the features ``(n, c, D, H, W)`` at twice the resolution."""
        x, stride = _laid_out(x, _type(x, self.dtype)), [2, 2, 2]
        weight = self.weight(x, self.pads, stride)
        rest = (self.pads, [0] * 3, stride, [1] * 3, 1, *_fused(self.slope))
        return torch.ops.mkldnn._convolution_transpose_pointwise(x, weight, _like(self.bias, x), *rest)


class _Packed(nn.Module):
    """Weights in the order that oneDNN likes best for the first features of a type that it sees; right for all others.

    ``transposed`` ones are ``(i, o, d, h, w)``. The plain ones stay unless ``dtype`` is float32, for grids that
    `is_flat` keeps in it.
    """

    def __init__(self, weight: Tensor, dtype: torch.dtype, *, transposed: bool = False) -> None:
        super().__init__()
        self.plain: Tensor | None = weight.detach()
        self.single, self.transposed = dtype == torch.float32, transposed
        self.kept: dict[torch.dtype, Tensor] = {}

    def forward(self, x: Tensor, pads: list[int], stride: list[int]) -> Tensor:
        """Return them in the type of ``(n, i, D, H, W)``."""
        if x.dtype not in self.kept:
            assert self.plain is not None
            self.kept[x.dtype] = self._pack(self.plain.to(x.dtype), list(x.shape), pads, stride)
            self.plain = None if self.single else self.plain
        return self.kept[x.dtype]

    def _pack(self, plain: Tensor, shape: list[int], pads: list[int], stride: list[int]) -> Tensor:
        ones = [1] * 3
        if self.transposed:
            pack = torch.ops.mkldnn._reorder_convolution_transpose_weight
            return pack(plain, pads, [0] * 3, stride, ones, 1, shape)
        pack = torch.ops.aten.mkldnn_reorder_conv3d_weight
        return pack(plain.contiguous().to_mkldnn(), pads, stride, ones, 1, shape)


def _type(x: Tensor, dtype: torch.dtype, stride: Sequence[int] = (1, 1, 1)) -> torch.dtype:
    return torch.float32 if dtype == torch.bfloat16 and is_flat(x, stride) else dtype


def _like(bias: Tensor | None, x: Tensor) -> Tensor | None:
    return None if bias is None else bias.to(x.dtype)


def _convolve(
    x: Tensor, weight: Tensor, bias: Tensor | None, pads: list[int], stride: list[int], *activation: object
) -> Tensor:
    return torch.ops.mkldnn._convolution_pointwise(x, weight, bias, pads, stride, [1] * 3, 1, *activation)


_add_convolution: Callable[..., Tensor] = torch.ops.mkldnn._convolution_pointwise.binary


def _fused(slope: float | None) -> tuple[str, list[float], str]:
    """Return an activation as oneDNN takes it."""
    if slope is None:
        return "none", [], ""
    return ("leaky_relu", [slope], "") if slope else ("relu", [], "")


def _laid_out(x: Tensor, dtype: torch.dtype) -> Tensor:
    return x.to(dtype).contiguous(memory_format=torch.channels_last_3d)


def _padded(x: Tensor, kernel: Sequence[int], stride: Sequence[int]) -> tuple[Tensor, list[int]]:
    """Return features with what has to be padded on one side alone, and what oneDNN pads on both."""
    pads = [same_padding(*axis) for axis in zip(x.shape[2:], kernel, stride, strict=True)]
    both = [min(pad) for pad in pads]
    if all(before == after for before, after in pads):
        return x, both
    return F.pad(
        x, [v for (before, after), b in zip(pads[::-1], both[::-1], strict=True) for v in (before - b, after - b)]
    ), both
