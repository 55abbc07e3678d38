"""Prepared data on disk: what a method may see (`Dataset`), what only the judge may see (`Truth`), and their writer.

A prepared data set is a folder::

    dataset.json                        pairs, splits, labels, preprocessing, licence, and the sha256 of every file
    images/<case>.nii.gz                float32 in [0, 1]
    masks/<case>.nii.gz                 uint8 field of view or organ mask, where one exists
    truth/labels/<case>.nii.gz          uint16 label map
    truth/landmarks/<fixed>__<moving>_{fixed,moving}.csv     voxel coordinates, zero-based, no header
    truth/displacements/disp_<fixed>_<moving>.nii.gz         the true displacement, where it is known

Images, labels, landmarks and displacements each have the form that the Learn2Reg challenge uses: NIfTI arrays with
their axes as they are, landmark rows in voxels of those axes, displacements ``(X, Y, Z, 3)`` in voxels, pull-back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from datasets import geometry
from datasets.check import GRIDS, described_problems, find_problems
from datasets.description import (
    IMAGES,
    MASKS,
    TRUTH,
    Description,
    Pair,
    anew,
    as_stored,
    image_file,
    labels_file,
    mask_file,
    read_description,
    write_description,
)
from datasets.files import (
    Array,
    DataError,
    Volume,
    one_line,
    read_displacement,
    read_landmarks,
    read_placement,
    read_volume,
    sha256,
    write_displacement,
    write_landmarks,
    write_volume,
)
from datasets.placement import Placement, affine_fault
from datasets.problem import Problem, UnfitError
from datasets.values import LARGEST_LABEL, intensity_fault, name_fault, whole_numbers

logger = logging.getLogger(__name__)
KEPT = 4  # label maps in memory: pairs of one job share images, and come one after another


@dataclass(frozen=True)
class Described:
    """What a data set says about itself, wherever its files are: all that a report knows of it beside rows."""

    description: Description

    @property
    def name(self) -> str:
        """The data set's name in the configuration."""
        return self.description.name

    @property
    def test_pairs(self) -> list[Pair]:
        """The pairs to register, in order."""
        return list(self.description.test)

    @property
    def validation_pairs(self) -> list[Pair]:
        """The pairs to choose options on, in order; their truth is in a prepared folder only where that is its use."""
        return list(self.description.validation)


@dataclass(frozen=True)
class Dataset(Described):
    """The side of a prepared data set that methods and training may read: images and masks, never the truth."""

    folder: Path

    @property
    def training_cases(self) -> list[str]:
        """The cases that a network may learn from."""
        return list(self.description.training.cases)

    @property
    def training_pairs(self) -> list[Pair]:
        """All pairs of the training split, by the data set's own rule (see `TrainingSplit`)."""
        return list(self.description.training.every_pair)

    def image(self, case: str) -> Volume:
        """Read the image of a case."""
        return read_volume(self.image_path(case))

    def placement(self, case: str) -> Placement:
        """Read how the image of a case lies in space, without its voxels."""
        return read_placement(self.image_path(case))

    def image_path(self, case: str) -> Path:
        """Return the path of a case's image."""
        return self.folder / image_file(case)

    def mask_path(self, case: str) -> Path:
        """Return the path of a case's mask, which need not exist."""
        return self.folder / mask_file(case)

    def mask(self, case: str) -> Array | None:
        """Return the case's boolean mask ``(D, H, W)``, or None where the data set has none."""
        path = self.mask_path(case)
        return read_volume(path).array > 0.5 if path.exists() else None

    def check_files(self, only: Collection[str] | None = None) -> None:
        """Compare the files on disk, the truth included, with dataset.json; raise `DataError` naming one that differs.

        A file that dataset.json does not know is refused, too: a mask that was put there later would change results.
        With ``only`` no more than these files are looked at, and files that are unknown.
        """
        again = anew(self.folder)
        for relative, expected in self.description.files.items():
            path = self.folder / relative
            if only is not None and relative not in only:
                continue
            if not path.exists():
                raise DataError(f"{path}: missing; {again}")
            if (got := sha256(path)) != expected:
                raise DataError(
                    f"{path}: changed since it was prepared (sha256 {got[:12]}…, expected {expected[:12]}…); {again}"
                )
        found = (path for part in (IMAGES, MASKS, TRUTH) for path in (self.folder / part).rglob("*") if path.is_file())
        for path in sorted(found):
            if not path.name.startswith(".") and path.relative_to(self.folder).as_posix() not in self.description.files:
                raise DataError(f"{path}: not part of what was prepared; remove it, or {again}")


@dataclass(frozen=True)
class Truth:
    """The side of a prepared data set that only the judge reads."""

    folder: Path

    def labels(self, case: str) -> Array | None:
        """Return the label map ``(D, H, W)`` of a case, or None."""
        path = self.folder / labels_file(case)
        return _labels(path, path.stat().st_mtime_ns) if path.exists() else None

    def landmarks(self, pair: Pair) -> tuple[Array, Array] | None:
        """Return the landmarks ``(n, 3)`` in voxels of the fixed and of the moving image, or None."""
        paths = [self.folder / file for file in pair.landmark_files]
        if not all(path.exists() for path in paths):
            return None
        fixed, moving = (read_landmarks(path) for path in paths)
        if len(fixed) != len(moving):
            raise DataError(f"{paths[0]}: {len(fixed)} landmarks, but {paths[1].name} has {len(moving)}")
        return fixed, moving

    def displacement_path(self, pair: Pair) -> Path:
        """Return the path of a pair's true displacement, which need not exist."""
        return self.folder / pair.truth_file

    def displacement(self, pair: Pair) -> Array | None:
        """Return the true displacement ``(3, D, H, W)`` in voxels, or None."""
        path = self.displacement_path(pair)
        return read_displacement(path) if path.exists() else None


