"""The field of view of a scanner's bore, a mask that tests and benchmarks of synthetic pairs take along."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from datasets.chest_ct.lungs import BORE


def bore_mask(shape: Sequence[int], *, radius: float = BORE) -> Tensor:
    """The disc of a scanner's bore in every slice, ``(1, 1, D, H, W)``, 0 or 1.

    ``radius`` is a fraction of a slice's width (250 of 512 pixels), its centre the voxel n / 2.
    """
    h, w = (torch.arange(n, dtype=torch.float64) / n - 0.5 for n in shape[1:])
    disc = h[:, None] ** 2 + w**2 <= radius**2
    return disc.float().expand(1, 1, *shape).contiguous()
