"""Transforms of ITK and ANTs, and chains of them, as a displacement on the grid of the fixed image."""

# pyright: reportUnknownMemberType=false
# SimpleITK is not typed.

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from datasets.files import DataError, one_line
from datasets.geometry import Array
from datasets.placement import Placement
from methods.given.names import Files

# What SimpleITK reads and what maps points in three dimensions, by the names in files.
SUPPORTED = re.compile(
    r"(Composite|Identity|Translation|Scale|Affine|Euler3D|Versor|VersorRigid3D|Similarity3D|ScaleVersor3D|"
    r"ScaleSkewVersor3D|ComposeScaleSkewVersor3D|BSpline|DisplacementField|GaussianSmoothingOnUpdateDisplacementField)"
    r"Transform_(double|float)_3_3|MatrixOffsetTransformBase_(double|float)_3_3"
)


def read_chain(files: Files) -> Any:
    """Return the transform from fixed to moving places (LPS, mm) that one or several files hold.

    Raises:
        DataError: a file is no transform, or a part of it is of a type that cannot be applied here.
    """
    import SimpleITK as sitk  # noqa: N813 - the library's usual name

    parts = [_read(sitk, path) for path in files.paths]
    return parts[0] if len(parts) == 1 else sitk.CompositeTransform(parts)  # the last one is applied first


def displacement_of(transform: Any, fixed: Placement, where: str) -> Array:
    """Return how far a transform moves every voxel of the fixed image: ``(3, D, H, W)`` float32, mm (x, y, z; LPS)."""
    import SimpleITK as sitk  # noqa: N813 - the library's usual name

    affine = np.diag((-1.0, -1.0, 1.0, 1.0)) @ fixed.affine
    try:
        image = sitk.TransformToDisplacementField(
            transform,
            sitk.sitkVectorFloat64,
            fixed.shape,
            affine[:3, 3].tolist(),
            fixed.spacing,
            (affine[:3, :3] / fixed.spacing).ravel().tolist(),
        )
    except RuntimeError as error:
        raise DataError(f"{where}: the transform cannot be applied ({_last(error)}); export it anew") from error
    return np.ascontiguousarray(np.transpose(sitk.GetArrayViewFromImage(image)), np.float32)


def _read(sitk: Any, path: Path) -> Any:
    try:
        if path.name.endswith(".nii.gz"):
            return sitk.DisplacementFieldTransform(sitk.ReadImage(str(path), sitk.sitkVectorFloat64))
        _check_parts(path)
        return sitk.ReadTransform(str(path))
    except RuntimeError as error:
        raise DataError(f"{path}: not a transform that ITK reads ({_last(error)}); export it anew") from error


def _check_parts(path: Path) -> None:
    """Refuse a chain with a part of a type that cannot be applied, and name that part."""
    try:
        parts = _types(path)
    except (OSError, ValueError, KeyError, TypeError, NotImplementedError) as error:
        raise DataError(f"{path}: not a readable transform, perhaps truncated ({one_line(error)[:200]})") from error
    if not parts:
        raise DataError(f"{path}: holds no ITK transform; write one with sitk.WriteTransform or antsRegistration")
    for number, name in enumerate(parts, start=1):
        if not SUPPORTED.fullmatch(name):
            raise DataError(
                f"{path}: part {number} of {len(parts)}, {name}, is not supported; "
                "write the whole chain as a displacement field on the fixed image's grid"
            )


def _types(path: Path) -> list[str]:
    """Return the types of a file's transforms, in its own order."""
    if path.suffix in (".h5", ".hdf5"):
        import h5py

        with h5py.File(path) as file:
            group: Any = file.get("TransformGroup", {})
            return [group[key]["TransformType"][0].decode() for key in sorted(group, key=int)]
    if path.suffix == ".mat":
        from scipy.io import whosmat

        return [name for name, _, _ in whosmat(path) if name != "fixed"]
    text = path.read_text(encoding="utf-8", errors="replace")
    return re.findall(r"^Transform:\s*(\S+)", text, re.MULTILINE)


def _last(error: RuntimeError) -> str:
    return one_line(str(error).strip().splitlines()[-1])[:200]
