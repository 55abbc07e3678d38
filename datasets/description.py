"""dataset.json in types: what a prepared data set says about itself, from its pairs to the checksums of its files."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from itertools import permutations
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import ArrayLike

from datasets.files import Array, DataError, one_line, replacing

DATASET_JSON = "dataset.json"
IMAGES, MASKS, TRUTH = "images", "masks", "truth"  # the folders beside it
LABELS = f"{TRUTH}/labels"
PairRule = Literal["ordered", "atlas", "listed"]


def image_file(case: str) -> str:
    """Return where the image of a case lies below the folder of its data set."""
    return f"{IMAGES}/{case}.nii.gz"


def mask_file(case: str) -> str:
    """Return where the mask of a case lies, if there is one."""
    return f"{MASKS}/{case}.nii.gz"


def labels_file(case: str) -> str:
    """Return where the label map of a case lies, if there is one."""
    return f"{LABELS}/{case}.nii.gz"


@dataclass(frozen=True)
class Pair:
    """One registration: ``moving`` is brought onto the grid of ``fixed``."""

    fixed: str
    moving: str

    @property
    def name(self) -> str:
        """The name that stands for the pair in tables and paths."""
        return f"{self.fixed}__{self.moving}"

    @property
    def reversed(self) -> Pair:
        """The pair in the other direction."""
        return Pair(self.moving, self.fixed)

    @property
    def displacement_file(self) -> str:
        """Name of the file that holds the pair's displacement, as Learn2Reg names it."""
        return f"disp_{self.fixed}_{self.moving}.nii.gz"

    @property
    def truth_file(self) -> str:
        """Where the true displacement of the pair lies below the folder of its data set, if there is one."""
        return f"{TRUTH}/displacements/{self.displacement_file}"

    @property
    def landmark_files(self) -> tuple[str, str]:
        """Where the landmarks of the fixed and of the moving image lie, if there are any."""
        return f"{TRUTH}/landmarks/{self.name}_fixed.csv", f"{TRUTH}/landmarks/{self.name}_moving.csv"

    @classmethod
    def from_name(cls, name: str) -> Pair:
        """Return the pair that has this `name`."""
        return cls(*name.split("__"))


def cases_of(pairs: Iterable[Pair]) -> list[str]:
    """Return each case of some pairs, once, in order of first use."""
    return list(dict.fromkeys(case for pair in pairs for case in (pair.fixed, pair.moving)))


def pairs_among(cases: Sequence[str], partners: int | None = None) -> tuple[Pair, ...]:
    """Return every two cases in both orders; with ``partners``, each case as fixed image of only so many others.

    These are the ones that follow it in the list, the first ones following the last.
    """
    count = len(cases)
    if partners is None or partners >= count - 1:
        return tuple(Pair(a, b) for a, b in permutations(cases, 2))
    followed = range(1, partners + 1)
    return tuple(Pair(case, cases[(place + step) % count]) for place, case in enumerate(cases) for step in followed)


@dataclass(frozen=True)
class TrainingSplit:
    """Cases to train on, and the rule that makes pairs of them.

    ``ordered`` takes every two cases in both orders, ``atlas`` the case ``atlas`` as fixed image of all others,
    ``listed`` the pairs in ``list``.
    """

    cases: tuple[str, ...]
    pairs: PairRule = "ordered"
    atlas: str = ""
    list: tuple[Pair, ...] = ()

    @property
    def every_pair(self) -> tuple[Pair, ...]:
        """All pairs, by the rule."""
        if self.pairs == "listed":
            return self.list
        if self.pairs == "atlas":
            return tuple(Pair(self.atlas, case) for case in self.cases if case != self.atlas)
        return pairs_among(self.cases)


