"""indi: T1 brains of ABIDE I, ABIDE II and ADHD-200 from their own distribution, the public bucket ``fcp-indi``.

Licence: the terms of the International Neuroimaging Data-sharing Initiative, research and not commercial, the
collection and its sites to be named (Di Martino et al. 2014, doi:10.1038/mp.2013.78, and 2017,
doi:10.1038/sdata.2017.10; ADHD-200 Consortium 2012, doi:10.3389/fnsys.2012.00062).

- ``abide1``: what FreeSurfer 5.1 made of the scans (``<FILE_ID>/mri/brain.mgz``, without skull, and ``aseg.mgz``),
  downloaded subject by subject; the table of ABIDE's preprocessing says which there are. Its labels are an atlas
  program's, not a person's. Subjects to train on, to choose on and to test on are three sets.
- ``abide2``: raw scans, ``ABIDEII-<SITE>/<id>/session_1/anat_1/anat.nii.gz``, with skulls.
- ``adhd200``: raw scans in BIDS form, ``<Site>/sub-<id>/ses-1/anat/sub-<id>_ses-1_run-1_T1w.nii.gz``, with skulls.

The last two have no labels, so that networks can learn from them and nothing is tested on them; they are fetched by the
bucket's own client, by one command. Brains are read linearly on one grid of whole millimetres about the middle of the
brain, or of the raw scan's field of view; nothing is turned beyond the patient's axes, nor scaled. It is not what the
papers used: their files are cropped without proportion and have no millimetres (`rcn_hdf5`).
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# nibabel is typed in part only.

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any, Literal

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError
from tqdm import tqdm

from datasets import geometry
from datasets.brain_pair import NAMES
from datasets.bucket.indi_files import (
    FOLDER,
    FREESURFER,
    RAW,
    TABLE,
    VOLUMES,
    chosen,
    freesurfer,
    listed,
    raw_scans,
    remotes,
)
from datasets.case import Writer
from datasets.description import Description, Pair, TrainingSplit, Window
from datasets.download import cache_folder, fetch, fetch_all, placed, put_into
from datasets.files import Array, DataError, Volume, one_line, read_volume
from datasets.grid import Grid
from datasets.originals import note
from datasets.placement import affine_fault
from datasets.supply import Extent, Piece, Supply

Collection = Literal["abide1", "abide2", "adhd200"]
LICENCE = "INDI: research, non-commercial; name the collection and its sites"
BRIGHT = 99.9  # percentile of the voxels above 0 that becomes 1
LARGEST = 2**27  # voxels: a damaged header may ask for more memory than there is


@dataclass(frozen=True)
class Params:
    """The options of the import."""

    # abide1: FreeSurfer's brains of ABIDE I, with labels; abide2, adhd200: raw scans, to learn from alone
    collection: Collection = "abide1"
    source: str | None = None  # folder that has the files at any depth; else below the mirror or the cache, see above
    training: int = 100  # subjects to learn from
    validation: int = 5  # subjects on whose ordered pairs whatever is chosen is chosen; abide1 alone
    test: int = 10  # subjects whose ordered pairs are tested on; abide1 alone
    shape: tuple[int, int, int] = (160, 192, 160)  # voxels to the patient's left, posterior and superior
    spacing: float = 1.0  # mm, along each axis

    def __post_init__(self) -> None:
        """Raise `DataError` for options that are out of range."""
        if min(self.training, self.validation, self.test) < 0 or 1 in (self.validation, self.test) or not self.wanted:
            raise DataError("training, validation, test: expected none or more of each, and two that make pairs")
        if not self.spacing > 0 or min(self.shape) < 2:
            raise DataError(f"expected a spacing above 0 and at least 2 voxels, got {self.spacing} and {self.shape}")

    @property
    def labelled(self) -> int:
        """The subjects that pairs with labels are made of."""
        return self.validation + self.test if self.collection == "abide1" else 0

    @property
    def wanted(self) -> int:
        """How many subjects are imported."""
        return self.training + self.labelled


def supply(params: Params) -> Supply:
    """Return which subjects are wanted, and of which the files are there."""
    pieces = _whole_pieces(params) if params.collection == "abide1" else _raw_pieces(params)
    pairs = params.test * (params.test - 1) if params.labelled else 0
    place = put_into(f"{FOLDER}/{params.collection}")
    steps = () if params.collection == "abide1" else (_step(params),)
    return Supply(LICENCE, tuple(pieces), place, steps, Extent(params.wanted, pairs, math.prod(params.shape)))


def _step(params: Params) -> str:
    command = RAW[params.collection].command.format(folder=cache_folder() / FOLDER / params.collection)
    return f"accept the terms of INDI, then `{command}` (the client of Amazon's S3, pip install awscli)"


def _raw_pieces(params: Params) -> list[Piece]:
    found, raw = raw_scans(params.collection, params.source), RAW[params.collection]
    lost, source = params.wanted - len(found), f"the bucket fcp-indi, {raw.scans} scans in all"
    there = [Piece(case, source, place=path) for case, path in list(found.items())[: params.wanted]]
    return there + ([Piece(f"{lost} more T1 scans of {params.collection}", source)] if lost > 0 else [])


def _whole_pieces(params: Params) -> list[Piece]:
    """Return a piece for each file of FreeSurfer's; which there are is not known before their table is there."""
    there = freesurfer(params.source)
    names = chosen(there, params.wanted)
    if not names and placed(TABLE) is not None:
        names = chosen(listed(fetch(TABLE)), params.wanted)
    if not names:
        table = Piece(Path(TABLE.name).name, TABLE.url, place=placed(TABLE), comes=True)
        return [table, Piece(f"brain.mgz and aseg.mgz of {params.wanted} subjects", f"{FREESURFER}/", comes=True)]
    pieces = list[Piece]()
    for name in names:
        for remote, kind in zip(remotes(name), VOLUMES, strict=True):
            place = there[name][kind] if name in there else placed(remote)
            pieces.append(Piece(f"{name}/mri/{kind}.mgz", remote.url, place=place, comes=True))
    return pieces


