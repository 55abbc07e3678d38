"""Coronal overlays of a few pairs in two colours, before and after registration, whole and enlarged.

The fixed image is orange and the moving one blue. The two add up to white, so that a voxel in which the images agree is
grey. The head is on top and the patient's right on the viewer's left.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from benchmarks.metrics import METRICS
from benchmarks.ranking import quote
from datasets.case import Dataset, Described, Pair
from datasets.files import Array, Volume
from reports.drawing.compact import grey, lit
from reports.drawing.coronal import NEAR, Place, choose_place, cut, warped_coronal
from reports.drawing.panels import Room, key, sheet, write
from reports.drawing.planes import oriented, oriented_displacement, oriented_points, oriented_spacing
from reports.drawing.style import INK, PAPER, style
from reports.paper.cast import PaperRun
from reports.reading.pictures import NOT_ARCHIVED, Volumes
from reports.reading.registrations import kept, quoted_value
from reports.tables.numbers import number

FIXED, MOVING = "#ff8000", "#007fff"  # their channels add up to white
KEY = ((0.06, FIXED, "fixed brighter"), (1.06, MOVING, "moving or warped brighter"), (2.66, "#a0a0a0", "both alike"))
GROUND = {"facecolor": "#000000", "edgecolor": "none", "pad": 0.6}
DPI, WIDTH, GAP, BELOW, LINE, LEFT, BOTTOM = 150, 7.4, 0.06, 0.19, 0.135, 0.62, 0.36  # inches


@dataclass(frozen=True)
class Panel:
    """Colours ``(rows, columns, 3)`` or why there are none; a text below."""

    colours: Array | None
    below: str = ""
    why: str = ""


@dataclass(frozen=True)
class Row:
    """A pair: overlays before and after each method, what is enlarged of them, height over width in mm."""

    title: str
    panels: Sequence[Panel]
    place: Place
    ratio: float


@dataclass(frozen=True)
class Laid:
    """A grey section ``(rows, columns)`` that is laid over the fixed one, or why there is none."""

    grey: Array | None
    why: str = ""


@dataclass(frozen=True)
class Overlaid:
    """A pair, by its number: its grey fixed section, and by method what is laid over it, ``identity`` being before.

    ``ratio`` is height over width in mm, ``landmarks`` says whether the pair has some.
    """

    number: int
    fixed: Array
    others: Mapping[str, Laid]
    place: Place
    ratio: float
    landmarks: bool


@dataclass(frozen=True)
class Taken:
    """What the figure is drawn of."""

    pairs: Sequence[Overlaid]


@dataclass(frozen=True)
class Options:
    """The options of an entry of this kind in a paper's YAML."""

    dataset: str  # of the paper
    pairs: tuple[int, ...]  # by their number, from 1
    methods: tuple[str, ...]


def take(paper_run: PaperRun, options: Options, volumes: Volumes) -> Taken | str:
    """Cut the sections out of a run's volumes; or say why there are none."""
    player = paper_run.players[options.dataset]
    methods, absent = paper_run.chosen(options.methods)
    if player.dataset is None or not methods:
        return player.absent or absent
    dataset, pairs = volumes.datasets[player.dataset.name], player.dataset.test_pairs
    chosen = [place for place in options.pairs if 1 <= place <= len(pairs)]
    if not chosen:
        return f"{dataset.name} has {len(pairs)} test pairs, none of them pair {_listed(options.pairs)}"
    return Taken([_take_pair(paper_run, volumes, dataset, methods, number=place) for place in chosen])


def draw(paper_run: PaperRun, options: Options, taken: Taken) -> tuple[Figure | None, str]:
    """Draw the figure; return it with what the run adds to its caption, or None and why nothing can be drawn."""
    dataset, (methods, _) = paper_run.datasets[options.dataset], paper_run.chosen(options.methods)
    rows = [_row(paper_run, dataset, methods, pair) for pair in taken.pairs]
    if all(panel.colours is None for row in rows for panel in row.panels[1:]):
        return None, "; ".join(dict.fromkeys(panel.why for row in rows for panel in row.panels[1:]))
    heads = ["before", *(paper_run.run.methods[method].label for method in methods)]
    title = paper_run.players[options.dataset].in_figure
    return _draw(rows, heads, title), _note(paper_run, options, taken.pairs)


