"""MetaImage volumes (``.mhd`` with its ``.raw``) as chest scans in the patient's axes."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# SimpleITK has no types.

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813  # the field's own name

from datasets.chest_ct.lungs import Scan
from datasets.files import DataError, one_line
from datasets.grid import Grid


def read_metaimage(header: Path, data: Path) -> Scan:
    """Read a volume from its header and its data file, wherever that lies and whatever the header calls it.

    The world is DICOM's (to left, posterior, superior), as ITK has it: ``AnatomicalOrientation = RAI`` says where the
    axes come from, and is no rotation.

    Raises:
        DataError: not a MetaImage, cut short, or oblique to the patient's axes.
    """
    try:
        text = header.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{header}: not a MetaImage header ({error}); delete it and run again") from error
    text, found = re.subn(r"(?m)^\s*ElementDataFile\s*=.*$", lambda _: f"ElementDataFile = {data.resolve()}", text)
    if not found:
        raise DataError(f"{header}: not a MetaImage header (no ElementDataFile); delete it and run again")
    with tempfile.TemporaryDirectory() as folder:
        moved = Path(folder) / "volume.mhd"
        moved.write_text(text, encoding="utf-8")
        return _to_patient(_read(moved, header, data), header)


def _read(moved: Path, header: Path, data: Path) -> sitk.Image:
    reader = sitk.ImageFileReader()
    reader.SetImageIO("MetaImageIO")
    reader.SetFileName(str(moved))
    try:
        reader.ReadImageInformation()
        _check_size(reader, header, data)
        return reader.Execute()
    except RuntimeError as error:
        raise DataError(f"{header}: not a readable MetaImage ({one_line(error)[-200:]})") from error


def _check_size(reader: sitk.ImageFileReader, header: Path, data: Path) -> None:
    # ITK fills what a short file lacks with whatever memory holds.
    if reader.GetDimension() != 3 or reader.GetNumberOfComponents() != 1:
        raise DataError(f"{header}: expected a volume of three axes and one value a voxel")
    size, voxel = reader.GetSize(), sitk.Image(1, 1, 1, reader.GetPixelID()).GetSizeOfPixelComponent()
    expected = int(np.prod(size)) * voxel
    if data.stat().st_size != expected:
        got = data.stat().st_size
        raise DataError(f"{data}: {got} bytes, expected {expected} for {size} voxels; delete it and run again")


def _to_patient(image: sitk.Image, header: Path) -> Scan:
    """Flip and reorder axes until they point to the patient's left, posterior and superior."""
    image = sitk.DICOMOrient(image, "LPS")
    if not np.allclose(image.GetDirection(), np.eye(3).ravel(), atol=1e-3):
        raise DataError(
            f"{header}: oblique to the patient's axes, direction {np.round(image.GetDirection(), 4).tolist()}"
        )
    values = sitk.GetArrayFromImage(image).transpose(2, 1, 0).astype(np.float32)
    return Scan(values, Grid.from_origin(image.GetSize(), image.GetSpacing(), image.GetOrigin()))
