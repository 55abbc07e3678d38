"""Target registration error: how far mapped fixed landmarks end from the moving ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from datasets import geometry

Protocol = Literal["continuous", "snapped"]
PROTOCOLS: tuple[Protocol, ...] = ("continuous", "snapped")


def tre(
    displacement: ArrayLike,
    fixed_landmarks: ArrayLike,
    moving_landmarks: ArrayLike,
    spacing: Sequence[float],
    *,
    protocol: Protocol = "continuous",
) -> NDArray[np.float64]:
    """Return the distance in mm of each mapped fixed landmark from its moving one, ``(n,)``.

    Args:
        displacement: ``(3, D, H, W)``, voxels, pull-back; read trilinearly at the fixed landmarks.
        fixed_landmarks: ``(n, 3)`` in voxel coordinates, array-axis order, of the fixed image.
        moving_landmarks: ``(n, 3)``, of the moving image.
        spacing: three voxel sizes in mm.
        protocol: ``continuous`` takes the mapped point as it is; ``snapped`` rounds it to the nearest voxel first, as
            some published DIR-Lab results do. Landmarks that were placed on voxels favour ``snapped``: never compare
            one with the other. On a resampled grid the voxels are the grid's, not the original image's.

    Castillo et al. 2009, doi:10.1088/0031-9155/54/7/001.
    """
    fixed, moving = _points(fixed_landmarks, "fixed_landmarks"), _points(moving_landmarks, "moving_landmarks")
    if len(fixed) != len(moving):
        raise ValueError(f"tre: {len(fixed)} fixed_landmarks, but {len(moving)} moving_landmarks")
    if protocol not in PROTOCOLS:
        raise ValueError(f"tre: protocol must be one of {PROTOCOLS}, got {protocol!r}")
    mapped = geometry.move_points(displacement, fixed)
    if protocol == "snapped":
        mapped = np.floor(mapped + 0.5)  # np.rint would send halves to the even voxel
    return np.linalg.norm((mapped - moving) * np.asarray(spacing, dtype=np.float64), axis=1)


def measure(
    displacement: ArrayLike, landmarks: tuple[ArrayLike, ArrayLike], spacing: Sequence[float]
) -> Iterator[tuple[str, str, str, float]]:
    """Yield ``(metric, protocol, region, value)``: mean, sd (ddof 0), median, p95 and the number of landmarks.

    With the count, the mean and the sd of several pairs can be pooled as if over all their landmarks.
    """
    for protocol in PROTOCOLS:
        values = tre(displacement, *landmarks, spacing, protocol=protocol)
        yield "tre", protocol, "mean", float(np.mean(values))
        yield "tre", protocol, "sd", float(np.std(values))
        yield "tre", protocol, "median", float(np.median(values))
        yield "tre", protocol, "p95", float(np.percentile(values, 95))
        yield "tre", protocol, "count", float(len(values))


def pooled(counts: ArrayLike, means: ArrayLike, sds: ArrayLike) -> tuple[float, float]:
    """Return mean and sd (ddof 0) over the landmarks of several pairs from each pair's count, mean and sd."""
    counts, means, sds = (np.asarray(values, dtype=np.float64) for values in (counts, means, sds))
    mean = np.average(means, weights=counts)
    return float(mean), float(np.sqrt(np.average(sds**2 + (means - mean) ** 2, weights=counts)))


def _points(points: ArrayLike, name: str) -> NDArray[np.float64]:
    points = np.asarray(points, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 3 or not len(points) or not np.all(np.isfinite(points)):
        raise ValueError(f"tre: {name} must be finite and (n, 3) with n at least 1, got shape {points.shape}")
    return points
