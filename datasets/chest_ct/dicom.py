"""A CT series of LIDC-IDRI in DICOM files, read and resized slice by slice: a series may have 764 of them.

Resizing follows Eppenhof et al. (doi:10.1109/TMI.2019.2953788): whole slices, no crop, linear, and with the library
that they used sample ``k`` of ``n`` reads place ``k * N / n`` of the ``N`` there are.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# SimpleITK has no types.

from __future__ import annotations

import locale
import os
import resource
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813  # the field's own name

from datasets.chest_ct.lungs import WINDOW, Scan
from datasets.files import Array, DataError
from datasets.grid import Grid

MODALITY, PATIENT, SERIES = "0008|0060", "0010|0020", "0020|000e"
LARGEST = 4096  # pixels of a side: a damaged header may ask for more memory than there is
ROOM = 2**29 + (os.cpu_count() or 1) * 2**24  # bytes; a slice takes some MB, and each thread of the library its stack
UNEVEN = 0.01  # gaps between slices that differ by more than this share are noted
BESIDE = 0.05  # pixels that a slice may lie beside the others in their plane before that is noted
TILTED = 1e-3  # as are direction cosines that are off by more


@dataclass(frozen=True)
class DicomSeries:
    """Where a series lies: its patient, its SeriesInstanceUID, and its files in no order."""

    patient: str
    uid: str
    files: tuple[Path, ...]


@dataclass(frozen=True)
class DicomSlice:
    """One file: size, spacing and direction cosines (columns: along a row, down a column, normal), first voxel, mm."""

    path: Path
    size: tuple[int, ...]
    spacing: tuple[float, ...]
    direction: Array
    origin: Array


def read_tags(path: Path, *keys: str) -> tuple[str, ...]:
    """Read DICOM tags of a file, each empty where it has none; `DataError` where it is no DICOM image."""
    with _header(path) as reader:
        return tuple(_tag(reader, key) for key in keys)


def read_series(series: DicomSeries, shape: Sequence[int]) -> tuple[Scan, list[str]]:
    """Read a series in Hounsfield units on ``shape`` voxels to left, posterior and superior, and what is odd about it.

    Values below -1024 (padding beyond the reconstructed circle) become -1024.

    Raises:
        DataError: a file cannot be read, belongs to another series, or has another size; slices are not axial.
    """
    read = [_slice(path, series) for path in series.files]
    signs, tilt = _signs(read[0], series)
    slices, notes = _sorted(read, series)
    if tilt > TILTED:
        notes.append(f"slices tilted, direction cosines off by {tilt:.3f}")
    if signs[2] < 0:
        slices = slices[::-1]
    first, last = slices[0], slices[-1]
    gap = np.linalg.norm(last.origin - first.origin) / (len(slices) - 1)
    count, size = (*first.size[:2], len(slices)), np.array([*first.spacing[:2], gap])
    # Flipped axes begin where the stored ones end.
    origin = first.origin + first.direction[:, :2] @ np.where(signs[:2] < 0, (np.array(count) - 1)[:2] * size[:2], 0.0)
    values = _resize(slices, signs, count, shape)
    return Scan(values, Grid.from_origin(shape, size * count / shape, origin)), notes


@contextmanager
def _own_locale() -> Generator[None]:
    """Keep the process's locale: the DICOM reader sets C, after which text beyond ASCII can no longer be read."""
    before = locale.setlocale(locale.LC_ALL)
    try:
        yield
    finally:
        locale.setlocale(locale.LC_ALL, before)


@contextmanager
def _little_memory() -> Generator[None]:
    """Let the process grow by `ROOM` and no more: for a damaged length the library takes gigabytes, and keeps them."""
    before, most = resource.getrlimit(resource.RLIMIT_DATA)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[5])
    wanted = pages * resource.getpagesize() + ROOM
    resource.setrlimit(
        resource.RLIMIT_DATA, (wanted if before == resource.RLIM_INFINITY else min(wanted, before), most)
    )
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (before, most))


@contextmanager
def _header(path: Path) -> Generator[sitk.ImageFileReader]:
    """Yield a reader that has read the header; `DataError` where that, or reading on in the block, fails."""
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    try:
        # The library takes only UTF-8 for a name, and ends the process at any other.
        with open(path, "rb") as stream, _own_locale(), _little_memory():
            reader.SetFileName(f"/proc/self/fd/{stream.fileno()}")
            reader.ReadImageInformation()
            yield reader
    except (RuntimeError, MemoryError, OSError) as error:
        raise DataError(f"{path}: not a readable DICOM image; is it cut short?") from error


def _tag(reader: sitk.ImageFileReader, key: str) -> str:
    return reader.GetMetaData(key).strip(" \0") if reader.HasMetaDataKey(key) else ""


