"""DIR-Lab 4DCT: ten lung CT pairs, 300 landmarks each at end-inhale (T00) and end-exhale (T50).

Licence and source: research use after the form of the Emory radiation oncology group, no redistribution
(Castillo et al. 2009, doi:10.1088/0031-9155/54/7/001). The form leads to ten packs, which are placed by hand, zipped or
unpacked, where the message of a missing file says. A checked copy of the landmarks with corrections is DIR-QA
(github.com/deshanyang/DIR-QA, GPL-3.0).

Landmark files are read into one convention: zero-based voxel coordinates ``(n, 3)`` in the axes of the stored image (to
the patient's left, to posterior, from superior to inferior). Prepared images have their last axis to superior. Images
are headerless, 16 bit, little endian; that they hold HU + 1024 is common practice, not an official statement.

Every import recomputes the mean distance between the two phases and refuses a case that misses the published one, and
one whose landmarks do not lie in the lungs of its images.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import loadmat
from scipy.io.matlab import MatReadError
from tqdm import tqdm

from datasets.case import Pair, Writer
from datasets.chest_ct import pairs as chest_pairs
from datasets.chest_ct.dirlab_packs import (
    FOLDER,
    FORM,
    PHASES,
    RECORDED,
    SIZES,
    Key,
    Member,
    find_members,
    missing_members,
)
from datasets.chest_ct.lungs import Scan
from datasets.chest_ct.pairs import Crop, Phase, distances
from datasets.description import Description, LungPair
from datasets.download import hand_placed, put_into
from datasets.files import Array, DataError, parse_points
from datasets.grid import Grid
from datasets.originals import checksum_of
from datasets.supply import Extent, Piece, Supply

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Published:
    """Published facts of a case: grid (x, y, z), distance before registration (mm; population SD), landmarks."""

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    tre_mean: float
    tre_sd: float
    landmarks: int = 300


CASES = {
    1: Published((256, 256, 94), (0.97, 0.97, 2.5), 3.89, 2.78),
    2: Published((256, 256, 112), (1.16, 1.16, 2.5), 4.34, 3.90),
    3: Published((256, 256, 104), (1.15, 1.15, 2.5), 6.94, 4.05),
    4: Published((256, 256, 99), (1.13, 1.13, 2.5), 9.83, 4.85),
    5: Published((256, 256, 106), (1.10, 1.10, 2.5), 7.48, 5.50),
    6: Published((512, 512, 128), (0.97, 0.97, 2.5), 10.89, 6.96),
    7: Published((512, 512, 136), (0.97, 0.97, 2.5), 11.03, 7.42),
    8: Published((512, 512, 128), (0.97, 0.97, 2.5), 14.99, 9.00),
    9: Published((512, 512, 128), (0.97, 0.97, 2.5), 7.92, 3.97),
    10: Published((512, 512, 120), (0.97, 0.97, 2.5), 7.30, 6.34),
}
LICENCE = "research use after the form of the Emory radiation oncology group, no redistribution"
STEP = f"fill in the form at {FORM}, download Case1Pack.zip to Case10Pack.zip (the form leads to their password)"
TOLERANCE_MM = 0.01
LONGEST_TEXT = 2**20  # bytes of a landmark file, which has 300 rows
WHOLE_SLICE = (512, 512)  # smaller ones were cut and thinned out by the makers


@dataclass(frozen=True, kw_only=True)
class Params(Crop):
    """The options of the import; those of `Crop` say how pairs are prepared."""

    # folder that has the packs at any depth, zipped or unpacked; else dirlab below the mirror or the cache
    source: str | None = None
    cases: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)  # which of the ten
    hu_offset: float = -1024.0  # what makes Hounsfield units of stored values

    def __post_init__(self) -> None:
        """Raise `DataError` for options that are out of range."""
        super().__post_init__()
        if not self.cases or not set(self.cases) <= set(CASES):
            raise DataError(f"cases: expected numbers from 1 to 10, got {list(self.cases)}")


def prepare(folder: Path, params: Params, *, name: str) -> None:
    """Import the ten packs, in the order of the cases.

    Raises:
        DataError: packs are missing (the message says what to get and where to put it), damaged, or not the published
            ones.
    """
    wanted = sorted(set(params.cases))
    found = _find(params.source, wanted)
    writer, pairs = Writer(folder), dict[Pair, LungPair]()
    for number in tqdm(wanted, desc=name, unit="pair", disable=None):
        inhale, exhale = _read_case(number, found, params.hu_offset)
        slices = inhale.scan.grid if CASES[number].shape[:2] == WHOLE_SLICE else None
        pair, facts = chest_pairs.write_pair(writer, inhale, exhale, params, slices=slices)
        pairs[pair] = replace(facts, published_mm=CASES[number].tre_mean)
    archives = {member.path for (number, _, _), member in found.items() if number in wanted}
    writer.finish(_describe(name, pairs, params, {path.name: checksum_of(path) for path in archives}))


def supply(params: Params) -> Supply:
    """Return which packs are wanted, and which of them are there, zipped or unpacked."""
    wanted = sorted(set(params.cases))
    found = find_members(hand_placed(FOLDER, params.source))
    pieces = (_piece(number, found) for number in wanted)
    extent = Extent(2 * len(wanted), len(wanted), math.prod(params.shape))
    return Supply(LICENCE, tuple(pieces), put_into(FOLDER), (STEP,), extent)


def _piece(number: int, found: dict[Key, Member]) -> Piece:
    lost = missing_members(found, [number])
    name = f"Case{number}Pack.zip" + (f", of which lacks {', '.join(lost)}" if lost and "(" in lost[0] else "")
    place = None if lost else found[number, "image", PHASES[0]].path
    return Piece(name, "Emory's form", SIZES[number], place, checksum=RECORDED[number])


def _find(source: str | None, wanted: Sequence[int]) -> dict[Key, Member]:
    found = find_members(hand_placed(FOLDER, source))
    if lost := missing_members(found, wanted):
        whole = [number for number in wanted if not missing_members(found, [number])]
        less = f", or set `cases: {whole}` for those that are there" if whole else ""
        raise DataError(f"DIR-Lab: not found: {', '.join(lost)}; {STEP} and put them into {put_into(FOLDER)}{less}")
    return found


def _read_case(number: int, found: Mapping[Key, Member], hu_offset: float) -> list[Phase]:
    """Both phases of a case in the patient's frame; refuse landmarks that miss the published distance."""
    files = [found[number, "landmarks", phase] for phase in PHASES]
    points = [parse_text(file.read(LONGEST_TEXT).decode("latin-1"), str(file)) for file in files]
    check_case(number, *points, names=tuple(map(str, files)))
    scans = [_read_scan(number, found[number, "image", phase], hu_offset) for phase in PHASES]
    return [
        # Slices are stored from superior to inferior; the prepared axis points the other way.
        Phase(f"case{number:02d}-{phase}", scan, scan.grid.to_mm(_upside_down(voxels, scan.grid.shape[2])))
        for phase, scan, voxels in zip(PHASES, scans, points, strict=True)
    ]


