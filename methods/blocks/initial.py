"""Initial weights, drawn from a seed alone: tflearn's, which the released cascades rely on, and Glorot's."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

Fill = Callable[[nn.Module, torch.Generator], nn.Module]
Network = TypeVar("Network", bound=nn.Module)


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
        module.weight.copy_(_kernel(module, torch.empty(module.weight.shape), generator))
        if module.bias is not None:
            module.bias.zero_()
    return model


@torch.no_grad()
def glorot(model: nn.Module, generator: torch.Generator) -> nn.Module:
    """Fill every layer of ``model`` from ``generator``, both on the CPU, and return the model.

    Kernels are normal with variance ``2 / (fan in + fan out)``, both counting the kernel's voxels (Glorot and Bengio,
    2010); biases zero; normalisation the identity, its averages forgotten.
    """
    for module in model.modules():
        if isinstance(module, nn.BatchNorm3d):
            module.reset_parameters()  # draws nothing
        elif isinstance(module, (nn.Conv3d, nn.ConvTranspose3d)):
            # Drawn into a plain tensor: the order of the draws must not depend on how the kernel is stored.
            module.weight.copy_(nn.init.xavier_normal_(torch.empty(module.weight.shape), generator=generator))
            if module.bias is not None:
                module.bias.zero_()
        elif next(module.parameters(recurse=False), None) is not None:
            raise TypeError(f"glorot: no rule for the parameters of {type(module).__name__}")
    return model


def create(build: Callable[[], Network], *, seed: int, device: str, fill: Fill = initialise) -> Network:
    """Build a model with initial weights that depend on ``seed`` alone, drawn by ``fill``, and move it to ``device``.

    It is laid out on the meta device first, so that torch's own initialisation does not touch the global generator.

    Args:
        build: lays the model out.
        seed: of the draws.
        device: ``cpu`` or ``cuda``.
        fill: draws the weights: `initialise` or `glorot`.
    """
    with torch.device("meta"):
        model = build()
    _give_memory(model)
    fill(model, torch.Generator().manual_seed(seed))
    return channels_last(model, device)


def _give_memory(model: nn.Module) -> None:
    """Move a model from the meta device to the CPU, its values undefined.

    As `torch.nn.Module.to_empty` does it torch imports a system of symbolic algebra, in each process that registers.
    """
    for module in model.modules():
        for name, weight in module.named_parameters(recurse=False):
            setattr(module, name, nn.Parameter(torch.empty(weight.shape, dtype=weight.dtype)))
        for name, average in module.named_buffers(recurse=False):
            setattr(module, name, torch.empty(average.shape, dtype=average.dtype))


def channels_last(model: Network, device: str) -> Network:
    """Move a model to a device, its kernels stored channels last, the faster order for 3-D convolutions."""
    return model.to(device, memory_format=torch.channels_last_3d)  # pyright: ignore[reportCallIssue]  torch has no type


def _kernel(module: nn.Module, weight: Tensor, generator: torch.Generator) -> Tensor:
    if (std := getattr(module, "std", None)) is not None:
        if module.truncated:  # as TensorFlow does it: at two standard deviations
            return nn.init.trunc_normal_(weight, 0, std, -2 * std, 2 * std, generator=generator)
        return weight.normal_(0, std, generator=generator)
    # (out, in), (out, in, k, k, k), transposed (in, out, k, k, k)
    square = 6 / sum(weight.shape) if isinstance(module, nn.Linear) else 3 / weight[0].numel()
    return weight.uniform_(-math.sqrt(square), math.sqrt(square), generator=generator)
