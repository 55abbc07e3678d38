"""HD95 as Learn2Reg's evaluator takes it: in voxels, between voxel corners, each weighing as the surface through it.

A corner is on a label's surface where some of the eight voxels around it have the label and some have not; its weight
is the area that marching cubes lays through these eight (the package surface-distance, whose numbers these are).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from benchmarks.evidence import Compute, Evidence, Value, WarpedLabels
from datasets.files import Array

PERCENT = 95
PROTOCOLS = {"learn2reg": "label map warped by nearest neighbour, 0 from outside the grid; voxels of size 1"}
_SHARE, _HALF = np.sqrt(3) / 8, np.sqrt(2) / 2  # the areas that cut off one voxel, and two that share a face
# By how many of the eight voxels are inside (or outside, where those are fewer), how many pairs of them share a face,
# and how many an edge.
_AREAS = {
    (0, 0, 0): 0.0,
    (1, 0, 0): _SHARE,
    (2, 1, 0): _HALF,
    (2, 0, 1): 2 * _SHARE,
    (2, 0, 0): 2 * _SHARE,
    (3, 2, 1): 0.5 + 3 * _SHARE,
    (3, 1, 1): _HALF + _SHARE,
    (3, 0, 3): 3 * _SHARE,
    (4, 4, 2): 1.0,
    (4, 3, 3): 6 * _SHARE,
    (4, 3, 2): _HALF + 4 * _SHARE,
    (4, 2, 3): 0.5 + 4 * _SHARE,
    (4, 2, 2): 2 * _HALF,
    (4, 0, 6): 4 * _SHARE,
}


def hausdorff95_l2r(fixed: Array, warped: Array, labels: Sequence[int]) -> NDArray[np.float64]:
    """Return Learn2Reg's HD95 of each of ``labels`` in voxels, whatever their size in mm, ``(len(labels),)``.

    The distance that 95 % of a surface, by area, does not exceed; the larger of both directions. NaN where either map
    ``(D, H, W)`` lacks the label; the evaluator has infinity where the warp has lost it.
    """
    if fixed.shape != warped.shape:
        raise ValueError(f"hausdorff95_l2r: grids differ, fixed {fixed.shape} and warped {warped.shape}")
    return np.array([_of_masks(fixed == label, warped == label) for label in labels], np.float64)


def hausdorff_l2r(maps: Callable[[Evidence], WarpedLabels]) -> Compute:
    """Make a metric of Learn2Reg's HD95 of each label, their mean and their number, for sets that ask for it.

    Labels that an image lacks or the warp loses are treated as by `benchmarks.measures.surfaces.hausdorff`.
    """

    def compute(evidence: Evidence) -> Iterator[Value]:
        if not evidence.learn2reg:
            return
        found = maps(evidence)
        distances = hausdorff95_l2r(found.fixed, found.warped, found.scored)
        for protocol in PROTOCOLS:
            yield from found.values(protocol, distances)

    return compute


def _of_masks(one: Array, other: Array) -> float:
    from scipy import ndimage  # takes a quarter of a second

    if not (one.any() and other.any()):
        return float("nan")
    box = ndimage.find_objects((one | other).astype(np.uint8))[0]
    areas = [_areas(mask[box]) for mask in (one, other)]
    away: list[Array] = [np.asarray(ndimage.distance_transform_edt(area == 0)) for area in areas]
    on: list[Array] = [area > 0 for area in areas]
    return max(_weighted(away[1][on[0]], areas[0][on[0]]), _weighted(away[0][on[1]], areas[1][on[1]]))


def _weighted(distances: Array, areas: Array) -> float:
    """Return the smallest distance that the wanted share of the area does not exceed."""
    order = np.argsort(distances, kind="stable")
    reached = np.cumsum(areas[order]) / areas.sum()
    place = int(np.searchsorted(reached, PERCENT / 100))
    return float(distances[order][min(place, len(distances) - 1)])


def _areas(mask: Array) -> Array:
    """Return the area at each corner of a mask's voxels, one more than these along each axis; 0 off the surface."""
    padded = np.pad(mask, 1).astype(np.uint8)
    code = np.zeros([n + 1 for n in mask.shape], np.uint8)
    for bit, offset in enumerate(product((0, 1), repeat=3)):
        part = tuple(slice(start, start + n) for start, n in zip(offset, code.shape, strict=True))
        code |= padded[part] << np.uint8(bit)
    return _table()[code]


def _table() -> Array:
    voxels = list(product((0, 1), repeat=3))
    return np.array([_area([v for bit, v in enumerate(voxels) if code >> bit & 1], voxels) for code in range(256)])


def _area(inside: Sequence[tuple[int, ...]], voxels: Sequence[tuple[int, ...]]) -> float:
    fewer = inside if len(inside) <= 4 else [each for each in voxels if each not in inside]
    steps = [sum(a != b for a, b in zip(*pair, strict=True)) for pair in combinations(fewer, 2)]
    return float(_AREAS[len(fewer), steps.count(1), steps.count(2)])
