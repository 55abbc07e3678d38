"""Files of a case: NIfTI volumes, displacements and landmark tables, each checked at the door."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# nibabel is typed in part only.

from __future__ import annotations

import hashlib
import io
import math
import os
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from numpy.typing import ArrayLike

from datasets import deflate
from datasets.geometry import Array
from datasets.originals import note
from datasets.placement import SPACING_TOLERANCE, Placement, affine_fault

LONG = 200  # bytes of a name; 255 are the most, and a temporary one is longer
UNREADABLE = (OSError, EOFError, ValueError, OverflowError, zlib.error, ImageFileError, HeaderDataError)

# What a training leaves in its folder: methods and the watcher write these files, reports read them.
CURVE, SNAPSHOTS = "curve.jsonl", "snapshots.jsonl"
SYNTHETIC, DISPLACEMENTS, MAPS = "synthetic.json", "displacements.csv", "maps.npz"


class DataError(ValueError):
    """Input data that cannot be used: the message says which file, what is wrong and what to do."""


@contextmanager
def replacing(path: Path) -> Generator[Path]:
    """Yield a temporary path beside ``path``, of the same suffixes, that takes its place when the block ends well.

    So no reader ever sees half a file. After an error the temporary file is gone and ``path`` is as before.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    name = path.name if len(os.fsencode(path.name)) < LONG else path.name[-LONG // 8 :]  # up to four bytes a letter
    temporary = path.with_name(f".{os.getpid()}-{name}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def clear_leftovers(folder: Path) -> None:
    """Remove the temporary files that `replacing` could not, for its process was killed."""
    for path in folder.glob(".[0-9]*-*"):
        path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Volume:
    """An image or label map ``(D, H, W)`` with its voxel-to-world affine ``(4, 4)`` (RAS, millimetres)."""

    array: Array
    affine: Array

    @property
    def placement(self) -> Placement:
        """How the volume lies in space."""
        return Placement(self.array.shape, self.affine)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel size in millimetres, array-axis order."""
        return self.placement.spacing

    @property
    def orientation(self) -> tuple[str, ...]:
        """Where each array axis points to, such as ``('L', 'P', 'S')``."""
        return self.placement.orientation


def read_volume(path: Path) -> Volume:
    """Read a 3-D NIfTI file as float32; raise `DataError` for anything a registration could not use.

    Refused: missing, truncated or foreign files, gzip files whose own checksum fails, any number of axes but three (a
    fourth of one volume counts for none), colours and complex numbers, NaN or infinite voxels, and headers that place
    the voxels nowhere, askew (sheared), or at two places: the sform goes before the qform, and both have to agree on
    voxel sizes and where axes point to.
    """
    path = Path(path)
    note(path)
    try:
        image, stored_sizes = _open(path)
        if len(image.shape) == 4 and image.shape[3] == 1:  # a series of one volume, which is that volume
            image = nib.squeeze_image(image)
        if fault := _form_fault(image) or _header_fault(image, stored_sizes):
            raise DataError(f"{path}: {fault}")
        with np.errstate(over="ignore"):
            array = _in_c_order(np.asarray(image.dataobj, dtype=np.float32))
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except DataError:
        raise
    except UNREADABLE as error:
        raise DataError(f"{path}: not a readable NIfTI image, perhaps truncated ({one_line(error)})") from error
    if not np.isfinite(array).all():
        raise DataError(f"{path}: {_not_finite(np.asarray(image.dataobj, dtype=np.float64))}")
    return Volume(array, np.asarray(image.affine, dtype=np.float64))


def _not_finite(values: Array) -> str:
    """Return what is wrong with voxels that are not finite in single precision."""
    if bad := int(values.size - np.isfinite(values).sum()):
        return f"{bad} of {values.size} voxels are NaN or infinite; clean the image first"
    low, high = float(values.min()), float(values.max())
    return f"intensities from {low:g} to {high:g} are more than single precision can hold; rescale the image"


def read_placement(path: Path) -> Placement:
    """Read how a volume that is known to be sound lies in space, from its header alone."""
    try:
        image: Any = nib.load(path)
        return Placement(image.shape, np.asarray(image.affine, dtype=np.float64))
    except UNREADABLE as error:
        raise DataError(f"{path}: not a readable NIfTI image ({one_line(error)})") from error


def _open(path: Path) -> tuple[Any, Array]:
    """Return a NIfTI file as nibabel's image, and its voxel sizes as stored: nibabel repairs those that are no sizes.

    Of a gzip file the whole is read, for its checksum stands at the end.
    """
    content = Path(path).read_bytes()
    if content[:2] == b"\x1f\x8b":
        content = deflate.decompress(content)
    for kind in (nib.Nifti1Image, nib.Nifti2Image):
        header = kind.header_class
        if header.may_contain_header(content[: header.sizeof_hdr]):
            image: Any = kind.from_bytes(content)
            expected = math.prod(map(int, image.shape)) * image.get_data_dtype().itemsize
            if len(content) - int(image.dataobj.offset) < expected:
                raise ValueError(f"{len(content)} bytes for {image.shape} voxels")
            stored: Any = header.from_fileobj(io.BytesIO(content), check=False)
            return image, np.asarray(stored["pixdim"][1:4], dtype=np.float64)
    raise ValueError("no NIfTI header")


def _in_c_order(array: Array) -> Array:
    """Return an array ``(D, H, W)`` in C order; NIfTI files have the other one, and whole planes fit into a cache."""
    turned = np.empty(array.shape, array.dtype)
    for y in range(array.shape[1]):
        turned[:, y] = array[:, y]
    return turned


def _form_fault(image: Any) -> str:
    """Return in words why an image is no volume of intensities, or ""."""
    if image.get_data_dtype().kind not in "iuf":
        return "its voxels are colours or complex numbers; save one number a voxel"
    if len(image.shape) != 3:
        what = "save one volume of three" if len(image.shape) < 3 else "save each volume in a file of its own"
        return f"expected a 3-D volume, got shape {image.shape}; {what}"
    return f"empty volume, shape {image.shape}" if 0 in image.shape else ""


def _header_fault(image: Any, stored_sizes: Array) -> str:
    """Return in words why the place of an image cannot be told from its header, or ""."""
    if not np.all(stored_sizes > 0):
        return f"voxel size {stored_sizes.tolist()} is degenerate; correct the NIfTI header"
    if fault := affine_fault(image.affine):
        return fault
    sform_code, (qform, qform_code) = int(image.header["sform_code"]), image.get_qform(coded=True)
    placed, sizes = Placement(image.shape, image.affine), tuple(stored_sizes.tolist())
    if sform_code and not np.allclose(placed.spacing, sizes, rtol=SPACING_TOLERANCE, atol=0):
        return f"voxels are {sizes} mm by pixdim, {placed.spacing} by the sform; correct the NIfTI header"
    turned = Placement(image.shape, qform if sform_code and qform_code else image.affine)
    if turned.orientation != placed.orientation:
        axes = ["".join(each.orientation) for each in (placed, turned)]
        return f"axes point to {axes[0]} by the sform, to {axes[1]} by the qform; correct the NIfTI header"
    return ""


def one_line(text: object) -> str:
    """Return a text, such as the message of an error, on one line."""
    return " ".join(str(text).split())


def write_volume(path: Path, array: ArrayLike, affine: ArrayLike) -> None:
    """Write an array as NIfTI, whole or not at all."""
    image: Any = nib.Nifti1Image(np.asarray(array), np.asarray(affine))
    with replacing(Path(path)) as temporary, deflate.written(temporary) as stream:
        image.to_stream(stream)


def write_displacement(path: Path, displacement: ArrayLike, affine: ArrayLike) -> None:
    """Write a displacement ``(3, D, H, W)`` in Learn2Reg's form: NIfTI ``(D, H, W, 3)`` float32, voxels."""
    write_volume(path, np.moveaxis(np.asarray(displacement, dtype=np.float32), 0, -1), affine)


def read_displacement(path: Path) -> Array:
    """Read a displacement in Learn2Reg's form; result ``(3, D, H, W)`` float32 in voxels."""
    note(path)
    try:
        array = np.asarray(_open(path)[0].dataobj, dtype=np.float32)
    except (*UNREADABLE, TypeError) as error:  # a kind of voxel that is no number
        raise DataError(f"{path}: not a readable displacement ({one_line(error)})") from error
    if array.ndim != 4 or array.shape[-1] != 3:
        raise DataError(f"{path}: expected a displacement (D, H, W, 3), got shape {array.shape}")
    return np.stack([_in_c_order(component) for component in np.moveaxis(array, -1, 0)])


def read_landmarks(path: Path) -> Array:
    """Read landmarks ``(n, 3)``, zero-based voxel coordinates, from comma-separated rows without a header."""
    note(path)
    return parse_points(Path(path).read_text(encoding="utf-8", errors="replace"), str(path), separator=",")


def parse_points(text: str, where: str, *, separator: str | None = None) -> Array:
    """Return points ``(n, 3)`` from a text of one point a row, whose numbers white space or ``separator`` parts.

    Empty rows and those that begin with ``#`` are left out; errors name the file ``where`` and the line.
    """
    rows: list[list[float]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        fault = f"{where}, line {number}: expected three numbers, got {line[:80]!r}; a row has x, y, z alone, no header"
        try:
            rows.append([float(value) for value in line.split(separator)])
        except ValueError as error:
            raise DataError(fault) from error
        # Python reads 1_0 as ten, and digits of other scripts too.
        if len(rows[-1]) != 3 or not np.all(np.isfinite(rows[-1])) or "_" in line or not line.isascii():
            raise DataError(fault)
    if not rows:
        raise DataError(f"{where}: no landmarks")
    return np.asarray(rows)


def write_landmarks(path: Path, points: ArrayLike) -> None:
    """Write points ``(n, 3)`` as comma-separated rows without a header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savetxt(path, np.asarray(points, dtype=np.float64), fmt="%.6f", delimiter=",")


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, as 64 hex digits."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
