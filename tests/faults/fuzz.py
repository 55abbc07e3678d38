"""Feed the readers of foreign files with damaged ones: `python -m tests.faults.fuzz READER SECONDS [SEED]`.

Each reader runs in a child of its own, so that a crash of a native library or a hang is seen too. Only `DataError`, of
one line, may come out (settings' errors are of that kind); all else is printed once, with the seed that makes it again.
"""

from __future__ import annotations

import faulthandler
import io
import logging
import os
import random
import resource
import shutil
import signal
import sys
import tarfile
import tempfile
import time
import traceback
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np

from datasets import creatis, dirlab, rcn_hdf5
from datasets.archives import read_from_tar
from datasets.chest_ct import dicom, dirlab_packs
from datasets.chest_ct.metaimage import read_metaimage
from datasets.files import DataError, read_displacement, read_landmarks, read_volume
from tests.datasets.dicom_inputs import put_series
from tests.faults import damage
from workflows.configuration.resolve import read_yaml, resolve
from workflows.configuration.sources import ROOT

SLOWEST = 20  # seconds for one file
MEMORY = 6 * 2**30
RENEWED = 500  # files, after which a child gives way to another
SHAPE = (5, 6, 7)
HEADER = """ObjectType = Image
NDims = 3
BinaryData = True
BinaryDataByteOrderMSB = False
CompressedData = False
TransformMatrix = 1 0 0 0 1 0 0 0 1
Offset = -12.5 3 4
CenterOfRotation = 0 0 0
AnatomicalOrientation = RAI
ElementSpacing = 1 1.5 2
DimSize = 5 6 7
ElementType = MET_SHORT
ElementDataFile = a.raw
"""


@dataclass(frozen=True)
class Reader:
    """A reader under test: ``make`` writes sound files into a folder, ``read`` reads what lies there."""

    make: Callable[[Path], None]
    read: Callable[[Path], None]


