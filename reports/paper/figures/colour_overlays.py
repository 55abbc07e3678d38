"""Coronal overlays of a few pairs in two colours, before and after registration, whole and enlarged.

The fixed image is orange and the moving one blue. The two add up to white, so that a voxel in which the images agree is
grey. The head is on top and the patient's right on the viewer's left.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from scipy import ndimage

from benchmarks.metrics import METRICS
from benchmarks.ranking import quote
from datasets import geometry
from datasets.case import Dataset, Pair
from datasets.files import Array, Volume
from reports.drawing.panels import Room, key, sheet, write
from reports.drawing.planes import Turned, oriented, oriented_displacement, oriented_points, oriented_spacing
from reports.drawing.style import INK, PAPER, style
from reports.paper.cast import PaperRun
from reports.reading.registrations import kept, quoted_value
from reports.tables.numbers import number

FIXED, MOVING = "#ff8000", "#007fff"  # their channels add up to white
KEY = ((0.06, FIXED, "fixed brighter"), (1.06, MOVING, "moving or warped brighter"), (2.66, "#a0a0a0", "both alike"))
CORONAL = 1  # of the axes that `oriented` turns to
NEAR = 10.0  # mm from the section within which landmarks decide what is enlarged
SHARE = 0.4  # of the section's width and height that is enlarged
GROUND = {"facecolor": "#000000", "edgecolor": "none", "pad": 0.6}
DPI, WIDTH, GAP, BELOW, LINE, LEFT, BOTTOM = 150, 7.4, 0.06, 0.19, 0.135, 0.62, 0.36  # inches


@dataclass(frozen=True)
class Place:
    """The part of a pair that is shown: index of the section, first row and column of what is enlarged, its size."""

    index: int
    corner: tuple[int, int]
    size: tuple[int, int]

    def cut(self, section: Array) -> Array:
        """Return the part of a section that is enlarged."""
        rows, columns = (slice(start, start + n) for start, n in zip(self.corner, self.size, strict=True))
        return section[rows, columns]


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
class Options:
    """The options of an entry of this kind in a paper's YAML."""

    dataset: str  # of the paper
    pairs: tuple[int, ...]  # by their number, from 1
    methods: tuple[str, ...]


def draw(paper_run: PaperRun, options: Options) -> tuple[Figure | None, str]:
    """Draw the figure; return it with what the run adds to its caption, or None and why nothing can be drawn."""
    dataset = paper_run.datasets.get(options.dataset)
    if dataset is None:
        return None, paper_run.players[options.dataset].absent
    methods, absent = paper_run.chosen(options.methods)
    if not methods:
        return None, absent
    pairs = dataset.test_pairs
    chosen = [place for place in options.pairs if 1 <= place <= len(pairs)]
    if not chosen:
        return None, f"{dataset.name} has {len(pairs)} test pairs, none of them pair {_listed(options.pairs)}"
    rows = [_row(paper_run, dataset, methods, pairs[place - 1], f"pair {place}") for place in chosen]
    if all(panel.colours is None for row in rows for panel in row.panels[1:]):
        return None, "; ".join(dict.fromkeys(panel.why for row in rows for panel in row.panels[1:]))
    heads = ["before", *(paper_run.run.methods[method].label for method in methods)]
    return _draw(rows, heads, paper_run.players[options.dataset].in_figure), _note(paper_run, options, chosen)


def overlay(fixed: ArrayLike, moving: ArrayLike) -> Array:
    """Return colours ``(rows, columns, 3)`` of two sections in [0, 1]: the sum of an orange and a blue image."""
    one, other = (np.clip(image, 0, 1) for image in (fixed, moving))
    return np.multiply.outer(one, to_rgb(FIXED)) + np.multiply.outer(other, to_rgb(MOVING))


def warped_coronal(moving: Array, u: Turned, index: int) -> Array:
    """Return coronal section ``index`` of ``moving(x + u(x))``, both turned by `oriented`, as ``(rows, columns)``."""
    slab = np.stack([component[:, index : index + 1] * np.float32(sign) for component, sign in u])
    slab[CORONAL] += index  # `warp` counts from the corner of the slab
    return _cut(geometry.warp(moving, slab), 0)


def choose_place(fixed: Array, moving: Array, spacing: Sequence[float], landmarks: tuple[Array, Array] | None) -> Place:
    """Choose the section through the median landmark, and the part of it around the landmark near it that moves most.

    Images and landmarks ``(n, 3)`` are turned to left, posterior, inferior; ``spacing`` in mm. Without landmarks: the
    middle section, and the part of it where the images differ most.
    """
    columns, depth, rows = fixed.shape
    size = (max(1, round(SHARE * rows)), max(1, round(SHARE * columns)))
    if landmarks is None:
        index = depth // 2
        centre = _most_different(_cut(fixed, index), _cut(moving, index), size)
    else:
        index = int(np.clip(round(float(np.median(landmarks[0][:, CORONAL]))), 0, depth - 1))
        centre = _most_moved(*landmarks, index, spacing)
    room = zip(centre, size, (rows, columns), strict=True)
    row, column = (int(np.clip(round(at - part / 2), 0, n - part)) for at, part, n in room)
    return Place(index, (row, column), size)


