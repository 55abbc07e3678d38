"""The negative control: no registration, a zero displacement. What every method must beat."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def load(*, device: str, seed: int, checkpoint: Path | None = None) -> Callable[..., NDArray[np.float32]]:
    """Return a call that answers every pair with zeros ``(3, D, H, W)``."""

    def register(fixed: NDArray, moving: NDArray, spacing: tuple[float, float, float]) -> NDArray[np.float32]:
        return np.zeros((3, *fixed.shape), dtype=np.float32)

    return register