@lru_cache(maxsize=KEPT)
def _labels(path: Path, changed: int) -> Array:
    labels = read_volume(path).array.astype(np.uint16)
    labels.flags.writeable = False
    return labels


def open_dataset(folder: Path) -> Dataset:
    """Open a prepared data set; raise `DataError` when dataset.json is missing, not readable or contradicts itself."""
    about = read_description(folder)
    if problems := described_problems(about):  # somebody has edited it
        raise DataError(f"{UnfitError(folder, problems)}; {anew(folder)}")
    return Dataset(about, Path(folder))


def check_same_grid(fixed: Volume, moving: Volume, pair: Pair) -> None:
    """Raise `DataError` unless both images of a pair lie alike: shape, directions, spacing, origin."""
    if fault := fixed.placement.difference(moving.placement):
        raise DataError(f"pair {pair.name}: {GRIDS.format(fault)}")


@dataclass
class Writer:
    """Writes a prepared data set: add images and truth, then `finish` with its description.

    What cannot be used is not written but kept as a problem, so that `finish` names all of them at once.
    """

    folder: Path
    files: dict[str, str] = field(default_factory=dict[str, str])
    problems: list[Problem] = field(default_factory=list[Problem])
    rounded: list[str] = field(default_factory=list[str])

    def image(self, case: str, array: ArrayLike, affine: ArrayLike) -> None:
        """Add an image ``(D, H, W)``; values must already lie in [0, 1]."""
        self._add(image_file(case), lambda path: _write_volume(path, _intensities(array), affine), case)

    def mask(self, case: str, array: ArrayLike, affine: ArrayLike) -> None:
        """Add a field of view or an organ's mask ``(D, H, W)`` of zeros and ones."""
        self._add(mask_file(case), lambda path: _write_volume(path, self._whole(path, array, 1), affine), case)

    def labels(self, case: str, array: ArrayLike, affine: ArrayLike) -> None:
        """Add a label map ``(D, H, W)`` of whole numbers; those off by rounding are rounded, with a note."""
        file = labels_file(case)
        self._add(file, lambda path: _write_volume(path, self._whole(path, array, LARGEST_LABEL), affine), case)

    def displacement(self, pair: Pair, displacement: ArrayLike, affine: ArrayLike) -> None:
        """Add the true displacement ``(3, D, H, W)`` of a pair, in voxels, pull-back."""
        u = np.asarray(displacement)

        def write(path: Path) -> None:
            write_displacement(path, geometry.check_displacement(u, u.shape[1:]), affine)

        self._add(pair.truth_file, write, pair.fixed, pair.moving)

    def landmarks(self, pair: Pair, fixed: ArrayLike, moving: ArrayLike) -> None:
        """Add corresponding landmarks ``(n, 3)`` in voxels of the fixed and of the moving image."""
        for file, points in zip(pair.landmark_files, (fixed, moving), strict=True):
            self._add(file, lambda path, points=points: write_landmarks(path, points), pair.fixed, pair.moving)

    def finish(self, description: Description) -> None:
        """Write dataset.json, last, so that its presence means a complete data set, sound in all its parts.

        Raises:
            UnfitError: the data set has problems; ``problems`` of the error names them all.
        """
        for part in (IMAGES, MASKS, TRUTH):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        notes = (*description.notes, *self._notes)
        about = as_stored(replace(description, files=dict(sorted(self.files.items())), notes=notes))
        refused = {problem.where for problem in self.problems} - self.files.keys()
        if problems := list(dict.fromkeys([*self.problems, *find_problems(self.folder, about, refused=refused)])):
            raise UnfitError(self.folder, problems)
        write_description(self.folder, about)

    @property
    def _notes(self) -> list[str]:
        notes = [f"rounded to whole numbers: {', '.join(self.rounded)}"] if self.rounded else []
        for note in notes:
            logger.warning("%s", note)
        return notes

    def _add(self, file: str, write: Callable[[Path], object], *cases: str) -> None:
        """Write a file and keep its checksum, or keep as a problem why it is none."""
        faults = [Problem(f"case {case!r}", fault) for case in cases if (fault := name_fault(case))]
        if file in self.files:
            faults.append(Problem(file, "written twice; give each case a name of its own"))
        if not faults:
            try:
                write(self.folder / file)
                self.files[file] = sha256(self.folder / file)
            except (ValueError, TypeError) as error:
                faults.append(Problem(file, one_line(error)))
        self.problems += faults

    def _whole(self, path: Path, array: ArrayLike, largest: int) -> Array:
        values, away = whole_numbers(array, largest)
        if away:
            self.rounded.append(f"{path.parent.name}/{path.name} (off by up to {away:.1g})")
        return values.astype(np.uint8) if largest == 1 else values


def _intensities(array: ArrayLike) -> Array:
    values = np.asarray(array)
    if values.dtype.kind not in "biuf":
        raise DataError(f"expected numbers, got dtype {values.dtype}; save one number a voxel")
    if fault := intensity_fault(values):
        raise DataError(fault)
    return values.astype(np.float32)


def _write_volume(path: Path, array: Array, affine: ArrayLike) -> None:
    if array.ndim != 3:
        raise DataError(f"expected a 3-D array, got shape {array.shape}")
    if fault := affine_fault(affine):
        raise DataError(fault)
    write_volume(path, array, affine)
