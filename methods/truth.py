"""The positive control: answers with the true displacement, where a data set (a phantom) knows it.

Not a method: it is handed the truth on purpose. Its scores are the ceiling of each metric under the judge's own
interpolation, and a ceiling far from perfect means that data, convention or metric is wrong. Where the truth is not
known the pair is recorded as not applicable.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datasets.geometry import Array
from methods import Register

NEEDS = ("true_displacement",)


@dataclass(frozen=True)
class Params:
    """It has no options."""


def load(params: Params, *, device: str, seed: int, checkpoint: Path | None = None) -> Register:
    """Return a call that hands back its keyword ``true_displacement`` ``(3, D, H, W)``, in voxels."""

    def register(
        fixed: Array, moving: Array, spacing: tuple[float, float, float], *, true_displacement: Array
    ) -> Array:
        return np.array(true_displacement, dtype=np.float32)

    return register
