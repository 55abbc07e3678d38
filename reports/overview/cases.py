"""The worst, the median and the best registration of each method, as pictures.

`requests` names what these pictures are made of, `draw_cases` draws it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.metrics import METRICS
from benchmarks.ranking import RANKS, Quote, Rank, Ranked, primary, ranked
from datasets import geometry
from datasets.case import Dataset, Described, Pair
from datasets.files import Array, read_displacement
from reports.drawing.compact import PairPlane, WarpedPlane, pack_pair, pack_warped, unpack
from reports.drawing.html import data_uri
from reports.drawing.pictures import write_picture
from reports.drawing.planes import Plane, planes
from reports.drawing.registration import draw_registration
from reports.reading.pictures import Request, Volumes
from reports.reading.run import Run
from reports.tables.numbers import quantity

MANY = 40  # combinations of method and data set from which only the worst case of each is drawn
Registration = tuple[str, int]  # pair and seed


@dataclass(frozen=True)
class PairCase:
    """What is drawn of one pair: its axial and its coronal plane."""

    planes: Sequence[PairPlane]


@dataclass(frozen=True)
class Case:
    """What is drawn of one registration on the planes of its pair."""

    planes: Sequence[WarpedPlane]


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


def shown_ranks(run: Run) -> Sequence[Rank]:
    """Return which registrations of each method are shown."""
    return RANKS if len(run.methods) * len(run.datasets) <= MANY else RANKS[:1]


def requests(run: Run) -> Iterator[Request[Case] | Request[PairCase]]:
    """Yield what the pictures of a run are made of."""
    asked: set[str] = set()
    for dataset in run.datasets.values():
        quote = primary(run.rows_of(dataset.name), dataset)
        if quote is None:
            continue
        for method, chosen in _chosen(run, dataset, quote, shown_ranks(run)).items():
            for request in (each for which in chosen for each in _requests(dataset, method, *which)):
                if request.name not in asked:
                    asked.add(request.name)
                    yield request


def draw_cases(folder: Path, run: Run, dataset: Described, *, ranks: Sequence[Rank] = RANKS) -> list[Gallery]:
    """Write ``<folder>/<dataset>/<method>-<rank>.png``; a registration with several of the ``ranks`` is shown once."""
    quote = primary(run.rows_of(dataset.name), dataset)
    if quote is None:
        return []
    galleries = []
    for method, found in _chosen(run, dataset, quote, ranks).items():
        pictures = [_draw(folder, run, dataset, method, quote, same) for same in found.values()]
        galleries += [Gallery(run.label(method), pictures)] if pictures else []
    return galleries


def take_case(volumes: Volumes, *, dataset: str, method: str, pair: Pair, seed: int) -> Case | str:
    """Cut the planes of one registration, with the outlines of evaluated labels where there are any."""
    source, data = volumes.displacement_path(dataset, method, seed, pair.name), volumes.datasets[dataset]
    if not source.exists():
        return "not kept"
    fixed, moving = data.image(pair.fixed), data.image(pair.moving)
    where = f"picture: {method} of {pair.name}"
    u = geometry.check_displacement(read_displacement(source), fixed.array.shape, where=where)
    return Case([pack_warped(plane) for plane in planes(fixed, moving, u, _evaluated(volumes, data, pair))])


def take_pair(volumes: Volumes, *, dataset: str, pair: Pair) -> PairCase:
    """Cut the planes of one pair."""
    data = volumes.datasets[dataset]
    fixed, moving = data.image(pair.fixed), data.image(pair.moving)
    still = np.zeros((3, *fixed.array.shape), np.float32)
    return PairCase([pack_pair(plane) for plane in planes(fixed, moving, still, _evaluated(volumes, data, pair))])


def _chosen(
    run: Run, dataset: Described, quote: Quote, ranks: Sequence[Rank]
) -> Mapping[str, Mapping[Registration, Sequence[Ranked]]]:
    """Return the registrations of each method that are shown, each with all of its ranks."""
    rows = run.metrics[(run.metrics.metric == quote.metric) & (run.metrics.dataset == dataset.name)]  # once for all
    found: dict[str, dict[Registration, list[Ranked]]] = {method: {} for method in run.ordered}
    for method, registrations in found.items():
        for each in ranked(rows, dataset.name, method, quote):
            if each.rank in ranks:
                registrations.setdefault((each.pair, each.seed), []).append(each)
    return found


def _requests(dataset: Described, method: str, pair: str, seed: int) -> tuple[Request[PairCase], Request[Case]]:
    """Return what the picture of a registration is made of: its pair's part and its own."""
    folder, cut = f"cases/{dataset.name}", Pair.from_name(pair)
    take = partial(take_case, dataset=dataset.name, method=method, pair=cut, seed=seed)
    return (
        Request(f"{folder}/{pair}", PairCase, partial(take_pair, dataset=dataset.name, pair=cut)),
        Request(f"{folder}/{method}-seed{seed}-{pair}", Case, take),
    )


def _draw(
    folder: Path, run: Run, dataset: Described, method: str, quote: Quote, same: Sequence[Ranked]
) -> RankedPicture:
    """Draw one registration, once for each of its ranks."""
    first, label = same[0], run.label(method)
    cut = _planes(run, dataset, method, first)
    paths = [folder / dataset.name / f"{method}-{each.rank}.png" for each in same]
    metric = METRICS[quote.metric]
    unit = "" if metric.unit == "1" else f" {metric.unit}"
    value = f"{metric.short} {quantity(quote.metric, first.value)}{unit}"
    if cut:
        title = f"{label} on {dataset.description.display_title}: {first.pair}, {value}"
        write_picture(draw_registration(cut, title), paths[0])
        for path in paths[1:]:
            shutil.copyfile(paths[0], path)
    panels = "fixed, moving, warped, differences, grid, Jacobian determinant"
    alt = f"{label}, {first.rank} case, pair {first.pair}: {panels}"
    ranks: tuple[Rank, ...] = tuple(each.rank for each in same)
    return RankedPicture(ranks, first.pair, first.seed, value, alt, paths[0] if cut else None)


def _planes(run: Run, dataset: Described, method: str, which: Ranked) -> list[Plane]:
    """Return the planes of one registration; none where they were not kept."""
    of_pair, of_registration = _requests(dataset, method, which.pair, which.seed)
    shared, own = run.pictures.get(of_pair), run.pictures.get(of_registration)
    if isinstance(shared, str) or isinstance(own, str):
        return []
    return [unpack(*parts) for parts in zip(shared.planes, own.planes, strict=True)]


def _evaluated(volumes: Volumes, dataset: Dataset, pair: Pair) -> tuple[Array | None, Array | None]:
    """Return the maps of evaluated labels of the fixed and of the moving image."""
    first, second = (_evaluated_labels(volumes, dataset, case) for case in (pair.fixed, pair.moving))
    return first, second


def _evaluated_labels(volumes: Volumes, dataset: Dataset, case: str) -> Array | None:
    labels = volumes.labels(dataset.name, case) if volumes.labels else None
    if labels is None:
        return None
    wanted = [label for label in dataset.description.evaluated_labels if label <= int(labels.max())]
    kept = np.zeros(int(labels.max()) + 1, dtype=np.uint16)
    kept[wanted] = wanted
    return kept[labels]
