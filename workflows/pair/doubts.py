"""What the images of a pair give reason to doubt: two modalities, which not every method can register, and their scale.

The rule of modalities, of which the first that holds is told: both are DICOM series and name different modalities; one
has Hounsfield units (`HELD` of its voxels and more lie below `AIR`, padding aside) and the other no voxel below zero;
where both images are bright on the pair's grid, as their headers place them, their intensities are correlated by less
than `OPPOSED`.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# SimpleITK is not typed.

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the library's usual name

from datasets.files import Array
from datasets.own.scans import Scan, own_locale
from datasets.own.words import hardly_within
from datasets.values import dark_and_bright

AIR, HELD = -200.0, 0.005  # Hounsfield units
BRIGHT, ENOUGH = 0.1, 1000  # of intensities in [0, 1], and voxels that have them in both images
OPPOSED = -0.1
MODALITY = "0008|0060"  # the DICOM tag
PADDED, GAP = 0.02, 0.25  # of the voxels that have the least value; of the range, up to the next one
MOST, FAR = 98, 5.0  # per cent of the voxels, and how many times as far above what is dark the brightest may be
WHAT_TO_DO = "--window LOW HIGH says which intensities become 0 and 1"


def difference(scans: tuple[Scan, Scan], images: tuple[Array, Array]) -> str:
    """Return in what the modalities of fixed and moving image seem to differ, empty where nothing tells.

    Args:
        scans: both images as they were read.
        images: both on the pair's grid ``(D, H, W)``, in [0, 1].
    """
    named = [_named(scan.path) for scan in scans]
    if all(named) and named[0] != named[1]:
        return f"their DICOM headers say {named[0]} and {named[1]}"
    values: list[Array] = [sitk.GetArrayViewFromImage(scan.image) for scan in scans]
    cold = [float(np.mean((each < AIR) & (each > each.min()))) for each in values]
    for one, other, which in ((0, 1, "fixed"), (1, 0, "moving")):
        if cold[one] >= HELD and values[other].min() >= 0:
            return f"the {which} image has Hounsfield units, and the other one no voxel below 0"
    both = (images[0] > BRIGHT) & (images[1] > BRIGHT)
    if np.count_nonzero(both) >= ENOUGH:
        correlation = _correlation(images[0][both], images[1][both])
        if correlation < OPPOSED:
            return f"where both are bright, what is brighter in one is darker in the other (r = {correlation:.2f})"
    return ""


def warning(found: str, method: str, *, across: bool) -> str:
    """Return a line where a `difference` was found and a method cannot register ``across`` modalities."""
    if not found or across:
        return ""
    return (
        f"the two images seem to be of two modalities: {found}; {method} compares them as if of one. "
        "ants-syn-mattes and convex-adam do not"
    )


def scale_doubt(scan: Scan, window: tuple[float, float] | None) -> str:
    """Return a line where an image has little left of itself on its scale, by a window or without one, or ""."""
    if window is None:
        return squeezed(scan)
    what = hardly_within(sitk.GetArrayViewFromImage(scan.image), window)
    return what and f"{scan.path}: {what}"


def squeezed(scan: Scan) -> str:
    """Return a line where the scale of an image goes by its padding, or by a few voxels; empty for others."""
    values: Array = sitk.GetArrayViewFromImage(scan.image)
    dark, bright = dark_and_bright(values)
    least = float(values.min())
    if least == values.max():
        return ""
    following = float(values[values > least].min())
    if np.mean(values == least) >= PADDED and following - least > GAP * (bright - least) > 0:
        held = f"{np.mean(values == least):.0%} of its voxels are {least:g}, and the next value is {following:g}"
        return f"{scan.path}: {held}: where that is padding, the rest comes to little of the range; {WHAT_TO_DO}"
    most = float(np.percentile(values, MOST))
    if bright - dark > FAR * (most - dark) > 0:
        held = f"a few of its voxels reach {bright:g}, and {MOST} % lie below {most:g}"
        return f"{scan.path}: {held}: these come to little of the range; {WHAT_TO_DO}"
    return ""


def _named(path: Path) -> str:
    """Return the modality that the DICOM series in a folder names, such as CT; empty for a file."""
    if not path.is_dir():
        return ""
    reader: Any = sitk.ImageFileReader()
    with own_locale():
        reader.SetFileName(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(path))[0])
        reader.ReadImageInformation()
    return reader.GetMetaData(MODALITY).strip() if reader.HasMetaDataKey(MODALITY) else ""


def _correlation(one: Array, other: Array) -> float:
    if one.std() == 0 or other.std() == 0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])
