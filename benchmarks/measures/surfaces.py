"""How far surfaces of labels lie apart."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.evidence import Compute, Evidence, Value, WarpedLabels
from datasets.files import Array

PERCENT = 95
NEAR = 600  # voxels of the ball in which a partner is looked for before a tree is built
PROTOCOLS = {"nearest": "label map warped by nearest neighbour, border clamp; the larger of both directions"}


@dataclass(frozen=True, eq=False)
class Surface:
    """The surface voxels of a label map: ``places`` holds their labels, 0 elsewhere; ``points`` ``(n, 3)`` by label."""

    places: Array
    points: dict[int, Array]

    @classmethod
    def of(cls, labels: Array, wanted: Sequence[int]) -> Surface:
        """Find the surfaces of the ``wanted`` labels in a map ``(D, H, W)`` of uint16."""
        from benchmarks.measures import surface_loops  # here, for Numba takes half a second to import

        counts = np.zeros(np.iinfo(np.uint16).max + 1, np.bool_)
        counts[list(wanted)] = True
        places = np.empty(labels.shape, np.uint16)
        found = np.empty((surface_loops.surfaces(labels, counts, places), 4), np.int32)
        surface_loops.gather(places, found)
        found = found[np.argsort(found[:, 0].astype(np.uint16), kind="stable")]
        names, starts = np.unique(found[:, 0], return_index=True)
        return cls(places, dict(zip(names.tolist(), np.split(found, starts[1:]) if len(found) else [], strict=True)))


def hausdorff95(fixed: Array, warped: Array, labels: Sequence[int], spacing: Sequence[float]) -> NDArray[np.float64]:
    """Return the 95th percentile of the Hausdorff distance of each of ``labels`` in mm, ``(len(labels),)``.

    A label's surface are its voxels that have a face in common with another label or with the outside of the grid.
    Each voxel of one surface has its distance to the nearest one of the other; the number is the larger of the two
    directions' 95th percentiles (linear between ranks), as MONAI has it. NaN where either map lacks the label, for no
    distance leads to a surface that is not there.

    Args:
        fixed: label map ``(D, H, W)``, uint16.
        warped: warped label map on the same grid, uint16.
        labels: numbers of the labels, none of them 0.
        spacing: three voxel sizes in mm.
    """
    if fixed.shape != warped.shape:
        raise ValueError(f"hausdorff95: grids differ, fixed {fixed.shape} and warped {warped.shape}")
    one, other = Surface.of(fixed, labels), Surface.of(warped, labels)
    ball = _ball(spacing)
    there, back = _directed(one, other, ball, spacing), _directed(other, one, ball, spacing)
    return np.array([max(there[label], back[label]) if label in there else np.nan for label in labels], np.float64)


def hausdorff(maps: Callable[[Evidence], WarpedLabels]) -> Compute:
    """Make a metric of HD95 of each label, the mean of the labels, and how many it averages.

    A label that the fixed or the (unwarped) moving image lacks cannot be scored, as with Dice: it has no number and
    the mean leaves it out. A label that both have and the warp loses has no number, and then the mean has none
    either, for a mean over the labels that are left would reward the loss.
    """

    def compute(evidence: Evidence) -> Iterator[Value]:
        found = maps(evidence)
        distances = hausdorff95(found.fixed, found.warped, found.scored, evidence.spacing)
        for protocol in PROTOCOLS:
            yield from found.values(protocol, distances)

    return compute


@dataclass(frozen=True, eq=False)
class Ball:
    """All steps ``(k, 3)`` in voxels up to a length, nearest first, and their ``lengths`` in mm."""

    steps: Array
    lengths: Array


def _ball(spacing: Sequence[float]) -> Ball:
    size = np.asarray(spacing, np.float64)
    radius = (NEAR * size.prod() * 3 / (4 * math.pi)) ** (1 / 3)
    reach = [math.floor(radius / each) for each in spacing]
    steps = np.indices([2 * n + 1 for n in reach]).reshape(3, -1).T - reach
    lengths = np.linalg.norm(steps * size, axis=1)
    order = np.argsort(lengths, kind="stable")[: int(np.count_nonzero(lengths <= radius))]
    return Ball(steps[order].astype(np.int32), lengths[order])


def _directed(one: Surface, other: Surface, ball: Ball, spacing: Sequence[float]) -> dict[int, float]:
    """Return by label the percentile of the distances from one surface to the other; labels that both have."""
    from benchmarks.measures import surface_loops

    found: dict[int, float] = {}
    for label, points in one.points.items():
        if label in other.points:
            distances = np.empty(len(points))
            surface_loops.nearest(points, other.places, (ball.steps, ball.lengths), distances)
            found[label] = _percentile(distances, points, other.points[label], spacing)
    return found


def _percentile(distances: Array, points: Array, others: Array, spacing: Sequence[float]) -> float:
    """Return the percentile; those beyond the ball are looked up only where it depends on them."""
    far = ~np.isfinite(distances)
    highest = math.ceil(PERCENT / 100 * (len(distances) - 1))  # of the two ranks between which it lies
    if highest >= len(distances) - np.count_nonzero(far):
        from scipy.spatial import cKDTree

        size = np.asarray(spacing, np.float64)
        distances[far] = cKDTree(others[:, 1:] * size).query(points[far, 1:] * size)[0]
    return float(np.percentile(distances, PERCENT))
