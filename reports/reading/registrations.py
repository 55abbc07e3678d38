"""What a paper's figure reads of single registrations: which data set plays, and displacements as the run kept them.

Always of a method's first seed, the main run: where that one failed, no other seed steps in for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.ranking import quote, values
from datasets import geometry
from datasets.case import Dataset, Pair
from datasets.files import Array, DataError, read_displacement
from reports.overview.tables import display_title
from reports.paper.layout import PaperRun
from reports.reading import summary


@dataclass(frozen=True)
class Kept:
    """A displacement ``(3, D, H, W)`` in voxels, or None and why there is none."""

    displacement: Array | None
    why: str = ""


def player(run: PaperRun, key: str) -> str:
    """The title of the data set that plays ``key``; a stand-in, or one with other pairs than the paper's, says so.

    KeyError where nothing plays it.
    """
    title, shown = run.paper.datasets[key]["title"], display_title(run.datasets[key])
    if few := run.pairs_note(key):
        return f"{shown}, which {few}"
    return f"{shown}, a stand-in for {title}" if run.is_stand_in(key) else shown


def trained(run: PaperRun, methods: Sequence[str]) -> list[str]:
    """What networks learned from where that is not the paper's training data."""
    learned: dict[str, list[str]] = {}
    for method in methods:
        if names := run.trained_elsewhere(method):
            learned.setdefault(names, []).append(str(run.methods[method]["label"]))
    return [f"Trained on {names}, the paper's on {run.paper.training}: {' and '.join(who)}."
            for names, who in learned.items()]  # fmt: skip


def first_seed(run: PaperRun, dataset: Dataset, method: str) -> int | None:
    """The first seed that a method was run with on a data set, whatever came of it; None where it was not run."""
    rows = summary.registrations(run.metrics)
    seeds = rows[(rows.dataset == dataset.name) & (rows.method == method)].seed
    return int(seeds.min()) if len(seeds) else None


def kept(run: PaperRun, dataset: Dataset, method: str, pair: Pair) -> Kept:
    """The displacement of a pair by a method's first seed, checked against the grid of the fixed image."""
    seed = first_seed(run, dataset, method)
    rows = summary.registrations(run.metrics)
    rows = rows[(rows.dataset == dataset.name) & (rows.method == method) & (rows.pair == pair.name)]
    rows = rows[rows.seed == seed]
    if rows.empty:
        return Kept(None, "not registered")
    if rows.status.iloc[0] != "ok":
        return Kept(None, str(rows.status.iloc[0]).replace("_", " "))
    path = run.displacement_path(dataset.name, method, seed, pair.name)
    if not path.exists():
        return Kept(None, "not kept")
    try:
        shape = dataset.image(pair.fixed).array.shape
        return Kept(geometry.check_displacement(read_displacement(path), shape))
    except DataError:
        return Kept(None, "not readable")
    except ValueError as error:
        return Kept(None, str(error))


def tre(run: PaperRun, dataset: Dataset, method: str, pair: Pair) -> float | None:
    """Mean TRE in mm of a pair by a method's first seed, in the quoted protocol; None where it was not measured."""
    quoted = quote(run.metrics, dataset.name, "tre")
    if quoted is None:
        return None
    rows = values(run.metrics, dataset.name, quoted)
    rows = rows[(rows.method == method) & (rows.pair == pair.name) & (rows.seed == first_seed(run, dataset, method))]
    return float(rows.value.iloc[0]) if len(rows) else None
