"""rcn_hdf5: the preprocessed 128 x 128 x 128 sets of recursive cascaded networks, on which LDR + ALDK was measured too.

Six collections: ``sliver``, ``lits``, ``lspig`` (liver CT) and ``lpba`` (T1 MR) are for tests, ``liver-training`` and
``brain-training`` for training alone. The files are HDF5, one group a scan, with ``volume`` (0 to 255) and, for tests,
``segmentation`` (liver: 0 and 255; LPBA40: label values). They store neither spacing nor orientation, so nothing
measured on them has millimetres; SLIVER's six points a scan are therefore left out.

Licence: none is stated for the files; the terms of the sets they are made from apply (`COLLECTIONS`). Source and how
to obtain: four archives on Google Drive, linked from the README of github.com/microsoft/Recursive-Cascaded-Networks
(Zhao et al. 2019, doi:10.1109/ICCV.2019.01070). The package gdown fetches them where it is installed; Drive has a daily
quota, so a browser and patience may be needed: put them, zipped or unpacked, where the message of a missing file says.
No checksums are published; those found at the import are written to dataset.json, and ``checksums`` refuses any others.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# h5py has no types.

from __future__ import annotations

import logging
import re
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import permutations
from pathlib import Path
from typing import Literal, cast

import h5py
import numpy as np
from tqdm import tqdm

from datasets.case import Writer
from datasets.description import Description, Pair, TrainingSplit, Window
from datasets.download import verify
from datasets.files import Array, DataError, one_line
from datasets.originals import checksum_of
from datasets.rcn.finding import find_files, supply_of
from datasets.rcn.labels import brain_labels, liver_labels
from datasets.rcn.lists import COLLECTIONS, GRID, VOLUME, Collection, Part
from datasets.supply import Extent, Supply
from datasets.webpage import page_at

logger = logging.getLogger(__name__)
LARGEST = 2**27  # voxels: a damaged file may ask for more memory than there is
# The released preprocessing turns DICOM into axes that grow to the patient's right, to posterior, to inferior; what the
# brain sets went through is not known.
LIVER_AFFINE, BRAIN_AFFINE = np.diag([1.0, -1.0, -1.0, 1.0]), np.eye(4)


@dataclass
class Imported:
    """What an import has found so far: cases in order, by part, and every departure from the published lists."""

    cases: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    shape: tuple[int, ...] | None = None
    labels: set[int] = field(default_factory=set[int])
    notes: list[str] = field(default_factory=list[str])
    missing: list[str] = field(default_factory=list[str])

    @property
    def every_case(self) -> list[str]:
        """All cases, in order."""
        return [case for cases in self.cases.values() for case in cases]

    def note(self, text: str) -> None:
        """Keep a departure from what is published, and log it."""
        logger.warning("%s", text)
        self.notes.append(text)

    def leave_out(self, scans: Sequence[str], why: str) -> None:
        """Say and keep which scans are not imported."""
        self.note(f"{_some(scans)}: left out, {why}")
        self.missing += scans


@dataclass(frozen=True, kw_only=True)
class Params:
    """The options of the import."""

    # which scans and pairs, by the released protocol: sliver and lits have every ordered pair of scans, lspig both
    # directions of each pig's two scans, lpba S01 fixed and S02 to S40 moving; the others are for training alone
    collection: Literal["sliver", "lits", "lspig", "lpba", "liver-training", "brain-training"]
    source: str | None = None  # folder that has the files at any depth; else rcn_hdf5 below the mirror or the cache
    checksums: Mapping[str, str] | None = None  # SHA-256 by file name; a file with another one is refused


def prepare(folder: Path, params: Params, *, name: str) -> None:
    """Import one collection from its HDF5 files.

    Raises:
        DataError: a file is missing (the message says what to get and where to put it), damaged, or of another form.
    """
    wanted = COLLECTIONS[params.collection]
    paths = find_files(sorted({part.file for part in wanted.parts}), params.source)
    archives = {file: checksum_of(path) for file, path in paths.items()}
    for file, expected in (params.checksums or {}).items():
        if file in paths:
            verify(paths[file], expected, advice="correct `checksums`, or replace the file")
    writer, found = Writer(folder), Imported()
    for part in wanted.parts:
        _import_part(writer, found, part, paths[part.file], wanted)
    if wanted.atlas and wanted.atlas not in found.every_case:
        raise DataError(f"the atlas {wanted.atlas} is not among the scans, so there are no pairs")
    pairs = _pairs(wanted, found)
    if wanted.pairs and len(pairs) != wanted.pairs:
        found.note(f"{name}: {len(pairs)} test pairs, the paper has {wanted.pairs}")
    if found.shape != GRID:
        found.note(f"{name}: volumes are {found.shape}, the published ones {GRID}")
    if wanted.labels and (absent := [str(label) for label in wanted.labels if label not in found.labels]):
        found.note(f"{name}: no scan holds the labels {', '.join(absent)}, so they are not evaluated")
    writer.finish(_describe(name, params.collection, found, pairs, archives))


def supply(params: Params) -> Supply:
    """Return which files a collection is imported from, and which of them are there."""
    wanted = COLLECTIONS[params.collection]
    files = sorted({part.file for part in wanted.parts})
    extent = Extent(sum(part.count for part in wanted.parts), wanted.pairs, VOLUME)
    return supply_of(files, params.source, wanted.licence, extent)


@contextmanager
def _open(path: Path) -> Generator[h5py.File]:
    try:
        archive = h5py.File(path, "r", locking=False)  # a mirror may lie where nothing can be locked
    except OSError as error:
        raise DataError(f"{path}: {_no_hdf5(path, error)}; download it again") from error
    with archive:
        try:
            yield archive
        except (RuntimeError, KeyError, UnicodeError, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:  # of the system, as is a full disk
                raise
            raise DataError(f"{path}: damaged within ({one_line(error)}); download it again") from error


def _no_hdf5(path: Path, error: OSError) -> str:
    if said := page_at(path):
        return f"a web page lies under this name: {said}"
    return f"not a readable HDF5 file ({path.stat().st_size} bytes; {one_line(error)}); perhaps it is cut short"


def _import_part(writer: Writer, found: Imported, part: Part, path: Path, wanted: Collection) -> None:
    """Read the scans of one part, one in memory at a time."""
    with _open(path) as archive:
        scans = archive.get(part.inside) if part.inside else archive
        if not isinstance(scans, h5py.Group):
            raise DataError(f"{path}: no group {part.inside!r}, found {_some(archive)}")
        chosen = _choose(scans, part, found, path)
        cases = found.cases.setdefault(part.alias, [])
        for scan in tqdm(chosen, desc=f"{path.name} {part.inside}".strip(), unit="scan", disable=None):
            group = cast(h5py.Group, scans[scan])
            where = f"{path}: {group.name}"
            if group.file.filename != archive.filename:
                raise DataError(f"{where}: lies in another file; copy it into this one")
            if wanted.labels and "segmentation" not in group:
                found.leave_out([f"{part.alias}/{scan}"], "no segmentation, so it cannot be scored")
                continue
            case = case_name(part.alias, scan)
            if case in cases:
                raise DataError(f"{where}: another scan has the name {case!r} too")
            _write(writer, found, case, group, wanted, where)
            cases.append(case)


def _choose(scans: h5py.Group, part: Part, found: Imported, path: Path) -> list[str]:
    """Return the scans to read: the published ones where their names follow a rule, else all, their number compared."""
    present = {key for key, item in scans.items() if isinstance(item, h5py.Group)}
    chosen = [scan for scan in part.scans if scan in present] if part.scans else sorted(present)
    if not chosen:
        raise DataError(f"{path}: none of the scans of {part.alias!r} is there, found {_some(scans)}")
    if absent := [f"{part.alias}/{scan}" for scan in part.scans if scan not in present]:
        found.leave_out(absent, f"no such group in {path.name}")
    if len(chosen) != part.count and not part.scans:
        found.note(f"{path.name}: {len(chosen)} scans, the published list has {part.count}")
    if part.whole and (others := sorted(present - set(chosen))):
        found.note(f"{path.name}: {len(others)} groups that no list names are not read: {_some(others)}")
    return chosen


def case_name(alias: str, scan: str) -> str:
    """Return a name for files: letters, digits, dots, hyphens; underscores separate the cases of a pair."""
    return f"{alias}-{re.sub(r'[^A-Za-z0-9.]+', '-', scan).strip('-')}"


def _some(names: Iterable[object]) -> str:
    names = [str(name) for name in names]  # of a damaged file some are bytes
    return (", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")) or "nothing"


def _write(writer: Writer, found: Imported, case: str, scan: h5py.Group, wanted: Collection, where: str) -> None:
    image = _image(_array(scan, "volume", where), where)
    found.shape = found.shape or image.shape
    if image.shape != found.shape:
        raise DataError(f"{where}: shape {image.shape}, the scans before it {found.shape}")
    affine = LIVER_AFFINE if wanted.anatomy == "liver" else BRAIN_AFFINE
    writer.image(case, image, affine)
    if wanted.labels:
        stored = _array(scan, "segmentation", where)
        if stored.shape != image.shape:
            raise DataError(f"{where}: segmentation {stored.shape} on a volume {image.shape}")
        if bad := int((~np.isfinite(stored)).sum()):
            raise DataError(f"{where}/segmentation: {bad} of {stored.size} values are NaN or infinite")
        read = liver_labels if wanted.anatomy == "liver" else brain_labels
        labels = read(stored, where)
        found.labels |= set(np.unique(labels).tolist())
        writer.labels(case, labels, affine)


def _array(scan: h5py.Group, member: str, where: str) -> Array:
    item = scan.get(member)
    if not isinstance(item, h5py.Dataset):
        raise DataError(f"{where}: no dataset {member!r}, found {_some(scan)}")
    if item.file.filename != scan.file.filename or item.is_virtual or item.external:
        raise DataError(f"{where}/{member}: lies in another file; copy it into this one")
    if item.dtype.kind not in "iuf":
        raise DataError(f"{where}/{member}: expected numbers, got dtype {item.dtype}")
    if item.ndim != 3 or 0 in item.shape or np.prod(item.shape, dtype=float) > LARGEST:
        raise DataError(f"{where}/{member}: expected a volume of three axes, got shape {item.shape}")
    try:
        return item[...]
    except OSError as error:
        raise DataError(f"{where}/{member}: cannot be read ({one_line(error)})") from error


def _image(stored: Array, where: str) -> Array:
    """Return an image in [0, 1] from a volume of 0 to 255; one that is in [0, 1] already stays as it is."""
    low, high = float(stored.min()), float(stored.max())
    if not (0 <= low < high <= 255):
        raise DataError(f"{where}/volume: expected values from 0 to 255, got {low:g} to {high:g}")
    return stored.astype(np.float32) / (255 if high > 1.5 else 1)


def _pairs(wanted: Collection, found: Imported) -> list[Pair]:
    """Return the test pairs, by the collection's rule; none for training."""
    if wanted.rule == "training":
        return []
    cases = found.every_case
    if wanted.rule == "ordered":
        return [Pair(a, b) for a, b in permutations(cases, 2)]
    if wanted.rule == "atlas":
        return [Pair(wanted.atlas, case) for case in cases if case != wanted.atlas]
    twins = {(a, b): Pair(a, b) for a, b in permutations(cases, 2) if wanted.subject(a) == wanted.subject(b)}
    for case in [case for case in cases if not any(case in twin for twin in twins)]:
        found.note(f"{case}: in no pair, for the other scan of {wanted.subject(case)} is not there")
    return list(twins.values())


