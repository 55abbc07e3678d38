"""The outcomes that a run leaves as JSON: of a training (``training.json``) and of registrations.

Written by the steps of `workflows`, read by them and by `reports`; each file names the data set, method and seed that
it belongs to.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec

from benchmarks.rows import RunRow
from datasets.files import DataError, replacing

Options = Mapping[str, Any]  # of a method or a data set, as a configuration gives them
Keep = Literal["all", "extremes"]  # which displacements stay once they are judged
T = TypeVar("T")
Trained = Literal["ok", "diverged", "failed", "unavailable"]  # how a training ends
Status = Literal["ok", "failed", "timeout", "oom", "invalid_output", "diverged", "not_applicable"]  # and a registration
UNAVAILABLE: Final = "unavailable"  # the status of a training or a call for want of a library or a device


@dataclass(frozen=True, kw_only=True)
class Learned:
    """What a training learned from and for how long, as it was found when it was done: a name proves nothing.

    Attributes:
        module: the module of `datasets` that prepared the data, and its ``collection`` where it prepares several.
        collection: see ``module``.
        phantom: whether the data were drawn.
        cases: scans to learn from.
        shape: voxels of each; empty where they differ.
        shrink: factor by which the images that the network sees are smaller, along each axis.
        iterations: updates made.
        planned: updates asked for; a training that diverges makes fewer.
        batch: pairs an update; 0 where the method has no such option.
        learning_rate: at its highest; 0 where the method has no such option.
        teacher: SHA-256 of the teacher's weights; empty where there is none.
        machine: the processor or GPU that it ran on, and the version of torch.
        chosen: updates after which the weights were best on validation pairs, and were kept; 0 where the last were.
    """

    module: str
    collection: str
    phantom: bool
    cases: int
    shape: tuple[int, ...]
    shrink: int = 1
    iterations: int = 0
    planned: int = 0
    batch: int = 0
    learning_rate: float = 0.0
    teacher: str = ""
    machine: str = ""
    chosen: int = 0


@dataclass(frozen=True, kw_only=True)
class TrainingOutcome:
    """The end of a training: ``status`` is ok, diverged, failed or unavailable; paths are empty where nothing was left.

    ``kept`` is the folder of curves and the like, ``sha256`` the digest of the ``checkpoint`` with the weights;
    ``learned`` is None of a training that could not begin, or that an older version of this project left.
    """

    dataset: str
    method: str
    seed: int
    status: Trained
    reason: str
    checkpoint: str = ""
    sha256: str = ""
    kept: str = ""
    seconds: float = 0.0
    learned: Learned | None = None


@dataclass(frozen=True, kw_only=True)
class PairRecord:
    """The outcome of one registered pair: its status, and its cost where it is ok.

    ``seconds`` is the method's own time, ``refine_seconds`` what of it refined the displacement (None: nothing
    did), ``peak_memory`` in MiB, ``printed`` the last lines that the method printed
    where its process crashed or was stopped. ``sha256`` is the digest of the displacement, where there is one.
    """

    run: str
    pair: str
    finished_utc: str
    process: int
    status: Status
    reason: str
    seconds: Annotated[float, msgspec.Meta(ge=0)] | None = None
    refine_seconds: Annotated[float, msgspec.Meta(ge=0)] | None = None
    peak_memory: Annotated[float, msgspec.Meta(ge=0)] | None = None
    printed: list[str] = field(default_factory=list[str])
    sha256: str = ""


@dataclass(frozen=True, kw_only=True)
class Registrations:
    """The registrations of a chunk: the run, the size of its network by name of number, and every pair.

    Where the method was ``unavailable``, that is the reason, and there are no pairs.
    """

    run: RunRow
    cost: dict[str, float]
    pairs: list[PairRecord]
    unavailable: str = ""


@dataclass(frozen=True, kw_only=True)
class RunAbout:
    """A run and the size of its network by name of number, as its registration found them."""

    run: RunRow
    cost: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Unavailable:
    """A method that could not run on a data set for want of a library or a device, and why; nothing of it is kept."""

    dataset: str
    method: str
    seed: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Lacking:
    """A data set that a run went on without for want of its files, and why.

    Attributes:
        dataset: its name.
        reason: what is missing, and how it is got.
        runs: data set and method of each run that was not made for it: on it, or by what would have learned from it.
        plays: paper and data set of the paper that it would have played.
    """

    dataset: str
    reason: str
    runs: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    plays: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def __str__(self) -> str:
        """Return what is lacking, and of how many runs, in a line."""
        return f"data set {self.dataset} ({len(self.runs)} runs are not measured): {self.reason}"


@dataclass(frozen=True, kw_only=True)
class PaperNetwork:
    """A method's network at its paper's size: the method that is timed for all that have it, and its exact size.

    ``macs`` are the multiply-accumulates of one registration on the grid that it is timed on.
    """

    method: str
    timed_as: str
    parameters: int
    macs: int


@dataclass(frozen=True, kw_only=True)
class Declared:
    """What had been declared when a run began, or went on with another declaration, as digests of few digits.

    Attributes:
        at: when, in UTC.
        commit: of the project.
        budgets: of all that the profile asks for: data, options, trainings, seeds.
        margins: of each paper, how far from its printed numbers still agrees.
        claims: of each paper, every claim by its key: its contrast, its bounds, and the rule of flattening.
    """

    at: str
    commit: str
    budgets: str
    margins: dict[str, str]
    claims: dict[str, dict[str, str]]

    @property
    def content(self) -> tuple[object, ...]:
        """All but when and by which commit it was declared."""
        return self.budgets, self.margins, self.claims


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The error in mm at the ``count`` landmarks of a test pair after some updates of a network (``iteration``).

    Mean and sd (ddof 0) are None where the network gave no finite displacement.
    """

    iteration: int
    dataset: str
    pair: str
    count: int
    mean: float | None = None
    sd: float | None = None


