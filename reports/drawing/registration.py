"""The drawing of one registration: panels of `planes.Plane` in rows, on one pair of axes in inches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path

from datasets.files import Array
from reports.drawing.planes import Plane, grid_lines, outline
from reports.drawing.style import INK, PAPER, RULE, SOFT, style
from reports.tables.numbers import MINUS

COLUMNS = ("fixed", "moving", "warped", f"|fixed {MINUS} moving|", f"|fixed {MINUS} warped|", "grid x + u(x)", "det J")
FOLDED, FIXED_EDGE, WARPED_EDGE = "#ff00c8", "#f0a500", "#35c4f0"
DPI, WIDTH, GAP, LEFT, TOP, BOTTOM = 92, 1.36, 0.05, 0.27, 0.46, 0.46  # inches


@dataclass(frozen=True)
class Panel:
    """A rectangle of the figure, in inches, that shows an image of ``shape`` (rows, columns)."""

    axes: Axes
    x: float
    y: float
    width: float
    height: float
    shape: tuple[int, int]

    def image(self, values: Array, **options: object) -> None:
        extent = (self.x, self.x + self.width, self.y, self.y + self.height)
        self.axes.imshow(values, extent=extent, aspect="auto", interpolation="nearest", **options)

    def lines(self, lines: Sequence[Array] | Array, colour: str, width: float) -> None:
        """Draw lines given in (column, row) of the image, cut at the panel's edge, as one path."""
        pixel = np.array([self.width / self.shape[1], -self.height / self.shape[0]])
        codes = [[Path.MOVETO] + [Path.LINETO] * (len(line) - 1) for line in lines]
        points = np.concatenate([np.empty((0, 2)), *lines])
        moved = np.array([self.x, self.y + self.height]) + (points + 0.5) * pixel
        path = Path(moved, np.concatenate([np.empty(0, int), *codes]).astype(Path.code_type))
        patch = self.axes.add_artist(PathPatch(path, fill=False, edgecolor=colour, linewidth=width))
        patch.set_clip_path(self.frame())

    def frame(self) -> Rectangle:
        rectangle = Rectangle((self.x, self.y), self.width, self.height, fill=False, edgecolor=RULE, linewidth=0.8)
        return self.axes.add_patch(rectangle)


def draw(rows: Sequence[Plane], title: str) -> Figure:
    """Draw the planes of one registration: images, differences on one scale, grid, Jacobian determinant."""
    top = max(float(np.percentile(np.abs(row.fixed - row.moving), 99.5)) for row in rows) or 1.0
    heights = [WIDTH * float(np.clip(row.ratio, 0.45, 1.6)) for row in rows]
    size = (LEFT + len(COLUMNS) * (WIDTH + GAP), TOP + sum(heights) + GAP * len(rows) + BOTTOM)
    with style():
        figure = Figure(figsize=size, dpi=DPI)
        FigureCanvasAgg(figure)
        axes = figure.add_axes([0, 0, 1, 1])
        axes.set_axis_off()
        y = size[1] - TOP
        for row, height in zip(rows, heights, strict=True):
            y -= height
            _row([_panel(axes, column, y, height, row) for column in range(len(COLUMNS))], row, top)
            y -= GAP
        _heads(axes, size[1], title)
        _legend(axes, top, rows[0].fixed_labels is not None)
        axes.set(xlim=(0, size[0]), ylim=(0, size[1]))
    return figure


def _panel(axes: Axes, column: int, y: float, height: float, row: Plane) -> Panel:
    """The panel of a column; an image too flat or too tall for its room keeps its shape and is centred."""
    room = LEFT + column * (WIDTH + GAP)
    width = min(WIDTH, height / row.ratio)
    tall = width * row.ratio
    return Panel(axes, room + (WIDTH - width) / 2, y + (height - tall) / 2, width, tall, row.fixed.shape)