def prepare(folder: Path, params: Params, *, name: str) -> None:
    """Import the wanted subjects, one in memory at a time.

    Raises:
        DataError: files cannot be had (the message says which, and how to get them), or are damaged.
    """
    if lack := supply(params).lack():
        raise DataError(f"{name}: {lack}")
    scans = _whole_scans(params, name) if params.collection == "abide1" else raw_scans(params.collection, params.source)
    cases = chosen(scans, params.wanted)
    writer, grid, cut = Writer(folder), Grid(params.shape, (params.spacing,) * 3), list[str]()
    for number, case in enumerate(tqdm(cases, desc=name, unit="scan", disable=None)):
        if isinstance(files := scans[case], Path):
            _write_raw(writer, case_name(case), files, grid)
        else:
            cut += _write_whole(writer, case_name(case), files, grid, labelled=number >= params.training)
    writer.finish(_describe(name, params, grid, list(map(case_name, cases)), cut))


def case_name(name: str) -> str:
    """Return a name for files; underscores separate the cases of a pair."""
    return name.replace("_", "-")


def _whole_scans(params: Params, name: str) -> Mapping[str, Mapping[str, Path] | Path]:
    """Return the two volumes of the subjects that are wanted; what is not there is downloaded."""
    there = freesurfer(params.source)
    if len(there) >= params.wanted:
        return there
    known = listed(fetch(TABLE))
    if not (names := chosen(known, params.wanted)):
        raise DataError(f"{name}: {params.wanted} subjects wanted, FreeSurfer's output is there of {len(known)}")
    wanted = [remote for each in names for remote in remotes(each) if each not in there]
    fetched = dict(zip(wanted, fetch_all(wanted), strict=True)) if wanted else {}
    return {
        each: there.get(each) or {k: fetched[r] for k, r in zip(VOLUMES, remotes(each), strict=True)} for each in names
    }


