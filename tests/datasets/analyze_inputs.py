"""Small volumes in the genuine form of LPBA40: Analyze, four axes, data compressed."""

from __future__ import annotations

import gzip

import nibabel as nib
import numpy as np
from scipy import ndimage

from datasets.rcn.lists import LPBA_LABELS

SHAPE, SPACING = (24, 14, 22), (0.9, 1.5, 0.8)
OPTIONS = {"subjects": ["S01", "S02", "S03"], "shape": [20, 24, 18], "spacing": 1.13}


def volume(folder, name, array, spacing=SPACING, packed=True):
    """Write as the archive has it: ``.hdr`` and ``.img.gz`` of four axes."""
    image = nib.AnalyzeImage(array[..., None], None)
    image.header.set_zooms((*spacing, 1.0))
    path = folder / f"{name}.img"
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(image, path)
    path.with_suffix(".mat").unlink(missing_ok=True)
    if packed:
        path.with_name(f"{name}.img.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()


def scan(seed):
    """A smooth brain off the middle, and labels of all values, two of which lie where the image is empty."""
    rng = np.random.default_rng(seed)
    i, j, k = np.indices(SHAPE)
    brain = ((i - 11 - seed) / 7) ** 2 + ((j - 7) / 4) ** 2 + ((k - 10 + seed) / 6) ** 2 < 1
    smooth = ndimage.gaussian_filter(rng.random(SHAPE), 2)
    image = np.where(brain, 50 + 2000 * (smooth - smooth.min()), 0).astype(np.int16)
    labels = np.where(brain, rng.choice([label for label in LPBA_LABELS if label < 181], SHAPE), 0).astype(np.uint8)
    labels[0, 0, :2] = 181, 182
    return image, labels


def put(folder, *subjects, **how):
    for subject in subjects:
        image, labels = scan(int(subject[1:]))
        volume(folder / subject, f"{subject}.delineation.skullstripped", image, **how)
        volume(folder / subject, f"{subject}.delineation.structure.label", labels, **how)
