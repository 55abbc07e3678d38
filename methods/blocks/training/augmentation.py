"""The random free-form warp that the cascades see in training, after the released code of Recursive Cascaded Networks.

Control points on a 5^3 grid move by ``0.4 u^3`` cells along each axis, u uniform in (-1, 1) (0.4 u^3 * 32 voxels at
128^3); a ring of resting control points surrounds them, and a uniform cubic B-spline fills the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

CONTROLS = 5
STRENGTH = 0.4


def bspline_weights(size: int, controls: int = CONTROLS, *, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return weights ``(size, controls + 2)`` of the points of a cubic B-spline, and of a ring around them, at voxels.

    Voxel i lies ``(i + 0.5) (controls - 1) / size`` cells from the first control point that is not in the ring.
    """
    place = (torch.arange(size, dtype=torch.float64) + 0.5) * (controls - 1) / size
    cell = place.floor()
    u = place - cell
    basis = [(1 - u) ** 3, 3 * u**3 - 6 * u**2 + 4, -3 * u**3 + 3 * u**2 + 3 * u + 1, u**3]
    columns = cell.long()[:, None] + torch.arange(4)
    weights = torch.zeros(size, controls + 2, dtype=torch.float64)
    return weights.scatter_(1, columns, torch.stack(basis, dim=1) / 6).to(dtype)


def random_displacement(
    n: int,
    shape: Sequence[int],
    generator: torch.Generator,
    *,
    strength: float = 1.0,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Draw smooth displacements ``(n, 3, *shape)`` in voxels.

    Args:
        n: how many.
        shape: of their grid.
        generator: of the draws, which are made on the CPU, so that they do not depend on the device.
        strength: 1 is the published size.
        device: where they go.
    """
    u = torch.rand(n, 3, CONTROLS, CONTROLS, CONTROLS, generator=generator) * 2 - 1
    cells = torch.tensor([size / (CONTROLS - 1) for size in shape]).view(3, 1, 1, 1)
    points = torch.nn.functional.pad(strength * STRENGTH * u**3 * cells, [1] * 6).to(device)
    weights = (_weights(size, torch.device(device)) for size in shape)
    return torch.einsum("ncijk,di,hj,wk->ncdhw", points, *weights)


@lru_cache(maxsize=16)
@torch.inference_mode(False)  # what is kept serves training too
def _weights(size: int, device: torch.device) -> Tensor:
    return bspline_weights(size).to(device)