def _row(panels: Sequence[Panel], row: Plane, top: float) -> None:
    grey = {"cmap": "gray", "vmin": 0, "vmax": max(float(row.fixed.max()), 1e-6)}
    for panel, image in zip(panels[:3], (row.fixed, row.moving, row.warped), strict=True):
        panel.image(image, **grey)
    for panel, image in zip(panels[3:5], (row.moving, row.warped), strict=True):
        panel.image(np.abs(row.fixed - image), cmap="inferno", vmin=0, vmax=top)
    panels[5].lines(grid_lines(row.displacement, row.voxel), INK, 0.55)
    panels[6].image(np.ma.masked_less_equal(row.determinant, 0), cmap=determinant_colours(), vmin=0, vmax=2)
    panels[6].frame()
    if row.fixed_labels is not None:
        for panel in (panels[0], panels[2]):
            _outline(panel, row.fixed_labels, FIXED_EDGE)
    if row.warped_labels is not None:
        _outline(panels[2], row.warped_labels, WARPED_EDGE)
    first = panels[0]
    for x, text, align in ((0.05, "R", "left"), (first.width - 0.05, "L", "right")):
        _write(first.axes, first.x + x, first.y + first.height - 0.1, text, ha=align, color=PAPER)
    _write(first.axes, 0.13, first.y + first.height / 2, row.name, rotation=90, ha="center")


def _outline(panel: Panel, labels: Array, colour: str) -> None:
    edges = outline(labels)
    panel.lines(edges, colour, 0.7 if len(edges) < 1500 else 0.4)  # many small structures must not hide the image


def colours() -> Array:
    """The 256 colours ``(256, 3)`` in [0, 1] that a picture is made of: greys, both colour scales, the accents."""
    accents = [to_rgb(colour) for colour in (FOLDED, FIXED_EDGE, WARPED_EDGE, INK, SOFT, RULE, PAPER)]
    tints = [np.outer(share, accent) + np.outer(1 - share, np.full(3, base)) for accent in accents[:3]
             for base in (0.0, 0.5, 1.0) for share in [np.array([0.35, 0.7])]]  # fmt: skip
    scales = [colormaps["inferno"](np.linspace(0, 1, 78)), determinant_colours()(np.linspace(0, 1, 81))]
    greys = np.repeat(np.linspace(0, 1, 72)[:, None], 3, axis=1)
    return np.concatenate([greys, *(scale[:, :3] for scale in scales), accents, *tints])


def determinant_colours() -> Colormap:
    """Purple below 1, white at 1, orange above, magenta where the map folds."""
    return colormaps["PuOr_r"].with_extremes(bad=FOLDED)


def _heads(axes: Axes, height: float, title: str) -> None:
    _write(axes, LEFT, height - 0.15, title, fontsize=8.5, fontweight="bold")
    for column, text in enumerate(COLUMNS):
        _write(axes, LEFT + column * (WIDTH + GAP) + WIDTH / 2, height - TOP + 0.09, text, ha="center", fontsize=8)


def _legend(axes: Axes, top: float, labels: bool) -> None:
    def at(column: int) -> float:
        return LEFT + column * (WIDTH + GAP)

    ramp = np.linspace(0, 1, 128)[None]
    for column, colours, texts in (
        (3, "inferno", ("0", f"{top:.2f}")),
        (6, determinant_colours(), ("0", "1", "2")),
    ):
        Panel(axes, at(column) + 0.12, 0.27, WIDTH - 0.24, 0.08, (1, 128)).image(ramp, cmap=colours, vmin=0, vmax=1)
        for place, text in zip(np.linspace(0.12, WIDTH - 0.12, len(texts)), texts, strict=True):
            _write(axes, at(column) + place, 0.15, text, ha="center")
    _write(axes, at(4), 0.31, "one scale for both differences", color=SOFT)
    axes.add_patch(Rectangle((at(5) + 0.3, 0.27), 0.09, 0.09, color=FOLDED))
    _write(axes, at(5) + 0.44, 0.31, "folded, det J ≤ 0")
    if labels:
        for x, colour, text in ((0.0, FIXED_EDGE, "fixed labels"), (1.0, WARPED_EDGE, "moving labels, warped")):
            axes.plot([LEFT + x, LEFT + x + 0.16], [0.31, 0.31], color=colour, linewidth=2)
            _write(axes, LEFT + x + 0.22, 0.31, text)


def _write(axes: Axes, x: float, y: float, text: str, **options: object) -> None:
    axes.text(x, y, text, **{"fontsize": 7, "va": "center", **options})
