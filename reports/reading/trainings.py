"""What trainings left behind, as reports read it: loss curves, snapshots, pictures of what a network had learned.

A training's folder holds, each only where its method writes it:

- ``curve.jsonl``: a row an iteration, as ``methods/blocks/training/loop.py`` describes it;
- ``snapshots.jsonl``: a row for each test pair at each snapshot: ``iteration`` (updates made so far), ``dataset``,
  ``pair``, and its TRE, ``count`` landmarks, ``mean`` and ``sd`` (ddof 0) in mm;
- ``maps.npz``, ``displacements.csv`` and ``synthetic.json``: pictures of what a network had learned, and how its
  synthetic pairs were made, as ``methods/blocks/progressive/record.py`` describes them.

A method may have been trained on several data sets: `choose` says whose trainings are read, so that none are mixed.
"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import pandas as pd

from benchmarks import records
from datasets.files import Array, one_line

T = TypeVar("T")
logger = logging.getLogger(__name__)


class File(Protocol):
    """A file, on disk or in an archive."""

    def exists(self) -> bool:
        """Return whether it is there."""
        ...

    def read_bytes(self) -> bytes:
        """Return its content."""
        ...


class Folder(Protocol):
    """A folder, on disk or in an archive."""

    def __truediv__(self, name: str, /) -> File:
        """Return the file of a name, which need not be there."""
        ...


@dataclass(frozen=True)
class Training:
    """One training: ``status`` is ok, diverged or failed; ``folder`` is None where nothing was left.

    ``sha256`` is the digest of its weights, which says of a registration whose they were; ``learned`` what it learned
    from and for how long, None where that is not on record.
    """

    method: str
    dataset: str
    seed: int
    status: str
    reason: str
    folder: Folder | None
    sha256: str = ""
    learned: records.Learned | None = None
    _rows: dict[str, pd.DataFrame | None] = field(default_factory=dict, init=False, repr=False, compare=False)

    def rows(self, name: str) -> pd.DataFrame | None:
        """Read a file of lines of JSON, such as ``curve.jsonl``; None where there is none or it is empty.

        Many tables ask for the same file, which is read once.
        """
        if name not in self._rows:
            self._rows[name] = self._read(
                name, lambda text: pd.read_json(io.BytesIO(text), lines=True) if text else None
            )
        kept = self._rows[name]
        return None if kept is None else kept.copy(deep=False)

    def arrays(self, name: str) -> Mapping[str, Array] | None:
        """Read a file of arrays, such as ``maps.npz``."""
        return self._read(name, _arrays)

    def table(self, name: str) -> pd.DataFrame | None:
        """Read a CSV file, such as ``displacements.csv``."""
        return self._read(name, lambda text: pd.read_csv(io.BytesIO(text)))

    def about(self, name: str) -> Mapping[str, Any] | None:
        """Read a JSON file, such as ``synthetic.json``."""
        return self._read(name, json.loads)

    def content(self, name: str, made: Callable[[bytes], bytes]) -> bytes | None:
        """Return what is ``made`` of a file's content; None where there is none or it is damaged."""
        return self._read(name, made)

    def _read(self, name: str, reader: Callable[[bytes], T]) -> T | None:
        """Return a file as its reader has it; None, with a warning, where it was damaged: a report has to go on."""
        path = self.folder / name if self.folder else None
        if path is None or not path.exists():
            return None
        try:
            return reader(path.read_bytes())
        except Exception as error:  # whatever the byte that is wrong makes of the file
            logger.warning("warning: %s: cannot be read and is left out of the report (%s)", path, one_line(error))
            return None


def _arrays(content: bytes) -> Mapping[str, Array]:
    with np.load(io.BytesIO(content)) as stored:
        return {key: stored[key] for key in stored.files}


def read(path: Path) -> Training:
    """Read a training from its training.json."""
    end = records.read(path, records.TrainingOutcome)
    folder = Path(end.kept) if end.kept else None
    return Training(end.method, end.dataset, end.seed, end.status, end.reason, folder, end.sha256, end.learned)


def first_seed(seeds: Iterable[int]) -> int | None:
    """Return the seed that pictures and figures are of: the lowest one, which is the main run, whatever came of it.

    Where it failed no other seed steps in for it: a picture chosen from those that succeeded would look better than
    the method is. None where there is no seed.
    """
    return min(map(int, seeds), default=None)


def loss_curves(trainings: Sequence[Training]) -> dict[tuple[str, str], pd.DataFrame]:
    """Return the loss of each method's first seed, by method and training data set; a failed training has none."""
    curves = {}
    for method, dataset in dict.fromkeys((each.method, each.dataset) for each in trainings):
        training = find(trainings, method, own=dataset)
        rows = training.rows("curve.jsonl") if isinstance(training, Training) and training.status == "ok" else None
        if rows is not None:
            curves[method, dataset] = rows.rename(columns={"total": "loss"})
    return curves


def teacher_shares(trainings: Iterable[Training], method: str) -> list[float]:
    """Return every ``teacher_share`` that the trainings of a method logged, all seeds and data sets together.

    It is the norm of the gradient that the teacher adds, over that of the base loss, at some steps of a training.
    """
    shares: list[float] = []
    for training in trainings:
        rows = training.rows("curve.jsonl") if (training.method, training.status) == (method, "ok") else None
        if rows is not None and "teacher_share" in rows:
            shares += map(float, rows["teacher_share"].dropna())
    return shares


def choose(trainings: Sequence[Training], methods: Sequence[str], own: str = "") -> str:
    """Return the data set whose trainings are read: ``own`` if any method learned on it, else the first listed."""
    names = [each.dataset for each in trainings if each.method in methods]
    return own if own in names else next(iter(names), "")


def find(trainings: Sequence[Training], method: str, seed: int | None = None, *, own: str = "") -> Training | str:
    """Return a method's training, by default of its first seed, or say that there is none."""
    dataset = choose(trainings, [method], own)
    found = {each.seed: each for each in trainings if (each.method, each.dataset) == (method, dataset)}
    wanted = first_seed(found) if seed is None else seed
    return none_of(method) if wanted is None else found.get(wanted, none_of(method))


def none_of(method: str, dataset: str = "") -> str:
    """Say that a method has no training, or none on this data set."""
    return f"no training of {method}{f' on {dataset}' if dataset else ''}"


def others(trainings: Sequence[Training], methods: Sequence[str], dataset: str) -> list[str]:
    """Return what a reader has to know where these methods were trained on more data sets than the one read."""
    names = dict.fromkeys(each.dataset for each in trainings if each.method in methods and each.dataset != dataset)
    return [f"Trainings on {', '.join(names)} are left out: these are on {dataset}."] if names else []
