"""Landmarks: how far mapped fixed ones end from the moving ones, and how well they follow the true ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarks.evidence import Evidence, Value
from benchmarks.measures.splines import read_by_spline
from datasets import geometry

Protocol = Literal["continuous", "snapped", "learn2reg"]
PROTOCOLS: Mapping[Protocol, str] = {  # of the distance, each with its meaning
    "continuous": "distance of the mapped fixed landmark as it is",
    "snapped": "mapped fixed landmark rounded to the nearest voxel first",
    "learn2reg": "displacement read by cubic spline, 0 outside of the grid, as Learn2Reg's evaluator does",
}
CORRELATED = {
    "continuous": "Pearson's r between true and estimated displacement along each array axis, mean of the three"
}
_STILL = 1e-5  # voxels: a displacement that varies by less is constant, but for the rounding of float32


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
        displacement: ``(3, D, H, W)``, voxels, pull-back; read trilinearly at the fixed landmarks, but by
            ``learn2reg`` as that challenge's evaluator reads it: by cubic spline, with 0 outside of the grid.
        fixed_landmarks: ``(n, 3)`` in voxel coordinates, array-axis order, of the fixed image.
        moving_landmarks: ``(n, 3)``, of the moving image.
        spacing: three voxel sizes in mm.
        protocol: ``continuous`` takes the mapped point as it is; ``snapped`` rounds it to the nearest voxel first, as
            some published DIR-Lab results do. Landmarks that were placed on voxels favour ``snapped``: never compare
            one with the other. On a resampled grid the voxels are the grid's, not the original image's.

    Castillo et al. 2009, doi:10.1088/0031-9155/54/7/001.
    """
    fixed, moving = _both(fixed_landmarks, moving_landmarks, "tre")
    if protocol not in PROTOCOLS:
        raise ValueError(f"tre: protocol must be one of {tuple(PROTOCOLS)}, got {protocol!r}")
    if protocol == "learn2reg":
        mapped = fixed + read_by_spline(displacement, fixed)
    else:
        mapped = geometry.move_points(displacement, fixed)
    if protocol == "snapped":
        mapped = np.floor(mapped + 0.5)  # np.rint would send halves to the even voxel
    return np.linalg.norm((mapped - moving) * np.asarray(spacing, dtype=np.float64), axis=1)


def displacement_correlation(
    displacement: ArrayLike, fixed_landmarks: ArrayLike, moving_landmarks: ArrayLike
) -> NDArray[np.float64]:
    """Return for each array axis Pearson's r between the landmarks' true and estimated displacement, ``(3,)``.

    The displacement of a fixed landmark is what leads it to its moving one; the arguments are those of `tre`, and the
    size of a voxel does not matter. NaN where r is undefined: for one landmark, and where either displacement is the
    same for all, as with the identity. A correlation does not see a wrong scale or offset: read it beside TRE.
    """
    fixed, moving = _both(fixed_landmarks, moving_landmarks, "displacement_correlation")
    true, estimated = moving - fixed, geometry.move_points(displacement, fixed) - fixed
    true, estimated = (values - values.mean(axis=0) for values in (true, estimated))
    spread = np.sqrt(np.mean(true**2, axis=0)), np.sqrt(np.mean(estimated**2, axis=0))
    defined = np.minimum(*spread) > _STILL
    return np.where(defined, np.mean(true * estimated, axis=0) / np.where(defined, spread[0] * spread[1], 1), np.nan)


def tre_values(evidence: Evidence) -> Iterator[Value]:
    """Yield mean, sd (ddof 0), median, p95 and the number of landmarks.

    With the count, the mean and the sd of several pairs can be pooled as if over all their landmarks.
    """
    if evidence.landmarks is None:
        return
    for protocol in PROTOCOLS:
        values = tre(evidence.displacement, *evidence.landmarks, evidence.spacing, protocol=protocol)
        yield Value(protocol, "mean", float(np.mean(values)))
        yield Value(protocol, "sd", float(np.std(values)))
        yield Value(protocol, "median", float(np.median(values)))
        yield Value(protocol, "p95", float(np.percentile(values, 95)))
        yield Value(protocol, "count", float(len(values)))


def correlation_values(evidence: Evidence) -> Iterator[Value]:
    """Yield the correlation of each axis, but where it is undefined, and the mean where all three are defined."""
    if evidence.landmarks is None:
        return
    correlation = displacement_correlation(evidence.displacement, *evidence.landmarks)
    for region, r in (("mean", correlation.mean()), *((f"axis_{axis}", r) for axis, r in enumerate(correlation))):
        if np.isfinite(r):
            yield from (Value(protocol, region, float(r)) for protocol in CORRELATED)


def _both(fixed: ArrayLike, moving: ArrayLike, where: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    fixed, moving = _points(fixed, f"{where}: fixed_landmarks"), _points(moving, f"{where}: moving_landmarks")
    if len(fixed) != len(moving):
        raise ValueError(f"{where}: {len(fixed)} fixed_landmarks, but {len(moving)} moving_landmarks")
    return fixed, moving


def _points(points: ArrayLike, name: str) -> NDArray[np.float64]:
    points = np.asarray(points, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 3 or not len(points) or not np.all(np.isfinite(points)):
        raise ValueError(f"{name} must be finite and (n, 3) with n at least 1, got shape {points.shape}")
    return points
