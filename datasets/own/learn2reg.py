"""A folder as the Learn2Reg challenge lays it out, described by its ``*_dataset.json``.

``imagesTr|Ts/<Task>_<patient>_<scan>.nii.gz``, and under the same name ``labelsTr``, ``masksTr``, ``keypointsTr``
(correspondences found by a program) and ``landmarksTr`` (by hand): ``.csv`` without a header, x, y, z in zero-based
voxels of the array in the file. The JSON names the scans to train on (``training``, as pairs
``training_paired_images``) and the pairs to be judged (``registration_val``, ``registration_test``). Headers do not
count beyond the size of a voxel: the challenge compares arrays, voxel on voxel.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import cast

from datasets.files import DataError, one_line
from datasets.found import search
from datasets.originals import note
from datasets.own.listing import Item, Listing, Row, subject_of
from datasets.own.words import NIFTI, Judged, Split, without_ending

PATTERN = r".*_dataset\.json"
POINTS = ("landmarks", "keypoints")  # by hand before those of a program
LONGEST = 300  # letters of a licence that a table shows


@dataclass(frozen=True)
class _Scan:
    """A scan of the JSON: its image, and where its labels and its mask are said to be."""

    image: str = ""
    label: str = ""
    mask: str = ""


@dataclass(frozen=True)
class _Pair:
    """A pair of the JSON."""

    fixed: str = ""
    moving: str = ""


@dataclass(frozen=True)
class _Content:
    """What is read of a ``*_dataset.json``; the challenge's own say more."""

    name: str = ""
    licence: str = ""
    modality: object = None  # a name, or names by number
    labels: object = None  # names by value, values by name, or such for each modality
    training: tuple[_Scan | str, ...] = ()
    training_paired_images: tuple[_Pair, ...] = ()
    registration_val: tuple[_Pair, ...] = ()
    registration_test: tuple[_Pair, ...] = ()

    @property
    def scans(self) -> list[_Scan]:
        """The scans to train on, some files of which are bare names."""
        return [each if isinstance(each, _Scan) else _Scan(each) for each in self.training]


class _Folder:
    """The files of a layout, by folder and name without ending; each folder is looked through once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._known: dict[str, dict[str, Path]] = {}

    def find(self, folder: str, stem: str) -> Path | None:
        """Return the file of a name in a folder, whatever its ending."""
        return self.all(folder).get(stem)

    def all(self, folder: str) -> Mapping[str, Path]:
        """Return the files of a folder by their names without ending."""
        if folder not in self._known:
            paths = search(self.root / folder, r".*\.(nii|nii\.gz|csv)")
            self._known[folder] = {_case(path.name): path for path in paths if path.parent == self.root / folder}
        return self._known[folder]


def read_learn2reg(path: Path, judged: Judged, points: str = "") -> Listing:
    """Read a ``*_dataset.json`` and look for each file that it names; what is wrong is kept in the listing.

    Args:
        path: the JSON, at the top of its folder.
        judged: the pairs to be tested on; with ``registration_test`` those of ``registration_val`` are for validation.
        points: the kind of landmarks, as its folder is named without Tr; else landmarks, and keypoints without these.

    Raises:
        DataError: the file is no such JSON.
    """
    content, listing = _read(path), Listing(path, unit="voxels", grid="array")
    reader = _Reader(content, listing, _Folder(path.parent), (points,) if points else POINTS)
    reader.pairs(judged, "test")
    if judged == "registration_test":
        reader.pairs("registration_val", "validation")
    reader.training()
    reader.strays()
    listing.labels = _label_names(path, content.labels)
    listing.title = one_line(content.name)
    listing.licence = one_line(content.licence)[:LONGEST]
    listing.modality = _modality(content.modality)
    return listing


class _Reader:
    """Reads the parts of the JSON into a listing."""

    def __init__(self, content: _Content, listing: Listing, files: _Folder, points: Iterable[str]) -> None:
        self.content, self.listing, self.files, self.points = content, listing, files, tuple(points)
        self.declared = {_case(scan.image): scan for scan in content.scans}
        self.judged, self.missing = set[str](), set[Path]()  # patients of pairs that are judged; images

    def pairs(self, key: Judged, split: Split) -> None:
        """Add the pairs under a key."""
        pairs: tuple[_Pair, ...] = getattr(self.content, key)
        self.judged |= {_patient(image) for pair in pairs for image in (pair.fixed, pair.moving)}
        self._pairs(pairs, key, split)

    def training(self) -> None:
        """Add what is to be trained on, but for the patients of pairs that are judged."""
        pairs, scans = self.content.training_paired_images, self.content.scans
        if pairs:
            free = [pair for pair in pairs if self.judged.isdisjoint(map(_patient, (pair.fixed, pair.moving)))]
            self._pairs(free, "training_paired_images", "training")
            self._note_left_out(len(pairs) - len(free), "pairs")
            return
        wanted = [scan.image for scan in scans if _patient(scan.image) not in self.judged]
        where = f"{self.listing.source}, training"
        self.listing.training = [case for image in wanted if (case := self._item(image, where))]
        self._note_left_out(len(scans) - len(wanted), "scans")

    def strays(self) -> None:
        """Keep labels, masks and landmarks of images that are not there."""
        for end in ("Tr", "Ts"):
            images = self.files.all(f"images{end}")
            for kind in ("labels", "masks", *self.points):
                for stem, path in self.files.all(f"{kind}{end}").items():
                    if stem not in images:
                        self.listing.fault(str(path), f"images{end} has no image of this name; add it, or remove this")

    def _pairs(self, pairs: Iterable[_Pair], key: str, split: Split) -> None:
        for number, pair in enumerate(pairs, start=1):
            where = f"{self.listing.source}, {key} {number}"
            fixed, moving = self._item(pair.fixed, where), self._item(pair.moving, where)
            if fixed and moving:
                self.listing.rows.append(Row(fixed, moving, split, where, self._landmarks(fixed, moving, where)))

    def _note_left_out(self, many: int, what: str) -> None:
        if many:
            self.listing.notes.append(f"{many} training {what} left out: their patients are in pairs that are judged")

    def _item(self, image: str, where: str) -> str | None:
        """Keep the scan of a path in the JSON with what belongs to it, and return its case."""
        path = _below(image)
        if path is None:
            self.listing.fault(where, f"expected the path of an image in this folder, got {image!r}; correct the file")
            return None
        folder, stem = path.parent.as_posix(), _case(path.name)
        file = self.files.find(folder, stem)
        if file is None:
            if self.files.root / path not in self.missing:
                self.listing.fault(str(self.files.root / path), f"missing, and {where.rpartition(', ')[2]} names it")
            self.missing.add(self.files.root / path)
            return None
        end = _end(folder)
        labels, mask = (self._declared(stem, what, f"{what}s{end}") for what in ("label", "mask"))
        self.listing.items[stem] = Item(stem, file, labels, mask, subject_of(stem))
        return stem

    def _declared(self, stem: str, what: str, folder: str) -> Path | None:
        """Return a scan's labels or mask; what the JSON says is there has to be."""
        found, said = self.files.find(folder, stem), getattr(self.declared.get(stem), what, "")
        if found is None and said:
            self.listing.fault(str(self.files.root / said), f"missing, and the training list names it as {what}")
        return found

    def _landmarks(self, fixed: str, moving: str, where: str) -> tuple[Path, Path] | None:
        for kind in self.points:
            of_fixed, of_moving = (self._points(case, kind) for case in (fixed, moving))
            if of_fixed and of_moving:
                self._note_kind(kind)
                return of_fixed, of_moving
            if of_fixed or of_moving:
                case = moving if of_fixed else fixed
                self.listing.fault(where, f"{kind} of one image alone: those of {case} are missing")
        return None

    def _note_kind(self, kind: str) -> None:
        note = f"landmarks are {kind}, correspondences that a program found"
        if kind != POINTS[0] and note not in self.listing.notes:
            self.listing.notes.append(note)

    def _points(self, case: str, kind: str) -> Path | None:
        return self.files.find(f"{kind}{_end(self.listing.items[case].image.parent.name)}", case)


