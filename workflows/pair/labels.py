"""The label maps of a user's pair: which labels they hold, and which of these both have."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# SimpleITK is not typed.

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the library's usual name

from datasets.files import DataError
from datasets.own.scans import Scan, read_labels
from datasets.own.words import listed
from datasets.values import LARGEST_LABEL


def read_both(paths: tuple[Path, Path], fixed: Scan, moving: Scan, counted: Collection[int] = ()) -> tuple[Any, Any]:
    """Read the label maps of both images, as ITK images of uint16, with the labels that are counted, or with all.

    Raises:
        DataError: no label is in both, or one that is to be counted is not.
    """
    maps = read_labels(paths[0], fixed, flat=True), read_labels(paths[1], moving, flat=True)
    held = [held_by(each) for each in maps]
    for path, labels in zip(paths, held, strict=True):
        if lacking := sorted(set(counted) - labels):
            raise DataError(f"--count-labels: {path} has no label {listed(lacking)}; it has {listed(labels)}")
    if counted:
        return _kept(maps[0], counted), _kept(maps[1], counted)
    for path, labels in zip(paths, held, strict=True):
        if not labels:
            raise DataError(f"{path}: has no label, all its voxels are 0; name the label map of the image")
    if not held[0] & held[1]:
        raise DataError(
            f"--labels: no label is in both maps: {paths[0]} has {listed(held[0])}, {paths[1]} has {listed(held[1])}; "
            "give a structure the same number in both"
        )
    return maps


def parse(text: str) -> tuple[int, ...]:
    """Read numbers of labels as a command line has them: 2,3,10-13."""
    found = list[int]()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= first <= last <= LARGEST_LABEL:
            raise ValueError(f"expected numbers from 1 to {LARGEST_LABEL}, such as 2,3,10-13, got {text!r}")
        found += range(first, last + 1)
    return tuple(dict.fromkeys(found))


def _kept(labels: Any, counted: Collection[int]) -> Any:
    values = sitk.GetArrayViewFromImage(labels)
    image = sitk.GetImageFromArray(np.where(np.isin(values, list(counted)), values, 0))
    image.CopyInformation(labels)
    return image


def held_by(labels: Any) -> frozenset[int]:
    """Return the labels of an ITK image of whole numbers but 0."""
    return frozenset(np.flatnonzero(np.bincount(sitk.GetArrayViewFromImage(labels).ravel())).tolist()) - {0}
