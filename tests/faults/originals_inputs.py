"""A data set whose original file lies in a folder of the user: HDF5 scans of two pigs, whose content a seed decides."""

import os
from pathlib import Path

import h5py
import numpy as np

from workflows.planning.specs import PrepareSpec
from workflows.running import stale

SHAPE = (8, 9, 10)


def put_pigs(folder: Path, seed: int = 0) -> Path:
    """Write the file that has the two scans of a pig; files of two seeds have one size."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "lspig_val.h5"
    with h5py.File(path, "w") as archive:
        for scan in ("2017_02_aftergas", "2017_02_pregas"):
            volume = rng.integers(1, 255, SHAPE, dtype=np.uint8)
            volume.flat[:2] = 0, 255
            archive.create_dataset(f"{scan}/volume", data=volume)
            archive.create_dataset(f"{scan}/segmentation", data=np.where(volume > 99, 255, 0).astype(np.uint8))
    return path


def pigs(folder: Path, source: Path | None) -> PrepareSpec:
    """Return the specification that prepares the pigs in ``folder``, from a ``source`` or else from the mirror."""
    params = {"collection": "lspig"} | ({"source": str(source)} if source else {})
    return PrepareSpec(name="pigs", module="rcn_hdf5", params=params, folder=folder)


def look(spec: PrepareSpec, *, writes: bool = True) -> tuple[int, str]:
    """Return how often the files have changed, and the line that a run says."""
    found = stale.looks([spec.folder], writes=writes)
    assert list(found) == [spec.folder.name]
    look = found[spec.folder.name]
    assert look.due == look.line.endswith("prepared anew")
    return look.changes, look.line


def rewrite(path: Path, content: bytes) -> None:
    """Write as git, rsync and editors do: another file takes the name."""
    fresh = path.with_name("fresh.tmp")
    fresh.write_bytes(content)
    os.replace(fresh, path)
