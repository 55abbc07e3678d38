"""Sections of several registrations: moving and fixed image, and for each method the warped image and the overlap.

Axial planes with the patient's right on the viewer's left and the front on top. In the overlap a voxel is white where
the warped label is the fixed one, mismatched where they differ, black where neither has a label.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from benchmarks.ranking import quote
from datasets import geometry
from datasets.case import Dataset, Pair
from datasets.files import Array
from reports.drawing.compact import grey, lit, small
from reports.drawing.planes import Turned, oriented, oriented_displacement, oriented_spacing
from reports.drawing.sections import AGREE, EMPTY, MISMATCH, Panel, Row, draw_rows
from reports.paper.cast import PaperRun
from reports.reading.pictures import Volumes
from reports.reading.registrations import kept, quoted_value
from reports.tables.numbers import number

AXIAL = 2  # of the axes that `oriented` turns to


@dataclass(frozen=True)
class Column:
    """One registration and the index of its axial section."""

    pair: Pair
    index: int
    title: str


@dataclass(frozen=True)
class TurnedCase:
    """A case, its axes turned to left, posterior, inferior; ``labels`` holds evaluated labels only."""

    image: Array
    labels: Array | None


@dataclass(frozen=True)
class Shown:
    """The images of a column, grey, and the labels of its fixed one; all ``(rows, columns)`` of a print."""

    pair: Pair
    title: str
    moving: Array
    fixed: Array
    labels: Array | None


@dataclass(frozen=True)
class Warped:
    """The warped image of a column, grey, and its warped labels; or why there is none."""

    image: Array | None
    labels: Array | None = None
    why: str = ""


@dataclass(frozen=True)
class Taken:
    """What the figure is drawn of; ``chosen`` says how its columns were, ``ratio`` is height over width in mm."""

    columns: Sequence[Shown]
    methods: Mapping[str, Sequence[Warped]]
    chosen: str
    ratio: float


@dataclass(frozen=True)
class Options:
    """The options of an entry of this kind in a paper's YAML."""

    dataset: str  # of the paper
    methods: tuple[str, ...]
    moving: int  # how many moving images to show


def take(paper_run: PaperRun, options: Options, volumes: Volumes) -> Taken | str:
    """Cut the sections out of a run's volumes; or say why there are none."""
    player = paper_run.players[options.dataset]
    methods, absent = paper_run.chosen(options.methods)
    if player.dataset is None or not methods:
        return player.absent or absent
    dataset = volumes.datasets[player.dataset.name]

    @cache
    def scan(case: str) -> TurnedCase:
        return _scan(volumes, dataset, case)

    columns, chosen = _choose(dataset, options.moving, scan)
    warped = {
        method: [_warp(paper_run, volumes, dataset, method, column, scan) for column in columns] for method in methods
    }
    return Taken([_shown(column, scan) for column in columns], warped, chosen, _ratio(dataset, columns[0].pair.fixed))


def draw(paper_run: PaperRun, options: Options, taken: Taken) -> tuple[Figure | None, str]:
    """Draw the figure; return it with what the run adds to its caption, or None and why nothing can be drawn."""
    here, _ = paper_run.chosen(options.methods)
    methods = {method: taken.methods[method] for method in here if method in taken.methods}
    rows = [
        Row("moving", [Panel(lit(column.moving)) for column in taken.columns]),
        Row("fixed", [Panel(lit(column.fixed)) for column in taken.columns]),
    ]
    for place, (method, found) in enumerate(methods.items()):
        title = f"({chr(ord('a') + place)}) {paper_run.run.methods[method].label}"
        rows += _method_rows(paper_run, options, method, taken.columns, found, title)
    if all(panel.image is None for row in rows[2:] for panel in row.panels):
        return None, "; ".join(dict.fromkeys(panel.why for row in rows[2:] for panel in row.panels))
    top = max(float(lit(column.fixed).max()) for column in taken.columns) or 1.0  # one grey scale, the fixed image's
    title = paper_run.players[options.dataset].in_figure
    figure = draw_rows(rows, [column.title for column in taken.columns], title, ratio=taken.ratio, top=top)
    return figure, _note(paper_run, options, taken.chosen)


def overlay(fixed: Array, warped: Array) -> Array:
    """Return colours ``(rows, columns, 3)`` of two label sections: where they agree, differ, or both are 0."""
    colours = np.array([to_rgb(colour) for colour in (EMPTY, AGREE, MISMATCH)])
    return colours[np.where(fixed != warped, 2, np.where(fixed > 0, 1, 0))]


def section_of_largest_area(mask: Array) -> int:
    """Return the index along the last axis of the first plane in which a mask ``(D, H, W)`` covers most."""
    return int(np.argmax(np.count_nonzero(mask, axis=(0, 1))))


def warped_section(moving: Array, u: Turned, index: int, *, order: geometry.Order) -> Array:
    """Return section ``index`` along the last axis of ``moving(x + u(x))``, as ``(rows, columns)`` of a print."""
    slab = np.stack([component[..., index : index + 1] * np.float32(sign) for component, sign in u])
    slab[AXIAL] += index  # `warp` counts from the corner of the slab
    return _cut(geometry.warp(moving, slab, order=order), 0)


