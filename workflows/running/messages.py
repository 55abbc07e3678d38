"""The messages between a step and the child process that holds a method: JSON, a line each."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.records import TrainingOutcome
from datasets.case import Dataset, Pair, Truth
from datasets.description import anew, forced, image_file
from datasets.files import DataError, read_volume, sha256
from workflows.planning.specs import MethodSpec, RunSpec

MACHINE: Final = "machine"  # the status of a reply about a fault of the machine, of which no record is made


@dataclass(frozen=True, kw_only=True)
class Start:
    """The method that a child is to hold; ``shape`` is the grid for which the size of its network is ``counted``.

    Once it is loaded the child runs on ``cores`` alone; none is any. ``data`` is the folder of the data set that its
    pairs are of.
    """

    by: MethodSpec
    threads: int
    checkpoint: Path | None
    shape: tuple[int, int, int]
    data: Path | None = None
    cores: tuple[int, ...] = ()
    counted: bool = True

    @property
    def room(self) -> int:
        """The bytes of a displacement: as much must fit on a disk that is sound."""
        return 12 * math.prod(self.shape)


@dataclass(frozen=True, kw_only=True)
class Greeting:
    """The child's answer once it has loaded its method, or why it could not.

    ``told`` is what the method says that it has found out, ``found`` what of it a run has to record, by name.
    ``load_cpu`` are the CPU seconds of the child until then, its start included.
    """

    status: str
    reason: str = ""
    told: str = ""
    found: dict[str, str] = field(default_factory=dict)
    load_seconds: float = 0.0
    load_cpu: float = 0.0
    cost: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Request:
    """One pair to register: the files that the method may see, and the file for its displacement (None: none)."""

    pair: str
    fixed: Path
    moving: Path
    extras: dict[str, Path]
    out: Path | None


@dataclass(frozen=True, kw_only=True)
class Reply:
    """The outcome of one pair: a status with its reason; seconds, CPU seconds over them, and MiB where that is ok.

    A method that hands over what was made elsewhere has none of these numbers. ``refine_seconds`` are those of
    ``seconds`` that refined the displacement, None where nothing did. ``printed`` has the last lines of the method's
    output, where it did not survive.
    """

    status: str
    reason: str
    seconds: float | None = None
    refine_seconds: float | None = None
    cpu: float | None = None
    peak_memory: float | None = None
    printed: list[str] = field(default_factory=list)


def start(run: RunSpec, data: Dataset, training: TrainingOutcome | None, threads: int) -> Start:
    """Return the message that starts the child of a run."""
    first = data.test_pairs[0].fixed
    depth, height, width = read_volume(data.image_path(first)).array.shape
    return Start(
        by=run.by,
        threads=threads,
        checkpoint=sound_weights(training, run.training) if training and run.training else None,
        shape=(depth, height, width),
        data=data.folder.resolve(),
    )


def sound_weights(training: TrainingOutcome, outcome: Path) -> Path:
    """Return the weights of a training; raise `DataError` unless they are the file that the training wrote.

    ``outcome`` is the file of the training's outcome, for the message.
    """
    weights = Path(training.checkpoint)
    fault = "differs from the file that the training wrote" if weights.is_file() else "no such file"
    if not weights.is_file() or sha256(weights) != training.sha256:
        raise DataError(f"{weights}: {fault}; {forced(outcome, 'write it again')}")
    return weights


def request(run: RunSpec, data: Dataset, pair: Pair, out: Path | None) -> Request:
    """Return the request for one pair."""
    extras = {"fixed_mask": data.mask_path(pair.fixed), "moving_mask": data.mask_path(pair.moving)}
    if run.truth:  # the positive control alone
        extras["true_displacement"] = Truth(data.folder).displacement_path(pair)
    return Request(
        pair=pair.name,
        fixed=data.image_path(pair.fixed).resolve(),
        moving=data.image_path(pair.moving).resolve(),
        extras={name: path.resolve() for name, path in extras.items()},
        out=out.resolve() if out else None,
    )


def check_images(data: Dataset, pair: Pair) -> None:
    """Raise `DataError` where an image of a pair is not what was prepared."""
    for case in (pair.fixed, pair.moving):
        path, expected = data.image_path(case), data.description.files.get(image_file(case))
        if not path.exists() or expected != sha256(path):
            raise DataError(f"{path}: changed or lost while it was in use; {anew(data.folder)}")
