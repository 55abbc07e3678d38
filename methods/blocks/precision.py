"""In which precision networks compute: float32 without TF32, or ``mixed``, convolutions in bfloat16 and the rest not.

TF32 keeps 10 bits of the 23 that "float32" promises. In mixed precision heads, warps and losses stay in float32:
bfloat16 would round displacements to a sixteenth of a voxel.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Literal

import torch
from torch import Tensor

Precision = Literal["float32", "mixed"]


@contextmanager
def single_precision(*, tuned: bool = False) -> Generator[None]:
    """Compute convolutions and matrix products of float32 in float32 on CUDA; it changes nothing on the CPU.

    Containers allow TF32 in products by the environment, notebooks by either of torch's two interfaces. ``tuned`` lets
    cuDNN try its kernels on the first call at each shape, and take the fastest from then on. Measured on an H200 at
    128^3, steps of training became 1.3 to 3.1 times as fast, and registrations no faster.
    """
    matmul, newer = torch.backends.cuda.matmul, hasattr(torch.backends.cudnn, "conv")  # from torch 2.9 on
    allowed = matmul.fp32_precision == "tf32" if newer else matmul.allow_tf32
    # What the newer interface allows all of CUDA, the older one does not take back.
    flags = partial(torch.backends.cudnn.flags, fp32_precision="ieee") if newer else torch.backends.cudnn.flags
    matmul.allow_tf32 = False
    try:
        with flags(enabled=True, benchmark=tuned, allow_tf32=False):
            yield
    finally:
        matmul.allow_tf32 = allowed


def mixed_precision(like: Tensor, *, on: bool) -> AbstractContextManager[object]:
    """Return a context in which convolutions are computed in bfloat16 on the device of a tensor, where ``on``."""
    return torch.autocast(like.device.type, torch.bfloat16) if on else nullcontext()


def full_precision(like: Tensor) -> AbstractContextManager[object]:
    """Return a context in which nothing is, for the device of a tensor."""
    on = like.device.type in ("cpu", "cuda") and torch.is_autocast_enabled(like.device.type)
    return torch.autocast(like.device.type, enabled=False) if on else nullcontext()