@dataclass(frozen=True)
class Window:
    """The intensities that an image maps to [0, 1], and their unit."""

    unit: str
    low: float
    high: float

    @property
    def text(self) -> str:
        """The window as a step of preprocessing, in words."""
        return f"intensity window {self.low:g} to {self.high:g} {self.unit} mapped to [0, 1]"

    def scale(self, values: ArrayLike) -> Array:
        """Return intensities as float32 in [0, 1]; those beyond the window are clipped."""
        return np.clip((np.asarray(values) - self.low) / (self.high - self.low), 0, 1).astype(np.float32)


@dataclass(frozen=True)
class LungPair:
    """Facts about an imported breathing pair, with lengths in mm.

    Attributes:
        before_mm: mean distance of its landmarks before registration.
        landmarks: how many there are.
        spacing: voxel size of the prepared grid.
        box_mm: lower and upper corner of the box around the lungs.
        inside_lungs: share of the fixed and of the moving landmarks that have lung close by.
        published_mm: the published mean distance, or one for each publication.
        phases: names of the inhale and the exhale phase.
        rows: how many landmarks the files of the two phases have.
        reproduces: the publications that print this mean distance.
        note: a departure from what is published.
    """

    before_mm: float
    landmarks: int
    spacing: tuple[float, ...]
    box_mm: tuple[tuple[float, ...], ...]
    inside_lungs: tuple[float, ...]
    published_mm: float | dict[str, float] | None = None
    phases: tuple[str, ...] = ()
    rows: tuple[int, ...] = ()
    reproduces: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Description:
    """All of dataset.json. Whatever a data set does not know or have keeps its default, and is not written."""

    name: str
    module: str = ""  # that prepared it
    collection: str = ""  # where a module prepares several
    title: str = ""  # for readers
    phantom: bool = False
    synthetic: str = ""  # of real anatomy: what of it is made, in words that stand wherever its numbers do
    anatomy: str = ""
    modality: str = ""
    licence: str = ""
    source: str = ""
    parameters: dict[str, Any] = field(default_factory=lambda: {})  # the module's options, as JSON has them
    preprocessing: tuple[str, ...] = ()
    intensity: Window | None = None
    hu_offset: float | None = None  # what was added to stored values to make Hounsfield units
    shape: tuple[int, ...] = ()
    spacing: tuple[float, ...] | None = None  # mm, where one grid serves all
    spacings: dict[str, tuple[float, ...]] = field(default_factory=dict[str, tuple[float, ...]])  # by pair or case
    orientation: tuple[str, ...] = ()
    labels: dict[int, str] = field(default_factory=dict[int, str])
    evaluated_labels: tuple[int, ...] = ()
    # named sets of regions to average over beside these, each region one label or several taken as one
    label_sets: dict[str, tuple[tuple[int, ...], ...]] = field(default_factory=dict[str, tuple[tuple[int, ...], ...]])
    learn2reg: bool = False  # whether to judge what only that challenge's leaderboards need, and takes seconds a pair
    primary: str = ""  # the metric that figures and rankings go by; else the first that there is
    subjects: dict[str, str] = field(default_factory=dict[str, str])  # of each case
    series: dict[str, str] = field(default_factory=dict[str, str])  # DICOM series of each patient
    excluded: tuple[str, ...] = ()  # patients that the configuration leaves out
    missing: tuple[str, ...] = ()  # published scans that the files lack
    notes: tuple[str, ...] = ()  # departures from what is published
    archives: dict[str, str] = field(default_factory=dict[str, str])  # sha256 of the files that were imported
    training: TrainingSplit
    validation: tuple[Pair, ...] = ()  # of subjects of their own, on which whatever is chosen is chosen
    test: tuple[Pair, ...]
    severity: dict[str, float] = field(default_factory=dict[str, float])  # mm of landmark distance, by test pair
    pairs: dict[str, LungPair] = field(default_factory=dict[str, LungPair])
    files: dict[str, str] = field(default_factory=dict[str, str])  # sha256 of all that was prepared

    @property
    def atlas(self) -> str:
        """The case that all splits may share as fixed image, by the protocol of atlas registration; "" for none."""
        return self.training.atlas if self.training.pairs == "atlas" else ""

    @property
    def display_title(self) -> str:
        """The title for readers, which always says when a data set is a phantom."""
        title = self.title or self.name
        return f"{title} (phantom)" if self.phantom and "phantom" not in title.lower() else title

    def subjects_of(self, pairs: Iterable[Pair]) -> list[str]:
        """Return each subject of some pairs, once; a case that names no subject is one of its own."""
        return list(dict.fromkeys(self.subjects.get(case, case) for case in cases_of(pairs)))

    def digest(self, *parts: str) -> str:
        """Return hex digits that change with any file below some parts, such as `IMAGES`, and with nothing else."""
        held = {name: found for name, found in self.files.items() if any(name.startswith(f"{each}/") for each in parts)}
        return hashlib.sha256(json.dumps(held, sort_keys=True).encode()).hexdigest()