def _make_nifti(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for name, kind, shape in (
        ("a.nii", np.int16, SHAPE),
        ("b.nii.gz", np.float32, SHAPE),
        ("d.nii", np.float32, (*SHAPE, 3)),
    ):
        nib.save(nib.Nifti1Image((rng.random(shape) * 99).astype(kind), np.diag([1, 2, 3, 1])), folder / name)


def _read_nifti(folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        if path.name.startswith("d"):
            read_displacement(path)
            continue
        volume = read_volume(path)
        assert np.isfinite(volume.array).all()
        assert np.isfinite(volume.affine).all()
        assert min(volume.spacing) > 0
        assert len(volume.orientation) == 3


def _make_metaimage(folder: Path) -> None:
    (folder / "a.mhd").write_text(HEADER)
    (folder / "a.raw").write_bytes(np.arange(210, dtype="<i2").tobytes())


def _read_metaimage(folder: Path) -> None:
    scan = read_metaimage(folder / "a.mhd", folder / "a.raw")
    assert np.isfinite(scan.values).all()
    assert min(scan.grid.spacing) > 0


def _make_points(folder: Path) -> None:
    rows = np.random.default_rng(0).integers(1, 90, (30, 3))
    (folder / "a.pts").write_text("#X Y Z\n" + "".join(f"{x}.5\t{y}.25\t{z}.0 \n" for x, y, z in rows))
    (folder / "b.txt").write_text("".join(f"{x}\t{y}\t{z}\n" for x, y, z in rows))
    (folder / "c.csv").write_text("".join(f"{x:.6f},{y:.6f},{z:.6f}\n" for x, y, z in rows))


def _read_points(folder: Path) -> None:
    read = {".pts": creatis._read_points, ".csv": read_landmarks}
    for path in sorted(folder.iterdir()):
        points = (
            read[path.suffix](path)
            if path.suffix in read
            else dirlab.parse_text(path.read_bytes().decode("latin-1"), "b")
        )
        assert points.shape[1] == 3
        assert np.isfinite(points).all()


def _make_packs(folder: Path) -> None:
    with zipfile.ZipFile(folder / "Case1Pack.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for phase in dirlab_packs.PHASES:
            image, points = f"Images/case1_{phase}_s.img", f"ExtremePhases/Case1_300_{phase}_xyz.txt"
            for name, content in {image: np.arange(300, dtype="<i2").tobytes(), points: b"1 2 3\n" * 30}.items():
                archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)  # without the time of day
    with tarfile.open(folder / "10-MetaImage.tar", "w") as archive:
        for name, content in {"10.mhd": HEADER.encode(), "10.raw": bytes(420)}.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def _read_packs(folder: Path) -> None:
    members = dirlab_packs.find_members([folder])
    for member in members.values():
        assert len(member.read(10_000)) <= 10_000
    for ending in (".mhd", ".raw"):
        read_from_tar(folder / "10-MetaImage.tar", ending)


def _make_hdf5(folder: Path) -> None:
    rng = np.random.default_rng(0)
    with h5py.File(folder / "lspig_val.h5", "w") as archive:
        for scan in ("2017_02_aftergas", "2017_02_pregas"):
            volume = rng.integers(0, 255, SHAPE, dtype=np.uint8)
            archive.create_dataset(f"{scan}/volume", data=volume, compression="gzip")
            archive.create_dataset(f"{scan}/segmentation", data=np.where(volume > 99, 255, 0).astype(np.uint8))


def _read_hdf5(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as out:
        rcn_hdf5.prepare(Path(out), rcn_hdf5.Params(collection="lspig", source=str(folder)), name="lspig")


def _make_dicom(folder: Path) -> None:
    put_series(folder, "1.2.9")


def _read_dicom(folder: Path) -> None:
    files = sorted(folder.glob("*.dcm"))
    patient, uid = dicom.read_tags(files[0], dicom.PATIENT, dicom.SERIES)
    scan, _ = dicom.read_series(dicom.DicomSeries(patient, uid, tuple(files)), (8, 7, 6))
    assert np.isfinite(scan.values).all()
    assert min(scan.grid.spacing) > 0


def _make_yaml(folder: Path) -> None:
    source = random.choice(["smoke.yaml", "open.yaml", "mini.yaml"])
    shutil.copy(ROOT / "workflows" / "config" / source, folder / "a.yaml")


def _read_yaml(folder: Path) -> None:
    resolve(read_yaml(folder / "a.yaml"), [folder / "a.yaml"])


READERS = {
    "nifti": Reader(_make_nifti, _read_nifti),
    "metaimage": Reader(_make_metaimage, _read_metaimage),
    "points": Reader(_make_points, _read_points),
    "packs": Reader(_make_packs, _read_packs),
    "hdf5": Reader(_make_hdf5, _read_hdf5),
    "dicom": Reader(_make_dicom, _read_dicom),
    "yaml": Reader(_make_yaml, _read_yaml),
}


def one(reader: Reader, seed: int, folder: Path) -> str:
    """Damage fresh files by a seed and read them; return the fault that came out, or nothing."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    random.seed(seed)
    reader.make(folder)
    path = random.choice(sorted(folder.iterdir()))
    path.write_bytes(damage.damaged(path, random.Random(seed)))
    try:
        reader.read(folder)
    except DataError as error:
        return "" if "\n" not in str(error) else f"an error of several lines: {error!s:.200}"
    except BaseException as error:  # whatever a library raises is a finding
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if str(ROOT) in frame.filename]
        where = ", ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames[-2:])
        return f"{type(error).__name__} at {where}: {' '.join(str(error).split())[:160]}"
    return ""


def _child(reader: Reader, first: int, until: float, folder: Path) -> None:
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    faulthandler.enable()
    logging.disable(logging.CRITICAL)
    seed, met = first, {""}
    while time.monotonic() < until and seed < first + RENEWED:  # libraries lose memory on broken files
        (folder / "seed").write_text(str(seed))
        signal.alarm(SLOWEST)
        fault = one(reader, seed, folder / "files")
        if (kind := fault.partition(": ")[0]) not in met:
            met.add(kind)
            print(f"seed {seed}: {fault}", flush=True)
        seed += 1
    (folder / "seed").write_text(f"{seed} done")
    os._exit(0)


def main(name: str, seconds: float, seed: int) -> None:
    """Fuzz a reader for some time; children that die are replaced, and the seed that killed them is told."""
    until, first = time.monotonic() + seconds, seed
    with tempfile.TemporaryDirectory() as folder:
        while time.monotonic() < until:
            if not (child := os.fork()):
                try:
                    _child(READERS[name], seed, until, Path(folder))
                finally:
                    os._exit(1)
            _, status = os.waitpid(child, 0)
            seed = int((Path(folder) / "seed").read_text().split()[0])
            if status:
                print(f"seed {seed}: the process ended with {os.waitstatus_to_exitcode(status)}", flush=True)
                seed += 1
    print(f"{name}: {seed - first} files in {seconds:g} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0)