def _choose(dataset: Dataset, wanted: int, scan: Callable[[str], TurnedCase]) -> tuple[list[Column], str]:
    """Return the registrations to show, and a sentence that says how they were chosen.

    They share the fixed image that most test pairs have. Where no two pairs share one, they are sections of one pair.
    """
    by_fixed: dict[str, list[Pair]] = {}
    for pair in dataset.test_pairs:
        by_fixed.setdefault(pair.fixed, []).append(pair)
    pairs = max(by_fixed.values(), key=len)
    fixed = scan(pairs[0].fixed)
    mask = _foreground(fixed)
    depth = mask.shape[AXIAL]
    if len(pairs) == 1:
        places = _spread(np.flatnonzero(mask.any(axis=(0, 1))), wanted)
        columns = [Column(pairs[0], index, f"section {index + 1} of {depth}") for index in places]
        return columns, (
            f"No two test pairs share a fixed image: {len(columns)} axial sections of pair {pairs[0].name}, "
            "from head to foot."
        )
    index = section_of_largest_area(mask)
    of = "its labels" if fixed.labels is not None else "its bright part"
    chosen = pairs[:wanted]
    few = f" (of {wanted}; no more test pairs share a fixed image)" if len(chosen) < wanted else ""
    return [Column(pair, index, pair.moving) for pair in chosen], (
        f"{len(chosen)} moving images{few} registered to the fixed image {pairs[0].fixed}; axial section {index + 1} "
        f"of {depth}, where {of} cover most."
    )


def _spread(occupied: Array, wanted: int) -> list[int]:
    """Return indices spread evenly over those that are occupied, without the very ends."""
    places = np.linspace(0, len(occupied) - 1, wanted + 2)[1:-1]
    return sorted({int(occupied[round(place)]) for place in places})


def _scan(volumes: Volumes, dataset: Dataset, case: str) -> TurnedCase:
    volume = dataset.image(case)
    labels = volumes.labels(dataset.name, case) if volumes.labels else None
    if labels is not None:
        wanted = dataset.description.evaluated_labels or np.unique(labels[labels > 0])
        labels = oriented(np.where(np.isin(labels, wanted), labels, 0), volume.affine)
    return TurnedCase(oriented(volume.array, volume.affine), labels)


def _foreground(scan: TurnedCase) -> Array:
    if scan.labels is not None and np.any(scan.labels):
        return scan.labels > 0
    return scan.image > 0.1 * float(scan.image.max())


def _cut(volume: Array, index: int) -> Array:
    return volume[..., index].T


def _shown(column: Column, scan: Callable[[str], TurnedCase]) -> Shown:
    fixed, moving = scan(column.pair.fixed), scan(column.pair.moving)
    labels = None if fixed.labels is None or moving.labels is None else small(_cut(fixed.labels, column.index))
    images = [grey(_cut(each.image, column.index)) for each in (moving, fixed)]
    return Shown(column.pair, column.title, images[0], images[1], labels)


def _warp(
    paper_run: PaperRun,
    volumes: Volumes,
    dataset: Dataset,
    method: str,
    column: Column,
    scan: Callable[[str], TurnedCase],
) -> Warped:
    """Return the warped section of one registration, image and labels, or why there is none."""
    found = kept(paper_run.run, volumes, column.pair, dataset=dataset.name, method=method)
    if found.displacement is None:
        return Warped(None, why=found.why)
    moving = scan(column.pair.moving)
    turned = oriented_displacement(found.displacement, dataset.image(column.pair.fixed).affine)
    image = grey(warped_section(moving.image, turned, column.index, order=1))
    labels = None if moving.labels is None else warped_section(moving.labels, turned, column.index, order=0)
    return Warped(image, None if labels is None else small(labels))


def _method_rows(
    paper_run: PaperRun, options: Options, method: str, columns: Sequence[Shown], found: Sequence[Warped], title: str
) -> list[Row]:
    dataset = paper_run.datasets[options.dataset]
    panels = []
    for column, warped in zip(columns, found, strict=True):
        dice = quoted_value(paper_run.run, dataset, method, column.pair, metric="dice")
        panels.append(_panels(column, warped, "no Dice" if dice is None else f"Dice {number(100 * dice, 1)} %"))
    warped, overlays = zip(*panels, strict=True)
    return [Row(title, warped), Row("overlap", overlays, text=True)]


def _panels(column: Shown, warped: Warped, below: str) -> tuple[Panel, Panel]:
    """Return the warped section and the overlap of one registration, or twice why there is none."""
    if warped.image is None:
        nothing = Panel(None, why=warped.why)
        return nothing, nothing
    if column.labels is None or warped.labels is None:
        return Panel(lit(warped.image)), Panel(None, why="no labels")
    return Panel(lit(warped.image)), Panel(overlay(column.labels, warped.labels), below)


def _ratio(dataset: Dataset, case: str) -> float:
    """Return height over width of an axial section, both in mm."""
    volume = dataset.image(case)
    columns, rows, _ = oriented(volume.array, volume.affine).shape
    right, down, _ = oriented_spacing(volume)
    return rows * down / (columns * right)


def _note(paper_run: PaperRun, options: Options, chosen: str) -> str:
    """Return what a reader has to know: which sections these are, how labels were warped, what the Dice is of."""
    _, absent = paper_run.chosen(options.methods)
    dataset = paper_run.datasets[options.dataset]
    quoted = quote(paper_run.run.metrics, dataset.name, "dice")
    parts = [f"{paper_run.players[options.dataset].in_figure}.", chosen, "Patient's right on the left, front on top."]
    parts.append("Labels take the nearest moving voxel. White: warped and fixed labels agree; red: they differ.")
    if quoted is not None:
        parts.append(f"Dice: whole volume, mean over labels ({quoted.protocol}), not this section.")
    return " ".join(filter(None, [*parts, absent]))
