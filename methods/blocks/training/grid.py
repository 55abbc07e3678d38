"""The images that a network learns from: which scales and axes it knows, and whether they were drawn."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from datasets.case import Dataset
from datasets.description import cases_of
from datasets.values import dark_and_bright

LOOKED_AT = 8  # images whose intensities are looked at


def training_grid(data: Dataset) -> dict[str, object] | None:
    """Return the voxel size in mm and the axes of the training images; None where nobody knows their millimetres.

    ``spacing`` has three numbers, the medians where images differ, ``orientation`` three letters such as LPS (empty
    where it is unknown), ``levels`` what is dark and what is bright in them (medians, within [0, 1]; None where
    these do not differ), ``phantom`` whether the images were drawn. Weights keep it, wherever they are copied.
    """
    sizes = list(_sizes(data))
    if not sizes:
        return None
    spacing = [round(float(size), 6) for size in np.median(sizes, axis=0)]
    about = data.description
    axes = "".join(about.orientation)
    return {"spacing": spacing, "orientation": axes, "levels": _levels(data), "phantom": about.phantom}


def _levels(data: Dataset) -> list[float] | None:
    cases = data.training_cases
    if not cases:  # which the training itself refuses, in its own words
        return None
    looked_at = cases[:: math.ceil(len(cases) / LOOKED_AT)]
    found = np.median([dark_and_bright(data.image(case).array) for case in looked_at], axis=0)
    dark, bright = (round(float(level), 4) for level in found)
    return [dark, bright] if bright > dark else None  # such as a few bright voxels on black


def _sizes(data: Dataset) -> Iterator[tuple[float, ...]]:
    """Yield the voxel size of each training image, or the one that all have."""
    about = data.description
    if about.spacing:
        yield about.spacing
    elif about.spacings:  # of pairs, or of cases; a set without any has headers that say 1 for nothing known
        for case in cases_of(data.training_pairs):
            yield about.spacings.get(case) or data.image(case).spacing
