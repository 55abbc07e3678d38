"""From arrays to a displacement: what every trained network does around its own call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar, cast, runtime_checkable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from datasets.geometry import Array
from methods.blocks.layers import end_padding
from methods.blocks.precision import single_precision

Network = TypeVar("Network", bound=nn.Module)


@runtime_checkable
class Packable(Protocol):
    """A layer that has a faster form for registration on the CPU."""

    def packed(self, dtype: torch.dtype) -> nn.Module:
        """Return that form, its convolution in ``dtype``."""
        ...


def prepared(model: Network, device: str, *, mixed: bool = False) -> Network:
    """Return a network for registration, in evaluation mode; on the CPU its layers are replaced by their packed forms.

    The network must not be trained or saved afterwards.
    """
    model.eval()
    if torch.device(device).type == "cpu" and torch.backends.mkldnn.is_available():
        _pack(model, torch.bfloat16 if mixed else torch.float32)
    return model


def _pack(model: nn.Module, dtype: torch.dtype) -> None:
    for name, layer in model.named_children():
        if isinstance(layer, Packable):
            setattr(model, name, cast(Packable, layer).packed(dtype))
        else:
            _pack(layer, dtype)


@torch.inference_mode()
def register(
    fixed: Array,
    moving: Array,
    spacing: Sequence[float],
    *,
    predict: Callable[[Tensor, Tensor], Tensor],
    device: str,
    multiple: int,
    shrink: int = 1,
) -> Array:
    """Return the displacement ``(3, D, H, W)`` of a pair.

    Args:
        fixed: the image whose grid the displacement has.
        moving: the other image.
        spacing: millimetres a voxel, which networks do not see.
        predict: the network's call, which takes and gives tensors ``(1, c, D, H, W)``.
        device: where it runs.
        multiple: axes get zeros at their end up to a multiple of this, and the displacement is cropped back.
        shrink: the network sees averages of cubes of so many voxels a side.
    """
    pad = end_padding(fixed.shape, multiple * shrink)
    images = [F.pad(torch.from_numpy(np.array(image, np.float32)), pad)[None, None] for image in (fixed, moving)]
    images = [image.to(device) for image in images]
    if shrink > 1:
        images = [F.avg_pool3d(image, shrink) for image in images]
    with single_precision():
        displacement = predict(*images)
    if shrink > 1:  # areas aligned, as the average above has them; values in the larger grid's voxels
        displacement = shrink * F.interpolate(displacement, scale_factor=shrink, mode="trilinear", align_corners=False)
    depth, height, width = fixed.shape
    return in_memory(displacement[0, :, :depth, :height, :width])


def in_memory(values: Tensor) -> Array:
    """Return values of any shape and device as an array of that shape in memory, laid out in the order of its axes.

    They are laid out on the device: networks give channels last, which NumPy would turn round four times as slowly as a
    GPU registers. From a GPU they go into memory that it writes by itself, which torch keeps for the next ones.
    """
    values = values.contiguous()
    if values.device.type != "cuda":
        return values.numpy()
    pinned = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
    return pinned.copy_(values).numpy()