def find_json(folder: Path) -> Path | None:
    """Return the ``*_dataset.json`` of a folder, or of the one folder in it that an archive unpacks to.

    Raises:
        DataError: there are several.
    """
    found = [path for path in search(folder, PATTERN) if len(path.relative_to(folder).parts) <= 2]
    at_top = [path for path in found if path.parent == folder] or found
    if len(at_top) > 1:
        names = ", ".join(str(path.relative_to(folder)) for path in at_top)
        raise DataError(f"{folder}: holds {names}; name the one that is meant")
    return at_top[0] if at_top else None


def _read(path: Path) -> _Content:
    import msgspec

    note(path)
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Content)
    except (ValueError, OSError) as error:  # those of msgspec are ValueErrors, too
        raise DataError(f"{path}: not a *_dataset.json of Learn2Reg ({one_line(error)}); correct the file") from error


def _below(image: str) -> PurePosixPath | None:
    """Return a path of the JSON, relative to its folder; None where it is none, or leads out."""
    path = PurePosixPath(image)
    return None if path.is_absolute() or ".." in path.parts or not _case(path.name) else path


def _case(image: str) -> str:
    return without_ending(PurePosixPath(image).name, (*NIFTI, ".csv"))


def _patient(image: str) -> str:
    return subject_of(_case(image))


def _end(folder: str) -> str:
    """Return the end of a folder's name that says whose data it has: Tr or Ts."""
    return folder[-2:] if folder[-2:] in ("Tr", "Ts") else ""


def _label_names(path: Path, labels: object) -> dict[int, str]:
    """Return the names of labels: value to name, name to value, or such a mapping for each modality."""
    if not isinstance(labels, Mapping | None):
        how = 'labels are no names by value, such as {"1": "liver"}; write them so, or take them out'
        raise DataError(f"{path}: {how}")
    return {value: name for value, name in _flat(cast("object", labels)) if value > 0}


def _flat(labels: object) -> Iterator[tuple[int, str]]:
    for key, value in cast("Mapping[str, object]", labels).items() if isinstance(labels, Mapping) else ():
        if isinstance(value, Mapping):
            yield from _flat(cast("Mapping[str, object]", value))
        elif key.isdecimal():
            yield int(key), str(value)
        elif str(value).isdecimal():
            yield int(str(value)), key


def _modality(modality: object) -> str:
    named = isinstance(modality, Mapping)
    values = cast("Mapping[str, object]", modality).values() if named else [modality or ""]
    return ", ".join(dict.fromkeys(one_line(value) for value in values))
