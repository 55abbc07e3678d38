"""How regular a displacement is, and how far it is from the truth where the truth is known.

Each number of this module goes by several names in the literature and several numbers go by one name, so that each has
a name of its own here. The regularity functions take the Jacobian determinant, computed once by
`jacobian_determinant`; the scheme it was computed with is part of the protocol. What they need beside it is of the size
of a plane of voxels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarks.evidence import Compute, Evidence, Value
from datasets.files import Array
from datasets.geometry import Scheme

SMALLEST = 1e-9  # determinants are clipped to this before their logarithm is taken
# Protocols, each with its meaning; where there are two, the first is of a mask, the second of the whole grid.
FORWARD = {"forward": "forward differences, the voxels that have all three forward neighbours"}
CENTRAL = {
    "central_mask": "central differences, voxels of the fixed image's mask",
    "central_grid": "central differences, all voxels of the fixed grid",
}
ERROR = {"mask": "voxels of the fixed image's mask", "grid": "all voxels of the fixed grid"}
_SHIFT, _CUT = 3, 2  # Learn2Reg's


def jacobian_determinant(displacement: ArrayLike, *, scheme: Scheme) -> Array:
    """Return the determinant of the Jacobian of ``x + u(x)``, in the precision of ``displacement`` ``(3, D, H, W)``.

    The schemes and the numbers are those of `datasets.geometry.jacobian_determinant`.
    """
    from benchmarks.measures import determinant_loops  # here, for Numba takes half a second to import

    u = np.ascontiguousarray(displacement, np.result_type(np.asarray(displacement), np.float32))
    if u.ndim != 4 or u.shape[0] != 3 or min(u.shape[1:]) < 2:
        raise ValueError(f"jacobian_determinant: expected (3, D, H, W) with every axis at least 2, got {u.shape}")
    if scheme not in ("forward", "central"):
        raise ValueError(f"jacobian_determinant: scheme must be 'forward' or 'central', got {scheme!r}")
    if scheme == "central":
        determinant = np.empty(u.shape[1:], u.dtype)
        determinant_loops.central(u, determinant)
    else:
        determinant = np.empty([n - 1 for n in u.shape[1:]], u.dtype)
        determinant_loops.forward(u, determinant)
    return determinant


def folding_count(determinant: ArrayLike) -> int:
    """Return the number of voxels with determinant <= 0 (forward differences: what the LDR paper's Table IV counts)."""
    return int(np.count_nonzero(_folded(determinant)))


def folding_percent(determinant: ArrayLike, mask: ArrayLike | None = None) -> float:
    """Return the percentage of voxels, of a boolean mask or of all, with determinant <= 0; NaN for an empty mask."""
    folded = _inside(_folded(determinant), mask)
    return 100 * float(folded.mean()) if folded.size else float("nan")


def jacobian_std(determinant: ArrayLike) -> float:
    """Return the standard deviation of the determinant: what the cascade papers' code calls ``jacobian_det``."""
    return _std(np.asarray(determinant), None, lambda values: values)


def sdlogj(determinant: ArrayLike, mask: ArrayLike | None = None) -> float:
    """Return the standard deviation of the logarithm of the determinant over a mask or all voxels.

    Determinants below 1e-9 are clipped to it, so that a folded voxel counts as an extreme contraction. NaN when the
    mask is empty. Leow et al. 2007, doi:10.1109/TMI.2007.892646.
    """
    return _std(np.asarray(determinant), mask, _log)


def sdlogj_l2r(determinant: ArrayLike, mask: ArrayLike | None = None) -> float:
    """Return what the Learn2Reg evaluator reports as SDlogJ, for comparison with its leaderboards.

    It takes the standard deviation of ``log(clip(det + 3, 1e-9, 1e9))``, central differences, without the two outermost
    voxels of each face. The shift by 3 makes it several times smaller than `sdlogj`. That evaluator counts foldings
    on the same shifted and clipped values, hence its fold count is always 0, whatever the field; it is no metric here.
    NaN when nothing is left. Hering et al. 2022, doi:10.1109/TMI.2022.3213983.
    """
    inner = tuple(slice(_CUT, max(_CUT, n - _CUT)) for n in np.shape(determinant))
    mask = None if mask is None else np.asarray(mask)[inner]
    return _std(np.asarray(determinant)[inner], mask, lambda values: _log(values + _SHIFT))


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
    distance = np.empty(displacement.shape[1:])
    for z, plane in enumerate(distance):
        parts = zip(displacement, truth, spacing, strict=True)
        np.sqrt(sum(((u[z].astype(np.float64) - t[z]) * size) ** 2 for u, t, size in parts), out=plane)
    return _inside(distance, mask)


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
    everywhere = displacement_error(evidence.displacement, evidence.true_displacement, evidence.spacing)
    everywhere = everywhere.reshape(evidence.displacement.shape[1:])
    for protocol, mask in _protocols(ERROR, evidence.mask):
        error = _inside(everywhere, mask)
        yield Value(protocol, "mean", float(np.mean(error)) if error.size else float("nan"))
        yield Value(protocol, "p95", float(np.percentile(error, 95)) if error.size else float("nan"))


def _forward(evidence: Evidence) -> Array:
    return jacobian_determinant(evidence.displacement, scheme="forward")


def _central(evidence: Evidence) -> Array:
    return jacobian_determinant(evidence.displacement, scheme="central")


def _protocols(protocols: Iterable[str], mask: ArrayLike | None) -> list[tuple[str, ArrayLike | None]]:
    masked, whole = protocols
    return [(whole, None)] if mask is None else [(masked, mask), (whole, None)]


def _folded(determinant: ArrayLike) -> NDArray[np.bool_]:
    return ~(np.asarray(determinant) > 0)  # a determinant that overflowed to NaN is no success


def _inside(values: ArrayLike, mask: ArrayLike | None) -> Array:
    values = np.asarray(values)
    if mask is None:
        return values.ravel()
    return values[_checked(mask, values.shape)]


def _checked(mask: ArrayLike, shape: Sequence[int]) -> NDArray[np.bool_]:
    mask = np.asarray(mask)
    if mask.shape != shape or mask.dtype != bool:
        raise ValueError(f"mask: expected a boolean array {shape}, got {mask.shape} of dtype {mask.dtype}")
    return mask


def _std(values: Array, mask: ArrayLike | None, of: Callable[[Array], Array]) -> float:
    """Return the standard deviation of a function of the values, over a mask or all; NaN where there are none.

    Planes are taken one by one in float64, and their means and squares joined (Chan et al. 1983,
    doi:10.1080/00031305.1983.10483115).
    """
    count, mean, squares = 0, 0.0, 0.0
    for plane in _planes(values, mask):
        if plane.size:
            found = of(plane.astype(np.float64))
            own = float(np.mean(found))
            step, both = own - mean, count + found.size
            squares += float(np.sum((found - own) ** 2)) + step * step * count * found.size / both
            count, mean = both, mean + step * found.size / both
    return math.sqrt(squares / count) if count else float("nan")


def _planes(values: Array, mask: ArrayLike | None) -> Iterator[Array]:
    if mask is None:
        yield from values
        return
    mask = _checked(mask, values.shape)
    yield from (plane[kept] for plane, kept in zip(values, mask, strict=True))


def _log(values: Array) -> Array:
    return np.log(np.clip(values, SMALLEST, 1 / SMALLEST))
