"""Judge a network while it trains: the error at the landmarks of test pairs, snapshot by snapshot.

The network's side hands over its registration and gets nothing back, so that nothing of the truth reaches a training.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.landmarks import tre
from datasets.case import Dataset, Pair, Truth, check_same_grid, open_dataset
from datasets.files import Array, DataError, Volume, replacing

Register = Callable[[Array, Array, Sequence[float]], Array]
Row = dict[str, Any]


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
    """Appends rows to ``path``, lines of JSON: iteration, dataset, pair, count, mean and sd of the TRE in mm.

    ``folders`` are prepared data sets; pairs without landmarks are left out. Images stay in memory from the first call.
    """

    folders: Sequence[Path]
    path: Path
    _pairs: list[Watched] = field(default_factory=list)

    def __call__(self, iteration: int, register: Register) -> None:
        """Judge a snapshot; rows of the same or a later one, left by an interrupted training, are dropped first."""
        if not self._pairs:
            self._pairs = [pair for folder in self.folders for pair in _watched(open_dataset(folder))]
            with replacing(self.path) as temporary:
                temporary.write_text("".join(self._before(iteration)), encoding="utf-8")
        rows = [_row(iteration, pair, register) for pair in self._pairs]
        with open(self.path, "a", encoding="utf-8") as stream:
            stream.writelines(json.dumps(row) + "\n" for row in rows)

    def _before(self, iteration: int) -> list[str]:
        lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True) if self.path.exists() else []
        whole = [line for line in lines if line.endswith("\n")]  # a kill may have torn the last one
        return [line for line in whole if json.loads(line)["iteration"] < iteration]


def _watched(data: Dataset) -> Iterator[Watched]:
    data.check_files(("images", "truth"))
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


def _row(iteration: int, watched: Watched, register: Register) -> Row:
    spacing = watched.fixed.spacing
    displacement = register(watched.fixed.array, watched.moving.array, spacing)
    about = {"iteration": iteration, "dataset": watched.dataset, "pair": watched.pair.name}
    count = len(watched.landmarks[0])
    if not np.all(np.isfinite(displacement)):  # a network on its way to divergence has no error to speak of
        return {**about, "count": count, "mean": None, "sd": None}
    errors = tre(displacement, *watched.landmarks, spacing)
    return {**about, "count": count, "mean": float(errors.mean()), "sd": float(errors.std())}
