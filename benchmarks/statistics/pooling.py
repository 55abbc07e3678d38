"""Mean and standard deviation over all landmarks of several pairs."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def pooled(counts: ArrayLike, means: ArrayLike, sds: ArrayLike) -> tuple[float, float]:
    """Return mean and sd (ddof 0) over the landmarks of several pairs from each pair's count, mean and sd."""
    counts, means, sds = (np.asarray(values, dtype=np.float64) for values in (counts, means, sds))
    mean = np.average(means, weights=counts)
    return float(mean), float(np.sqrt(np.average(sds**2 + (means - mean) ** 2, weights=counts)))
