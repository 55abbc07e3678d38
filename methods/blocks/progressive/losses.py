"""The training loss of the progressive networks."""

from __future__ import annotations

from torch import Tensor


def displacement_loss(predicted: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """Return the mean squared distance of two displacements over a mask ``(n, 1, D, H, W)``, in voxels^2.

    Eq. 4 of the progressive paper (doi:10.1109/TMI.2019.2953788); a pair whose mask is empty counts as 0.
    """
    square = (predicted - truth).square().sum(1, keepdim=True)
    return ((square * mask).flatten(1).sum(1) / mask.flatten(1).sum(1).clamp(min=1)).mean()
