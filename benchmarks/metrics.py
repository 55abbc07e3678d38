"""The table of metrics, and `evaluate`, which computes whatever its inputs allow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from benchmarks import deformation, overlap
from benchmarks import landmarks as landmark_errors
from datasets import geometry

Needs = Literal["labels", "landmarks", "displacement", "true_displacement", "none"]


@dataclass(frozen=True)
class Metric:
    """What a number means.

    ``needs`` is the truth it takes: ``displacement`` none but the displacement itself, ``none`` not even that.
    ``protocols`` maps each protocol to one line, ``headline`` is the region that tables quote.
    """

    unit: str
    higher_is_better: bool
    needs: Needs
    protocols: Mapping[str, str]
    headline: str
    source: str


_MASK_WARP = {
    "linear_thr128": "mask of each label x 255 warped trilinearly, border clamp, kept where > 128",
    "nearest": "label map warped by nearest neighbour, border clamp",
}
_CENTRAL = {
    "central_grid": "central differences, all voxels of the fixed grid",
    "central_mask": "central differences, voxels of the fixed image's mask",
}
_FORWARD = {"forward": "forward differences, the voxels that have all three forward neighbours"}
_CLOCK = {"register": "one call, while accuracy was measured, other jobs perhaps beside it; for speed see the timing"}
_L2R = "Learn2Reg, doi:10.1109/TMI.2022.3213983"
_RCN = "recursive cascaded networks, doi:10.1109/ICCV.2019.01070"
_LDR = "light-weight deformable registration, arXiv:2110.01293"
_PROGRESSIVE = "progressively trained networks, doi:10.1109/TMI.2019.2953788"
_DERIVED = "this project"

METRICS: Mapping[str, Metric] = {
    "dice": Metric("1", True, "labels", _MASK_WARP, "mean", "Dice 1945, doi:10.2307/1932409"),
    "jaccard": Metric("1", True, "labels", _MASK_WARP, "mean", "Jaccard 1912, doi:10.1111/j.1469-8137.1912.tb05611.x"),
    "tre": Metric(
        "mm",
        False,
        "landmarks",
        {
            "continuous": "distance of the mapped fixed landmark as it is",
            "snapped": "mapped fixed landmark rounded to the nearest voxel first",
        },
        "mean",
        "Castillo et al. 2009, doi:10.1088/0031-9155/54/7/001",
    ),
    "landmark_correlation": Metric(
        "1",
        True,
        "landmarks",
        {"continuous": "Pearson's r between true and estimated displacement along each array axis, mean of the three"},
        "mean",
        _PROGRESSIVE,
    ),
    "folding_count": Metric("voxels", False, "displacement", _FORWARD, "all", _LDR),
    "folding_percent": Metric("%", False, "displacement", _CENTRAL, "all", _PROGRESSIVE),
    "jacobian_std": Metric("1", False, "displacement", _FORWARD, "all", _RCN),
    "sdlogj": Metric("1", False, "displacement", _CENTRAL, "all", "Leow et al. 2007, doi:10.1109/TMI.2007.892646"),
    "sdlogj_l2r": Metric("1", False, "displacement", _CENTRAL, "all", _L2R),
    "displacement_error": Metric(
        "mm",
        False,
        "true_displacement",
        {"grid": "all voxels of the fixed grid", "mask": "voxels of the fixed image's mask"},
        "mean",
        _DERIVED,
    ),
    "seconds": Metric("s", False, "none", _CLOCK, "all", _DERIVED),
    "peak_memory": Metric("MiB", False, "none", _CLOCK, "all", _DERIVED),
    "parameters": Metric("1", False, "none", {"network": "trainable numbers of the network run"}, "all", _DERIVED),
    "macs": Metric("1", False, "none", {"network": "multiply-accumulates of one registration"}, "all", _DERIVED),
    "full_parameters": Metric(
        "1", False, "none", {"network": "trainable numbers of the same network at its paper's width"}, "all", _DERIVED
    ),
    "full_macs": Metric(
        "1", False, "none", {"network": "multiply-accumulates at its paper's width and size"}, "all", _DERIVED
    ),
}


def evaluate(
    displacement: ArrayLike,
    *,
    spacing: Sequence[float],
    fixed_labels: ArrayLike | None = None,
    moving_labels: ArrayLike | None = None,
    labels: Sequence[int] | None = None,
    landmarks: tuple[ArrayLike, ArrayLike] | None = None,
    true_displacement: ArrayLike | None = None,
    mask: ArrayLike | None = None,
) -> list[dict[str, Any]]:
    """Compute every metric that the inputs allow; rows of metric, protocol, region, value and unit.

    Args:
        displacement: ``(3, D, H, W)``, voxels of the fixed grid, pull-back.
        spacing: three voxel sizes in mm, array-axis order.
        fixed_labels: label map ``(D, H, W)`` of the fixed image; needs ``moving_labels`` too.
        moving_labels: label map of the moving image, same grid.
        labels: the labels to score; all but 0 that either map has when None.
        landmarks: fixed and moving landmarks, each ``(n, 3)`` in voxels.
        true_displacement: ``(3, D, H, W)``, same convention.
        mask: boolean field of view ``(D, H, W)`` of the fixed image.

    Regions are ``all`` for one number over a whole field, ``mean`` with ``count`` (how many labels or landmarks it
    averages), ``label_<n>``, ``axis_<n>``, ``sd``, ``median`` and ``p95``. Raises ``ValueError`` naming an
    argument that is not finite or not on the grid.
    """
    u = geometry.check_displacement(displacement, np.shape(displacement)[1:], where="evaluate: displacement")
    if (fixed_labels is None) != (moving_labels is None):
        raise ValueError("evaluate: fixed_labels and moving_labels go together, got only one of them")
    if len(spacing) != 3 or not np.all(np.asarray(spacing) > 0):
        raise ValueError(f"evaluate: spacing must be three positive numbers in mm, got {spacing!r}")
    values = [deformation.measure(u, mask)]
    if fixed_labels is not None and moving_labels is not None:
        values.append(overlap.measure(u, fixed_labels, moving_labels, labels))
    if landmarks is not None:
        values.append(landmark_errors.measure(u, landmarks, spacing))
    if true_displacement is not None:
        values.append(deformation.measure_error(u, true_displacement, spacing, mask))
    return [_row(*value) for value in chain(*values)]


def _row(metric: str, protocol: str, region: str, value: float) -> dict[str, Any]:
    unit = "1" if region == "count" else METRICS[metric].unit
    return {"metric": metric, "protocol": protocol, "region": region, "value": value, "unit": unit}
