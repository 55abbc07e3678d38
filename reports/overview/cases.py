"""The worst, the median and the best registration of each method, as pictures."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.metrics import METRICS
from benchmarks.ranking import RANKS, Quote, Rank, Ranked, primary, ranked
from datasets.case import Dataset, Pair
from datasets.files import read_displacement
from reports.drawing.html import data_uri
from reports.drawing.pictures import draw_picture
from reports.reading.run import Run
from reports.tables.numbers import quantity


@dataclass(frozen=True)
class RankedPicture:
    """The picture of one registration, and the value that it was chosen by; no path where it could not be drawn."""

    ranks: tuple[Rank, ...]
    pair: str
    seed: int
    value: str
    alt: str
    path: Path | None
    data: str = ""  # the picture as it stands in a page


@dataclass(frozen=True)
class Gallery:
    """The pictures of one method on one data set."""

    label: str
    pictures: Sequence[RankedPicture]

    def embedded(self, limit: int) -> Gallery:
        """Return the gallery with its pictures as data, each of at most ``limit`` bytes."""
        return replace(self, pictures=[replace(each, data=data_uri(each.path, limit)) for each in self.pictures])


def draw_cases(folder: Path, run: Run, dataset: Dataset, *, ranks: Sequence[Rank] = RANKS) -> list[Gallery]:
    """Write ``<folder>/<dataset>/<method>-<rank>.png``; a registration with several of the ``ranks`` is shown once."""
    quote = primary(run.metrics, dataset)
    if quote is None:
        return []
    galleries = []
    for method in run.ordered:
        by_registration: dict[tuple[str, int], list[Ranked]] = {}
        for each in ranked(run.metrics, dataset.name, method, quote):
            if each.rank in ranks:
                by_registration.setdefault((each.pair, each.seed), []).append(each)
        pictures = [_draw(folder, run, dataset, method, quote, same) for same in by_registration.values()]
        galleries += [Gallery(run.label(method), pictures)] if pictures else []
    return galleries


def _draw(folder: Path, run: Run, dataset: Dataset, method: str, quote: Quote, same: Sequence[Ranked]) -> RankedPicture:
    """Draw one registration, once for each of its ranks."""
    first, label = same[0], run.label(method)
    source = run.displacement_path(dataset.name, method, first.seed, first.pair)
    paths = [folder / dataset.name / f"{method}-{each.rank}.png" for each in same]
    value = f"{METRICS[quote.metric].short} {quantity(quote.metric, first.value)}"
    if source.exists():
        title = f"{label} on {dataset.description.display_title}: {first.pair}, {value}"
        displacement = read_displacement(source)
        draw_picture(dataset, Pair.from_name(first.pair), displacement, paths[0], title=title, labels=run.labels)
        for path in paths[1:]:
            shutil.copyfile(paths[0], path)
    panels = "fixed, moving, warped, differences, grid, Jacobian determinant"
    alt = f"{label}, {first.rank} case, pair {first.pair}: {panels}"
    ranks: tuple[Rank, ...] = tuple(each.rank for each in same)
    return RankedPicture(ranks, first.pair, first.seed, value, alt, paths[0] if source.exists() else None)
