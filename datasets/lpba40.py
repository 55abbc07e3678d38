"""LPBA40 from its own distribution: 40 T1 brains without skull, 56 labels, S01 fixed and the others moving.

Licence: the LONI research licence, which is accepted on the page that leads to the files
(resource.loni.usc.edu/resources/atlases-downloads; Shattuck et al. 2008, doi:10.1016/j.neuroimage.2007.09.031). So they
are placed by hand: of ``LPBA40_Subjects_Delineation_Space_MRI_and_label_files.zip`` and the zip within it what they
unpack to, at any depth.

The scans are in the delineation space, where labels were drawn: turned alike, not scaled, each at its own spacing.
Each is read linearly on one grid about the middle of its brain, its labels by the nearest voxel. Analyze files say
nothing of orientation; that axes grow to the patient's left, posterior and superior is what public readers take.
Cerebellum and brainstem have been removed from the images and not from the labels: their two labels are written, and
not evaluated unless ``evaluated`` says 56.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# nibabel is typed in part only.

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from nibabel.analyze import AnalyzeHeader
from nibabel.spatialimages import HeaderDataError, HeaderTypeError
from tqdm import tqdm

from datasets import geometry
from datasets.case import Writer
from datasets.description import Description, Pair, TrainingSplit, Window
from datasets.download import hand_placed, put_into
from datasets.files import Array, DataError, one_line
from datasets.found import search
from datasets.grid import Grid
from datasets.originals import note
from datasets.rcn.lists import LPBA_LABELS, LPBA_SETS
from datasets.supply import Extent, Piece, Supply

FOLDER = "lpba40"  # below the mirror and the cache
SUBJECTS = tuple(f"S{number:02d}" for number in range(1, 41))
ATLAS = SUBJECTS[0]
PAGE = "https://resource.loni.usc.edu/resources/atlases-downloads/"
ARCHIVE = "LPBA40_Subjects_Delineation_Space_MRI_and_label_files.zip"
LICENCE = "LONI research licence, accepted on the page of the atlas; cite Shattuck et al. 2008"
STEP = f"accept the licence at {PAGE}, download {ARCHIVE}, unpack it and the zip within it"
NAMES = {"image": "{subject}.delineation.skullstripped", "labels": "{subject}.delineation.structure.label"}
LARGEST = 2**27  # voxels: a damaged header may ask for more memory than there is
BRIGHT = 99.9  # percentile of the brain's voxels that becomes 1


@dataclass(frozen=True)
class Params:
    """The options of the import."""

    source: str | None = None  # folder that has the files at any depth; else lpba40 below the mirror or the cache
    subjects: tuple[str, ...] = SUBJECTS  # which of S01 to S40; S01, the fixed image, has to be among them
    shape: tuple[int, int, int] = (160, 192, 160)  # voxels to the patient's left, posterior and superior
    spacing: float = 1.0  # mm, along each axis
    evaluated: Literal[54, 56] = 54  # labels: without cerebellum and brainstem, which the images lack, or all

    def __post_init__(self) -> None:
        """Raise `DataError` for options that are out of range."""
        if unknown := sorted(set(self.subjects) - set(SUBJECTS)):
            raise DataError(f"subjects: {', '.join(unknown)}: expected names from S01 to S40")
        if ATLAS not in self.subjects or len(set(self.subjects)) < 2:
            raise DataError(f"subjects: expected {ATLAS}, the fixed image, and at least one other")
        if not self.spacing > 0 or min(self.shape) < 2:
            raise DataError(f"expected a spacing above 0 and at least 2 voxels, got {self.spacing} and {self.shape}")


@dataclass(frozen=True)
class _Files:
    """The header and the data of a volume in Analyze form; the data may be compressed."""

    header: Path
    data: Path


def supply(params: Params) -> Supply:
    """Return which subjects are wanted, and of which both volumes are there."""
    found = _find(hand_placed(FOLDER, params.source))
    wanted = sorted(set(params.subjects))
    places = {each: found[each]["image"].data for each in wanted if each in found}
    pieces = (Piece(each, f"{ARCHIVE} at {PAGE}", place=places.get(each)) for each in wanted)
    extent = Extent(len(wanted), len(wanted) - 1, math.prod(params.shape))
    return Supply(LICENCE, tuple(pieces), put_into(FOLDER), (STEP,), extent)


def prepare(folder: Path, params: Params, *, name: str) -> None:
    """Import the wanted subjects, one in memory at a time.

    Raises:
        DataError: files are missing (the message says which, what to get and where to put it), damaged or no LPBA40.
    """
    if lack := supply(params).lack():
        raise DataError(f"{name}: {lack}")
    found, wanted = _find(hand_placed(FOLDER, params.source)), sorted(set(params.subjects))
    grid = Grid(params.shape, (params.spacing,) * 3)
    writer, cut = Writer(folder), list[str]()
    for subject in tqdm(wanted, desc=name, unit="scan", disable=None):
        cut += _import(writer, subject, found[subject], grid)
    writer.finish(_describe(name, params, grid, wanted, cut))


def _find(places: Sequence[Path]) -> dict[str, dict[str, _Files]]:
    """Return the files of each subject that has both volumes whole; the first folder that has a file gives it."""
    paths = dict[str, Path]()
    for place in reversed(places):
        paths |= {path.name.lower(): path for path in search(place, r"S\d\d\.delineation\..*\.(hdr|img|img\.gz)")}
    found = dict[str, dict[str, _Files]]()
    for subject in SUBJECTS:
        files = {kind: _pair(paths, stem.format(subject=subject).lower()) for kind, stem in NAMES.items()}
        whole = {kind: each for kind, each in files.items() if each is not None}
        if len(whole) == len(NAMES):
            found[subject] = whole
    return found


def _pair(paths: dict[str, Path], stem: str) -> _Files | None:
    header = paths.get(f"{stem}.hdr")
    data = paths.get(f"{stem}.img") or paths.get(f"{stem}.img.gz")
    return _Files(header, data) if header and data else None


def _import(writer: Writer, subject: str, files: dict[str, _Files], grid: Grid) -> list[str]:
    """Write a subject's image, mask and labels on the grid, and return a note where that cuts its brain."""
    image, spacing = _read(files["image"])
    labels, other = _read(files["labels"])
    if labels.shape != image.shape or not np.allclose(spacing, other, rtol=1e-3):
        raise DataError(f"{files['labels'].header}: lies otherwise than the image of {subject}; get both again")
    values = np.rint(labels)
    if not np.isin(values, [0, *LPBA_LABELS]).all() or not values.any():
        raise DataError(f"{files['labels'].data}: holds values that are no LPBA40 labels; get another copy")
    if not (brain := image > 0).any():
        raise DataError(f"{files['image'].data}: no voxel above 0; get another copy")
    low, high = (np.array([each(axis) for axis in np.nonzero(brain)]) for each in (np.min, np.max))
    # Voxels of the scan that lie at the voxels of the grid, whose middle is the middle of the brain's box.
    places = grid.to_mm(np.indices(grid.shape).reshape(3, -1).T) / spacing + (low + high) / 2
    resampled = geometry.sample(image, places.T, outside=0.0).reshape(grid.shape)
    top = float(np.percentile(image[brain], BRIGHT))
    writer.image(subject, np.clip(resampled / top, 0, 1), grid.affine)
    writer.mask(subject, resampled > 0, grid.affine)
    nearest = geometry.sample(values.astype(np.uint16), places.T, order=0, outside=0.0)
    writer.labels(subject, nearest.reshape(grid.shape), grid.affine)
    size = (high - low + 1) * spacing
    return [] if np.all(size <= np.multiply(grid.shape, grid.spacing)) else [f"{subject}: the grid cuts its brain"]