def _describe(name: str, collection: str, found: Imported, pairs: list[Pair], archives: dict[str, str]) -> Description:
    wanted, cases = COLLECTIONS[collection], found.every_case
    training = TrainingSplit(tuple(cases if wanted.rule == "training" else ()))
    if training.cases and wanted.atlas:
        training = TrainingSplit(tuple(cases), "atlas", wanted.atlas)
    return Description(
        name=name,
        module="rcn_hdf5",
        collection=collection,
        title=wanted.title,
        anatomy=wanted.anatomy,
        modality=wanted.modality,
        licence=wanted.licence,
        source="preprocessed HDF5 files of github.com/microsoft/Recursive-Cascaded-Networks",
        preprocessing=(*wanted.preprocessing, "spacing unknown: written as 1, units are voxels", *found.notes),
        intensity=Window("as distributed", 0.0, 1.0),
        shape=found.shape or (),
        spacing=None,  # the NIfTI headers say 1, which is no millimetre
        orientation=("R", "P", "I") if wanted.anatomy == "liver" else (),
        labels=dict(wanted.labels),
        evaluated_labels=tuple(label for label in wanted.labels if label in found.labels),
        label_sets=dict(wanted.label_sets),
        subjects={case: wanted.subject(case) for case in cases},
        missing=tuple(found.missing),
        notes=tuple(found.notes),
        archives=archives,
        training=training,
        test=tuple(pairs),
    )
