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
    """Yield Dice of each label, the mean of the labels, and how many it averages, and the same of each named set.

    A label that the fixed or the (unwarped) moving image lacks cannot be scored: its value is NaN, and the mean leaves
    it out. A label that both have and the warp loses scores 0. A region of several labels is scored as one label.
    """
    return evidence.once(_judged).values("dice")


def jaccard_values(evidence: Evidence) -> Iterator[Value]:
    """Yield Jaccard as `dice_values` does Dice."""
    return evidence.once(_judged).values("jaccard")


def warped_labels(evidence: Evidence) -> WarpedLabels:
    """Return the label maps of a pair, the moving one as the protocol ``nearest`` warps it."""
    judged = evidence.once(_judged)
    return WarpedLabels(judged.whole.labels, judged.whole.shared, judged.fixed, judged.warped)


def filled_labels(evidence: Evidence) -> WarpedLabels:
    """Return the same with the moving map as the protocol ``learn2reg`` warps it."""
    moving, maps = np.asarray(evidence.moving_labels), warped_labels(evidence)
    filled = warp_labels(moving, _reading(evidence), protocol="learn2reg").astype(np.uint16)
    return WarpedLabels(maps.labels, maps.shared, maps.fixed, filled)


@dataclass(frozen=True, eq=False)
class Scores:
    """Dice and Jaccard of each of ``labels``, by protocol; ``shared`` are those that both images have."""

    labels: Sequence[int]
    shared: NDArray[np.bool_]
    dice: Mapping[Protocol, Array]
    jaccard: Mapping[Protocol, Array]

    def mean(self, found: Array) -> float:
        """Return the mean of values, one a label, over the shared labels."""
        return float(found[self.shared].mean()) if self.shared.any() else float("nan")

    def part(self, labels: Sequence[int]) -> Scores:
        """Return the scores of some of the labels."""
        kept = [place for place, label in enumerate(self.labels) if label in labels]
        names = [self.labels[place] for place in kept]
        return Scores(names, self.shared[kept], _some(self.dice, kept), _some(self.jaccard, kept))


@dataclass(frozen=True, eq=False)
class Judged:
    """The scores of a pair, ``whole`` and by named set, and its maps of uint16: ``warped`` is that of ``nearest``."""

    whole: Scores
    sets: Mapping[str, Scores]
    fixed: Array
    warped: Array

    def values(self, name: Literal["dice", "jaccard"]) -> Iterator[Value]:
        """Yield the values of one of the two scores."""
        for protocol, found in getattr(self.whole, name).items():
            for ending, each in (("", self.whole), *((f"_{key}", scores) for key, scores in self.sets.items())):
                yield Value(protocol, f"mean{ending}", each.mean(getattr(each, name)[protocol]))
                yield Value(protocol, f"count{ending}", float(np.count_nonzero(each.shared)))
            for label, score in zip(self.whole.labels, np.where(self.whole.shared, found, np.nan), strict=True):
                yield Value(protocol, f"label_{label}", float(score))


def _reading(evidence: Evidence) -> Array:
    """Return the displacement that warps the moving label map."""
    return evidence.displacement if evidence.reading is None else evidence.reading


def _judged(evidence: Evidence) -> Judged:
    fixed, moving = (
        _label_map(np.asarray(labels), f"{name} labels")
        for name, labels in (("fixed", evidence.fixed_labels), ("moving", evidence.moving_labels))
    )
    reading = _reading(evidence)
    if not fixed.shape == evidence.displacement.shape[1:] == reading.shape[1:] or (
        evidence.reading is None and moving.shape != fixed.shape
    ):
        raise ValueError(
            f"overlap: grids differ, displacement {evidence.displacement.shape[1:]}, fixed labels {fixed.shape}, "
            f"moving labels {moving.shape}, their reading {reading.shape[1:]}"
        )
    whole, warped = _scores((fixed, moving), reading, evidence.labels)
    sets: dict[str, Scores] = {}
    for name, regions in evidence.label_sets.items():
        if all(len(region) == 1 for region in regions):
            sets[name] = whole.part([label for region in regions for label in region])
        else:
            merged = tuple(_merged(each, regions) for each in (fixed, moving))
            sets[name], _ = _scores(merged, reading, range(1, len(regions) + 1))
    return Judged(whole, sets, fixed, warped)


def _scores(maps: Sequence[Array], displacement: Array, wanted: Sequence[int] | None) -> tuple[Scores, Array]:
    """Return the scores of a fixed and a moving map, and the moving one warped to the nearest voxels."""
    from benchmarks.measures import label_loops

    fixed, moving = maps
    before = np.zeros(_BINS, np.int64)
    label_loops.count(moving, before)
    bins, warped = np.stack([_pair_of_bins() for _ in PROTOCOLS]), np.empty(fixed.shape, np.uint16)
    label_loops.count_warped((fixed, moving, warped), displacement, bins)
    first = bins[0, 0]  # the fixed map's own
    found = np.flatnonzero((first + before)[2:]) + 1 if wanted is None else wanted
    labels = list(dict.fromkeys(int(label) for label in found))
    shared = (_of(first, labels) > 0) & (_of(before, labels) > 0)
    dice: dict[Protocol, Array] = {}
    jaccard: dict[Protocol, Array] = {}
    for way, counted in zip(PROTOCOLS, bins, strict=True):
        dice[way], of_jaccard = _ratios(counted, labels)
        if way in OF_JACCARD:
            jaccard[way] = of_jaccard
    return Scores(labels, shared, dice, jaccard), warped


def _some(found: Mapping[Protocol, Array], places: Sequence[int]) -> Mapping[Protocol, Array]:
    return {way: values[list(places)] for way, values in found.items()}


def _merged(labels: Array, regions: Sequence[Sequence[int]]) -> Array:
    """Return a map in which the labels of each region have its number, from 1, and all others 0."""
    numbers = np.zeros(_LARGEST + 1, np.uint16)
    for number, region in enumerate(regions, start=1):
        numbers[list(region)] = number
    return numbers[labels]


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