def overlay(fixed: ArrayLike, moving: ArrayLike) -> Array:
    """Return colours ``(rows, columns, 3)`` of two sections in [0, 1]: the sum of an orange and a blue image."""
    one, other = (np.clip(image, 0, 1) for image in (fixed, moving))
    return np.multiply.outer(one, to_rgb(FIXED)) + np.multiply.outer(other, to_rgb(MOVING))


def _take_pair(
    paper_run: PaperRun, volumes: Volumes, dataset: Dataset, methods: Sequence[str], number: int
) -> Overlaid:
    """Cut the sections of a pair, before and after registration by each of some methods."""
    pair = dataset.test_pairs[number - 1]
    volume, other = dataset.image(pair.fixed), dataset.image(pair.moving)
    fixed, moving = (oriented(image.array, volume.affine) for image in (volume, other))
    spacing, landmarks = oriented_spacing(volume), _landmarks(volumes, dataset, pair, volume)
    place = choose_place(fixed, moving, spacing, landmarks)
    others = {"identity": Laid(grey(cut(moving, place.index)))}
    for method in methods:
        found = kept(paper_run.run, volumes, pair, dataset=dataset.name, method=method)
        if found.displacement is None:
            others[method] = Laid(None, found.why)
        else:
            u = oriented_displacement(found.displacement, volume.affine)
            others[method] = Laid(grey(warped_coronal(moving, u, place.index)))
    shown = grey(cut(fixed, place.index))
    ratio = shown.shape[0] * spacing[2] / (shown.shape[1] * spacing[0])
    return Overlaid(number, shown, others, place, ratio, landmarks is not None)


def _landmarks(volumes: Volumes, dataset: Dataset, pair: Pair, volume: Volume) -> tuple[Array, Array] | None:
    """Return a pair's landmarks, turned as `oriented` turns the images."""
    found = volumes.landmarks(dataset.name, pair.name) if volumes.landmarks else None
    if found is None or not len(found[0]):
        return None
    return oriented_points(found[0], volume), oriented_points(found[1], volume)


def _row(paper_run: PaperRun, dataset: Described, methods: Sequence[str], taken: Overlaid) -> Row:
    """Lay the sections of a pair over the fixed one."""
    shown, before = lit(taken.fixed), taken.others["identity"].grey
    bright = [shown] if before is None else [shown, lit(before)]
    top = max(float(np.percentile(image, 99.5)) for image in bright) or 1.0
    pair, panels = dataset.test_pairs[taken.number - 1], []
    for method in ("identity", *methods):
        laid, below = taken.others.get(method, Laid(None, NOT_ARCHIVED)), _tre(paper_run, dataset, method, pair)
        colours = None if laid.grey is None else overlay(shown / top, lit(laid.grey) / top)
        panels.append(Panel(colours, below, laid.why))
    return Row(f"pair {taken.number}", panels, taken.place, taken.ratio)


def _tre(paper_run: PaperRun, dataset: Described, method: str, pair: Pair) -> str:
    value = quoted_value(paper_run.run, dataset, method, pair, metric="tre")
    return "TRE not measured" if value is None else f"TRE {number(value, 2)} mm"


