"""Small CT series in DICOM files, signed or not, in any order and orientation."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813

from datasets.chest_ct.dicom import DicomSeries, _own_locale

SIZE = (16, 12)  # columns, rows
SPACING, GAP = (0.7, 0.8), 2.5
FIRST = (-5.0, -6.0, 7.5)
AXIAL = (1, 0, 0, 0, 1, 0)
SHAPE = (4, 6, 8)  # of what is imported


def values_of(slices: int = 5, seed: int = 0) -> np.ndarray:
    """Integer Hounsfield units ``(x, y, z)``, padding far below air in two corners."""
    values = np.random.default_rng(seed).integers(-1000, 1000, (*SIZE, slices))
    values[0, 0], values[-1, -1] = -2000, -3024
    return values


def put_slice(path: Path, values, position, uid, *, patient="LIDC-IDRI-0001", modality="CT", axes=AXIAL) -> None:
    """Write a slice ``(columns, rows)``: signed, rescale intercept -1024."""
    image = sitk.GetImageFromArray(np.asarray(values, np.int16).T[None])
    image.SetSpacing((*SPACING, GAP))
    row, column = np.reshape(axes, (2, 3)).astype(float)
    image.SetDirection(np.column_stack([row, column, np.cross(row, column)]).ravel())
    image.SetOrigin(tuple(map(float, position)))
    tags = {
        "0008|0016": "1.2.840.10008.5.1.4.1.1.2", "0008|0060": modality, "0010|0020": patient, "0020|000d": "1.2.3",
        "0020|000e": uid, "0020|0032": "\\".join(f"{v:g}" for v in position),
        "0020|0037": "\\".join(f"{v:g}" for v in axes), "0028|1052": "-1024", "0028|1053": "1",
    }  # fmt: skip
    for key, value in tags.items():
        image.SetMetaData(key, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    writer.SetImageIO("GDCMImageIO")
    writer.SetFileName(str(path))
    with _own_locale():
        writer.Execute(image)


def put_series(folder: Path, uid: str, *, values=None, skip=(), unsigned=False, name=None, **options) -> DicomSeries:
    """Write a series whose names have nothing to do with its order."""
    values = values_of() if values is None else values
    names = np.random.default_rng(1).permutation(values.shape[2])
    for k in range(values.shape[2]):
        if k in skip:
            continue
        path = folder / f"1-{names[k]:03d}.dcm"
        put_slice(path, values[:, :, k], (FIRST[0], FIRST[1], FIRST[2] + GAP * k), uid, **options)
        if unsigned:
            signed = rb"(\(\x00\x03\x01(?:US\x02\x00|\x02\x00\x00\x00))\x01\x00"  # PixelRepresentation
            content, found = re.subn(signed, rb"\1\0\0", path.read_bytes())
            assert found == 1
            path.write_bytes(content)
    return DicomSeries(options.get("patient", "LIDC-IDRI-0001"), uid, tuple(sorted(folder.glob("*.dcm"))))


def resized(values: np.ndarray, shape=SHAPE) -> np.ndarray:
    """Sample ``k`` of ``n`` at ``k * N / n``, trilinear, border clamp: one voxel at a time."""
    old, out = values.shape, np.empty(shape)
    values = np.maximum(values, -1024).astype(float)
    for index in np.ndindex(*shape):
        place = [k * n / m for k, n, m in zip(index, old, shape, strict=True)]
        low = [int(p) for p in place]
        total = 0.0
        for corner in np.ndindex(2, 2, 2):
            weight = np.prod([(p - a) if c else 1 - (p - a) for p, a, c in zip(place, low, corner, strict=True)])
            total += weight * values[tuple(min(a + c, n - 1) for a, c, n in zip(low, corner, old, strict=True))]
        out[index] = total
    return out
