"""The shift by whole voxels that lays one image onto the other, by the peak of their phase correlation."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Params:
    """The options; each has a default, and the comment behind it says what it does."""

    longest: int = 8  # the longest shift along an axis, in voxels


def load(params: Params, *, device: str, seed: int, checkpoint: Path | None = None):
    """Return the registration; what is done here is not on the clock."""

    def register(fixed, moving, spacing):
        spectrum = np.fft.fftn(moving) * np.conj(np.fft.fftn(fixed))
        peaks = np.fft.ifftn(spectrum / (np.abs(spectrum) + 1e-6)).real
        peak = np.unravel_index(np.argmax(peaks), peaks.shape)
        shift = [k if k <= n // 2 else k - n for k, n in zip(peak, fixed.shape, strict=True)]
        shift = np.clip(shift, -params.longest, params.longest)
        # voxels of the fixed grid, pull-back: moving is read at x + displacement(x)
        return np.broadcast_to(np.reshape(shift, (3, 1, 1, 1)).astype(np.float32), (3, *fixed.shape))

    return register
