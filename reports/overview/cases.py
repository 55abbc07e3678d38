"""The worst, the median and the best registration of each method, as pictures."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.metrics import METRICS
from benchmarks.ranking import RANKS, primary, ranked
from datasets.case import Dataset, Pair
from datasets.files import read_displacement
from reports.drawing.pictures import picture
from reports.reading import summary
from reports.reading.run import Labels, Run
from reports.tables.numbers import quantity


@dataclass(frozen=True)
class Case:
    """One picture: its rank, what it shows, the value it was chosen by, its file (None when there is none)."""

    rank: str
    pair: str
    seed: int
    value: str
    path: Path | None
    alt: str = ""
    data: str = ""


def draw_cases(
    folder: Path, run: Run, dataset: Dataset, *, ranks: Sequence[str] = RANKS
) -> list[tuple[str, list[Case]]]:
    """Write ``<folder>/<dataset>/<method>-<rank>.png``; return the cases of each method, a registration once.

    ``ranks``: which of `RANKS` to draw.
    """
    quote = primary(run.metrics, dataset)
    if quote is None:
        return []
    galleries = []
    for method in summary.ordered(run.methods):
        cases: dict[tuple[str, int], Case] = {}
        for each in ranked(run.metrics, dataset.name, method, quote):
            rank, name, seed = each.rank, each.pair, each.seed
            if rank not in ranks:
                continue
            path = folder / dataset.name / f"{method}-{rank}.png"
            shown = f"{METRICS[quote.metric].short} {quantity(quote.metric, each.value)}"
            first = cases.get((name, seed))
            if first is not None:
                cases[name, seed] = _again(first, rank, path)
                continue
            source = run.displacement_path(dataset.name, method, seed, name)
            label = run.label(method)
            title = f"{label} on {dataset.description.display_title}: {name}, {shown}"
            drawn = _draw(dataset, name, source, path, title, run.labels)
            alt = f"{label}, {rank} case, pair {name}: fixed, moving, warped, differences, grid, Jacobian determinant"
            cases[name, seed] = Case(rank, name, seed, shown, path if drawn else None, alt)
        if cases:
            galleries.append((run.label(method), list(cases.values())))
    return galleries


def _again(first: Case, rank: str, path: Path) -> Case:
    if first.path is not None:
        shutil.copyfile(first.path, path)
    return Case(f"{first.rank}, {rank}", first.pair, first.seed, first.value, first.path, first.alt)


def _draw(dataset: Dataset, name: str, source: Path, path: Path, title: str, labels: Labels | None) -> bool:
    if not source.exists():
        return False
    picture(dataset, Pair.from_name(name), read_displacement(source), path, title=title, labels=labels)
    return True
