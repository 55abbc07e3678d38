"""How regular a displacement is, and how far it is from the truth where the truth is known.

Each number of this module goes by several names in the literature and several numbers go by one name, so that each has
a name of its own here. The regularity functions take the Jacobian determinant, computed once by
`datasets.geometry.jacobian_determinant`; the scheme it was computed with is part of the protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarks.evidence import Compute, Evidence, Value
from datasets import geometry
from datasets.files import Array

SMALLEST = 1e-9  # determinants are clipped to this before their logarithm is taken
# Protocols, each with its meaning; where there are two, the first is of a mask, the second of the whole grid.
FORWARD = {"forward": "forward differences, the voxels that have all three forward neighbours"}
CENTRAL = {
    "central_mask": "central differences, voxels of the fixed image's mask",
    "central_grid": "central differences, all voxels of the fixed grid",
}
ERROR = {"mask": "voxels of the fixed image's mask", "grid": "all voxels of the fixed grid"}
_SHIFT, _CUT = 3, 2  # Learn2Reg's


def folding_count(determinant: ArrayLike) -> int:
    """Return the number of voxels with determinant <= 0 (forward differences: what the LDR paper's Table IV counts)."""
    return int(np.count_nonzero(_folded(determinant)))


def folding_percent(determinant: ArrayLike, mask: ArrayLike | None = None) -> float:
    """Return the percentage of voxels, of a boolean mask or of all, with determinant <= 0; NaN for an empty mask."""
    folded = _inside(_folded(determinant), mask)
    return 100 * float(folded.mean()) if folded.size else float("nan")


def jacobian_std(determinant: ArrayLike) -> float:
    """Return the standard deviation of the determinant: what the cascade papers' code calls ``jacobian_det``."""
    return float(np.std(np.asarray(determinant), dtype=np.float64))


def sdlogj(determinant: ArrayLike, mask: ArrayLike | None = None) -> float:
    """Return the standard deviation of the logarithm of the determinant over a mask or all voxels.

    Determinants below 1e-9 are clipped to it, so that a folded voxel counts as an extreme contraction. NaN when the
    mask is empty. Leow et al. 2007, doi:10.1109/TMI.2007.892646.
    """
    return _std_log(_inside(determinant, mask))


def sdlogj_l2r(determinant: ArrayLike, mask: ArrayLike | None = None) -> float:
    """Return what the Learn2Reg evaluator reports as SDlogJ, for comparison with its leaderboards.

    It takes the standard deviation of ``log(clip(det + 3, 1e-9, 1e9))``, central differences, without the two outermost
    voxels of each face. The shift by 3 makes it several times smaller than `sdlogj`. That evaluator counts foldings
    on the same shifted and clipped values, hence its fold count is always 0, whatever the field; it is no metric here.
    NaN when nothing is left. Hering et al. 2022, doi:10.1109/TMI.2022.3213983.
    """
    inner = tuple(slice(_CUT, max(_CUT, n - _CUT)) for n in np.shape(determinant))
    return _std_log(_inside(np.asarray(determinant)[inner], None if mask is None else np.asarray(mask)[inner]) + _SHIFT)


def displacement_error(
    displacement: ArrayLike, truth: ArrayLike, spacing: Sequence[float], mask: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Return the distance in mm between two displacements ``(3, D, H, W)``, one value for each voxel of the mask.

    ``spacing`` is in mm, array-axis order; ``mask`` is a boolean ``(D, H, W)``, all voxels when None.
    """
    displacement, truth = np.asarray(displacement), np.asarray(truth)
    if displacement.shape != truth.shape or displacement.shape[:1] != (3,):
        raise ValueError(
            f"displacement_error: expected two displacements (3, D, H, W) on one grid, got {displacement.shape} and "
            f"{truth.shape}"
        )
    squared = np.zeros(displacement.shape[1:])
    for axis, size in enumerate(spacing):
        squared += ((displacement[axis].astype(np.float64) - truth[axis]) * size) ** 2
    return np.sqrt(_inside(squared, mask))


def forward(measure: Callable[[Array], float]) -> Compute:
    """Make a metric of a number of the determinant by forward differences, over the whole grid."""

    def compute(evidence: Evidence) -> Iterator[Value]:
        for protocol in FORWARD:
            yield Value(protocol, "all", float(measure(evidence.once(_forward))))

    return compute


def central(measure: Callable[[Array, ArrayLike | None], float]) -> Compute:
    """Make a metric of a number of the determinant by central differences, over the mask and over the whole grid."""

    def compute(evidence: Evidence) -> Iterator[Value]:
        for protocol, mask in _protocols(CENTRAL, evidence.mask):
            yield Value(protocol, "all", measure(evidence.once(_central), mask))

    return compute


def error_values(evidence: Evidence) -> Iterator[Value]:
    """Yield the mean and the 95th percentile of the distance to the true displacement, over the mask and the grid."""
    if evidence.true_displacement is None:
        return
    for protocol, mask in _protocols(ERROR, evidence.mask):
        error = displacement_error(evidence.displacement, evidence.true_displacement, evidence.spacing, mask)
        yield Value(protocol, "mean", float(np.mean(error)) if error.size else float("nan"))
        yield Value(protocol, "p95", float(np.percentile(error, 95)) if error.size else float("nan"))


def _forward(evidence: Evidence) -> Array:
    return geometry.jacobian_determinant(evidence.displacement, scheme="forward")


def _central(evidence: Evidence) -> Array:
    return geometry.jacobian_determinant(evidence.displacement, scheme="central")


def _protocols(protocols: Iterable[str], mask: ArrayLike | None) -> list[tuple[str, ArrayLike | None]]:
    masked, whole = protocols
    return [(whole, None)] if mask is None else [(masked, mask), (whole, None)]


def _folded(determinant: ArrayLike) -> NDArray[np.bool_]:
    return ~(np.asarray(determinant) > 0)  # a determinant that overflowed to NaN is no success


def _inside(values: ArrayLike, mask: ArrayLike | None) -> Array:
    values = np.asarray(values)
    if mask is None:
        return values.ravel()
    mask = np.asarray(mask)
    if mask.shape != values.shape or mask.dtype != bool:
        raise ValueError(f"mask: expected a boolean array {values.shape}, got {mask.shape} of dtype {mask.dtype}")
    return values[mask]


def _std_log(values: Array) -> float:
    if not values.size:
        return float("nan")
    return float(np.std(np.log(np.clip(values.astype(np.float64), SMALLEST, 1 / SMALLEST))))
