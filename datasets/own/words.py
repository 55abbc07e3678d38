"""The words in which data of a user's own are described: splits, rules, units, endings of files."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

import numpy as np

from datasets.files import Array

Split = Literal["training", "validation", "test"]
GridRule = Literal["header", "array"]
Judged = Literal["registration_val", "registration_test"]
Unit = Literal["voxels", "voxels-from-1", "lps", "ras"]
UNITS: dict[Unit, str] = {
    "voxels": "zero-based voxels of its own image, in the order of the file's axes",
    "voxels-from-1": "the same, counted from 1",
    "lps": "millimetres, to the left, posterior and superior (ITK)",
    "ras": "millimetres, to the right, anterior and superior (NIfTI, 3D Slicer)",
}
NIFTI = (".nii.gz", ".nii")
WITHIN = 0.05  # of the voxels, that a window has to leave between its ends
SHOWN = 8  # labels that a line names
ENDINGS = (*NIFTI, ".mha", ".mhd", ".nrrd", ".nhdr", ".img", ".hdr")


def without_ending(name: str, endings: tuple[str, ...] = ENDINGS) -> str:
    """Return the name of a file without the ending of an image, where it has one."""
    ending = next((each for each in endings if name.lower().endswith(each)), "")
    return name[: len(name) - len(ending)]


def outside(low: float, high: float, window: tuple[float, float]) -> str:
    """Return the words for an image whose intensities, from ``low`` to ``high``, are all beyond a window."""
    held, asked = (f"{least:g} to {most:g}" for least, most in ((low, high), window))
    return f"has intensities from {held}, none of them within the window {asked}; another modality or unit?"


def hardly_within(values: Array, window: tuple[float, float]) -> str:
    """Return the words for an image of whose voxels a window leaves less than `WITHIN` between its ends, or ""."""
    share = float(np.mean((values > window[0]) & (values < window[1])))
    if share >= WITHIN:
        return ""
    return (
        f"the window {window[0]:g} to {window[1]:g} leaves {share:.1%} of its voxels between black and white; is it in "
        "the units of the file?"
    )


def listed(labels: Collection[int]) -> str:
    """Return labels as words, not more than a line can hold."""
    first = ", ".join(map(str, sorted(labels)[:SHOWN]))
    return first + (f" and {len(labels) - SHOWN} more" if len(labels) > SHOWN else "")
