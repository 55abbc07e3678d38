"""Label maps as the HDF5 files of recursive cascaded networks store them."""

from __future__ import annotations

import numpy as np

from datasets.files import Array, DataError
from datasets.rcn.lists import LPBA_LABELS

MASK_THRESHOLD = 128  # of the released evaluation; its liver masks are 0 and 255


def liver_labels(stored: Array, where: str) -> Array:
    """Return a mask of the liver from a stored one of 0 and 255; errors name the place ``where``."""
    labels = (stored > MASK_THRESHOLD).astype(np.uint16)
    if not labels.any():
        raise DataError(
            f"{where}/segmentation: no voxel above {MASK_THRESHOLD} (largest value {float(stored.max()):g}); the "
            "released masks are 0 and 255, this is a file of another preprocessing"
        )
    return labels


def brain_labels(stored: Array, where: str) -> Array:
    """Return the labels of LPBA40 from stored values; errors name the place ``where``."""
    # The released evaluation takes every value within one half of a label as that label.
    labels = np.rint(stored)
    low, high = float(stored.min()), float(stored.max())
    if not (low >= 0 and high <= np.iinfo(np.uint16).max) or not np.isin(labels, list(LPBA_LABELS)).any():
        raise DataError(f"{where}/segmentation: values {low:g} to {high:g} are no LPBA40 labels")
    return labels.astype(np.uint16)
