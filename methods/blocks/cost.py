"""The cost of a network: exact parameters, and multiply-accumulates of its convolutions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

FULL_SHAPE = (128, 128, 128)


def count_parameters(model: nn.Module) -> int:
    """Return the number of trainable values."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


class _Convolutions(TorchFunctionMode):
    """Counts the multiply-accumulates of 3-D convolutions.

    torch's own counter looks below the level of functions, and for that imports a compiler; its rules for tensors
    without values import that too, and symbolic algebra: a second in each process that registers. So the functions that
    networks are made of have rules of their own here (`_laid_out`).
    """

    def __init__(self) -> None:
        super().__init__()
        self.macs = 0

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Tensor] | None = None
    ) -> Any:
        named = dict(kwargs or {})
        known = _laid_out(func, args, named)
        result = func(*args, **named) if known is None else known
        if func in (torch.conv3d, torch.conv_transpose3d):
            given: Tensor = args[0] if args else named["input"]
            kernels: Tensor = args[1] if len(args) > 1 else named["weight"]
            # A value of the output is a sum over one kernel; transposed, one of the input is spread by one.
            self.macs += (result if func is torch.conv3d else given).numel() * kernels[0].numel()
        return result


@runtime_checkable
class Warping(Protocol):
    """A network with warps in it, which convolve nothing, and which it can leave out."""

    def predictions(self, fixed: Tensor, moving: Tensor) -> object:
        """Run all that has weights, as often as a registration does."""
        ...


KEEPS = (F.leaky_relu, F.relu, torch.relu, Tensor.relu, F.batch_norm, F.instance_norm)
BY_CHANNEL = (F.avg_pool3d, F.adaptive_avg_pool3d, F.interpolate, F.max_pool3d, F.pad)
STRIDED = ("input", "weight", "bias", "stride", "padding")
CONVOLUTIONS = {  # what their arguments are called, in order
    torch.conv3d: (*STRIDED, "dilation", "groups"),
    torch.conv_transpose3d: (*STRIDED, "output_padding", "groups", "dilation"),
}


def _laid_out(func: Any, args: Sequence[Any], named: Mapping[str, object]) -> Tensor | None:
    """Return what a function gives for tensors without values, without values; None where torch has to say.

    What works channel by channel is asked for one channel with values.
    """
    first = args[0][0] if args and isinstance(args[0], (list, tuple)) and args[0] else (*args, None)[0]
    if not isinstance(first, Tensor) or first.device.type != "meta":
        return None
    if func in KEEPS:
        return first
    if func is torch.cat and args[1:] in ((), (1,)) and named.get("dim", 1) == 1 and (args[1:] or named):
        return _bare(len(first), sum(part.shape[1] for part in args[0]), first.shape[2:])
    if func in BY_CHANNEL and first.ndim == 5:
        with torch.device("cpu"):
            one = _call(func, torch.zeros(1, 1, *first.shape[2:]), *args[1:], **named)
        return _bare(first.shape[0], first.shape[1], one.shape[2:]) if one.shape[:2] == (1, 1) else None
    if func in CONVOLUTIONS:
        given: Any = dict(zip(CONVOLUTIONS[func], args, strict=False)) | dict(named)
        return (_convolved if func is torch.conv3d else _spread)(given.pop("input"), given.pop("weight"), **given)
    return None


def _call(func: Any, *args: Any, **named: Any) -> Tensor:
    return func(*args, **named)


def _convolved(
    x: Tensor,
    weight: Tensor,
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    bias: Any = None,
) -> Tensor:
    axes = zip(x.shape[2:], weight.shape[2:], *map(_each, (stride, padding, dilation)), strict=True)
    shape = [(size + 2 * pad - apart * (kernel - 1) - 1) // step + 1 for size, kernel, step, pad, apart in axes]
    return _bare(len(x), len(weight), shape)


def _spread(
    x: Tensor,
    weight: Tensor,
    *,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    bias: Any = None,
) -> Tensor:
    axes = zip(x.shape[2:], weight.shape[2:], *map(_each, (stride, padding, output_padding, dilation)), strict=True)
    shape = [
        (size - 1) * step - 2 * pad + apart * (kernel - 1) + more + 1 for size, kernel, step, pad, more, apart in axes
    ]
    return _bare(len(x), weight.shape[1] * groups, shape)


def _each(value: int | Sequence[int]) -> Sequence[int]:
    return [value] * 3 if isinstance(value, int) else value


def _bare(n: int, channels: int, shape: Sequence[int]) -> Tensor:
    return torch.empty(n, channels, *shape, device="meta")


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
        run = model.predictions if isinstance(model, Warping) else model
        return {"parameters": count_parameters(model), "macs": count_macs(lambda: run(*images))}


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
