"""sliver07: liver CT of the MICCAI 2007 challenge from its own distribution; 20 labelled scans, all ordered pairs.

Licence: for research on the segmentation of the liver alone, not commercial, not passed on (Heimann et al. 2009,
doi:10.1109/TMI.2009.2013851; files doi:10.5281/zenodo.2597908, with ``license.txt``). To register them is another
purpose, which needs the permission of their makers, so nothing is downloaded: whoever has it puts the two archives, or
what they unpack to, into ``sliver07``. The archives are known by their SHA-256.

Headers say nothing of orientation. Axes are taken to grow to the patient's left, posterior and superior as far as the
picture does not tell otherwise: lungs lie above a liver, and the liver on the right. What was turned is said in
``notes``. All scans are read linearly on one grid of whole millimetres about the middle of the liver, labels by the
nearest voxel. It is not what the papers used: their file is cropped without proportion and has no millimetres
(`rcn_hdf5`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import numpy as np
from tqdm import tqdm

from datasets import geometry
from datasets.archives import Member, names_in_zip
from datasets.case import Writer
from datasets.chest_ct.lungs import Scan
from datasets.chest_ct.metaimage import LONGEST, parse_metaimage
from datasets.description import Description, Pair, TrainingSplit, Window
from datasets.download import hand_placed, put_into, verify
from datasets.files import Array, DataError
from datasets.found import search
from datasets.grid import Grid
from datasets.supply import Extent, Piece, Supply

FOLDER = "sliver07"  # below the mirror and the cache
SCANS = 20  # that have labels
RECORD = "https://zenodo.org/records/2597908"
ARCHIVES = {
    "training-scans.zip": "caf4e43650050543ec59a07c2cb983faa023696dbe3f958019bfa025f13dc6c3",
    "training-labels.zip": "72c41c299ce1392cf810424268186518157c14c361e7dc2220657b1cf7173d78",
}
LICENCE = (
    "research on liver segmentation, non-commercial, no copies; any other use wants its makers' permission; cite "
    "Heimann et al. 2009"
)
STEPS = (
    "ask the makers of SLIVER07 (sliver07.grand-challenge.org) for the permission to register its scans",
    f"download training-scans.zip and training-labels.zip of {RECORD}, and leave them as they are or unpack them; "
    "test-scans.zip has scans of the same names without labels and must not lie there unpacked",
)
WINDOW = Window("HU", -25.0, 265.0)  # of the preprocessed set
LABELS = {1: "liver"}
AIR, LUNG = -1024.0, -400.0  # HU: beyond the scan; what is below is no tissue
END = 0.1  # of the liver's height, at either end of which lung is looked for
CLEAR = 1.5  # times as much of it at one end, and that is the upper one
LARGEST = 2**30  # bytes of a scan
_FILE = re.compile(r"liver-(orig|seg)(0\d\d)\.(mhd|raw)", re.IGNORECASE)
_TEST = re.compile(r"(^|/)test[^/]*/", re.IGNORECASE)


@dataclass(frozen=True)
class Params:
    """The options of the import."""

    source: str | None = None  # folder that has the files at any depth; else sliver07 below the mirror or the cache
    exclude: tuple[int, ...] = ()  # numbers of scans to leave out, 1 to 20; the papers' file lacks 14
    shape: tuple[int, int, int] = (128, 128, 128)  # voxels to the patient's left, posterior and superior
    spacing: float = 2.5  # mm, along each axis

    def __post_init__(self) -> None:
        """Raise `DataError` for options that are out of range."""
        if not set(self.exclude) <= set(range(1, SCANS + 1)) or len(self.wanted) < 2:
            raise DataError(f"exclude: expected numbers from 1 to {SCANS}, and two scans or more that are left")
        if not self.spacing > 0 or min(self.shape) < 2:
            raise DataError(f"expected a spacing above 0 and at least 2 voxels, got {self.spacing} and {self.shape}")

    @property
    def wanted(self) -> list[int]:
        """The numbers of the scans to import."""
        return [number for number in range(1, SCANS + 1) if number not in self.exclude]


Key = tuple[str, int, str]  # orig or seg, number, ending
Found = Mapping[Key, Member]


def supply(params: Params) -> Supply:
    """Return which scans are wanted, and of which image and labels are there."""
    found = _find(hand_placed(FOLDER, params.source))
    pieces = (
        Piece(case_name(n), f"{' and '.join(ARCHIVES)} at {RECORD}", place=found["orig", n, "raw"].path)
        if _is_whole(found, n)
        else Piece(case_name(n), f"{' and '.join(ARCHIVES)} at {RECORD}")
        for n in params.wanted
    )
    count = len(params.wanted)
    extent = Extent(count, count * (count - 1), math.prod(params.shape))
    return Supply(LICENCE, tuple(pieces), put_into(FOLDER), STEPS, extent)


def prepare(folder: Path, params: Params, *, name: str) -> None:
    """Import the wanted scans, one in memory at a time.

    Raises:
        DataError: files are missing (the message says which, what to ask for and where to put it), damaged or others.
    """
    if lack := supply(params).lack():
        raise DataError(f"{name}: {lack}")
    found = _find(hand_placed(FOLDER, params.source))
    checked = _verified(found)
    writer, grid, notes = Writer(folder), Grid(params.shape, (params.spacing,) * 3), list[str]()
    for number in tqdm(params.wanted, desc=name, unit="scan", disable=None):
        notes += _import(writer, number, found, grid)
    writer.finish(_describe(name, params, grid, notes, checked))


def case_name(number: int) -> str:
    """Return a scan's name, as its file has it without what tells images from labels."""
    return f"liver{number:03d}"