def _write_whole(writer: Writer, case: str, files: Mapping[str, Path], grid: Grid, *, labelled: bool) -> list[str]:
    """Write a brain, its mask and, where wanted, its labels; return a note where the grid cuts it."""
    image, labels = (_read_mgz(files[kind]) for kind in VOLUMES)
    if labels.array.shape != image.array.shape or not np.allclose(labels.affine, image.affine, atol=1e-3):
        raise DataError(f"{files['aseg']}: lies otherwise than {files['brain']}; get both again")
    if not (brain := image.array > 0).any():
        raise DataError(f"{files['brain']}: no voxel above 0; get another copy")
    box = np.argwhere(brain)
    places, size = _places(grid, image, (box.min(0) + box.max(0)) / 2), np.ptp(box, axis=0) + 1
    read = _bright(geometry.sample(image.array, places, outside=0.0).reshape(grid.shape), image.array[brain])
    writer.image(case, read, grid.affine)
    writer.mask(case, read > 0, grid.affine)
    if labelled:
        held = np.where(np.isin(labels.array, list(NAMES)), labels.array, 0)
        nearest = geometry.sample(held, places, order=0, outside=0.0).reshape(grid.shape)
        writer.labels(case, nearest.astype(np.uint16), grid.affine)
    extent = np.abs(image.affine[:3, :3]) @ size  # mm along the patient's axes
    return [] if np.all(extent <= np.multiply(grid.shape, grid.spacing)) else [f"{case}: the grid cuts its brain"]


def _write_raw(writer: Writer, case: str, path: Path, grid: Grid) -> None:
    image = read_volume(path)
    if not (filled := image.array > 0).any():
        raise DataError(f"{path}: no voxel above 0; get another copy")
    places = _places(grid, image, (np.array(image.array.shape) - 1) / 2)
    read = geometry.sample(image.array, places, outside=0.0).reshape(grid.shape)
    writer.image(case, _bright(read, image.array[filled]), grid.affine)


def _places(grid: Grid, image: Volume, middle: Array) -> Array:
    """Return the voxels ``(3, n)`` of an image at the voxels of the grid, whose middle is the image's ``middle``."""
    away = grid.to_mm(np.indices(grid.shape).reshape(3, -1).T) * (-1, -1, 1)  # RAS
    return np.linalg.solve(image.affine[:3, :3], away.T) + middle[:, None]


def _bright(values: Array, tissue: Array) -> Array:
    return np.clip(values / float(np.percentile(tissue, BRIGHT)), 0, 1)


def _read_mgz(path: Path) -> Volume:
    """Read a volume of FreeSurfer's; raise `DataError` where it is none, or cut short."""
    note(path)
    try:
        image: Any = nib.MGHImage.from_filename(path)
        if len(image.shape) != 3 or not 0 < math.prod(image.shape) <= LARGEST:
            raise ValueError(f"shape {image.shape}")
        values = np.asarray(image.dataobj, np.float32)
        affine = np.asarray(image.affine, np.float64)
    except (OSError, EOFError, ValueError, HeaderDataError) as error:
        raise DataError(f"{path}: not a readable MGH volume ({one_line(error)}); get another copy") from error
    if (fault := affine_fault(affine)) or not np.isfinite(values).all():
        raise DataError(f"{path}: {fault or 'some voxels are NaN or infinite'}; get another copy")
    return Volume(values, affine)


def _describe(name: str, params: Params, grid: Grid, cases: Sequence[str], notes: Sequence[str]) -> Description:
    whole = params.collection == "abide1"
    first, last = params.training, params.training + params.validation
    apart, tested = (cases[first:last], cases[last:]) if whole else ([], [])
    about = "the brain, found by FreeSurfer 5.1" if whole else "the scan's field of view, skull and all"
    labels = "labels of FreeSurfer's atlas, by the nearest voxel, of no person" if whole else "no labels"
    return Description(
        name=name,
        module="indi",
        collection=params.collection,
        title="ABIDE I, FreeSurfer's brains and labels" if whole else RAW[params.collection].title,
        anatomy="brain",
        modality="T1 MR",
        licence=LICENCE,
        source=FREESURFER if whole else "bucket fcp-indi",
        preprocessing=(
            f"read linearly at {params.spacing:g} mm about the middle of {about}",
            f"the {BRIGHT} % brightest of the voxels above 0 becomes 1",
            labels,
            *notes,
        ),
        intensity=Window("normalised T1", 0.0, 1.0),
        shape=grid.shape,
        spacing=grid.spacing,
        orientation=("L", "P", "S"),
        labels=dict(NAMES) if whole else {},
        evaluated_labels=tuple(NAMES) if whole else (),
        subjects={case: case for case in cases},
        notes=tuple(notes),
        training=TrainingSplit(tuple(cases[:first])),
        validation=tuple(Pair(a, b) for a, b in permutations(apart, 2)),
        test=tuple(Pair(a, b) for a, b in permutations(tested, 2)),
    )
