"""The cost of a network: exact parameters, and multiply-accumulates of its convolutions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

FULL_SHAPE = (128, 128, 128)


def count_parameters(model: nn.Module) -> int:
    """Return the number of trainable values."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


class _Convolutions(TorchFunctionMode):
    """Counts the multiply-accumulates of 3-D convolutions.

    torch's own counter looks below the level of functions, and for that imports a compiler: most of a second in each
    process that registers.
    """

    def __init__(self) -> None:
        super().__init__()
        self.macs = 0

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Tensor] | None = None
    ) -> Any:
        named = dict(kwargs or {})
        result = func(*args, **named)
        if func in (torch.conv3d, torch.conv_transpose3d):
            given: Tensor = args[0] if args else named["input"]
            kernels: Tensor = args[1] if len(args) > 1 else named["weight"]
            # A value of the output is a sum over one kernel; transposed, one of the input is spread by one.
            self.macs += (result if func is torch.conv3d else given).numel() * kernels[0].numel()
        return result


def count_macs(run: Callable[[], object]) -> int:
    """Return the multiply-accumulates of the convolutions that ``run()`` executes, plain and transposed."""
    with torch.no_grad(), _Convolutions() as counter:
        run()
    return counter.macs


def registration_cost(build: Callable[[], nn.Module], shape: Sequence[int]) -> dict[str, int]:
    """Return ``parameters`` and ``macs`` of one registration at ``shape``, counted without memory or arithmetic."""
    with torch.device("meta"):
        model = build().eval()
        images = torch.empty(2, 1, 1, *shape)
        return {"parameters": count_parameters(model), "macs": count_macs(lambda: model(*images))}


def cost_beside_full(
    build: Callable[[], nn.Module], full: Callable[[], nn.Module], *, shape: Sequence[int], multiple: int, shrink: int
) -> dict[str, int]:
    """Return the cost of one registration, and as ``full_parameters`` and ``full_macs`` its paper's network at 128^3.

    Args:
        build: lays out the network that runs.
        full: lays out the paper's.
        shape: of the pair; zeros at its end up to a ``multiple`` are counted too.
        multiple: of the axes that the network sees.
        shrink: how many times smaller than the pair they are.
    """
    run = registration_cost(build, [(n + -n % (multiple * shrink)) // shrink for n in shape])
    return {**run, **{f"full_{name}": value for name, value in registration_cost(full, FULL_SHAPE).items()}}