def read_description(folder: Path) -> Description:
    """Read dataset.json of a prepared data set; raise `DataError` when it is missing, not readable or incomplete."""
    import msgspec  # drawn data can be used without it

    path = Path(folder) / DATASET_JSON
    try:
        content = path.read_bytes()
        about = msgspec.json.decode(content, type=Description)
        if unknown := sorted(set(msgspec.json.decode(content)) - {each.name for each in fields(Description)}):
            raise ValueError(f"unknown keys {', '.join(unknown)}")
    except (OSError, ValueError) as error:  # those of msgspec are ValueErrors, too
        reason = error.strerror if isinstance(error, OSError) else error
        raise DataError(f"{path}: not a prepared data set ({reason}); {anew(folder)}") from error
    return about


def anew(folder: Path) -> str:
    """Return how a user gets a data set prepared anew, as the end of a message."""
    return forced(Path(folder) / DATASET_JSON, "prepare it anew")


def forced(path: Path, purpose: str) -> str:
    """Return how a user gets a result made again to some purpose, as the end of a message."""
    return f"run again with --forcerun {shlex.quote(str(path))} to {purpose}"


def write_description(folder: Path, description: Description) -> None:
    """Write dataset.json; raise `DataError` for values that it cannot hold."""
    try:
        text = json.dumps(_stored(description), indent=1, allow_nan=False)
        text.encode()
    except (TypeError, ValueError) as error:
        raise DataError(f"the description cannot be stored ({one_line(error)}); correct the module") from error
    with replacing(Path(folder) / DATASET_JSON) as temporary:
        temporary.write_text(text, encoding="utf-8")


def as_stored(description: Description) -> Description:
    """Return a description as it is read back: lists are tuples, NumPy's numbers are numbers, paths are text.

    Raises:
        DataError: a value has another type than its key; the message names the key.
    """
    import msgspec

    try:
        return msgspec.convert(_stored(description), Description)
    except (TypeError, ValueError) as error:
        raise DataError(f"the description does not fit ({one_line(error)}); correct the module") from error


def _stored(value: Any) -> Any:
    """Return a value with each dataclass in it as a dictionary of the fields that differ from their defaults."""
    if isinstance(value, dict):
        return {key: _stored(inner) for key, inner in cast(dict[Any, Any], value).items()}
    if isinstance(value, (tuple, list)):
        return [_stored(inner) for inner in cast(Sequence[Any], value)]
    if isinstance(value, (np.generic, np.ndarray)):
        return cast(Any, value).tolist()
    if isinstance(value, Path):
        return str(value)
    if not is_dataclass(value):
        return value
    known = {each.name: getattr(value, each.name) for each in fields(value) if not _is_default(value, each)}
    return {name: _stored(inner) for name, inner in known.items()}


def _is_default(value: Any, each: Field[Any]) -> bool:
    default = each.default if each.default_factory is MISSING else each.default_factory()
    return default is not MISSING and getattr(value, each.name) == default
