"""The grid of the images that a network learns from: what scale and which axes it knows, kept with its weights."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from datasets.case import Dataset
from datasets.description import cases_of


def training_grid(data: Dataset) -> dict[str, object] | None:
    """Return the voxel size in mm and the axes of the training images; None where nobody knows their millimetres.

    ``spacing`` has three numbers, the medians where images differ, ``orientation`` three letters such as LPS (empty
    where it is unknown).
    """
    sizes = list(_sizes(data))
    if not sizes:
        return None
    spacing = [round(float(size), 6) for size in np.median(sizes, axis=0)]
    return {"spacing": spacing, "orientation": "".join(data.description.orientation)}


def _sizes(data: Dataset) -> Iterator[tuple[float, ...]]:
    """Yield the voxel size of each training image, or the one that all have."""
    about = data.description
    if about.spacing:
        yield about.spacing
    elif about.spacings:  # of pairs, or of cases; a set without any has headers that say 1 for nothing known
        for case in cases_of(data.training_pairs):
            yield about.spacings.get(case) or data.image(case).spacing