def _most_moved(points: Array, moved: Array, index: int, spacing: Sequence[float]) -> tuple[float, float]:
    """Return row and column of the landmark that moves most of those near the section, or of the nearest."""
    away = np.abs(points[:, CORONAL] - index) * spacing[CORONAL]
    motion = np.linalg.norm((moved - points) * np.asarray(spacing), axis=1)
    column, _, row = points[np.argmax(np.where(away <= max(NEAR, float(away.min())), motion, -1))]
    return float(row), float(column)


def _most_different(fixed: Array, moving: Array, size: tuple[int, int]) -> tuple[float, float]:
    """Return row and column around which two sections differ most over a part of ``size``."""
    difference = ndimage.uniform_filter(np.abs(fixed - moving), size, mode="constant")
    row, column = np.unravel_index(np.argmax(difference), fixed.shape)
    return float(row), float(column)


def _cut(volume: Array, index: int) -> Array:
    return volume[:, index].T


def _row(paper_run: PaperRun, dataset: Dataset, methods: Sequence[str], pair: Pair, title: str) -> Row:
    volume, other = dataset.image(pair.fixed), dataset.image(pair.moving)
    fixed, moving = (oriented(image.array, volume.affine) for image in (volume, other))
    spacing = oriented_spacing(volume)
    place = choose_place(fixed, moving, spacing, _landmarks(paper_run, dataset, pair, volume))
    shown = _cut(fixed, place.index)
    top = max(float(np.percentile(image, 99.5)) for image in (shown, _cut(moving, place.index))) or 1.0

    def panel(section: Array, method: str) -> Panel:
        return Panel(overlay(shown / top, section / top), _tre(paper_run, dataset, method, pair))

    panels = [panel(_cut(moving, place.index), "identity")]
    for method in methods:
        found = kept(paper_run.run, dataset, method, pair)
        if found.displacement is None:
            panels.append(Panel(None, _tre(paper_run, dataset, method, pair), found.why))
        else:
            u = oriented_displacement(found.displacement, volume.affine)
            panels.append(panel(warped_coronal(moving, u, place.index), method))
    rows, columns = shown.shape
    return Row(title, panels, place, rows * spacing[2] / (columns * spacing[0]))


def _landmarks(paper_run: PaperRun, dataset: Dataset, pair: Pair, volume: Volume) -> tuple[Array, Array] | None:
    """Return a pair's landmarks, turned as `oriented` turns the images."""
    found = paper_run.run.landmarks(dataset.name, pair.name) if paper_run.run.landmarks else None
    if found is None or not len(found[0]):
        return None
    return oriented_points(found[0], volume), oriented_points(found[1], volume)


def _tre(paper_run: PaperRun, dataset: Dataset, method: str, pair: Pair) -> str:
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


def _note(paper_run: PaperRun, options: Options, chosen: Sequence[int]) -> str:
    """Return what a reader has to know: whose pairs, which section and part, what the TRE is of, what is missing."""
    dataset = paper_run.datasets[options.dataset]
    parts = [f"{paper_run.players[options.dataset].in_figure}. First seed. Head on top, patient's right on the left."]
    parts.append("Section through the median fixed landmark; enlarged (white frame) around the one that moves most of")
    parts.append(f"those within {NEAR:g} mm of the section.")
    pairs = [dataset.test_pairs[place - 1] for place in chosen]
    if not all(paper_run.run.landmarks and paper_run.run.landmarks(dataset.name, pair.name) for pair in pairs):
        parts.append("A pair without landmarks: middle section, enlarged where its images differ most.")
    quoted = quote(paper_run.run.metrics, dataset.name, "tre")
    if quoted is not None:
        name = METRICS["tre"].short
        parts.append(f"{name}: mean over all landmarks of the pair ({quoted.protocol}), not of the section.")
    if short := [place for place in options.pairs if place not in chosen]:
        parts.append(f"Pair {_listed(short)} not shown: there are {len(dataset.test_pairs)} test pairs.")
    methods, absent = paper_run.chosen(options.methods)
    return " ".join(filter(None, [*parts, absent, *paper_run.trained(methods)]))


def _listed(places: Sequence[int]) -> str:
    return ", ".join(map(str, places))
