"""Turn a displacement that goes from the moving image to the fixed one into the one that goes the other way."""

from __future__ import annotations

import numpy as np

from datasets.files import DataError
from datasets.geometry import Array, identity_grid, sample

STEPS = 100  # at most
CLOSE = 1e-3  # voxels that the last step may still move
FOLDED, SHARE = 0.1, 1e-3  # voxels that so large a share of the grid may be off where nothing comes to rest


def inverted(push: Array, where: str) -> Array:
    """Return the displacement ``u`` with ``u(x) = -push(x + u(x))``, both ``(3, D, H, W)`` in voxels of one grid.

    It is the fixed point of that equation (Chen et al. 2008, doi:10.1118/1.2816107), which there is for a field that
    does not fold. Raises `DataError` for one that does.
    """
    grid = identity_grid(push.shape[1:])
    found, difference = -push, np.full(push.shape[1:], np.inf)
    for _ in range(STEPS):
        points = grid + found
        following = -np.stack([sample(component, points) for component in push])
        difference = np.sqrt(np.square(following - found).sum(axis=0))
        found = following
        if difference.max() < CLOSE:
            return found.astype(np.float32)
    if (share := float((difference > FOLDED).mean())) > SHARE:
        raise DataError(
            f"{where}: goes from the moving to the fixed image and cannot be inverted: at {100 * share:.2g} % of the "
            f"voxels no point comes to rest within {FOLDED} voxel; export the displacement from fixed to moving"
        )
    return found.astype(np.float32)
