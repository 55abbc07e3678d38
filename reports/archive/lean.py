"""What is kept of a training's files: as many rows and digits as figures show, and no more.

Everything else of a training (weights, states) is no part of a report.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import msgspec
import numpy as np

from datasets.files import CURVE, DISPLACEMENTS, MAPS, SNAPSHOTS, SYNTHETIC, Array
from reports.reading.trainings import Training, first_seed

ROWS = 4000  # of a curve; of a longer one means of so many rows
TOGETHER, FEWEST = 40_000, 200  # rows of the curves of all trainings, as far as each has the fewest
LAST = ("iteration", "seconds", "learning_rate")  # what of such rows has the value of the last one
DIGITS = 6  # that count, of numbers in curves and snapshots
TIMES = 8  # iterations of which maps are kept


def lean_files(trainings: Sequence[Training]) -> Iterator[tuple[Training, str, bytes]]:
    """Yield the files of trainings that reports read, made lean: the training, the name of the file, its content.

    Maps, which are pictures, are kept of the first seed of each method on each data set, which figures are of. A file
    that cannot be read is left out, with a warning in the log.
    """
    rows = rows_of(len(trainings))
    for training in trainings:
        seeds = [each.seed for each in trainings if (each.method, each.dataset) == (training.method, training.dataset)]
        for name, lean in LEAN.items():
            if name == MAPS and training.seed != first_seed(seeds):
                continue
            content = training.content(name, partial(lean_lines, rows=rows) if name == CURVE else lean)
            if content is not None:
                yield training, name, content


def rows_of(trainings: int) -> int:
    """Return how many rows of its curve each of so many trainings keeps."""
    return min(ROWS, max(FEWEST, TOGETHER // max(1, trainings)))


def lean_lines(content: bytes, rows: int = ROWS) -> bytes:
    """Return JSON lines with fewer digits, and where there are more than ``rows`` means of some that follow each other.

    A number that only a few rows have is the mean over these.
    """
    found = [msgspec.json.decode(line) for line in content.splitlines()]
    step = -(-len(found) // rows) if found else 1
    kept = [_mean(found[start : start + step]) for start in range(0, len(found), step)]
    return b"".join(msgspec.json.encode(_rounded(row)) + b"\n" for row in kept)


def _mean(rows: Sequence[Mapping[str, float]]) -> Mapping[str, float]:
    """Return rows as one; a single one as it is."""
    if len(rows) == 1:
        return rows[0]
    names = dict.fromkeys(name for row in rows for name in row)
    values = {name: [row[name] for row in rows if name in row] for name in names}
    return {name: each[-1] if name in LAST else float(np.mean(each)) for name, each in values.items()}


def lean_snapshots(content: bytes) -> bytes:
    """Return JSON lines with fewer digits, all of them."""
    rows = (_rounded(msgspec.json.decode(line)) for line in content.splitlines())
    return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)


def lean_maps(content: bytes) -> bytes:
    """Return arrays of maps (``maps.npz``) of at most `TIMES` iterations, in half precision where they are maps."""
    with np.load(io.BytesIO(content)) as stored:
        arrays = {name: stored[name] for name in stored.files}
    count = np.size(arrays["iteration"])
    order = np.argsort(np.atleast_1d(arrays["iteration"]), kind="stable")
    places = order[np.unique(np.linspace(0, count - 1, min(count, TIMES)).round().astype(int))]
    several = ("iteration", "result", "levels", "alpha")
    chosen = {name: each[places] if name in several and np.ndim(each) else each for name, each in arrays.items()}
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **{name: _half(name, each) for name, each in chosen.items()})
    return buffer.getvalue()


def _half(name: str, array: Array) -> Array:
    return array.astype(np.float16) if name in ("result", "levels", "truth") else array


def _rounded(row: Mapping[str, object]) -> Mapping[str, object]:
    return {name: float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value for name, value in row.items()}


def _same(content: bytes) -> bytes:
    return content


LEAN: Mapping[str, Callable[[bytes], bytes]] = {
    CURVE: lean_lines,
    SNAPSHOTS: lean_snapshots,
    DISPLACEMENTS: _same,
    SYNTHETIC: _same,
    MAPS: lean_maps,
}