def _draw(rows: Sequence[Row], heads: Sequence[str], title: str) -> Figure:
    """Draw the overlays in rows, on one pair of axes in inches: whole ones, then a part of all but the first."""
    heads = [*heads, *(f"{head}, enlarged" for head in heads[1:])]
    side = min(1.6, (WIDTH - LEFT) / len(heads) - GAP)
    heights = [side * float(np.clip(row.ratio, 0.45, 1.6)) for row in rows]
    heads, title = [textwrap.fill(head, int(14 * side)) for head in heads], textwrap.fill(title, 80)
    lines = title.count("\n") + max(head.count("\n") for head in heads) + 2
    below = BOTTOM + sum(heights) + len(rows) * BELOW
    size = (max(LEFT + len(heads) * (side + GAP), 5.4), below + LINE * lines + 0.2)
    with style():
        figure, axes = sheet(*size, DPI)
        write(axes, 0.06, size[1] - 0.08, title, fontsize=9, fontweight="bold", va="top")
        for place, head in enumerate(heads):
            x = LEFT + place * (side + GAP) + side / 2
            write(axes, x, below + 0.05, head, ha="center", va="bottom")
        y = below
        for row, high in zip(rows, heights, strict=True):
            y -= high
            write(axes, LEFT - 0.08, y + high / 2, row.title, ha="right")
            _draw_row(axes, row, y, side, high)
            y -= BELOW
        first = Room(axes, LEFT, below - heights[0], side, heights[0]).fit(rows[0].ratio)
        first.sides(0.06, 0.1, color=PAPER, bbox=GROUND)
        key(axes, 0.1, 0.11, KEY)
    return figure


def _draw_row(axes: Axes, row: Row, y: float, side: float, high: float) -> None:
    enlarged = [replace(panel, colours=_enlarged(panel, row.place), below="") for panel in row.panels[1:]]
    for column, panel in enumerate([*row.panels, *enlarged]):
        room = Room(axes, LEFT + column * (side + GAP), y, side, high).fit(row.ratio)
        _show(room, panel)
        if panel.colours is not None and column < len(row.panels):
            _mark(room, row.place, panel.colours.shape)


def _enlarged(panel: Panel, place: Place) -> Array | None:
    return None if panel.colours is None else place.cut(panel.colours)


def _show(room: Room, panel: Panel) -> None:
    write(room.axes, room.x + room.width / 2, room.y - 0.08, panel.below, ha="center")
    if panel.colours is None:
        room.frame()
        room.explain(panel.why, int(13 * room.width))
    else:
        room.show(panel.colours)


def _mark(room: Room, place: Place, shape: Sequence[int]) -> None:
    """Draw the outline of what is enlarged into a whole section."""
    down, right = room.height / shape[0], room.width / shape[1]
    (row, column), (rows, columns) = place.corner, place.size
    low = room.y + room.height - (row + rows) * down
    for colour, line in ((INK, 2.0), (PAPER, 0.9)):  # dark beside white shows on any ground
        Room(room.axes, room.x + column * right, low, columns * right, rows * down).frame(colour, line)


def _note(paper_run: PaperRun, options: Options, shown: Sequence[Overlaid]) -> str:
    """Return what a reader has to know: whose pairs, which section and part, what the TRE is of, what is missing."""
    dataset = paper_run.datasets[options.dataset]
    parts = [f"{paper_run.players[options.dataset].in_figure}. First seed. Head on top, patient's right on the left."]
    parts.append("Section through the median fixed landmark; enlarged (white frame) around the one that moves most of")
    parts.append(f"those within {NEAR:g} mm of the section.")
    if not all(pair.landmarks for pair in shown):
        parts.append("A pair without landmarks: middle section, enlarged where its images differ most.")
    quoted = quote(paper_run.run.metrics, dataset.name, "tre")
    if quoted is not None:
        name = METRICS["tre"].short
        parts.append(f"{name}: mean over all landmarks of the pair ({quoted.protocol}), not of the section.")
    if short := [place for place in options.pairs if place not in [pair.number for pair in shown]]:
        parts.append(f"Pair {_listed(short)} not shown: there are {len(dataset.test_pairs)} test pairs.")
    methods, absent = paper_run.chosen(options.methods)
    return " ".join(filter(None, [*parts, absent, *paper_run.trained(methods)]))


def _listed(places: Sequence[int]) -> str:
    return ", ".join(map(str, places))
