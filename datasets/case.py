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

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import permutations
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from datasets import geometry
from datasets.description import IMAGES, MASKS, TRUTH, Description, Pair, read_description, write_description
from datasets.files import (
    Array,
    DataError,
    Volume,
    read_displacement,
    read_landmarks,
    read_volume,
    sha256,
    write_displacement,
    write_landmarks,
    write_volume,
)


@dataclass(frozen=True)
class Dataset:
    """The side of a prepared data set that methods and training may read: images and masks, never the truth."""

    folder: Path
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
    def training_cases(self) -> list[str]:
        """The cases that a network may learn from."""
        return list(self.description.training.cases)

    @property
    def training_pairs(self) -> list[Pair]:
        """All pairs of the training split, by the data set's own rule (see `TrainingSplit`)."""
        training = self.description.training
        if training.pairs == "listed":
            return list(training.list)
        if training.pairs == "atlas":
            return [Pair(training.atlas, case) for case in training.cases if case != training.atlas]
        return [Pair(a, b) for a, b in permutations(training.cases, 2)]

    def image(self, case: str) -> Volume:
        """Read the image of a case."""
        return read_volume(self.image_path(case))

    def image_path(self, case: str) -> Path:
        """Return the path of a case's image."""
        return self.folder / IMAGES / f"{case}.nii.gz"

    def mask_path(self, case: str) -> Path:
        """Return the path of a case's mask, which need not exist."""
        return self.folder / MASKS / f"{case}.nii.gz"

    def mask(self, case: str) -> Array | None:
        """Return the case's boolean mask ``(D, H, W)``, or None where the data set has none."""
        path = self.mask_path(case)
        return read_volume(path).array > 0.5 if path.exists() else None

    def check_files(self, parts: Sequence[str] = (IMAGES, MASKS)) -> None:
        """Compare files on disk with the checksums in dataset.json; raise `DataError` naming the first that differs."""
        for relative, expected in self.description.files.items():
            if relative.split("/", 1)[0] not in parts:
                continue
            path = self.folder / relative
            if not path.exists():
                raise DataError(f"{path}: missing; delete {self.folder} and run again to prepare it anew")
            if (got := sha256(path)) != expected:
                raise DataError(
                    f"{path}: changed since it was prepared (sha256 {got[:12]}…, expected {expected[:12]}…); "
                    f"delete {self.folder} and run again to prepare it anew"
                )


@dataclass(frozen=True)
class Truth:
    """The side of a prepared data set that only the judge reads."""

    folder: Path

    def labels(self, case: str) -> Array | None:
        """Return the label map ``(D, H, W)`` of a case, or None."""
        path = self.folder / TRUTH / "labels" / f"{case}.nii.gz"
        return read_volume(path).array.astype(np.uint16) if path.exists() else None

    def landmarks(self, pair: Pair) -> tuple[Array, Array] | None:
        """Return the landmarks ``(n, 3)`` in voxels of the fixed and of the moving image, or None."""
        folder = self.folder / TRUTH / "landmarks"
        paths = [folder / f"{pair.name}_{side}.csv" for side in ("fixed", "moving")]
        if not all(path.exists() for path in paths):
            return None
        fixed, moving = (read_landmarks(path) for path in paths)
        if len(fixed) != len(moving):
            raise DataError(f"{paths[0]}: {len(fixed)} landmarks, but {paths[1].name} has {len(moving)}")
        return fixed, moving

    def displacement_path(self, pair: Pair) -> Path:
        """Return the path of a pair's true displacement, which need not exist."""
        return self.folder / TRUTH / "displacements" / pair.displacement_file

    def displacement(self, pair: Pair) -> Array | None:
        """Return the true displacement ``(3, D, H, W)`` in voxels, or None."""
        path = self.displacement_path(pair)
        return read_displacement(path) if path.exists() else None


def open_dataset(folder: Path) -> Dataset:
    """Open a prepared data set; raise `DataError` when dataset.json is missing, not readable or incomplete."""
    return Dataset(Path(folder), read_description(folder))


def check_same_grid(fixed: Volume, moving: Volume, pair: Pair) -> None:
    """Raise `DataError` unless both images of a pair have the same shape and spacing."""
    if fixed.array.shape != moving.array.shape or not np.allclose(fixed.spacing, moving.spacing, rtol=1e-3):
        raise DataError(
            f"pair {pair.name}: grids differ, fixed {fixed.array.shape} at {np.round(fixed.spacing, 4).tolist()} mm, "
            f"moving {moving.array.shape} at {np.round(moving.spacing, 4).tolist()} mm; resample one onto the other "
            "(datasets.geometry.resample_to_grid)"
        )


@dataclass
class Writer:
    """Writes a prepared data set: add images and truth, then `finish` with its description."""

    folder: Path
    files: dict[str, str] = field(default_factory=dict[str, str])

    def image(self, case: str, array: ArrayLike, affine: ArrayLike) -> None:
        """Add an image ``(D, H, W)``; values must already lie in [0, 1]."""
        array = np.asarray(array, dtype=np.float32)
        if not np.all(np.isfinite(array)) or array.min() < 0 or array.max() > 1:
            raise DataError(f"{case}: image values must be finite and in [0, 1], got {array.min()} to {array.max()}")
        self._volume(f"{IMAGES}/{case}.nii.gz", array, affine)

    def mask(self, case: str, array: ArrayLike, affine: ArrayLike) -> None:
        """Add a field of view or an organ's mask ``(D, H, W)``."""
        self._volume(f"{MASKS}/{case}.nii.gz", np.asarray(array, dtype=np.uint8), affine)

    def labels(self, case: str, array: ArrayLike, affine: ArrayLike) -> None:
        """Add a label map ``(D, H, W)``."""
        self._volume(f"{TRUTH}/labels/{case}.nii.gz", np.asarray(array, dtype=np.uint16), affine)

    def displacement(self, pair: Pair, displacement: ArrayLike, affine: ArrayLike) -> None:
        """Add the true displacement ``(3, D, H, W)`` of a pair, in voxels, pull-back."""
        u = np.asarray(displacement)
        geometry.check_displacement(u, u.shape[1:], where=f"true displacement of {pair.name}")
        relative = f"{TRUTH}/displacements/{pair.displacement_file}"
        write_displacement(self.folder / relative, u, affine)
        self.files[relative] = sha256(self.folder / relative)

    def landmarks(self, pair: Pair, fixed: ArrayLike, moving: ArrayLike) -> None:
        """Add corresponding landmarks ``(n, 3)`` in voxels of the fixed and of the moving image."""
        for side, points in (("fixed", fixed), ("moving", moving)):
            relative = f"{TRUTH}/landmarks/{pair.name}_{side}.csv"
            write_landmarks(self.folder / relative, points)
            self.files[relative] = sha256(self.folder / relative)

    def finish(self, description: Description) -> None:
        """Write dataset.json, last, so that its presence means a complete data set."""
        for part in (IMAGES, MASKS, TRUTH):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        write_description(self.folder, replace(description, files=dict(sorted(self.files.items()))))

    def _volume(self, relative: str, array: Array, affine: ArrayLike) -> None:
        if array.ndim != 3:
            raise DataError(f"{relative}: expected a 3-D array, got shape {array.shape}")
        write_volume(self.folder / relative, array, affine)
        self.files[relative] = sha256(self.folder / relative)


def iter_cases(pairs: Sequence[Pair]) -> Iterator[str]:
    """Return each case of some pairs, once, in order of first use."""
    return iter(dict.fromkeys(case for pair in pairs for case in (pair.fixed, pair.moving)))
