"""Judge a network while it trains: the error at the landmarks of test pairs, snapshot by snapshot.

The network's side hands over its registration and gets nothing back, so that nothing of the truth reaches a training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from benchmarks.measures.landmarks import tre
from benchmarks.records import Snapshot, encode, keep_lines, read_lines
from datasets.case import Dataset, Pair, Truth, check_same_grid, open_dataset
from datasets.files import Array, DataError, Volume

Register = Callable[[Array, Array, Sequence[float]], Array]


@dataclass(frozen=True)
class Watched:
    """A test pair in memory."""

    dataset: str
    pair: Pair
    fixed: Volume
    moving: Volume
    landmarks: tuple[Array, Array]


@dataclass
class Watcher:
    """Appends snapshots (`benchmarks.records.Snapshot`) to ``path``, a line of JSON each.

    ``folders`` are prepared data sets; pairs without landmarks are left out. Images stay in memory from the first call.
    """

    folders: Sequence[Path]
    path: Path
    _pairs: list[Watched] = field(default_factory=list)

    def __call__(self, iteration: int, register: Register) -> None:
        """Judge a snapshot; rows of the same or a later one, left by an interrupted training, are dropped first."""
        if not self._pairs:
            self._pairs = [pair for folder in self.folders for pair in _watched(open_dataset(folder))]
            keep_lines(self.path, [row for row in read_lines(self.path, Snapshot) if row.iteration < iteration])
        rows = [_judge(iteration, pair, register) for pair in self._pairs]
        with open(self.path, "ab") as stream:
            stream.write(b"".join(encode(row) + b"\n" for row in rows))


def _watched(data: Dataset) -> Iterator[Watched]:
    data.check_files()
    truth, found = Truth(data.folder), False
    for pair in data.test_pairs:
        landmarks = truth.landmarks(pair)
        if landmarks is not None:
            found = True
            fixed, moving = data.image(pair.fixed), data.image(pair.moving)
            check_same_grid(fixed, moving, pair)
            yield Watched(data.name, pair, fixed, moving, landmarks)
    if not found:
        raise DataError(f"{data.folder}: no test pair has landmarks; take {data.name!r} out of watch")


def _judge(iteration: int, watched: Watched, register: Register) -> Snapshot:
    spacing, count = watched.fixed.spacing, len(watched.landmarks[0])
    displacement = register(watched.fixed.array, watched.moving.array, spacing)
    found = Snapshot(iteration=iteration, dataset=watched.dataset, pair=watched.pair.name, count=count)
    if not np.all(np.isfinite(displacement)):  # a network on its way to divergence has no error to speak of
        return found
    errors = tre(displacement, *watched.landmarks, spacing)
    return replace(found, mean=float(errors.mean()), sd=float(errors.std()))
