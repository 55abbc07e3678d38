"""A small archive in the genuine form of the Decathlon's liver scans."""

from __future__ import annotations

import gzip
import io
import tarfile

import nibabel as nib
import numpy as np
from scipy import ndimage

SHAPE, SPACING = (26, 22, 12), (0.8, 0.9, 2.5)
OPTIONS = {"test": 2, "training": 1, "shape": [14, 16, 12], "spacing": 1.43}
AXES = {"RAS": (1, 1), "LPS": (-1, -1), "RPS": (1, -1)}


def scan(seed, axes="RAS"):
    """Return HU and labels (0, liver 1, tumour 2) of a body with a liver off the middle, and an affine."""
    rng = np.random.default_rng(seed)
    i, j, k = np.indices(SHAPE)
    liver = ((i - 10 - seed) / 6) ** 2 + ((j - 12) / 5) ** 2 + ((k - 6) / 3) ** 2 < 1
    hu = (ndimage.gaussian_filter(rng.random(SHAPE), 1) * 300 - 100 + 80 * liver).round().astype(np.int16)
    labels = liver.astype(np.uint8)
    labels[10 + seed, 12, 6] = 2
    affine = np.diag([AXES[axes][0] * SPACING[0], AXES[axes][1] * SPACING[1], SPACING[2], 1.0])
    affine[:3, 3] = (-30 + seed, 17, 120)
    return hu, labels, affine


def packed(array, affine, **header):
    image = nib.Nifti1Image(array, affine)
    image.header.set_slope_inter(*header.get("scaling", (None, None)))
    return gzip.compress(image.to_bytes(), 1)


def members():
    """Return the content of an archive by name: three labelled scans, one of macOS's leftovers, one to guess."""
    found = {"Task03_Liver/dataset.json": b"{}", "Task03_Liver/imagesTr/._liver_0.nii.gz": b"\0\5\x16\7"}
    for number, axes in ((10, "RPS"), (0, "RAS"), (2, "LPS")):
        hu, labels, affine = scan(number % 7, axes)
        found[f"Task03_Liver/imagesTr/liver_{number}.nii.gz"] = packed(hu, affine)
        found[f"Task03_Liver/labelsTr/liver_{number}.nii.gz"] = packed(labels, np.diag([1, 1, 1, 1]))
    found["Task03_Liver/imagesTs/liver_132.nii.gz"] = packed(*scan(3)[::2])
    return found


def taped(content):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()
