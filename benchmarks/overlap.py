"""Overlap of label maps: Dice and Jaccard per label, under the two ways papers warp a label map.

``linear_thr128``: the mask of each label, times 255, is warped trilinearly with border clamp and kept where it exceeds
128 (the evaluation of recursive cascaded networks, doi:10.1109/ICCV.2019.01070, and of LDR). ``nearest``: each voxel
takes the label of the nearest moving voxel (Learn2Reg and most others).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarks.evidence import Evidence, Value
from datasets import geometry
from datasets.files import Array

Protocol = Literal["linear_thr128", "nearest"]
PROTOCOLS: Mapping[Protocol, str] = {  # each with its meaning
    "linear_thr128": "mask of each label x 255 warped trilinearly, border clamp, kept where > 128",
    "nearest": "label map warped by nearest neighbour, border clamp",
}
NO_LABEL = -1  # a voxel where no label, and not the background either, passes the threshold
_SHARE = 128 / 255
_LARGEST = 65535  # what the uint16 of a prepared label map can hold
_SLAB_VOXELS = 1 << 19  # bounds the memory for the eight corners to some tens of MiB


def warp_labels(labels: ArrayLike, displacement: ArrayLike, *, protocol: Protocol) -> NDArray[np.int32]:
    """Warp an integer label map ``(D, H, W)`` by a displacement ``(3, D, H, W)`` under a named protocol.

    The result is int32. Under ``linear_thr128`` at most one label can pass the threshold at a voxel, for it is above
    one half, so that the thresholded masks of all labels fit into one map; where none passes it is ``NO_LABEL``.
    """
    labels, displacement = _label_map(labels, "labels"), np.asarray(displacement)
    if protocol == "nearest":
        return np.asarray(geometry.warp(labels, displacement, order=0), np.int32)
    if protocol != "linear_thr128":
        raise ValueError(f"warp_labels: protocol must be one of {tuple(PROTOCOLS)}, got {protocol!r}")
    warped = np.empty(displacement.shape[1:], np.int32)
    for part in _slabs(warped.shape):
        grid = geometry.identity_grid((part.stop - part.start, *warped.shape[1:]))
        grid[0] += part.start
        warped[part] = _majority(labels, (grid + displacement[:, part]).reshape(3, -1)).reshape(warped[part].shape)
    return warped


def overlaps(fixed: ArrayLike, warped: ArrayLike, labels: Sequence[int]) -> tuple[Array, Array]:
    """Return Dice and Jaccard of each of ``labels`` between two label maps, as two ``(len(labels),)`` arrays.

    Dice is ``2 |A and B| / (|A| + |B|)``, Jaccard ``|A and B| / |A or B|``; a label that neither map has gives NaN.
    """
    fixed, warped = _label_map(fixed, "fixed"), _label_map(warped, "warped")
    if fixed.shape != warped.shape:
        raise ValueError(f"overlaps: grids differ, fixed {fixed.shape} and warped {warped.shape}")
    sizes = _count(fixed, labels) + _count(warped, labels)
    common = _count(fixed[fixed == warped], labels)
    with np.errstate(invalid="ignore"):
        return 2 * common / sizes, common / (sizes - common)


def dice_values(evidence: Evidence) -> Iterator[Value]:
    """Yield Dice of each label, the mean of the labels, and how many it averages; see `Scores`."""
    return evidence.once(_scores).values("dice")


def jaccard_values(evidence: Evidence) -> Iterator[Value]:
    """Yield Jaccard of each label, the mean of the labels, and how many it averages; see `Scores`."""
    return evidence.once(_scores).values("jaccard")


@dataclass(frozen=True)
class Scores:
    """Dice and Jaccard of each of ``labels``, by protocol.

    A label that the fixed or the (unwarped) moving image lacks is not ``shared`` and cannot be scored: its value is
    NaN, and the mean leaves it out. A label that both have and the warp loses scores 0.
    """

    labels: Sequence[int]
    shared: NDArray[np.bool_]
    dice: Mapping[Protocol, Array]
    jaccard: Mapping[Protocol, Array]

    def values(self, name: Literal["dice", "jaccard"]) -> Iterator[Value]:
        """Yield the values of one of the two scores."""
        for protocol, scores in getattr(self, name).items():
            mean = float(scores[self.shared].mean()) if self.shared.any() else float("nan")
            yield Value(protocol, "mean", mean)
            yield Value(protocol, "count", float(np.count_nonzero(self.shared)))
            for label, score in zip(self.labels, np.where(self.shared, scores, np.nan), strict=True):
                yield Value(protocol, f"label_{label}", float(score))


def _scores(evidence: Evidence) -> Scores:
    fixed, moving = (
        _label_map(np.asarray(labels), f"{name} labels")
        for name, labels in (("fixed", evidence.fixed_labels), ("moving", evidence.moving_labels))
    )
    if not fixed.shape == moving.shape == evidence.displacement.shape[1:]:
        raise ValueError(
            f"overlap: grids differ, displacement {evidence.displacement.shape[1:]}, fixed labels {fixed.shape}, "
            f"moving labels {moving.shape}"
        )
    found = evidence.labels
    if found is None:
        found = [label for label in np.union1d(fixed, moving).tolist() if label != 0]
    labels = list(dict.fromkeys(found))
    shared = (_count(fixed, labels) > 0) & (_count(moving, labels) > 0)
    dice: dict[Protocol, Array] = {}
    jaccard: dict[Protocol, Array] = {}
    for protocol in PROTOCOLS:
        warped = warp_labels(moving, evidence.displacement, protocol=protocol)
        dice[protocol], jaccard[protocol] = overlaps(fixed, warped, labels)
    return Scores(labels, shared, dice, jaccard)


def _majority(labels: NDArray[np.int32], points: Array) -> NDArray[np.int32]:
    """Return the label whose trilinear share at each of ``points`` ``(3, n)`` passes the threshold, or ``NO_LABEL``."""
    last = np.asarray(labels.shape)[:, None] - 1
    points = np.clip(points, 0, last)
    low = np.minimum(points.astype(np.intp), np.maximum(last - 1, 0))
    strides = np.asarray(labels.strides) // labels.itemsize * (last[:, 0] > 0)
    flat, start = labels.ravel(), np.asarray(labels.strides) // labels.itemsize @ low
    corners = np.stack([flat[start + np.dot(corner, strides)] for corner in product((0, 1), repeat=3)])
    winner = corners[0].copy()
    mixed = np.flatnonzero((corners != winner).any(axis=0))
    winner[mixed] = _heaviest(corners[:, mixed], points[:, mixed] - low[:, mixed])
    return winner


def _heaviest(corners: NDArray[np.int32], fraction: Array) -> NDArray[np.int32]:
    weights = np.stack(
        [
            np.prod([f if side else 1 - f for side, f in zip(corner, fraction, strict=True)], axis=0)
            for corner in product((0, 1), repeat=3)
        ]
    )
    winner = np.full(corners.shape[1], NO_LABEL, np.int32)
    for label in corners:
        share = np.sum(weights * (corners == label), axis=0)
        np.copyto(winner, label, where=share > _SHARE)
    return winner


def _slabs(shape: Sequence[int]) -> Iterator[slice]:
    thickness = max(1, _SLAB_VOXELS // max(1, shape[1] * shape[2]))
    for start in range(0, shape[0], thickness):
        yield slice(start, min(start + thickness, shape[0]))


def _count(values: NDArray[np.int32], labels: Sequence[int]) -> NDArray[np.int64]:
    wanted = np.array([int(label) for label in labels], dtype=np.int64)
    if wanted.size and not 0 <= wanted.min() <= wanted.max() <= _LARGEST:
        raise ValueError(f"labels: expected numbers from 0 to {_LARGEST}, got {wanted.min()} to {wanted.max()}")
    return np.bincount(values.ravel() + 1, minlength=_LARGEST + 2)[wanted + 1]  # + 1, for NO_LABEL


def _label_map(array: ArrayLike, name: str) -> NDArray[np.int32]:
    array = np.asarray(array)
    if array.ndim != 3 or not array.size or array.dtype.kind not in "iub":
        raise ValueError(f"{name}: expected an integer map (D, H, W), got shape {array.shape}, dtype {array.dtype}")
    if not NO_LABEL <= (low := array.min()) <= (high := array.max()) <= _LARGEST:
        raise ValueError(f"{name}: expected labels from 0 to {_LARGEST}, got {low} to {high}")
    return np.ascontiguousarray(array, dtype=np.int32)
