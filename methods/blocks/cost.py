"""The cost of a network: exact parameters, and multiply-accumulates of its convolutions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

FULL_SHAPE = (128, 128, 128)


def count_parameters(model: nn.Module) -> int:
    """Return the number of trainable values."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def count_macs(run: Callable[[], object]) -> int:
    """Return the multiply-accumulates of the convolutions that ``run()`` executes, plain and transposed."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        run()
    flops = counter.get_flop_counts()["Global"]
    return sum(count for operator, count in flops.items() if "conv" in str(operator)) // 2


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
