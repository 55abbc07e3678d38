"""What is kept of a training's files: as many rows and digits as figures show, and no more.

Everything else of a training (weights, states) is no part of a report.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec
import numpy as np

from datasets.files import CURVE, DISPLACEMENTS, MAPS, SNAPSHOTS, SYNTHETIC, Array
from reports.reading.trainings import Training, first_seed

ROWS = 4000  # of a curve; of a longer one every so many-th is kept, and the last
DIGITS = 6  # that count, of numbers in curves and snapshots
TIMES = 8  # iterations of which maps are kept


def lean_files(trainings: Sequence[Training]) -> Iterator[tuple[Training, str, bytes]]:
    """Yield the files of trainings that reports read, made lean: the training, the name of the file, its content.

    Maps, which are pictures, are kept of the first seed of each method on each data set, which figures are of. A file
    that cannot be read is left out, with a warning in the log.
    """
    for training in trainings:
        seeds = [each.seed for each in trainings if (each.method, each.dataset) == (training.method, training.dataset)]
        for name, lean in LEAN.items():
            if name == MAPS and training.seed != first_seed(seeds):
                continue
            content = training.content(name, lean)
            if content is not None:
                yield training, name, content


def lean_lines(content: bytes) -> bytes:
    """Return JSON lines with fewer digits, and with fewer lines where there are very many."""
    lines = content.splitlines()
    step = -(-len(lines) // ROWS) if lines else 1
    kept = [line for place, line in enumerate(lines) if place % step == 0 or place == len(lines) - 1]
    return b"".join(msgspec.json.encode(_rounded(msgspec.json.decode(line))) + b"\n" for line in kept)


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
