"""Read a displacement made elsewhere, whatever its format: numbers on a grid, and what the format says of them."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from scipy import ndimage

from datasets.files import UNREADABLE, DataError, one_line
from datasets.geometry import Array
from datasets.placement import Placement
from methods.given.conventions import LPS, Asked
from methods.given.names import ITK_IMAGE, NIFTI, NUMPY, TORCH, Files
from methods.given.transforms import displacement_of, read_chain

BY_ITK = Asked(content="displacement", unit="mm_lps", order="array", axes="array")  # a transform on the fixed grid


@dataclass(frozen=True, eq=False)
class Stored:
    """Numbers ``(3, *grid)`` as a file has them, what its format says of them, and how the grid's ``axes`` may lie.

    ``half`` says that the file has them at half as many voxels along each axis, from which they were enlarged.
    """

    values: Array
    known: Asked
    axes: tuple[str, ...]
    half: bool = False


@dataclass(frozen=True, eq=False)
class Raw:
    """An array as it lies in a file, and where its header places it; None where there is no such header.

    ``in_mm`` says that the header is part of what the numbers mean, as in ITK's images of vectors.
    """

    array: Array
    placement: Placement | None = None
    in_mm: bool = False


def read_field(files: Files, fixed: Placement) -> Stored:
    """Read the field of a pair whose fixed image lies as given.

    Raises:
        DataError: the file cannot be read, holds no field, one on another grid, or values that are not finite.
    """
    if files.chain:
        return Stored(_finite(displacement_of(read_chain(files), fixed, files.where), files.where), BY_ITK, ("array",))
    path = files.paths[0]
    raw = _reader(path)(path)
    values = _finite(_components_first(raw, fixed.shape, path), str(path))
    half = values.shape[1:] not in _grids(fixed.shape).values()
    if half:
        values = _doubled(values)
    axes = tuple(name for name, shape in _grids(fixed.shape).items() if values.shape[1:] == shape)
    if raw.placement and not half and "array" in axes and (fault := _elsewhere(raw, fixed)):
        raise DataError(f"{path}: lies on another grid than the fixed image: {fault}; write it on that image's grid")
    return Stored(values, Asked(), axes, half)


def _reader(path: Path) -> Callable[[Path], Raw]:
    name = path.name.lower()
    known = ((NIFTI, _nifti), (ITK_IMAGE, _itk), (NUMPY, _numpy), (TORCH, _torch))
    return partial(_guarded, next(read for ends, read in known if name.endswith(ends)))


def _guarded(read: Callable[[Path], Raw], path: Path) -> Raw:
    """Read a file; whatever a library says of a faulty one becomes one line."""
    try:
        return read(path)
    except DataError:
        raise
    except (*UNREADABLE, RuntimeError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: not a readable field, perhaps truncated ({one_line(error)[:200]})") from error
    except Exception as error:  # torch's own, of an unpickler that refuses
        if type(error).__name__ != "UnpicklingError":
            raise
        raise DataError(f"{path}: holds more than a tensor; save the tensor alone with torch.save") from error


def _nifti(path: Path) -> Raw:
    image: Any = nib.load(path)
    array, in_mm = np.asarray(image.dataobj), len(image.shape) == 5
    if in_mm and array.shape[3] == 1:  # ITK's vectors
        array = array[:, :, :, 0]
    return Raw(array, Placement(array.shape[:3], np.asarray(image.affine, np.float64)), in_mm)


def _itk(path: Path) -> Raw:
    import SimpleITK as sitk  # noqa: N813 - the library's usual name

    image = sitk.ReadImage(str(path))
    array = np.transpose(sitk.GetArrayFromImage(image))
    if image.GetNumberOfComponentsPerPixel() == 1:  # four axes, whose header places no vectors
        return Raw(array)
    affine = np.eye(4)
    affine[:3, :3] = LPS @ np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = LPS @ image.GetOrigin()
    return Raw(array, Placement(array.shape[1:], affine), in_mm=True)


def _numpy(path: Path) -> Raw:
    with np.load(path, allow_pickle=False) if path.suffix == ".npz" else _Single(path) as arrays:
        names = list(arrays)
        if len(names) != 1:
            raise DataError(f"{path}: holds {len(names)} arrays ({', '.join(names)[:100]}); write one array a file")
        return Raw(arrays[names[0]])


class _Single(dict[str, Array]):
    """The array of a ``.npy`` file, as if it were the one of an archive."""

    def __init__(self, path: Path) -> None:
        super().__init__(array=np.load(path, allow_pickle=False))

    def __enter__(self) -> _Single:
        return self

    def __exit__(self, *error: object) -> None:
        self.clear()


def _torch(path: Path) -> Raw:
    import torch

    found = torch.load(path, map_location="cpu", weights_only=True)
    if isinstance(found, dict) and len(found) == 1:
        found = next(iter(found.values()))
    if not isinstance(found, torch.Tensor):
        raise DataError(f"{path}: holds a {type(found).__name__}; save one tensor with torch.save")
    return Raw(found.detach().to_dense().float().numpy())


def _grids(shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """Return the shapes that the grid of a field may have in its file, by the order of its axes."""
    return {"array": tuple(shape), "reversed": tuple(shape)[::-1]}


def _halved(shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """Return the same for a field at half as many voxels along each axis; none where a number is odd."""
    return {} if any(n % 2 for n in shape) else _grids(tuple(n // 2 for n in shape))


def _doubled(values: Array) -> Array:
    """Return a field ``(3, *grid)`` at twice as many voxels along each axis, its corners where they were.

    So does the evaluator of Learn2Reg's first years, whose submissions had half as many: quadratic splines, the
    numbers themselves as they are.
    """
    return np.stack([ndimage.zoom(each, 2, order=2, mode="mirror") for each in values])


def _components_first(raw: Raw, shape: tuple[int, ...], path: Path) -> Array:
    """Return an array ``(3, *grid)`` float32 of one with its components first or last; axes of one in front go.

    The grid is that of the fixed image, or half of it where no header places the numbers.
    """
    whole = np.asarray(raw.array)
    grids = [*_grids(shape).values(), *(() if raw.in_mm else _halved(shape).values())]
    if whole.dtype.kind not in "fiu":
        raise DataError(f"{path}: expected numbers, got {whole.dtype}; save float32")
    while whole.ndim > 4 and whole.shape[0] == 1:
        whole = whole[0]
    for turned in (whole, np.moveaxis(whole, -1, 0)) if whole.ndim == 4 else ():
        if turned.shape[0] == 3 and turned.shape[1:] in grids:
            return np.ascontiguousarray(turned, np.float32)
    half = tuple(-(-n // 2) for n in shape)
    hint = "; it is half the grid: write it at full resolution" * (half in (whole.shape[1:], whole.shape[:-1]))
    raise DataError(
        f"{path}: is on another grid: its shape is {whole.shape}, that of the fixed image {tuple(shape)}{hint}; "
        "expected (3, D, H, W) or (D, H, W, 3) on the fixed image's grid"
    )


def _elsewhere(raw: Raw, fixed: Placement) -> str:
    """Return in words how a header places a field elsewhere than the fixed image; "" for one that says nothing."""
    assert raw.placement is not None
    says_nothing = [np.eye(4), np.diag((*np.diag(LPS), 1.0))]
    if any(np.allclose(raw.placement.affine, each, atol=1e-6) for each in says_nothing):
        return ""
    return raw.placement.difference(fixed, place=raw.in_mm)


def _finite(values: Array, where: str) -> Array:
    if bad := int(values.size - np.isfinite(values).sum()):
        raise DataError(f"{where}: {bad} of {values.size} values are NaN or infinite")
    return values
