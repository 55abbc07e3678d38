"""Displacements by cubic B-splines whose control points sit at the centres of cells, so that grids of all levels nest.

The cells of every grid cover the same field of view: ``n`` control points an axis divide it into ``n`` equal cells, as
the voxels of an average over cubes do. Beyond the outermost centres the values there go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor


def field_of(controls: Tensor, shape: Sequence[int]) -> Tensor:
    """Return the spline of control values ``(n, c, A, B, C)`` at the voxels of a grid, ``(n, c, *shape)``.

    One small matrix product an axis, the long one last: its result is in the order of memory that callers want.
    """
    d, h, w = (_weights(size, n, controls.device) for size, n in zip(shape, controls.shape[2:], strict=True))
    n, c, depth, height, width = controls.shape
    deep = d @ controls.reshape(n * c, depth, height * width)
    high = h @ deep.reshape(n * c * len(d), height, width)
    return (high.reshape(-1, width) @ w.T).view(n, c, *shape)


def spline_weights(size: int, controls: int, *, dtype: torch.dtype = torch.float64) -> Tensor:
    """Return weights ``(size, controls)`` of control points at the voxels of an axis; each row sums to one.

    Voxel i lies ``(i + 0.5) controls / size - 0.5`` cells from the first control point.
    """
    place = (torch.arange(size, dtype=torch.float64) + 0.5) * controls / size - 0.5
    centres = torch.arange(-2, controls + 2, dtype=torch.float64)
    distance = (place[:, None] - centres).abs()
    reach = ((2 - distance).relu() ** 3 - 4 * (1 - distance).relu() ** 3) / 6
    weights = torch.zeros(size, controls, dtype=torch.float64)
    return weights.index_add_(1, centres.long().clamp(0, controls - 1), reach).to(dtype)


@lru_cache(maxsize=64)
@torch.inference_mode(False)  # what is kept serves training too
def _weights(size: int, controls: int, device: torch.device) -> Tensor:
    return spline_weights(size, controls, dtype=torch.float32).to(device)