def _slice(path: Path, series: DicomSeries) -> DicomSlice:
    with _header(path) as reader:
        if (uid := _tag(reader, SERIES)) != series.uid:
            raise DataError(f"{path}: of series {uid or '(none)'}, expected {series.uid}; keep one series a folder")
        width, height, frames = reader.GetSize()
        if frames != 1 or reader.GetNumberOfComponents() != 1 or max(width, height) > LARGEST:
            raise DataError(f"{path}: expected one slice of grey values, got {frames} of {width} x {height} pixels")
        spacing, origin = reader.GetSpacing(), np.asarray(reader.GetOrigin())
        direction = np.reshape(reader.GetDirection(), (3, 3))
        if not (min(spacing) > 0 and np.all(np.isfinite([*spacing, *origin, *direction.flat]))):
            raise DataError(f"{path}: spacing {spacing} or position {origin.tolist()} is none; is the file damaged?")
        return DicomSlice(path, (width, height), spacing, direction, origin)


def _sorted(slices: list[DicomSlice], series: DicomSeries) -> tuple[list[DicomSlice], list[str]]:
    """Return the slices in order along the normal, each position once, and what is odd about the gaps."""
    first, where = slices[0], f"{series.patient}, series {series.uid}"
    for other in slices:
        alike = other.size == first.size and np.allclose(other.spacing[:2], first.spacing[:2], rtol=1e-4)
        if not alike or not np.allclose(other.direction, first.direction, atol=1e-3):
            raise DataError(f"{other.path}: another size, spacing or direction than {first.path.name} of {where}")
    ordered = sorted(slices, key=lambda item: _place(item, first))
    places = np.array([_place(item, first) for item in ordered])
    fresh = np.concatenate([[True], np.diff(places) > 1e-3])
    notes = [] if fresh.all() else [f"{int((~fresh).sum())} left out: two slices at one place"]
    kept = [item for item, keep in zip(ordered, fresh, strict=True) if keep]
    if len(kept) < 2:
        raise DataError(f"{where}: {len(kept)} slice, expected a volume")
    gaps = np.diff(places[fresh])
    if odd := int((np.abs(gaps / np.median(gaps) - 1) > UNEVEN).sum()):
        gap = f"{gaps.min():.2f} to {gaps.max():.2f} mm"
        notes.append(f"{odd} of {len(gaps)} gaps between slices differ ({gap}), stacked as if they did not")
    across = np.array([item.origin @ first.direction[:, :2] for item in kept])
    beside = np.linalg.norm(across - np.median(across, axis=0), axis=1)
    if moved := int((beside > BESIDE * min(first.spacing[:2])).sum()):
        far = f"up to {beside.max():.2f} mm"
        notes.append(f"{moved} of {len(kept)} slices lie beside the others ({far}), stacked as if they did not")
    return kept, notes


def _place(item: DicomSlice, first: DicomSlice) -> float:
    return float(item.origin @ first.direction[:, 2])


def _signs(item: DicomSlice, series: DicomSeries) -> tuple[Array, float]:
    """Return whether rows, columns and normal point to left, posterior, superior (1) or away (-1), and how far off."""
    signs = np.sign(np.diag(item.direction))
    tilt = float(np.abs(item.direction - np.diag(signs)).max())
    if not np.all(np.abs(np.diag(item.direction)) > np.sqrt(0.5)):
        where = f"{series.patient}, series {series.uid}"
        raise DataError(f"{where}: slices are not axial, direction {np.round(item.direction, 3).tolist()}")
    return signs, tilt


def _resize(slices: Sequence[DicomSlice], signs: Array, count: Sequence[int], shape: Sequence[int]) -> Array:
    """Resize linearly in plane, then between slices, which together is trilinear; read only the slices it needs."""
    flips = tuple(slice(None, None, -1) if sign < 0 else slice(None) for sign in signs[:2])

    @lru_cache(maxsize=2)
    def plane(index: int) -> Array:
        values = np.maximum(_read(slices[index].path), np.float32(WINDOW.low))[flips]
        return _along(_along(values, count[0], shape[0], 0), count[1], shape[1], 1)

    volume = np.empty(tuple(shape), np.float32)
    for k, (low, high, weight) in enumerate(zip(*corner_aligned(count[2], shape[2]), strict=True)):
        volume[:, :, k] = plane(low) if weight == 0 else (1 - weight) * plane(low) + weight * plane(high)
    return volume


def corner_aligned(old: int, new: int) -> tuple[list[int], list[int], Array]:
    """Return neighbours and the second's weight for sample ``k`` of ``new`` at ``k * old / new``, clamped."""
    places = np.arange(new) * old / new
    low = np.minimum(places.astype(int), old - 1)
    return low.tolist(), np.minimum(low + 1, old - 1).tolist(), (places - low).astype(np.float32)


def _along(values: Array, old: int, new: int, axis: int) -> Array:
    low, high, weight = corner_aligned(old, new)
    weight = weight.reshape([-1, 1] if axis == 0 else [1, -1])
    return (1 - weight) * values.take(low, axis) + weight * values.take(high, axis)


def _read(path: Path) -> Array:
    """Read one slice ``(x, y)`` in Hounsfield units: the reader applies slope and intercept, signed or not."""
    with _header(path) as reader:
        values = sitk.GetArrayFromImage(reader.Execute())[0].T.astype(np.float32)
    if not np.all(np.isfinite(values)):
        raise DataError(f"{path}: some values are NaN or infinite; is the file damaged?")
    return values
