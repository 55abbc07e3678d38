"""The label maps of a user's pair: which labels they hold, and which of these both have."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# SimpleITK is not typed.

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the library's usual name

from datasets.files import DataError
from datasets.own.scans import Scan, read_labels
from datasets.own.words import listed


def read_both(paths: tuple[Path, Path], fixed: Scan, moving: Scan) -> tuple[Any, Any]:
    """Read the label maps of both images, as ITK images of uint16; raise `DataError` where no label is in both."""
    maps = read_labels(paths[0], fixed, flat=True), read_labels(paths[1], moving, flat=True)
    held = [held_by(each) for each in maps]
    for path, labels in zip(paths, held, strict=True):
        if not labels:
            raise DataError(f"{path}: has no label, all its voxels are 0; name the label map of the image")
    if not held[0] & held[1]:
        raise DataError(
            f"--labels: no label is in both maps: {paths[0]} has {listed(held[0])}, {paths[1]} has {listed(held[1])}; "
            "give a structure the same number in both"
        )
    return maps


def held_by(labels: Any) -> frozenset[int]:
    """Return the labels of an ITK image of whole numbers but 0."""
    return frozenset(np.flatnonzero(np.bincount(sitk.GetArrayViewFromImage(labels).ravel())).tolist()) - {0}
