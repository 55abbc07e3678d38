"""The drawing of sections in rows: grey images and coloured overlaps, each row named, a text below where it has one."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from datasets.files import Array
from reports.drawing.style import INK, RULE, SOFT, style

AGREE, MISMATCH, EMPTY = "#ffffff", "#ff3b30", "#000000"
DPI, SIDE, GAP, BELOW, LEFT, TOP, BOTTOM = 150, 1.2, 0.05, 0.15, 0.84, 0.62, 0.34  # inches


@dataclass(frozen=True)
class Panel:
    """A grey image (rows, columns) or a coloured one (rows, columns, 3), or why there is none; a text below."""

    image: Array | None
    below: str = ""
    why: str = ""


@dataclass(frozen=True)
class Row:
    title: str
    panels: Sequence[Panel]
    text: bool = False  # whether its panels have a text below


def draw_rows(rows: Sequence[Row], heads: Sequence[str], title: str, *, ratio: float, top: float) -> Figure:
    """Draw rows of panels below the heads of their columns, on one pair of axes in inches.

    ``ratio`` is height over width of a section in mm: one too flat or too tall for its room keeps its shape. ``top`` is
    the grey value that is drawn white.
    """
    high = SIDE * float(np.clip(ratio, 0.45, 1.6))
    heights = [high + GAP + BELOW * row.text for row in rows]
    size = (max(LEFT + len(heads) * (SIDE + GAP), 3.6), TOP + sum(heights) + BOTTOM)
    with style():
        figure = Figure(figsize=size, dpi=DPI)
        FigureCanvasAgg(figure)
        axes = figure.add_axes([0, 0, 1, 1], xlim=(0, size[0]), ylim=(0, size[1]), autoscale_on=False)
        axes.set_axis_off()
        y = size[1] - TOP
        for row, height in zip(rows, heights, strict=True):
            _write(axes, LEFT - 0.08, y - high / 2, textwrap.fill(row.title, 12), ha="right")
            for place, panel in enumerate(row.panels):
                _show(axes, panel, (LEFT + place * (SIDE + GAP), y - high), high, ratio, top)
            y -= height
        _sides(axes, size[1] - TOP, high, ratio)
        _heads(axes, size, heads, title)
        _legend(axes)
    return figure


def _show(axes: Axes, panel: Panel, corner: tuple[float, float], high: float, ratio: float, top: float) -> None:
    """Draw a panel into a room of ``SIDE`` by ``high`` inches; without an image it says why."""
    x, y = corner
    if panel.image is None:
        axes.add_patch(Rectangle(corner, SIDE, high, fill=False, edgecolor=RULE, linewidth=0.8))
        _write(axes, x + SIDE / 2, y + high / 2, textwrap.fill(panel.why, 16), ha="center", color=SOFT)
        return
    width, tall = _fit(high, ratio)
    left, low = x + (SIDE - width) / 2, y + (high - tall) / 2
    grey = {"cmap": "gray", "vmin": 0, "vmax": top} if panel.image.ndim == 2 else {}
    # `none` keeps the voxels as they are in the SVG; `nearest` would draw them anew at the figure's resolution
    axes.imshow(panel.image, extent=(left, left + width, low, low + tall), aspect="auto", interpolation="none", **grey)
    if panel.below:
        _write(axes, x + SIDE / 2, y - BELOW / 2, panel.below, ha="center")


def _heads(axes: Axes, size: tuple[float, float], heads: Sequence[str], title: str) -> None:
    _write(axes, 0.06, size[1] - 0.18, textwrap.fill(title, int(12.5 * size[0])), fontsize=9, fontweight="bold")
    for place, head in enumerate(heads):
        x, small = LEFT + place * (SIDE + GAP) + SIDE / 2, min(1.0, 17 / len(head))
        _write(axes, x, size[1] - TOP + 0.1, head, ha="center", fontsize=8 * small)


def _fit(high: float, ratio: float) -> tuple[float, float]:
    """Width and height of a section within its room."""
    width = min(SIDE, high / ratio)
    return width, width * ratio


def _sides(axes: Axes, top: float, high: float, ratio: float) -> None:
    """The patient's sides, in the corners of the first image."""
    width, tall = _fit(high, ratio)
    left, y = LEFT + (SIDE - width) / 2, top - (high - tall) / 2 - 0.09
    ground = {"facecolor": EMPTY, "edgecolor": "none", "pad": 0.6}
    for x, side, align in ((left + 0.04, "R", "left"), (left + width - 0.04, "L", "right")):
        _write(axes, x, y, side, ha=align, color=AGREE, bbox=ground)


def _legend(axes: Axes) -> None:
    for x, colour, text in ((0.06, AGREE, "labels agree"), (1.1, MISMATCH, "labels differ"), (2.14, EMPTY, "no label")):
        axes.add_patch(Rectangle((x, 0.12), 0.1, 0.1, facecolor=colour, edgecolor=INK, linewidth=0.6))
        _write(axes, x + 0.16, 0.17, text)


def _write(axes: Axes, x: float, y: float, text: str, **options: object) -> None:
    axes.text(x, y, text, **{"fontsize": 7, "va": "center", **options})
