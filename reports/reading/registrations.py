"""Single registrations as figures read them: displacements as the run kept them, and values of their metrics.

Always of a method's first seed (`reports.reading.trainings.first_seed`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.ranking import quote, values
from datasets import geometry
from datasets.case import Dataset, Described, Pair
from datasets.files import Array, DataError, read_displacement
from reports.reading import summary, trainings
from reports.reading.pictures import Volumes
from reports.reading.run import Run


@dataclass(frozen=True)
class Kept:
    """A displacement ``(3, D, H, W)`` in voxels, or None and why there is none."""

    displacement: Array | None
    why: str = ""


def first_seed(run: Run, dataset: Described, method: str) -> int | None:
    """Return the first seed of a method on a data set, whatever came of it; None where it was not run."""
    rows = summary.registrations(run.metrics)
    seeds = rows[(rows.dataset == dataset.name) & (rows.method == method)].seed
    return trainings.first_seed(seeds)


def kept(run: Run, volumes: Volumes, pair: Pair, *, dataset: str, method: str) -> Kept:
    """Read the displacement of a pair by a method's first seed, checked against the grid of the fixed image."""
    seed = first_seed(run, run.datasets[dataset], method)
    rows = summary.registrations(run.metrics)
    rows = rows[(rows.dataset == dataset) & (rows.method == method) & (rows.pair == pair.name)]
    rows = rows[rows.seed == seed]
    if seed is None or rows.empty:
        return Kept(None, "not registered")
    if rows.status.iloc[0] != "ok":
        return Kept(None, str(rows.status.iloc[0]).replace("_", " "))
    return _read(volumes.displacement_path(dataset, method, seed, pair.name), volumes.datasets[dataset], pair)


def _read(path: Path, dataset: Dataset, pair: Pair) -> Kept:
    if not path.exists():
        return Kept(None, "not kept")
    try:
        shape = dataset.image(pair.fixed).array.shape
        return Kept(geometry.check_displacement(read_displacement(path), shape))
    except DataError:
        return Kept(None, "not readable")
    except ValueError as error:
        return Kept(None, str(error))


def quoted_value(run: Run, dataset: Described, method: str, pair: Pair, *, metric: str) -> float | None:
    """Return a metric of a pair by a method's first seed, as tables quote it; None where it was not measured."""
    quoted = quote(run.rows_of(dataset.name), dataset.name, metric)
    if quoted is None:
        return None
    rows = values(run.rows_of(dataset.name), dataset.name, quoted)
    rows = rows[(rows.method == method) & (rows.pair == pair.name) & (rows.seed == first_seed(run, dataset, method))]
    return float(rows.value.iloc[0]) if len(rows) else None
