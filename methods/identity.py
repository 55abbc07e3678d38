"""The negative control: no registration, a zero displacement. What every method must beat."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datasets.geometry import Array
from methods import Register


@dataclass(frozen=True)
class Params:
    """It has no options."""


def load(params: Params, *, device: str, seed: int, checkpoint: Path | None = None) -> Register:
    """Return a call that answers every pair with zeros ``(3, D, H, W)``."""

    def register(fixed: Array, moving: Array, spacing: tuple[float, float, float]) -> Array:
        return np.zeros((3, *fixed.shape), dtype=np.float32)

    return register


def across_modalities(params: Params) -> bool:
    """Return whether images of two modalities can be registered."""
    return True  # it compares nothing
