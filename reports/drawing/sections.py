"""The drawing of sections in rows: grey images and coloured overlaps, each row named, a text below where it has one."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from datasets.files import Array
from reports.drawing.panels import Room, key, sheet, write
from reports.drawing.style import style

AGREE, MISMATCH, EMPTY = "#ffffff", "#ff3b30", "#000000"
KEY = ((0.06, AGREE, "labels agree"), (1.1, MISMATCH, "labels differ"), (2.14, EMPTY, "no label"))
DPI, SIDE, GAP, BELOW, LEFT, TOP, BOTTOM = 150, 1.2, 0.05, 0.15, 0.84, 0.62, 0.34  # inches


@dataclass(frozen=True)
class Panel:
    """A grey image (rows, columns) or a coloured one (rows, columns, 3), or why there is none; a text below."""

    image: Array | None
    below: str = ""
    why: str = ""


@dataclass(frozen=True)
class Row:
    """Panels beside each other, and what they are."""

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
        figure, axes = sheet(*size, DPI)
        y = size[1] - TOP
        for row, height in zip(rows, heights, strict=True):
            write(axes, LEFT - 0.08, y - high / 2, textwrap.fill(row.title, 12), ha="right")
            for place, panel in enumerate(row.panels):
                _show(Room(axes, LEFT + place * (SIDE + GAP), y - high, SIDE, high), panel, ratio, top)
            y -= height
        first = Room(axes, LEFT, size[1] - TOP - high, SIDE, high).fit(ratio)
        first.sides(0.04, 0.09, color=AGREE, bbox={"facecolor": EMPTY, "edgecolor": "none", "pad": 0.6})
        _heads(axes, size, heads, title)
        key(axes, 0.12, 0.1, KEY)
    return figure


def _show(room: Room, panel: Panel, ratio: float, top: float) -> None:
    """Draw a panel into its room; without an image it says why."""
    if panel.image is None:
        room.frame()
        room.explain(panel.why, 16)
        return
    room.fit(ratio).show(panel.image, **({"cmap": "gray", "vmin": 0, "vmax": top} if panel.image.ndim == 2 else {}))
    if panel.below:
        write(room.axes, room.x + SIDE / 2, room.y - BELOW / 2, panel.below, ha="center")


def _heads(axes: Axes, size: tuple[float, float], heads: Sequence[str], title: str) -> None:
    write(axes, 0.06, size[1] - 0.18, textwrap.fill(title, int(12.5 * size[0])), fontsize=9, fontweight="bold")
    for place, head in enumerate(heads):
        x, small = LEFT + place * (SIDE + GAP) + SIDE / 2, min(1.0, 17 / len(head))
        write(axes, x, size[1] - TOP + 0.1, head, ha="center", fontsize=8 * small)