def read(path: Path, kind: type[T]) -> T:
    """Read a JSON file as ``kind``; raise `DataError` that names the file and what is wrong in it."""
    try:
        return decode(path.read_bytes(), kind)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except msgspec.MsgspecError as error:
        words = re.sub(r"(?<!^)(?=[A-Z])", " ", kind.__name__).lower()  # such as: training outcome
        raise DataError(f"{path}: holds no {words} ({error}); delete it and run again") from error


def read_lines(path: Path, kind: type[T]) -> Iterator[T]:
    """Read a file of JSON lines, which may be missing; torn lines (power cut) and others are left out."""
    for line in path.read_bytes().splitlines() if path.exists() else []:
        with contextlib.suppress(msgspec.MsgspecError):
            yield decode(line, kind)


def keep_lines(path: Path, values: Iterable[object]) -> None:
    """Write dataclasses as a file of JSON lines, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(b"".join(encode(value) + b"\n" for value in values))


def decode(text: bytes, kind: type[T]) -> T:
    """Return JSON text as ``kind``; raise `msgspec.MsgspecError` where it is no such thing."""
    return msgspec.json.decode(text, type=kind, dec_hook=_build)


def encode(value: object) -> bytes:
    """Return a dataclass as JSON in one line, the same for equal ones: keys are sorted; paths become text."""
    return msgspec.json.encode(value, enc_hook=os.fspath, order="deterministic")


def digest(value: object) -> str:
    """Return twelve digits that stand for a value: dataclasses, lists and the like of text and numbers."""
    return hashlib.sha256(encode(value)).hexdigest()[:12]


def text_of(value: object) -> str:
    """Return a dataclass as the text of a JSON file, indented for people who look into it."""
    return msgspec.json.format(encode(value), indent=1).decode() + "\n"


def write(path: Path, value: object) -> None:
    """Write a dataclass, or a list of them, to a JSON file, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text_of(value), encoding="utf-8")


def _build(kind: type, value: str) -> object:
    """Build what JSON does not know: paths."""
    return kind(value)
