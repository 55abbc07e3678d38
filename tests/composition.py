"""One displacement out of two, by the judge's own sampling: what networks' compositions are compared with."""

import numpy as np

from datasets.geometry import identity_grid, sample


def compose(first, then):
    """Return the one displacement ``(3, D, H, W)`` that warps by ``first`` and warps the result by ``then``."""
    points = identity_grid(then.shape[1:]) + then
    return then + np.stack([sample(component, points) for component in first])
