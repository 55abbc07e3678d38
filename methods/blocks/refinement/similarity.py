"""How unlike two images ``(1, 1, D, H, W)`` are, in numbers from 0 on that do not depend on their contrast."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

import torch.nn.functional as F
from torch import Tensor

Similarity = Literal["local_correlation", "correlation", "squares"]
# Added above and below the line, so that nothing is more alike than equal images: added below alone, as is usual, they
# reward a warped image of more contrast.
EPSILON = 1e-6  # of variances of images in [0, 1]
FLAT = 1e-5  # of the product of two variances: windows below have no say


def difference(similarity: Similarity, window: int) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the function of fixed and warped image that gives their difference, zero-dimensional.

    ``local_correlation`` is 1 minus the mean squared correlation coefficient of cubes of ``window`` voxels a side,
    every half window; ``correlation`` 1 minus that of all voxels, signed; ``squares`` the mean squared difference over
    the fixed image's variance.
    """
    functions = {"local_correlation": partial(_local, window=window), "correlation": _whole, "squares": _squares}
    return functions[similarity]


def _whole(fixed: Tensor, warped: Tensor) -> Tensor:
    a, b = fixed - fixed.mean(), warped - warped.mean()
    return 1 - ((a * b).mean() + EPSILON) / ((a.square().mean() + EPSILON) * (b.square().mean() + EPSILON)).sqrt()


def _squares(fixed: Tensor, warped: Tensor) -> Tensor:
    return (fixed - warped).square().mean() / (fixed.var() + EPSILON)


def _local(fixed: Tensor, warped: Tensor, *, window: int) -> Tensor:
    size = [min(window, n) for n in fixed.shape[2:]]
    # Windows at the ends are cut off there, so that all voxels are in one.
    mean = partial(
        F.avg_pool3d,
        kernel_size=size,
        stride=[(n + 1) // 2 for n in size],
        ceil_mode=True,
        count_include_pad=False,
    )
    fixed, warped = fixed - fixed.mean(), warped - warped.mean()  # squares of small numbers lose fewer digits
    a, b = mean(fixed), mean(warped)
    variances = [(mean(x.square()) - m.square()).relu() for x, m in ((fixed, a), (warped, b))]
    covariance = mean(fixed * warped) - a * b
    return 1 - ((covariance.square() + FLAT) / (variances[0] * variances[1] + FLAT)).mean()