def _read(files: _Files) -> tuple[Array, Array]:
    """Read a volume ``(x, y, z)`` in Analyze form and its voxel sizes in mm; a fourth axis of length 1 is dropped."""
    for path in (files.header, files.data):
        note(path)
    try:
        header = AnalyzeHeader(files.header.read_bytes()[:348])
        shape, kind = tuple(map(int, header.get_data_shape())), header.get_data_dtype()
        if len(shape) == 4 and shape[3] == 1:
            shape = shape[:3]
        spacing = np.array(header.get_zooms()[:3], float)
        if len(shape) != 3 or not 0 < math.prod(shape) <= LARGEST or not np.all(spacing > 0):
            raise ValueError(f"shape {shape} and voxels of {spacing.tolist()} mm")
        content = files.data.read_bytes()
        content = gzip.decompress(content) if files.data.suffix.lower() == ".gz" else content
    except (OSError, ValueError, EOFError, zlib.error, HeaderDataError, HeaderTypeError) as error:
        why = one_line(error)
        raise DataError(f"{files.header}: not a readable Analyze volume ({why}); get another copy") from error
    if len(content) != math.prod(shape) * kind.itemsize:
        raise DataError(f"{files.data}: {len(content)} bytes do not fit {shape} voxels; is it cut? get another copy")
    values = np.frombuffer(content, kind).reshape(shape, order="F").astype(np.float32)
    if not np.all(np.isfinite(values)):
        raise DataError(f"{files.data}: some voxels are NaN or infinite; get another copy")
    return values, spacing


def _describe(name: str, params: Params, grid: Grid, subjects: Sequence[str], notes: Sequence[str]) -> Description:
    steps = (
        f"delineation space; read linearly at {params.spacing:g} mm about the middle of each brain, labels by nearest",
        f"the {BRIGHT} % brightest of the brain's voxels becomes 1",
        "orientation as public readers take it: the files state none",
        "the images lack cerebellum and brainstem, the labels have them",
    )
    return Description(
        name=name,
        module="lpba40",
        title="LPBA40, delineation space",
        anatomy="brain",
        modality="T1 MR",
        licence=LICENCE,
        source=f"{PAGE}, {ARCHIVE}",
        preprocessing=(*steps, *notes),
        intensity=Window("normalised T1", 0.0, 1.0),
        shape=grid.shape,
        spacing=grid.spacing,
        orientation=("L", "P", "S"),
        labels=dict(LPBA_LABELS),
        evaluated_labels=tuple(label for label in LPBA_LABELS if params.evaluated == 56 or label < 181),
        label_sets=dict(LPBA_SETS),
        subjects={subject: subject for subject in subjects},
        notes=tuple(notes),
        training=TrainingSplit(()),
        test=tuple(Pair(ATLAS, subject) for subject in subjects if subject != ATLAS),
    )
