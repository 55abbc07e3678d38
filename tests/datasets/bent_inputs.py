"""A small CT with labels in the form of TotalSegmentator's example: names of labels in an extension of the header."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

from datasets import totalsegmentator
from datasets.files import sha256

SHAPE, SPACING = (34, 28, 30), (6.0, 7.0, 5.0)
AFFINE = np.array([[6.0, 0, 0, -101], [0, 7.0, 0, 11], [0, 0, 5.0, 94], [0, 0, 0, 1]])
TABLE = "".join(
    f'<Label Key="{key}" Red="0" Green="1" Blue="0" Alpha="1"><![CDATA[{name}]]></Label>'
    for key, name in {2: "kidney_right", 5: "liver", 9: "gallbladder"}.items()
)


def anatomy() -> tuple[np.ndarray, np.ndarray]:
    """Return HU and labels: a smooth body with three organs, one of them unnamed, on a table; air around."""
    x, y, z = np.indices(SHAPE) - np.reshape([16.5, 14.0, 14.5], (3, 1, 1, 1))
    body = (x / 13) ** 2 + (y / 9) ** 2 < 1
    hu = np.where(body, 0.0, -1000.0)
    hu[4:30, 25:27] = 50  # the table
    labels = np.zeros(SHAPE, np.uint8)
    for label, (middle, radius, value) in {
        5: ((6, 0, 2), (5, 6, 8), 110), 2: ((-6, 3, 0), (3, 3, 5), 190), 7: ((-2, -4, 6), (3, 2, 4), -100)
    }.items():  # fmt: skip
        there = sum(((c - m) / r) ** 2 for c, m, r in zip((x, y, z), middle, radius, strict=True)) < 1
        hu[there], labels[there] = value, label
    return np.rint(ndimage.gaussian_filter(hu, 0.8)).astype(np.int32), labels


def put_all(mirror: Path, monkeypatch, **changes) -> None:
    """Write both files below a mirror and pin their checksums; ``changes``: of ``scan``, ``labels``, ``affine``."""
    scan, labels = anatomy()
    image = nib.Nifti1Image(changes.get("scan", scan), changes.get("affine", AFFINE))
    marked = nib.Nifti1Image(changes.get("labels", labels), AFFINE)
    marked.header.extensions.append(nib.nifti1.Nifti1Extension(0, TABLE.encode()))
    for name, volume in (("SCAN", image), ("LABELS", marked)):
        remote = getattr(totalsegmentator, name)
        path = mirror / remote.name
        path.parent.mkdir(parents=True, exist_ok=True)
        nib.save(volume, path)
        monkeypatch.setattr(totalsegmentator, name, replace(remote, checksum=sha256(path)))