def _read_scan(number: int, file: Member, hu_offset: float) -> Scan:
    case = CASES[number]
    expected = 2 * int(np.prod(case.shape))
    if len(content := file.read(expected)) != expected:
        raise DataError(f"{file}: {len(content)} bytes, expected {expected} for {case.shape} voxels; is it cut?")
    stored = np.frombuffer(content, "<i2").reshape(case.shape[::-1]).transpose(2, 1, 0)
    return Scan(
        stored[:, :, ::-1].astype(np.float32) + np.float32(hu_offset),
        Grid.from_origin(case.shape, case.spacing, (0, 0, 0)),
    )


def _upside_down(voxels: Array, slices: int) -> Array:
    return np.column_stack([voxels[:, :2], slices - 1 - voxels[:, 2]])


def _describe(name: str, pairs: Mapping[Pair, LungPair], params: Params, archives: Mapping[str, str]) -> Description:
    packs = {f"Case{number}Pack.zip": known for number, known in RECORDED.items()}
    odd = [file for file, known in packs.items() if archives.get(file, known) != known]
    notes = [f"{file}: another checksum than a public study recorded" for file in odd]
    for note in notes:
        logger.warning("%s", note)
    shared = chest_pairs.describe(name, pairs, params)
    steps = (
        f"Hounsfield units are the stored values {params.hu_offset:+g}: an assumption, no official statement has it",
        "field of view: the bore's disc in cases 6 to 10; all of cases 1 to 5, which their makers cut",
        *notes,
    )
    return replace(
        shared,
        module="dirlab",
        title="DIR-Lab 4DCT",
        licence=LICENCE,
        source=f"{FORM}; Castillo et al. 2009, doi:10.1088/0031-9155/54/7/001",
        preprocessing=(*shared.preprocessing, *steps),
        hu_offset=params.hu_offset,
        notes=tuple(notes),
        archives=dict(sorted(archives.items())),
    )


def parse_text(text: str, where: str) -> Array:
    """Return zero-based landmarks ``(n, 3)`` from the text of a landmark file; errors name the file ``where``."""
    return parse_points(text, where) - 1.0


def read_dirqa(path: Path) -> tuple[Array, Array]:
    """Read inhale and exhale landmarks from a DIR-QA file, whose columns are (y, x, z), one-based.

    They are the landmarks without the images: with them the published distances are checked where no pack is.
    """
    try:
        content: Any = loadmat(path)
        inhale, exhale = content["landmark_dirlab_EI"], content["landmark_EE"]
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except (KeyError, ValueError, OSError, TypeError, MatReadError) as error:
        raise DataError(f"{path}: not a DIR-QA landmark file ({error})") from error
    inhale, exhale = (points[:, [1, 0, 2]].astype(np.float64) - 1.0 for points in (inhale, exhale))
    return inhale, exhale


def check_case(number: int, inhale: Array, exhale: Array, *, names: Sequence[str] = ("inhale", "exhale")) -> None:
    """Refuse landmarks that do not reproduce the case's published mean distance within 0.01 mm.

    This proves files, spacing and row order; it cannot see a swap of the two in-plane axes, whose spacing is equal.
    ``names`` are those of the files, for errors.
    """
    if number not in CASES:
        raise DataError(f"DIR-Lab case {number}: there are cases 1 to 10")
    case = CASES[number]
    for name, points in zip(names, (inhale, exhale), strict=True):
        if points.shape != (case.landmarks, 3):
            raise DataError(
                f"DIR-Lab case {number}: {name} has {len(points)} landmarks, published are {case.landmarks}"
            )
    for name, points in zip(names, (inhale, exhale), strict=True):
        inside = np.all((points >= 0) & (points <= np.asarray(case.shape) - 1), axis=1)
        if not inside.all():
            row = int(np.argmin(inside))
            raise DataError(
                f"DIR-Lab case {number}: {name} landmarks outside the volume {case.shape}, the first is number "
                f"{row + 1}, {(points[row] + 1).tolist()} counted from 1; does the file count from 0, or in mm?"
            )
    mean = float(distances(inhale * case.spacing, exhale * case.spacing).mean())
    if not abs(mean - case.tre_mean) <= TOLERANCE_MM:
        apart = f"{mean:.3f} mm apart before registration, published is {case.tre_mean} mm"
        raise DataError(f"DIR-Lab case {number}: landmarks are {apart}; the files are swapped, cut, or not one-based")
