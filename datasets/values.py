"""What the values of a data set may be: names of cases, intensities, labels and masks, landmarks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from datasets.files import Array, DataError

LARGEST_LABEL = 65535  # a label map holds uint16
WHOLE_TOLERANCE = 1e-3  # a number this close to a whole one is meant to be that
LANDMARK_TOLERANCE = 0.501  # voxels beyond the outermost voxel centres: to the volume's edge, and rounding
PERCENTILES = (0.5, 99.5)  # of the intensities of an image: what is dark in it, and what is bright
MANY_LABELS, ROUGH = 100, 0.3  # labels, and the share of neighbours that are alike, from and below which it is an image
LONGEST_NAME = 100  # bytes of a case: two of them and an ending make a file name, which has 255
SMALLEST_AXIS = 2  # voxels: a derivative takes two


def name_fault(case: str) -> str:
    """Return in words why a case cannot have a name, with what to do, or ""; most of Unicode may stand in one."""
    if not case:
        return "a case needs a name"
    if not case.isprintable() or "/" in case:
        return "a name cannot hold slashes and characters that do not show; rename the case"
    if case[0] in ".-" or case.strip() != case:
        return "a name cannot begin with a dot or a hyphen, nor begin or end with a space; rename the case"
    if "__" in case or case.strip("_") != case:
        return "a name cannot hold __ nor begin or end with _, which parts the cases of a pair; rename the case"
    if (size := len(case.encode())) > LONGEST_NAME:
        return f"a name can have {LONGEST_NAME} bytes in UTF-8, this has {size}; shorten it"
    return ""


def dark_and_bright(values: Array) -> tuple[float, float]:
    """Return the `PERCENTILES` of the intensities of an image."""
    dark, bright = np.percentile(values, PERCENTILES)
    return float(dark), float(bright)


def whole_numbers(values: ArrayLike, largest: int) -> tuple[Array, float]:
    """Return values as whole numbers from 0 to ``largest``, and how far the furthest of them was from one.

    Raises:
        DataError: a value is none of these, nor within `WHOLE_TOLERANCE` of one; the message names it and its voxel.
    """
    values = np.asarray(values)
    if values.dtype.kind not in "biuf":
        raise DataError(f"expected numbers, got dtype {values.dtype}")
    near = np.rint(values) if values.dtype.kind == "f" else values
    with np.errstate(invalid="ignore"):  # infinite less infinite
        away = np.abs(values - near) if values.dtype.kind == "f" else np.zeros(1)
    good = (near >= 0) & (near <= largest) & (away <= WHOLE_TOLERANCE)
    if not np.all(good):
        voxel = np.unravel_index(int(np.argmin(good)), values.shape)
        bad = f"{values.size - int(np.count_nonzero(good))} of {values.size} voxels are"
        such = f"such as {values[voxel]:.7g} at {tuple(map(int, voxel))}; correct them in the source"
        if np.all(good | (away <= WHOLE_TOLERANCE)):
            raise DataError(f"{bad} outside of 0 to {largest}, {such}")
        raise DataError(
            f"{bad} no whole numbers from 0 to {largest}, {such} (what is resampled takes the nearest voxel)"
        )
    return near.astype(np.uint16), float(away.max(initial=0))


def image_fault(labels: Array) -> str:
    """Return in words why whole numbers ``(D, H, W)`` are an image and no label map nor mask, or "".

    A structure is many voxels of one number; in an image neighbours differ. Plane by plane, for maps can be large.
    """
    counts = np.zeros(int(labels.max(initial=0)) + 1, np.int64)
    alike = neighbours = 0
    for place, plane in enumerate(labels):
        counts += np.bincount(plane.ravel(), minlength=len(counts))
        pairs = [(plane[:-1], plane[1:]), (plane[:, :-1], plane[:, 1:]), (labels[max(place - 1, 0)], plane)]
        for one, other in pairs if place else pairs[:2]:
            both = (one > 0) & (other > 0)
            neighbours += int(np.count_nonzero(both))
            alike += int(np.count_nonzero(both & (one == other)))
    many, held = int(np.count_nonzero(counts[1:])), int(counts[1:].sum())
    if many <= MANY_LABELS or neighbours <= held or alike >= ROUGH * neighbours:  # landmarks have few neighbours
        return ""
    return (
        f"holds {many:,} numbers, and of neighbouring voxels {alike / neighbours:.0%} have the same: an image, and no "
        "label map or mask; name that"
    )


def intensity_fault(array: Array) -> str:
    """Return in words why an array is no image, with what to do, or ""."""
    if array.ndim != 3 or min(array.shape) < SMALLEST_AXIS:
        return f"an image is 3-D, at least {SMALLEST_AXIS} voxels along each axis, got shape {array.shape}"
    low, high = float(array.min()), float(array.max())
    if not (low >= 0 and high <= 1):  # so written that NaN fails
        return f"image values must be finite and in [0, 1], got {low:g} to {high:g}; map the intensities there"
    return f"all voxels are {low:g}, so there is nothing to register; leave the image out" if low == high else ""


def landmark_fault(points: ArrayLike, shape: Sequence[int]) -> str:
    """Return in words why points ``(n, 3)`` are no landmarks of an image, with what to do, or ""."""
    points = np.asarray(points, dtype=np.float64)
    if points.ndim != 2 or points.shape[1:] != (3,) or not len(points):
        return f"landmarks are (n, 3), n at least 1, got shape {points.shape}"
    inside = np.all(np.abs(points - (np.asarray(shape) - 1) / 2) <= (np.asarray(shape) - 1) / 2 + LANDMARK_TOLERANCE, 1)
    if np.all(inside):
        return ""
    row = int(np.argmin(inside))
    return (
        f"{int(np.count_nonzero(~inside))} of {len(points)} landmarks are outside of the image {tuple(shape)} or no "
        f"numbers, such as {points[row].tolist()} in row {row + 1}; are they zero-based voxels, axes in this order?"
    )
