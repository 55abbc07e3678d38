"""The parts of a figure made of pictures: a sheet measured in inches, rooms on it, and the texts beside them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path

from datasets.files import Array
from reports.drawing.style import INK, RULE, SOFT


@dataclass(frozen=True)
class Room:
    """A rectangle of a sheet, in inches; ``x`` and ``y`` are its left and its bottom."""

    axes: Axes
    x: float
    y: float
    width: float
    height: float

    def fit(self, ratio: float) -> Room:
        """Return the largest room within this one, in its middle, whose height over width is ``ratio``."""
        width = min(self.width, self.height / ratio)
        height = width * ratio
        return Room(self.axes, self.x + (self.width - width) / 2, self.y + (self.height - height) / 2, width, height)

    def show(self, image: Array, **options: Any) -> None:
        """Show grey values ``(rows, columns)`` or colours ``(rows, columns, 3)`` over the whole room."""
        extent = (self.x, self.x + self.width, self.y, self.y + self.height)
        # `none` keeps the voxels as they are in an SVG; `nearest` would draw them anew at the figure's resolution
        self.axes.imshow(image, extent=extent, aspect="auto", **{"interpolation": "none", **options})

    def frame(self, colour: str = RULE, width: float = 0.8) -> Rectangle:
        """Draw the room's edge."""
        edge = Rectangle((self.x, self.y), self.width, self.height, fill=False, edgecolor=colour, linewidth=width)
        self.axes.add_patch(edge)
        return edge

    def lines(self, lines: Sequence[Array] | Array, shape: Sequence[int], colour: str, width: float) -> None:
        """Draw lines given in (column, row) of an image of ``shape``, cut at the room's edge, as one path."""
        pixel = np.array([self.width / shape[1], -self.height / shape[0]])
        codes = [[Path.MOVETO] + [Path.LINETO] * (len(line) - 1) for line in lines]
        points = np.concatenate([np.empty((0, 2)), *lines])
        moved = np.array([self.x, self.y + self.height]) + (points + 0.5) * pixel
        path = Path(moved, np.concatenate([np.empty(0, int), *codes]).astype(Path.code_type))
        patch = PathPatch(path, fill=False, edgecolor=colour, linewidth=width)
        self.axes.add_artist(patch)
        patch.set_clip_path(self.frame())

    def explain(self, text: str, letters: int) -> None:
        """Write why the room is empty into its middle, in lines of so many letters."""
        middle = self.x + self.width / 2, self.y + self.height / 2
        write(self.axes, *middle, textwrap.fill(text, letters), ha="center", color=SOFT)

    def sides(self, inset: float, below: float, **options: Any) -> None:
        """Write the patient's sides into the upper corners: right on the viewer's left."""
        top = self.y + self.height - below
        write(self.axes, self.x + inset, top, "R", ha="left", **options)
        write(self.axes, self.x + self.width - inset, top, "L", ha="right", **options)


def sheet(width: float, height: float, dpi: float) -> tuple[Figure, Axes]:
    """Return a figure and its one pair of axes, which measure it in inches from the lower left corner."""
    figure = Figure(figsize=(width, height), dpi=dpi)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(0, height), autoscale_on=False)
    axes.set_axis_off()
    return figure, axes


def write(axes: Axes, x: float, y: float, text: str, **options: Any) -> None:
    """Write a text beside a point; small, its middle at the point's height, unless options say otherwise."""
    axes.text(x, y, text, **{"fontsize": 7, "va": "center", **options})


def key(axes: Axes, y: float, side: float, entries: Iterable[tuple[float, str, str]]) -> None:
    """Draw a square of each colour and what it means: ``entries`` are the left end, the colour and the text."""
    for x, colour, text in entries:
        axes.add_patch(Rectangle((x, y), side, side, facecolor=colour, edgecolor=INK, linewidth=0.6))
        write(axes, x + side + 0.06, y + side / 2, text)
