"""Whether the two directions of a pair undo each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike

from benchmarks.evidence import Evidence, Value

PROTOCOLS = {
    "mask": "voxels of the fixed image's mask whose partner lies in the grid",
    "grid": "all voxels of the fixed grid whose partner lies in the grid",
}


def inverse_consistency(
    there: ArrayLike, back: ArrayLike, spacing: Sequence[float], mask: ArrayLike | None = None
) -> tuple[float, float]:
    """Return how far in mm a voxel ends from where it started, led there and back, on average over a mask and a grid.

    The mean of ``|u(x) + v(x + u(x))|``, with the displacement back ``v`` read trilinearly. Voxels that the one there
    leads out of the grid are left out, for nothing is known of their way back. NaN where none is left.

    Args:
        there: displacement ``(3, D, H, W)`` of the pair, voxels, pull-back.
        back: displacement of the pair with fixed and moving exchanged, on the same grid.
        spacing: three voxel sizes in mm.
        mask: boolean ``(D, H, W)`` of the fixed image; all voxels when None.

    Christensen and Johnson 2001, doi:10.1109/42.932742.
    """
    from benchmarks.measures import pull_loops  # here, for Numba takes half a second to import

    u, v = np.ascontiguousarray(there), np.ascontiguousarray(back)
    if u.shape != v.shape or u.shape[:1] != (3,) or u.ndim != 4:
        raise ValueError(f"inverse_consistency: expected (3, D, H, W) on one grid, got {u.shape} and {v.shape}")
    inside = np.ones(u.shape[1:], np.bool_) if mask is None else np.ascontiguousarray(mask)
    if inside.shape != u.shape[1:] or inside.dtype != bool:
        raise ValueError(f"mask: expected a boolean array {u.shape[1:]}, got {inside.shape} of dtype {inside.dtype}")
    totals = np.zeros((2, 2))
    pull_loops.residuals((u, v), inside, np.asarray(spacing, np.float64), totals)
    masked, whole = (float(total / count) if count else float("nan") for count, total in totals)
    return masked, whole


def consistency_values(evidence: Evidence) -> Iterator[Value]:
    """Yield the mean distance of the mask, where there is one, and of the grid."""
    if evidence.opposite is None:
        return
    masked, whole = inverse_consistency(evidence.displacement, evidence.opposite, evidence.spacing, evidence.mask)
    if evidence.mask is not None:
        yield Value("mask", "mean", masked)
    yield Value("grid", "mean", whole)
