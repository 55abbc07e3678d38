"""A mirror that holds small files of the genuine form for every data set of the catalogue that is not drawn."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from datasets import brain_pair, creatis, dirlab, msd_liver
from datasets.download import Remote
from datasets.files import sha256
from tests.datasets import (
    analyze_inputs,
    bent_inputs,
    creatis_inputs,
    decathlon_inputs,
    dirlab_inputs,
    hdf5_inputs,
    head_inputs,
    indi_inputs,
    lidc_inputs,
    sliver_inputs,
)
from tests.datasets.chest_inputs import SHAPE, SPACING
from tests.datasets.own import folders

# Options that fit the small files, by module.
SMALL = {
    "rcn_hdf5": {},
    "lidc": {"subjects": 3, "shape": [4, 6, 8]},
    "dirlab": {"cases": [1, 2], "shape": [16, 12, 20]},
    "creatis": {"shape": [40, 36, 44], "margin_mm": 8.0},
    "brain_pair": {},
    "lpba40": analyze_inputs.OPTIONS,
    "msd_liver": decathlon_inputs.OPTIONS,
    "sliver07": sliver_inputs.OPTIONS,
    "indi": indi_inputs.OPTIONS,
    "synthseg": {"spacing": 8},
    "totalsegmentator": {"images": 2},
}


def small(entry) -> dict:
    """Return the options of an entry of the catalogue, as its small files ask for them."""
    if entry.module == "folder":  # of the evaluated labels they have two
        return {**entry.params, **({"evaluate": [1, 2]} if "evaluate" in entry.params else {})}
    return {**entry.params, **SMALL[entry.module]}


def fill(mirror: Path, monkeypatch) -> None:
    """Write all files below a mirror, name it to the downloads, and make the published tables fit the small files."""
    monkeypatch.setenv("WARPBENCH_MIRROR", str(mirror))
    monkeypatch.setenv("WARPBENCH_CACHE", str(mirror.with_name("cache")))
    _recursive_cascades(mirror / "rcn_hdf5")
    lidc_inputs.collection(mirror / "lidc")
    small = dirlab.Published(SHAPE, SPACING, round(dirlab_inputs.BEFORE, 2), 1.0, dirlab_inputs.COUNT)
    monkeypatch.setattr(dirlab, "CASES", dict.fromkeys(range(1, 11), small))
    for number in (1, 2):
        (mirror / "dirlab").mkdir(exist_ok=True)
        dirlab_inputs.put(mirror / "dirlab", number)
    analyze_inputs.put(mirror / "lpba40", "S01", "S02", "S03")
    _decathlon(mirror, monkeypatch)
    for task in ("OASIS", "AbdomenCTCT"):
        folders.unpaired(mirror / "learn2reg" / task, task).write()
    for task, kind in (("NLST", "keypoints"), ("LungCT", "landmarks")):
        folders.paired(mirror / "learn2reg" / task, task, kind).write()
    _breathing(mirror, monkeypatch)
    _brains(mirror, monkeypatch)
    head_inputs.put_all(mirror, monkeypatch)
    bent_inputs.put_all(mirror, monkeypatch)
    sliver_inputs.put(mirror / "sliver07", 1, 2, 5)
    for seed, name in enumerate(indi_inputs.NAMES):
        indi_inputs.put(mirror / "indi" / "abide1", name, seed)
    indi_inputs.put_table(mirror)
    for collection in indi_inputs.RAW_FILES:
        indi_inputs.put_raw(mirror / "indi", collection)


def _recursive_cascades(folder: Path) -> None:
    hdf5_inputs.liver_training(folder)
    hdf5_inputs.brain_training(folder)
    hdf5_inputs.put(folder / "sliver_val.h5", "1", "2")
    hdf5_inputs.put(folder / "lits_val.h5", "0", "7")
    hdf5_inputs.put(folder / "lspig_val.h5", "2017_02_pregas", "2017_02_aftergas")


def _decathlon(mirror: Path, monkeypatch) -> None:
    path = mirror / msd_liver.TASK.name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(tape := decathlon_inputs.taped(decathlon_inputs.members()))
    known = replace(msd_liver.TASK, checksum=hashlib.md5(tape).hexdigest(), size=0)
    monkeypatch.setattr(msd_liver, "TASK", known)


def _breathing(mirror: Path, monkeypatch) -> None:
    creatis_inputs.put_patients(mirror / "site")
    (mirror / "site" / "MedPhys11").rename(mirror / "creatis")
    monkeypatch.setattr(creatis, "WHOLE_SLICE", (64, 56))
    monkeypatch.setattr(creatis, "POPI_FILES", creatis_inputs.put_popi(mirror / "popi"))
    before = creatis_inputs.BEFORE
    small = {"landmarks": 12, "published": {creatis.PROGRESSIVE: round(before, 2), creatis.AUTHORS: before + 0.5}}
    for table in (creatis.PATIENTS, creatis.POPI):
        for tag, patient in table.items():
            monkeypatch.setitem(table, tag, creatis.Patient(patient.inhale, patient.exhale, **small))


def _brains(mirror: Path, monkeypatch) -> None:
    rng = np.random.default_rng(0)
    scan, labels = rng.random((5, 6, 7)), rng.integers(0, 3, (5, 6, 7))
    contents = {
        "SCAN": {"vol": scan, "seg": labels},
        "LABELS": {"labels": np.array([1, 2])},
        "SUBJECT_IMAGE": {"vol_data": scan[::-1]},
        "SUBJECT_LABELS": {"vol_data": labels[::-1]},
    }
    known = dict[str, Remote]()
    for name, arrays in contents.items():
        remote = getattr(brain_pair, name)
        path = mirror / remote.name
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **arrays)
        known[remote.name] = replace(remote, checksum=sha256(path))
    monkeypatch.setattr(brain_pair, "FILES", tuple(known[remote.name] for remote in brain_pair.FILES))
