"""The files of one registration of a user's pair: image, displacement, transform, picture, and what was done."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# SimpleITK is not typed.

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import SimpleITK as sitk  # noqa: N813 - the library's usual name
from filelock import Timeout

from benchmarks.records import read, write
from datasets.files import DataError, replacing, sha256, write_displacement
from datasets.learn2reg_names import displacement_names
from datasets.locks import hold
from datasets.own.scans import Scan
from workflows.pair.about import About, Input, Written
from workflows.pair.fields import Field

WARPED, TRANSFORM, PICTURE, ABOUT = "warped.nii.gz", "transform.h5", "picture.png", "registration.json"
WORK, LOCK = ".work-", "lock"


def described(scan: Scan, scale: tuple[float, float]) -> Input:
    """Return what is kept of an input whose intensities ``scale`` became 0 and 1."""
    digest = "" if scan.path.is_dir() else sha256(scan.path)
    return Input(
        path=scan.path.resolve(), sha256=digest, voxels=scan.shape, spacing=scan.spacing, zero=scale[0], one=scale[1]
    )


def write_results(folder: Path, found: Field, fixed: Scan, moving: Scan) -> list[Written]:
    """Write the warped image, the displacement and the transform, each whole or not at all; return what each is."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / WARPED, lambda path: sitk.WriteImage(found.carry(moving.image), path))
    _write(folder / TRANSFORM, lambda path: sitk.WriteTransform(found.transform, path))
    names = displacement_names(fixed.name, moving.name)
    write_displacement(folder / names[0], found.voxels, fixed.affine)
    for name in names[1:]:
        shutil.copyfile(folder / names[0], folder / name)
    about = "displacement as Learn2Reg has it: voxels of the fixed image, (i, j, k, 3), of the moving image on its grid"
    as_itk = "the same as an ITK transform, from fixed to moving places in mm (antsApplyTransforms, SimpleITK)"
    return [
        Written(name=WARPED, what="the moving image on the fixed image's grid, in its own type of voxel"),
        Written(name=TRANSFORM, what=as_itk),
        *(Written(name=name, what=about) for name in names),
    ]


def write_about(folder: Path, about: About) -> None:
    """Write what was done, last, so that its presence means that all files are there."""
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / ABOUT, about)


def clear(folder: Path) -> str:
    """Remove what an earlier registration left in a folder, by its own account: two of them are never mixed up.

    Return which method that was, empty where there was none that can be read.
    """
    try:
        about = read(folder / ABOUT, About)
        method, named = about.run.method, [each.name for each in about.files]
    except (DataError, OSError):  # none, or one of another version: its files are overwritten one by one
        method, named = "", []
    for name in [ABOUT, *named]:
        if Path(name).name == name:
            (folder / name).unlink(missing_ok=True)
    return method


def of_others(out: Path, folders: Collection[Path]) -> list[str]:
    """Return the folders at and below ``out`` with a registration of an earlier call, other than ``folders``."""
    found = sorted(path.parent for path in [*out.glob(ABOUT), *out.glob(f"*/{ABOUT}")])
    return [str(folder) for folder in found if folder not in folders]


@contextlib.contextmanager
def made(folder: Path) -> Iterator[None]:
    """Make a folder to write into; where what follows fails, no empty one stays behind."""
    new = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # something is in it
            for each in new:
                each.rmdir()
        raise


@contextlib.contextmanager
def working(out: Path) -> Iterator[Path]:
    """Make a folder for what a call needs until its end; those of calls that were killed are removed.

    A call holds a lock in its own, which ends with its process.

    Raises:
        DataError: another call is writing into ``out``.
    """
    began = f"{WORK}{time.time_ns():020}-"
    with tempfile.TemporaryDirectory(dir=out, prefix=began) as work, hold(Path(work) / LOCK):
        for left in out.glob(f"{WORK}*/{LOCK}"):
            if left.parent.name < Path(work).name:  # of two calls at once the later one gives way
                _remove(left)
        yield Path(work)


def _remove(left: Path) -> None:
    """Remove the folder of a call that has ended, or refuse that of one that has not."""
    try:
        with hold(left, timeout=0):
            shutil.rmtree(left.parent)
    except Timeout:
        raise DataError(
            f"--out: {left.parent.parent}: another call is writing into it; wait for its end, or name another folder"
        ) from None
    except OSError:  # gone meanwhile, or somebody else's
        pass


def check_folder(folder: Path, inputs: Sequence[Path]) -> None:
    """Raise `DataError` where results would overwrite what is not theirs."""
    if files := [each for each in (folder, *folder.parents) if each.is_file()]:
        raise DataError(f"--out: {files[0]} is a file; name a folder")
    own = {WARPED, TRANSFORM, PICTURE, ABOUT}
    if clash := [path for path in inputs if _real(path).parent == _real(folder) and path.name in own]:
        raise DataError(f"--out: {folder}: would overwrite {clash[0].name}, an input; name another folder")


def _real(path: Path) -> Path:
    """Return where a path leads; unlike `Path.resolve`, of links in a circle too, which whoever reads them refuses."""
    return Path(os.path.realpath(path))


def _write(path: Path, write: Any) -> None:
    with replacing(path) as temporary:
        try:
            write(str(temporary))
        except RuntimeError as error:
            raise DataError(f"{path}: cannot be written ({str(error).strip().splitlines()[-1]})") from error
