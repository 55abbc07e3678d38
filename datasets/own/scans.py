"""Images, label maps and landmarks of a user's own, in any format, spacing and orientation that ITK reads."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# SimpleITK is not typed.

from __future__ import annotations

import locale
import re
import unicodedata
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the library's usual name

from datasets.files import Array, DataError, one_line, read_volume
from datasets.found import is_left_over, search
from datasets.originals import note
from datasets.own.words import ENDINGS, NIFTI, without_ending
from datasets.placement import Placement
from datasets.values import LARGEST_LABEL, image_fault, whole_numbers

TURNED = np.diag([-1.0, -1.0, 1.0])  # LPS to RAS and back
SMALLEST = 8  # voxels an axis
UNEVEN = 0.02  # of the distance of two DICOM slices


@dataclass(frozen=True, eq=False)
class Scan:
    """An image as it lies on disk: ``path`` is a file, or a folder with one DICOM series."""

    path: Path
    image: Any

    @property
    def name(self) -> str:
        """The file's name without its ending, letters of any script, and nothing that a path would trip over."""
        letters = unicodedata.normalize("NFC", without_ending(self.path.name))  # some systems take accents apart
        kept = (each if each in ".-" or unicodedata.category(each)[0] in "LMN" else "_" for each in letters)
        return re.sub("_+", "_", "".join(kept)).strip("_.") or "image"

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along the file's own axes i, j, k."""
        i, j, k = self.image.GetSize()
        return int(i), int(j), int(k)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel size in mm along the file's own axes."""
        i, j, k = self.image.GetSpacing()
        return float(i), float(j), float(k)

    @cached_property
    def directions(self) -> Array:
        """Direction cosines ``(3, 3)`` in LPS, one column an axis of the file."""
        return np.reshape(self.image.GetDirection(), (3, 3))

    @cached_property
    def affine(self) -> Array:
        """Voxel-to-world affine ``(4, 4)`` in RAS millimetres."""
        affine = np.eye(4)
        affine[:3, :3] = TURNED @ self.directions @ np.diag(self.spacing)
        affine[:3, 3] = TURNED @ np.asarray(self.image.GetOrigin())
        return affine

    @property
    def placement(self) -> Placement:
        """How the image lies in space."""
        return Placement(self.shape, self.affine)

    def to_voxels(self, points: Array) -> Array:
        """Return the voxel coordinates ``(n, 3)`` of points ``(n, 3)`` in LPS millimetres."""
        return np.linalg.solve(self.directions @ np.diag(self.spacing), (points - self.image.GetOrigin()).T).T

    def to_millimetres(self, voxels: Array) -> Array:
        """Return the places ``(n, 3)`` in LPS millimetres of voxel coordinates ``(n, 3)``."""
        return voxels @ (self.directions @ np.diag(self.spacing)).T + self.image.GetOrigin()


def read_scan(path: Path, *, flat: bool = False) -> Scan:
    """Read an image of one number a voxel; raise `DataError` for anything that cannot be registered.

    An image of one value alone is refused unless it may be ``flat``.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    # ITK reads a torn NIfTI file, and makes zeros of what is missing and of NaN.
    sound = read_volume(path).affine if path.name.lower().endswith(NIFTI) else None
    try:
        with own_locale():
            files = _files(path) if path.is_dir() else [str(path)]
            for file in files:
                note(Path(file))
            image = sitk.ReadImage(files if path.is_dir() else str(path))
    except RuntimeError as error:
        raise DataError(f"{path}: not an image that ITK reads ({_reason(path, error)})") from error
    scan = Scan(path, image)
    fault = _fault(image, flat)
    if not fault and sound is not None and not np.allclose(scan.affine, sound, rtol=0, atol=1e-2):
        fault = "ITK and the header's sform place it differently; correct the header"
    if fault:
        raise DataError(f"{path}: {fault}")
    return scan


@contextmanager
def own_locale() -> Generator[None]:
    """Give the process its locale back at the end: ITK's DICOM library sets that of C, in which text is ASCII."""
    before = locale.setlocale(locale.LC_ALL)
    try:
        yield
    finally:
        locale.setlocale(locale.LC_ALL, before)


