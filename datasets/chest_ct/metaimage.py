"""MetaImage volumes (``.mhd`` with its ``.raw``) as chest scans in the patient's axes.

The header is read here and not by ITK, which takes ``%`` in the path of a data file for a pattern, follows whatever
``ElementDataFile`` says, and fills what a short file lacks with whatever memory holds.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# SimpleITK has no types.

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813  # the field's own name

from datasets.chest_ct.lungs import Scan
from datasets.files import Array, DataError, one_line
from datasets.grid import Grid
from datasets.originals import note

TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_UINT": "u4",
    "MET_FLOAT": "f4", "MET_DOUBLE": "f8",
}  # fmt: skip
# Fields of one meaning, and the values that a field has where the form allows others that are not read here.
NAMES = {
    "Position": "Offset", "Origin": "Offset", "Orientation": "TransformMatrix", "Rotation": "TransformMatrix",
    "ElementByteOrderMSB": "BinaryDataByteOrderMSB",
}  # fmt: skip
PLAIN = {
    "NDims": "3", "BinaryData": "True", "CompressedData": "False", "ElementNumberOfChannels": "1", "HeaderSize": "0",
}  # fmt: skip
ABSENT = {"Offset": "0 0 0", "TransformMatrix": "1 0 0 0 1 0 0 0 1", "BinaryDataByteOrderMSB": "False"}
LONGEST = 2**16  # bytes of a header


def read_metaimage(header: Path, data: Path) -> Scan:
    """Read a volume from its header and its data file, wherever that lies and whatever the header calls it.

    The world is DICOM's (to left, posterior, superior), as ITK has it: ``AnatomicalOrientation = RAI`` says where the
    axes come from, and is no rotation.

    Raises:
        DataError: not a MetaImage, cut short, or oblique to the patient's axes.
    """
    for path in (header, data):
        note(path)
    try:
        with open(header, "rb") as stream:
            text = stream.read(LONGEST + 1)
        content = data.read_bytes()
    except OSError as error:
        raise DataError(f"{header}: not a readable MetaImage ({error}); delete it and run again") from error
    return parse_metaimage(text, content, str(header), str(data))


def parse_metaimage(header: bytes, data: bytes, header_name: str, data_name: str) -> Scan:
    """Return the volume of a header and its data; errors name the files they came from (see `read_metaimage`)."""
    try:
        fields = _fields(header)
        size = [int(value) for value in _numbers(fields, "DimSize", 3)]
        if (name := _field(fields, "ElementType")) not in TYPES:
            raise ValueError(f"ElementType = {name[:80]}, expected one of {', '.join(TYPES)}")
        kind = np.dtype(TYPES[name])
        swapped = fields["BinaryDataByteOrderMSB"].lower() == "true"
        spacing, offset = (_numbers(fields, name, 3) for name in ("ElementSpacing", "Offset"))
        rows = np.reshape(_numbers(fields, "TransformMatrix", 9), (3, 3))
        if min(size) < 1 or min(spacing) <= 0:
            raise ValueError(f"size {size} and spacing {spacing} must be positive")
    except (ValueError, OverflowError) as error:
        raise DataError(
            f"{header_name}: not a MetaImage header that can be read ({one_line(error)}); delete it and run again"
        ) from error
    if len(data) != (expected := math.prod(size) * kind.itemsize):
        raise DataError(
            f"{data_name}: {len(data)} bytes, expected {expected} for {size} voxels; delete it and run again"
        )
    values = np.frombuffer(data, kind.newbyteorder(">" if swapped else "<")).reshape(size[::-1])
    if not np.all(np.isfinite(values)):
        raise DataError(f"{data_name}: some voxels are NaN or infinite; delete it and run again")
    return _to_patient(_image(values.astype(kind), spacing, offset, rows, header_name), header_name)


def _fields(header: bytes) -> dict[str, str]:
    fields = dict[str, str]()
    for line in filter(str.strip, header[:LONGEST].decode("latin-1").splitlines()):
        name, equals, value = (part.strip() for part in line.partition("="))
        name = NAMES.get(name, name)
        if not equals or fields.setdefault(name, value) != value:
            raise ValueError(f"line {line[:80]!r}: no field, or one with two values")
    if len(header) > LONGEST or "ElementDataFile" not in fields:
        raise ValueError("no ElementDataFile")
    for name, value in PLAIN.items():
        if (got := fields.get(name, value)).lower() != value.lower():
            raise ValueError(f"{name} = {got[:80]}, only {value} is read here")
    return ABSENT | fields


def _field(fields: dict[str, str], name: str) -> str:
    if name not in fields:
        raise ValueError(f"no {name}")
    return fields[name]


def _numbers(fields: dict[str, str], name: str, count: int) -> list[float]:
    numbers = [float(value) for value in _field(fields, name).split()]
    if len(numbers) != count or not np.all(np.isfinite(numbers)):
        raise ValueError(f"{name} = {fields[name][:80]}, expected {count} numbers")
    return numbers


def _image(values: Array, spacing: list[float], offset: list[float], rows: Array, where: str) -> sitk.Image:
    image = sitk.GetImageFromArray(values)
    try:
        image.SetSpacing(spacing)
        image.SetOrigin(offset)
        image.SetDirection(rows.T.ravel().tolist())  # the file has a row for each axis of the array
    except RuntimeError as error:
        raise DataError(f"{where}: axes that are none, TransformMatrix {rows.tolist()}") from error
    return image


def _to_patient(image: sitk.Image, where: str) -> Scan:
    """Flip and reorder axes until they point to the patient's left, posterior and superior."""
    image = sitk.DICOMOrient(image, "LPS")
    if not np.allclose(image.GetDirection(), np.eye(3).ravel(), atol=1e-3):
        raise DataError(
            f"{where}: oblique to the patient's axes, direction {np.round(image.GetDirection(), 4).tolist()}"
        )
    values = sitk.GetArrayFromImage(image).transpose(2, 1, 0).astype(np.float32)
    return Scan(values, Grid.from_origin(image.GetSize(), image.GetSpacing(), image.GetOrigin()))
