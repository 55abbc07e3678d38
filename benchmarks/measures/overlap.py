"""Overlap of label maps: Dice and Jaccard per label, under the two ways papers warp a label map.

``linear_thr128``: the mask of each label, times 255, is warped trilinearly with border clamp and kept where it exceeds
128 (the evaluation of recursive cascaded networks, doi:10.1109/ICCV.2019.01070, and of LDR). ``nearest``: each voxel
takes the label of the nearest moving voxel, which may be one on the border. ``learn2reg``: the same, but 0 from outside
the grid, as that challenge's evaluator has it (Hering et al. 2022, doi:10.1109/TMI.2022.3213983).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarks.evidence import Evidence, Value, WarpedLabels
from datasets import geometry
from datasets.files import Array

Protocol = Literal["linear_thr128", "nearest", "learn2reg"]
PROTOCOLS: Mapping[Protocol, str] = {  # each with its meaning
    "linear_thr128": "mask of each label x 255 warped trilinearly, border clamp, kept where > 128",
    "nearest": "label map warped by nearest neighbour, border clamp",
    "learn2reg": "label map warped by nearest neighbour, 0 from outside the grid, as Learn2Reg's evaluator does",
}
OF_JACCARD: Mapping[Protocol, str] = {name: PROTOCOLS[name] for name in PROTOCOLS if name != "learn2reg"}
NO_LABEL = -1  # a voxel where no label, and not the background either, passes the threshold
_LARGEST = 65535  # what the uint16 of a prepared label map can hold
_BINS = _LARGEST + 2  # bin 0 counts NO_LABEL, bin n + 1 the label n

Counts = NDArray[np.int64]


def warp_labels(labels: ArrayLike, displacement: ArrayLike, *, protocol: Protocol) -> NDArray[np.int32]:
    """Warp an integer label map ``(D, H, W)`` by a displacement ``(3, D, H, W)`` under a named protocol.

    The result is int32. Under ``linear_thr128`` at most one label can pass the threshold at a voxel, for it is above
    one half, so that the thresholded masks of all labels fit into one map; where none passes it is ``NO_LABEL``.
    """
    from benchmarks.measures import label_loops  # here, for Numba takes half a second to import

    if protocol not in PROTOCOLS:
        raise ValueError(f"warp_labels: protocol must be one of {tuple(PROTOCOLS)}, got {protocol!r}")
    labels, shape = _label_map(labels, "labels"), np.shape(displacement)[1:]
    u = geometry.check_displacement(displacement, shape, where="warp_labels: displacement")
    warped = np.empty(shape, np.int32)
    label_loops.warp(labels, u, tuple(PROTOCOLS).index(protocol), warped)
    return warped


def overlaps(fixed: ArrayLike, warped: ArrayLike, labels: Sequence[int]) -> tuple[Array, Array]:
    """Return Dice and Jaccard of each of ``labels`` between two label maps, as two ``(len(labels),)`` arrays.

    Dice is ``2 |A and B| / (|A| + |B|)``, Jaccard ``|A and B| / |A or B|``; a label that neither map has gives NaN.
    """
    from benchmarks.measures import label_loops

    fixed, warped = _label_map(fixed, "fixed"), _label_map(warped, "warped")
    if fixed.shape != warped.shape:
        raise ValueError(f"overlaps: grids differ, fixed {fixed.shape} and warped {warped.shape}")
    bins = _pair_of_bins()
    label_loops.count_pairs(fixed, warped, bins)
    return _ratios(bins, labels)


def dice_values(evidence: Evidence) -> Iterator[Value]:
    """Yield Dice of each label, the mean of the labels, and how many it averages; see `Scores`."""
    return evidence.once(_scores).values("dice")


def jaccard_values(evidence: Evidence) -> Iterator[Value]:
    """Yield Jaccard of each label, the mean of the labels, and how many it averages; see `Scores`."""
    return evidence.once(_scores).values("jaccard")


@dataclass(frozen=True)
class Scores:
    """Dice and Jaccard of each label, by protocol, and what they are of.

    A label that the fixed or the (unwarped) moving image lacks is not ``shared`` and cannot be scored: its value is
    NaN, and the mean leaves it out. A label that both have and the warp loses scores 0.
    """

    maps: WarpedLabels
    dice: Mapping[Protocol, Array]
    jaccard: Mapping[Protocol, Array]

    def values(self, name: Literal["dice", "jaccard"]) -> Iterator[Value]:
        """Yield the values of one of the two scores."""
        shared = self.maps.shared
        for protocol, found in getattr(self, name).items():
            mean = float(found[shared].mean()) if shared.any() else float("nan")
            yield Value(protocol, "mean", mean)
            yield Value(protocol, "count", float(np.count_nonzero(shared)))
            for label, score in zip(self.maps.labels, np.where(shared, found, np.nan), strict=True):
                yield Value(protocol, f"label_{label}", float(score))


def warped_labels(evidence: Evidence) -> WarpedLabels:
    """Return the label maps of a pair, the moving one as the protocol ``nearest`` warps it."""
    return evidence.once(_scores).maps


def _scores(evidence: Evidence) -> Scores:
    from benchmarks.measures import label_loops

    fixed, moving = (
        _label_map(np.asarray(labels), f"{name} labels")
        for name, labels in (("fixed", evidence.fixed_labels), ("moving", evidence.moving_labels))
    )
    if not fixed.shape == moving.shape == evidence.displacement.shape[1:]:
        raise ValueError(
            f"overlap: grids differ, displacement {evidence.displacement.shape[1:]}, fixed labels {fixed.shape}, "
            f"moving labels {moving.shape}"
        )
    before = np.zeros(_BINS, np.int64)
    label_loops.count(moving, before)
    bins = np.stack([_pair_of_bins() for _ in PROTOCOLS])
    warped = np.empty(fixed.shape, np.uint16)
    label_loops.count_warped((fixed, moving, warped), evidence.displacement, bins)
    first = bins[0, 0]  # the fixed map's own
    found = np.flatnonzero((first + before)[2:]) + 1 if evidence.labels is None else evidence.labels
    labels = list(dict.fromkeys(int(label) for label in found))
    shared = (_of(first, labels) > 0) & (_of(before, labels) > 0)
    dice: dict[Protocol, Array] = {}
    jaccard: dict[Protocol, Array] = {}
    for protocol, counted in zip(PROTOCOLS, bins, strict=True):
        dice[protocol], jaccard[protocol] = _ratios(counted, labels)
    jaccard = {protocol: jaccard[protocol] for protocol in OF_JACCARD}
    return Scores(WarpedLabels(labels, shared, fixed, warped), dice, jaccard)


def _pair_of_bins() -> Counts:
    return np.zeros((3, _BINS), np.int64)  # of the first map, of the second, and of both at one voxel


def _ratios(bins: Counts, labels: Sequence[int]) -> tuple[Array, Array]:
    first, second, common = (_of(each, labels) for each in bins)
    sizes = first + second
    with np.errstate(invalid="ignore"):
        return 2 * common / sizes, common / (sizes - common)


def _of(bins: Counts, labels: Sequence[int]) -> Counts:
    wanted = np.array([int(label) for label in labels], dtype=np.int64)
    if wanted.size and not 0 <= wanted.min() <= wanted.max() <= _LARGEST:
        raise ValueError(f"labels: expected numbers from 0 to {_LARGEST}, got {wanted.min()} to {wanted.max()}")
    return bins[wanted + 1]


def _label_map(array: ArrayLike, name: str) -> NDArray[np.uint16 | np.int32]:
    """Return a map as uint16, or as int32 where it has ``NO_LABEL``."""
    array = np.asarray(array)
    if array.ndim != 3 or not array.size or array.dtype.kind not in "iub":
        raise ValueError(f"{name}: expected an integer map (D, H, W), got shape {array.shape}, dtype {array.dtype}")
    if array.dtype.kind in "ub" and array.dtype.itemsize <= 2:
        return np.ascontiguousarray(array, np.uint16)
    if not NO_LABEL <= (low := array.min()) <= (high := array.max()) <= _LARGEST:
        raise ValueError(f"{name}: expected labels from 0 to {_LARGEST}, got {low} to {high}")
    return np.ascontiguousarray(array, np.int32 if low < 0 else np.uint16)