def _find(places: Sequence[Path]) -> Found:
    """Return the files of the labelled scans, zipped or not; the first folder that has one gives it."""
    found = dict[Key, Member]()
    for place in reversed(places):
        found |= dict(_parts(place))
    return found


def _parts(place: Path) -> Iterator[tuple[Key, Member]]:
    zips = "|".join(map(re.escape, ARCHIVES))
    for path in search(place, rf"{zips}|{_FILE.pattern}"):
        below = path.relative_to(place).as_posix()
        inside = names_in_zip(path) if path.name.lower() in ARCHIVES else ["" if _TEST.search(below) else below]
        for name in inside:
            if match := _FILE.fullmatch(name.rpartition("/")[2]):
                part = Member(path, name if path.name.lower() in ARCHIVES else "")
                yield (match[1].lower(), int(match[2]), match[3].lower()), part


def _is_whole(found: Found, number: int) -> bool:
    return all((kind, number, ending) in found for kind in ("orig", "seg") for ending in ("mhd", "raw"))


def _verified(found: Found) -> dict[str, str]:
    """Check the archives that files come from; return their checksums."""
    packed = sorted({part.path for part in found.values() if part.inside})
    for path in packed:
        verify(path, ARCHIVES[path.name.lower()], advice="download it again")
    return {path.name: ARCHIVES[path.name.lower()] for path in packed}


def _read(found: Found, kind: str, number: int) -> Scan:
    header, data = found[kind, number, "mhd"], found[kind, number, "raw"]
    return parse_metaimage(header.read(LONGEST), data.read(LARGEST), str(header), str(data))


def _import(writer: Writer, number: int, found: Found, grid: Grid) -> list[str]:
    """Write a scan and its liver on the grid; return in words how it was turned."""
    image, labels = _read(found, "orig", number), _read(found, "seg", number)
    if image.values.shape != labels.values.shape:
        sizes = f"{labels.values.shape} voxels, its image {image.values.shape}"
        raise DataError(f"{found['seg', number, 'raw']}: {sizes}; get both again")
    liver = labels.values > 0
    if not liver.any():
        raise DataError(f"{found['seg', number, 'raw']}: no voxel is labelled; get it again")
    turned = _turned(image.values, liver)
    values, liver = (np.flip(each, turned) for each in (image.values, liver))
    corners = [(int(span[0]), int(span[-1])) for span in _spans(liver)]
    middle = np.mean(corners, axis=1)
    places = (grid.to_mm(np.indices(grid.shape).reshape(3, -1).T) / image.grid.spacing + middle).T
    case = case_name(number)
    read = geometry.sample(values, places, outside=AIR).reshape(grid.shape)
    writer.image(case, WINDOW.scale(read), grid.affine)
    nearest = geometry.sample(liver.astype(np.uint16), places, order=0, outside=0.0)
    writer.labels(case, nearest.reshape(grid.shape), grid.affine)
    words = {0: "from right to left", 2: "upside down"}
    return [f"{case}: turned {words[axis]}, as its picture shows" for axis in turned]


def _turned(values: Array, liver: Array) -> list[int]:
    """Return the axes that have to be turned: the liver lies to the right of the body, and lungs above it."""
    axes = list[int]()
    body = values > LUNG
    middle = np.mean(np.flatnonzero(body.any(axis=(1, 2)))[[0, -1]]) if body.any() else 0.0
    if body.any() and np.average(np.arange(len(liver)), weights=liver.sum(axis=(1, 2))) > middle:
        axes.append(0)
    (left, right), (front, back), (low, high) = ((int(span[0]), int(span[-1]) + 1) for span in _spans(liver))
    height = max(1, round(END * (high - low)))
    around = values[left:right, front:back] < LUNG
    below, above = (float(around[:, :, part].mean()) for part in (slice(low, low + height), slice(high - height, high)))
    if below > CLEAR * above:
        axes.append(2)
    return axes


def _spans(liver: Array) -> list[Array]:
    """Return the places along each axis where there is any liver."""
    return [np.flatnonzero(liver.any(axis=tuple(other for other in range(3) if other != axis))) for axis in range(3)]


def _describe(name: str, params: Params, grid: Grid, notes: Sequence[str], archives: Mapping[str, str]) -> Description:
    cases = list(map(case_name, params.wanted))
    return Description(
        name=name,
        module="sliver07",
        title="Liver CT, SLIVER07",
        anatomy="liver",
        modality="CT",
        licence=LICENCE,
        source=f"{RECORD}, training-scans.zip and training-labels.zip",
        preprocessing=(
            f"read linearly at {params.spacing:g} mm about the middle of the liver's box, labels by the nearest voxel",
            f"beyond the scan {AIR:g} HU",
            WINDOW.text,
        ),
        intensity=WINDOW,
        shape=grid.shape,
        spacing=grid.spacing,
        orientation=("L", "P", "S"),
        labels=dict(LABELS),
        evaluated_labels=tuple(LABELS),
        subjects={case: case for case in cases},
        excluded=tuple(map(case_name, params.exclude)),
        notes=tuple(notes),
        archives=dict(archives),
        training=TrainingSplit(()),
        test=tuple(Pair(a, b) for a, b in permutations(cases, 2)),
    )