def read_labels(path: Path, scan: Scan, *, flat: bool = False) -> Any:
    """Read a label map that lies on the grid of ``scan``, as an ITK image of uint16 (see `read_scan`)."""
    labels = read_scan(path, flat=flat)
    if labels.shape != scan.shape or not np.allclose(labels.affine, scan.affine, rtol=0, atol=1e-2):
        raise DataError(f"{path}: does not lie on the grid of {scan.path}; resample it there first (nearest neighbour)")
    try:
        values, _ = whole_numbers(sitk.GetArrayFromImage(labels.image), LARGEST_LABEL)
    except ValueError as error:
        raise DataError(f"{path}: {one_line(error)}") from error
    if fault := image_fault(values):
        raise DataError(f"{path}: {fault}")
    image = sitk.GetImageFromArray(values.astype(np.uint16))
    image.CopyInformation(scan.image)
    return image


def array_of(image: Any) -> Array:
    """Return the voxels of an ITK image as an array ``(D, H, W)`` along its own axes."""
    return np.ascontiguousarray(sitk.GetArrayViewFromImage(image).transpose(2, 1, 0))


def _files(folder: Path) -> list[str]:
    """Return the slices of the one DICOM series in a folder, in the order of their places."""
    search(folder, ".*")  # which is noted: a slice that is added changes the scan
    reader = sitk.ImageSeriesReader()
    reader.SetGlobalWarningDisplay(False)  # that nothing was found is said below
    series = list(reader.GetGDCMSeriesIDs(str(folder)))
    if not series:
        held = sorted(path.name for path in folder.iterdir() if not is_left_over(path.name))[:3]
        raise DataError(f"{folder}: no DICOM series in it (it has {', '.join(held) or 'no files'}); name an image file")
    if len(series) > 1:
        raise DataError(f"{folder}: {len(series)} DICOM series in it; put the one you mean into a folder of its own")
    files = list(reader.GetGDCMSeriesFileNames(str(folder), series[0]))
    _check_slices(folder, files)
    return files


def _check_slices(folder: Path, files: Sequence[str]) -> None:
    """Refuse a series with a slice that is missing or cannot be read: ITK would close the gap without a word."""
    known = {Path(file).name for file in files} | {"DICOMDIR"}
    others = [path for path in sorted(folder.iterdir()) if path.is_file() and not is_left_over(path.name)]
    if strange := [path.name for path in others if path.name not in known]:
        raise DataError(f"{folder}: {strange[0]} is no slice of its series, or is torn; remove or mend it")
    places = [_place(file) for file in files]
    steps = np.linalg.norm(np.diff(places, axis=0), axis=1) if len(files) > 1 else np.ones(1)
    if steps.max() - steps.min() > UNEVEN * steps.mean():
        raise DataError(
            f"{folder}: slices lie {steps.min():.3g} to {steps.max():.3g} mm apart: one is missing or twice there"
        )


def _place(file: str) -> Array:
    reader = sitk.ImageFileReader()
    reader.SetFileName(file)
    reader.ReadImageInformation()
    return np.asarray(reader.GetOrigin())


def _fault(image: Any, flat: bool) -> str:
    if image.GetNumberOfComponentsPerPixel() != 1:
        return f"{image.GetNumberOfComponentsPerPixel()} numbers a voxel; save one number a voxel"
    size = image.GetSize()
    if len(size) != 3:
        return f"{len(size)} dimensions; save one volume of three"
    if min(size) < SMALLEST:
        return f"{' x '.join(map(str, size))} voxels; every axis has to have at least {SMALLEST}"
    values = sitk.GetArrayViewFromImage(image)
    bad = int(values.size - np.isfinite(values).sum())
    if bad:
        return f"{bad} of {values.size} voxels are NaN or infinite; clean the image first"
    return "" if flat else _flatness(float(values.min()), float(values.max()))


def _flatness(low: float, high: float) -> str:
    """Return what is wrong with intensities from ``low`` to ``high``, which methods have in single precision."""
    if low == high:
        return "all voxels are the same; there is nothing to register"
    with np.errstate(over="ignore", under="ignore"):
        span = np.float32(high) - np.float32(low)
    if np.isfinite(span) and span > 0:
        return ""
    return f"intensities from {low:g} to {high:g} are more than single precision can tell apart; rescale the image"


def _reason(path: Path, error: RuntimeError) -> str:
    """Return the formats where the file is of none, else the sentence of ITK's error that says something.

    Its other sentences have source files and addresses.
    """
    if not path.is_dir() and not path.name.lower().endswith(ENDINGS):
        return f"a file's name ends in {', '.join(ENDINGS)}; a DICOM series is named by its folder"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return one_line(re.sub(r"^.*(?:ERROR|Exception)[^:]*:\s*", "", lines[-1]))[:200] if lines else "no reason given"
