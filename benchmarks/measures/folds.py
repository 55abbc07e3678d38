"""How much volume a map turns inside out, whatever differences a determinant is taken by.

Central differences step over a voxel, so that folds from voxel to voxel and back go unseen; forward differences see
half of them. Here the map is linear on tetrahedra between voxel centres, which together leave nothing out.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from benchmarks.evidence import Evidence, Value

PROTOCOLS = {
    "mask": "tetrahedra at voxels of the fixed image's mask, per volume of the mask",
    "grid": "tetrahedra at all voxels of the fixed grid, per volume of the grid",
}


def folded_volume_percent(displacement: ArrayLike, mask: ArrayLike | None = None) -> tuple[float, float]:
    """Return the volume turned inside out in percent of a mask's and of the grid's, by a map ``x + u(x)``.

    It is the non-diffeomorphic volume of Liu et al. 2022 (arXiv:2212.06060): each cell of eight voxel centres is
    divided into five tetrahedra in two ways, and the volumes of those that come out with negative orientation are
    summed, averaged over both ways. A fold can turn more volume inside out than it takes, so that the number may
    exceed 100. It does not depend on the spacing.

    Args:
        displacement: ``(3, D, H, W)``, voxels, every axis at least 2.
        mask: boolean ``(D, H, W)``; the first number is NaN where it is empty, and that of the grid when None.
    """
    from benchmarks.measures import fold_loops  # here, for Numba takes half a second to import

    u = np.ascontiguousarray(displacement, np.result_type(np.asarray(displacement), np.float32))
    if u.ndim != 4 or u.shape[0] != 3 or min(u.shape[1:]) < 2:
        raise ValueError(f"folded_volume_percent: expected (3, D, H, W), every axis at least 2, got {u.shape}")
    inside = np.ones(u.shape[1:], np.bool_) if mask is None else np.ascontiguousarray(mask)
    if inside.shape != u.shape[1:] or inside.dtype != bool:
        raise ValueError(f"mask: expected a boolean array {u.shape[1:]}, got {inside.shape} of dtype {inside.dtype}")
    volumes = np.zeros(2)
    fold_loops.folded_volume(u, inside, volumes)
    voxels = np.count_nonzero(inside)
    return 100 * float(volumes[0]) / voxels if voxels else float("nan"), 100 * float(volumes[1]) / inside.size


def folded_volume_values(evidence: Evidence) -> Iterator[Value]:
    """Yield the folded volume of the mask, where there is one, and of the grid."""
    masked, whole = folded_volume_percent(evidence.displacement, evidence.mask)
    if evidence.mask is not None:
        yield Value("mask", "all", masked)
    yield Value("grid", "all", whole)
