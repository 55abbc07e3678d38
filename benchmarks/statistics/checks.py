"""What every function here asks of its numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from datasets.files import Array


def finite(values: ArrayLike, where: str) -> Array:
    """Return ``values`` as finite numbers ``(m,)``, m at least 1; ValueError names ``where`` they are not."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not array.size or not np.all(np.isfinite(array)):
        raise ValueError(f"{where}: expected finite numbers (m,) with m at least 1, got shape {array.shape}: {array}")
    return array
