"""How alike the warped moving image and the fixed one are. It is no accuracy: a wrong map can make images alike."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from benchmarks.evidence import Evidence, Value
from datasets.files import Array

PROTOCOLS = {
    "mask": "Pearson's r over the voxels of the fixed image's mask, the moving image warped trilinearly",
    "grid": "Pearson's r over all voxels of the fixed grid, the moving image warped trilinearly",
}


def correlation(fixed: ArrayLike, warped: ArrayLike, mask: ArrayLike | None = None) -> float:
    """Return Pearson's r of two images ``(D, H, W)`` over a boolean mask or all voxels; NaN where one is constant."""
    first, second = np.asarray(fixed), np.asarray(warped)
    inside = np.ones(first.shape, np.bool_) if mask is None else np.asarray(mask)
    if not first.shape == second.shape == inside.shape or inside.dtype != bool:
        shapes = f"{first.shape}, {second.shape} and the mask's {inside.shape}"
        raise ValueError(f"correlation: grids differ, {shapes}, or the mask is not boolean but {inside.dtype}")
    a, b = (each[inside].astype(np.float64).ravel() for each in (first, second))
    if not a.size or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    a, b = a - a.mean(), b - b.mean()
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def similarity_values(evidence: Evidence) -> Iterator[Value]:
    """Yield the correlation over the mask, where there is one, and over the grid; none where it is undefined."""
    if evidence.images is None:
        return
    fixed, moving = (np.asarray(image) for image in evidence.images)
    warped = _warped(moving, evidence.displacement)
    for protocol, mask in (("mask", evidence.mask), ("grid", None)):
        if protocol == "grid" or mask is not None:
            r = correlation(fixed, warped, mask)
            if np.isfinite(r):
                yield Value(protocol, "all", r)


def _warped(moving: Array, displacement: Array) -> Array:
    from benchmarks.measures import pull_loops  # here, for Numba takes half a second to import

    if moving.shape != displacement.shape[1:]:
        raise ValueError(f"similarity: grids differ, displacement {displacement.shape[1:]}, moving {moving.shape}")
    warped = np.empty(moving.shape, np.float32)
    pull_loops.warp(np.ascontiguousarray(moving), displacement, warped)
    return warped
