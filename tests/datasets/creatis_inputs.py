"""Small files in the genuine form of CREATIS's six patients and of POPI."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import numpy as np

from datasets import creatis
from tests.datasets.chest_inputs import SHAPE, SPACING, draw_chest, landmarks

OFFSET = (-120.5, -164.0625, -98.25)
BEFORE = float(np.linalg.norm((landmarks()[0] - landmarks()[1]) * SPACING, axis=1).mean())
HEADER = """ObjectType = Image
NDims = 3
BinaryData = True
BinaryDataByteOrderMSB = False
CompressedData = False
TransformMatrix = 1 0 0 0 1 0 0 0 1
Offset = {offset}
CenterOfRotation = 0 0 0
AnatomicalOrientation = RAI
ElementSpacing = {spacing}
DimSize = {size}
ElementType = MET_SHORT
ElementDataFile = {data}
"""


def words(values) -> str:
    return " ".join(map(str, values))


def metaimage(phase: str, data: str) -> tuple[bytes, bytes]:
    values = draw_chest(phase)
    header = HEADER.format(offset=words(OFFSET), spacing=words(SPACING), size=words(SHAPE), data=data)
    return header.encode(), values.transpose(2, 1, 0).astype("<i2").tobytes()


def rows(points, head: str = "", more: int = 0) -> bytes:
    points = [*points, *([[0.0, 0.0, 0.0]] * more)]
    return (head + "".join(f"{x:.4f}\t{y:.4f}\t{z:.4f} \n" for x, y, z in points)).encode()


def put_patients(site: Path) -> None:
    for tag, patient in creatis.PATIENTS.items():
        for phase, drawn in {"00": "inhale", patient.exhale: "exhale", "50": "exhale"}.items():
            header, values = metaimage(drawn, f"{phase}.raw")
            points = landmarks()[0 if phase == "00" else 1] * SPACING + OFFSET
            more = 3 if (tag, phase) == ("mm2", "00") else 0
            for name, content in {
                f"mhd/{phase}.mhd": header,
                f"mhd/{phase}.raw": values,
                f"pts/{phase}.pts": rows(points, more=more),
            }.items():
                path = site / "MedPhys11" / tag / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)


def put_popi(site: Path) -> dict[str, str]:
    """POPI's files; the header does not know its data file's name, and landmarks count from the first voxel."""
    checksums = {}
    for phase, drawn, points in zip(("10", "60"), ("inhale", "exhale"), landmarks(), strict=True):
        tar, (header, values) = io.BytesIO(), metaimage(drawn, f"{phase}-P.raw")
        with tarfile.open(fileobj=tar, mode="w") as archive:
            for name, content in {f"{phase}-P.mhd": header, f"{phase}_P.raw": values}.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        files = {
            f"Images/MetaImage/{phase}-MetaImage.tar": tar.getvalue(),
            f"Landmarks/{phase}-Landmarks.pts": rows(points * SPACING, "#X Y Z\n"),
        }
        for name, content in files.items():
            (site / name).parent.mkdir(parents=True, exist_ok=True)
            (site / name).write_bytes(content)
            checksums[name] = hashlib.sha512(content).hexdigest()
    return checksums
