"""Convolutions with TensorFlow's 'SAME' padding and tflearn's initialisation, which the released cascades rely on.

At stride 2 on an even size, 'SAME' pads a 3-wide kernel 0 before and 1 after; ``padding=1`` in torch would sample a
grid shifted by one voxel, at the same parameter count.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Fill = Callable[[nn.Module, torch.Generator], nn.Module]


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Voxels to pad before and after one axis, so that the output has ``ceil(size / stride)`` voxels."""
    total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class SameConv3d(nn.Conv3d):
    """3-D convolution with 'SAME' padding for any kernel, stride and size; ``size`` becomes ``ceil(size / stride)``.

    ``std`` asks `initialise` for a normal kernel of that standard deviation in place of uniform scaling, ``truncated``
    at twice that.
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
        pads = [same_padding(*axis) for axis in zip(x.shape[2:], self.kernel_size, self.stride, strict=True)]
        if all(before == after for before, after in pads):
            return F.conv3d(x, self.weight, self.bias, self.stride, [before for before, _ in pads])
        x = F.pad(x, [v for pad in reversed(pads) for v in pad])
        return F.conv3d(x, self.weight, self.bias, self.stride)


def same_upconv3d(channels_in: int, channels_out: int) -> nn.ConvTranspose3d:
    """Transposed convolution 4^3 at stride 2 without bias; doubles every axis, as 'SAME' does."""
    return nn.ConvTranspose3d(channels_in, channels_out, 4, stride=2, padding=1, bias=False)


def end_padding(shape: Sequence[int], multiple: int) -> list[int]:
    """Voxels to add at the end of each axis to reach a multiple, in the order of `torch.nn.functional.pad`."""
    return [v for n in reversed(shape) for v in (0, -n % multiple)]


@torch.no_grad()
def initialise(model: nn.Module, generator: torch.Generator) -> nn.Module:
    """Fill every layer of ``model`` from ``generator``, both on the CPU, and return the model.

    Kernels are uniform in ``±sqrt(3 / fan)``, ``fan`` being kernel voxels times input channels (output channels for a
    transposed convolution: tflearn multiplies all but the last axis of TensorFlow's kernel), unless a layer's ``std``
    asks for a normal one; linear layers are uniform in ``±sqrt(6 / (in + out))`` (Glorot); biases are zero.
    """
    for module in model.modules():
        if not isinstance(module, (nn.Conv3d, nn.ConvTranspose3d, nn.Linear)):
            if next(module.parameters(recurse=False), None) is not None:
                raise TypeError(f"initialise: no rule for the parameters of {type(module).__name__}")
            continue
        module.weight.copy_(_draw(module, torch.empty(module.weight.shape), generator))
        if module.bias is not None:
            module.bias.zero_()
    return model


def _draw(module: nn.Module, weight: Tensor, generator: torch.Generator) -> Tensor:
    if (std := getattr(module, "std", None)) is not None:
        if module.truncated:  # as TensorFlow does it: at two standard deviations
            return nn.init.trunc_normal_(weight, 0, std, -2 * std, 2 * std, generator=generator)
        return weight.normal_(0, std, generator=generator)
    # (out, in), (out, in, k, k, k), transposed (in, out, k, k, k)
    square = 6 / sum(weight.shape) if isinstance(module, nn.Linear) else 3 / weight[0].numel()
    return weight.uniform_(-math.sqrt(square), math.sqrt(square), generator=generator)


def create(build: Callable[[], nn.Module], *, seed: int, device: str, fill: Fill = initialise) -> nn.Module:
    """Build a model with initial weights that depend on ``seed`` alone, drawn by ``fill``, and move it to ``device``.

    It is laid out on the meta device first, so that torch's own initialisation does not touch the global generator.
    Kernels are stored channels last, the faster order for 3-D convolutions.
    """
    with torch.device("meta"):
        model = build()
    model = fill(model.to_empty(device="cpu"), torch.Generator().manual_seed(seed))
    return model.to(device, memory_format=torch.channels_last_3d)
