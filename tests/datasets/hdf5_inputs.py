"""Small HDF5 files of the layout that Recursive Cascaded Networks released."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

SHAPE = (5, 7, 9)


def put(path: Path, *groups: str, values=(), seed: int = 0, **members) -> Path:
    """Write scans as the released files have them; ``members`` replace the volume or the mask, None leaves it out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    with h5py.File(path, "a") as archive:
        for group in groups:
            volume = rng.integers(1, 255, SHAPE, dtype=np.uint8)
            volume.flat[:2] = 0, 255
            mask = np.where(rng.random(SHAPE) < 0.5, 255, 0).astype(np.uint8)
            labels = rng.choice(np.asarray(values, np.uint8), SHAPE) if len(values) else mask
            content = {"volume": volume, "segmentation": labels, "point": np.full((6, 3), -1.0)} | members
            for name, array in content.items():
                if array is not None:
                    archive.create_dataset(f"{group}/{name}", data=array, compression="gzip")
    return path


def liver_training(mirror):
    put(mirror / "msd_dataset.h5", "liver/132", "liver/133", "hepaticvessel/1", "pancreas/421", segmentation=None)
    put(mirror / "youyi_liver.h5", "00139427_225", "13472546_180(1)", segmentation=None)


def brain_training(mirror):
    put(mirror / "lpba_val.h5", "S01", "S02", values=[0, 21, 182])
    for file, scan in {"adni": "7", "abide": "GU_1-28741", "abidef": "CMU-50642", "adhd": "NYU-10"}.items():
        put(mirror / f"{file}.h5", scan, segmentation=None)
