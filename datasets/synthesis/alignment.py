"""Affine alignment of label maps by where their structures lie, without any image.

A map is reduced to marks, RAS millimetres. The first are the centroids of its structures. Those of some maps, each
around the middle of its own brain, are averaged, and every map is brought onto that average by the affine map of least
squares, in which each mark counts the same. Then, twice, large structures are parted into eight by planes through their
middles along the axes of the average (left and right, behind and in front, below and above), the centroids of the parts
take the place of theirs, are averaged where they lie by now, and all maps are fitted anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from datasets.files import DataError
from datasets.geometry import Array

LARGE = (2, 3, 8, 41, 42, 47)  # white matter, cortex, cerebellar cortex
SMALL = (4, 7, 10, 11, 12, 13, 14, 15, 16, 17, 18, 28, 43, 46, 49, 50, 51, 52, 53, 54, 60)
LEAST = 20  # marks that a map must share with the average; an affine map has twelve numbers
MARGIN = 8  # voxels that are kept around the brain
PARTINGS = 2


@dataclass(frozen=True)
class LabelMap:
    """A subject's label map ``(D, H, W)``, FreeSurfer's numbers, with its voxel-to-world affine ``(4, 4)``."""

    subject: str
    labels: Array
    affine: Array

    def cropped(self, brain: Array) -> LabelMap:
        """Return the map around the labels for which the table ``brain`` (one boolean a label) is true.

        Raises:
            DataError: there are none.
        """
        there = ndimage.find_objects(brain[self.labels].astype(np.uint8))
        if not there:
            raise DataError(f"{self.subject}: no label of a brain in this map; replace the file")
        low = [max(0, part.start - MARGIN) for part in there[0]]
        box = tuple(slice(a, part.stop + MARGIN) for a, part in zip(low, there[0], strict=True))
        shift = np.eye(4)
        shift[:3, 3] = low
        return LabelMap(self.subject, np.ascontiguousarray(self.labels[box]), self.affine @ shift)

    def onto(self, affine: Array, shape: Sequence[int], to_common: Array) -> Array:
        """Return the labels on a grid, nearest voxel, 0 beyond the map.

        Args:
            affine: voxel-to-world affine of the grid.
            shape: of the grid.
            to_common: the affine map ``(4, 4)`` of this subject's millimetres onto those of the grid.
        """
        voxels = np.linalg.inv(to_common @ self.affine) @ affine
        return ndimage.affine_transform(
            self.labels, voxels[:3, :3], voxels[:3, 3], tuple(shape), order=0, mode="constant", cval=0
        )


def align(maps: Sequence[LabelMap], averaged: Sequence[int]) -> tuple[list[Array], float]:
    """Return for each map the affine map ``(4, 4)`` onto the average of some of them, whose middle is the origin.

    ``averaged`` are places in ``maps``. The second result is how far marks lie from the average's then, mm (root mean
    square).

    Raises:
        DataError: a map lacks too many structures.
    """
    marks = [centroids(found) for found in maps]
    common = _mean_of([marks[number] - middle(maps[number]) for number in averaged])
    fits = [fit(points, common, found.subject) for points, found in zip(marks, maps, strict=True)]
    for _ in range(PARTINGS):
        marks = [parts(found, to_common) for found, to_common in zip(maps, fits, strict=True)]
        common = _mean_of([moved(marks[number], fits[number]) for number in averaged])
        fits = [fit(points, common, found.subject) for points, found in zip(marks, maps, strict=True)]
    away = [moved(points, to_common) - common for points, to_common in zip(marks, fits, strict=True)]
    squares = np.square(away).sum(axis=-1)
    return fits, float(np.sqrt(squares[np.isfinite(squares)].mean()))


def moved(points: Array, affine: Array) -> Array:
    """Return points ``(n, 3)`` after an affine map ``(4, 4)``."""
    return points @ affine[:3, :3].T + affine[:3, 3]


def middle(found: LabelMap) -> Array:
    """Return the middle ``(3,)`` of the box around all structures, mm."""
    places, _ = _places(found)
    return (places.min(axis=0) + places.max(axis=0)) / 2


def centroids(found: LabelMap) -> Array:
    """Return the centroids of all structures ``(n, 3)``, mm, NaN where the map lacks one."""
    places, values = _places(found)
    return np.stack([_mean(places[values == label]) for label in (*LARGE, *SMALL)])


def parts(found: LabelMap, to_common: Array) -> Array:
    """Return the centroids ``(n, 3)``, mm, of small structures and of eight parts of large ones, NaN where one lacks.

    The planes between parts go along the axes of the common space.
    """
    places, values = _places(found)
    marks: list[Array] = []
    for label in LARGE:
        here = places[values == label]
        mapped = moved(here, to_common)
        number = (mapped > _mean(mapped)) @ np.array([1, 2, 4])
        marks += [_mean(here[number == part]) for part in range(8)]
    return np.stack([*marks, *(_mean(places[values == label]) for label in SMALL)])


def fit(marks: Array, wanted: Array, subject: str) -> Array:
    """Return the affine map ``(4, 4)`` that brings marks ``(n, 3)`` onto ``wanted`` ones with least squares.

    Raises:
        DataError: too few structures are in both.
    """
    both = np.isfinite(marks).all(axis=1) & np.isfinite(wanted).all(axis=1)
    if both.sum() < LEAST:
        raise DataError(
            f"{subject}: {both.sum()} marks to align the map by, expected {LEAST} or more; replace the file"
        )
    known = np.column_stack([marks[both], np.ones(both.sum())])
    solution, _, rank, _ = np.linalg.lstsq(known, wanted[both], rcond=None)
    if rank < 4:
        raise DataError(f"{subject}: its structures lie in a plane, so the map cannot be aligned; replace the file")
    return np.vstack([solution.T, [0, 0, 0, 1]])


def _places(found: LabelMap) -> tuple[Array, Array]:
    """Return places ``(n, 3)``, mm, and labels ``(n,)`` of all voxels of the structures."""
    table = np.zeros(max(int(found.labels.max()), *LARGE, *SMALL) + 1, bool)
    table[[*LARGE, *SMALL]] = True
    voxels = np.nonzero(table[found.labels])
    return moved(np.stack(voxels, axis=1), found.affine), found.labels[voxels]


def _mean(places: Array) -> Array:
    return places.mean(axis=0) if len(places) else np.full(3, np.nan)


def _mean_of(marks: Sequence[Array]) -> Array:
    """Return the mean of several sets of marks, each mark over the sets that have it."""
    every = np.stack(marks)
    there = np.isfinite(every)
    with np.errstate(invalid="ignore"):  # a mark that nobody has stays NaN
        return np.where(there, every, 0).sum(axis=0) / there.sum(axis=0)
