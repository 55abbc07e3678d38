"""The drawing of one registration: panels of `planes.Plane` in rows, on one pair of axes in inches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from datasets.files import Array
from datasets.values import dark_and_bright
from reports.drawing.panels import Room, sheet, write
from reports.drawing.planes import Plane, grid_lines, outline
from reports.drawing.style import INK, PAPER, RULE, SOFT, style
from reports.tables.numbers import MINUS

COLUMNS = ("fixed", "moving", "warped", f"|fixed {MINUS} moving|", f"|fixed {MINUS} warped|", "grid x + u(x)", "det J")
FOLDED, FIXED_EDGE, WARPED_EDGE = "#ff00c8", "#f0a500", "#35c4f0"
DPI, WIDTH, GAP, LEFT, TOP, BOTTOM = 92, 1.36, 0.05, 0.27, 0.46, 0.46  # inches


def draw_registration(rows: Sequence[Plane], title: str) -> Figure:
    """Draw the planes of one registration: images, differences on one scale, grid, Jacobian determinant."""
    top = max(float(np.percentile(np.abs(row.fixed - row.moving), 99.5)) for row in rows) or 1.0
    heights = [WIDTH * float(np.clip(row.ratio, 0.45, 1.6)) for row in rows]
    size = (LEFT + len(COLUMNS) * (WIDTH + GAP), TOP + sum(heights) + GAP * len(rows) + BOTTOM)
    with style():
        figure, axes = sheet(*size, DPI)
        y = size[1] - TOP
        for row, height in zip(rows, heights, strict=True):
            y -= height
            rooms = [Room(axes, _left(column), y, WIDTH, height) for column in range(len(COLUMNS))]
            _row([room.fit(row.ratio) for room in rooms], row, top)
            y -= GAP
        _heads(axes, size[1], title)
        _legend(axes, top, rows[0].fixed_labels is not None)
    return figure


def _left(column: int) -> float:
    return LEFT + column * (WIDTH + GAP)


def _row(rooms: Sequence[Room], row: Plane, top: float) -> None:
    bright = dark_and_bright(row.fixed)[1]  # a few vessels are far brighter than all else
    grey = {"cmap": "gray", "vmin": 0, "vmax": max(bright, 1e-6), "interpolation": "nearest"}
    for room, image in zip(rooms[:3], (row.fixed, row.moving, row.warped), strict=True):
        room.show(image, **grey)
    for room, image in zip(rooms[3:5], (row.moving, row.warped), strict=True):
        room.show(np.abs(row.fixed - image), cmap="inferno", vmin=0, vmax=top, interpolation="nearest")
    rooms[5].lines(grid_lines(row.displacement, row.voxel), row.fixed.shape, INK, 0.55)
    folded = np.ma.masked_less_equal(row.determinant, 0)
    rooms[6].show(folded, cmap=determinant_colours(), vmin=0, vmax=2, interpolation="nearest")
    rooms[6].frame()
    for room in (rooms[0], rooms[2]):
        _outline(room, row.fixed_labels, FIXED_EDGE)
    _outline(rooms[2], row.warped_labels, WARPED_EDGE)
    rooms[0].sides(0.05, 0.1, color=PAPER)
    write(rooms[0].axes, 0.13, rooms[0].y + rooms[0].height / 2, row.name, rotation=90, ha="center")


def _outline(room: Room, labels: Array | None, colour: str) -> None:
    if labels is None:
        return
    edges = outline(labels)
    room.lines(
        edges, labels.shape, colour, 0.7 if len(edges) < 1500 else 0.4
    )  # many small structures must not hide the image


def colours() -> Array:
    """Return the 256 colours ``(256, 3)`` in [0, 1] of a picture: greys, both colour scales, the accents."""
    accents = [np.array(to_rgb(colour)) for colour in (FOLDED, FIXED_EDGE, WARPED_EDGE, INK, SOFT, RULE, PAPER)]
    share = np.array([[0.35], [0.7]])
    tints = [share * accent + (1 - share) * base for accent in accents[:3] for base in (0.0, 0.5, 1.0)]
    scales = [colormaps["inferno"](np.linspace(0, 1, 78)), determinant_colours()(np.linspace(0, 1, 81))]
    greys = np.repeat(np.linspace(0, 1, 72)[:, None], 3, axis=1)
    return np.concatenate([greys, *(scale[:, :3] for scale in scales), accents, *tints])


def determinant_colours() -> Colormap:
    """Return a colour map: purple below 1, white at 1, orange above, magenta where the map folds."""
    return colormaps["PuOr_r"].with_extremes(bad=FOLDED)


def _heads(axes: Axes, height: float, title: str) -> None:
    write(axes, LEFT, height - 0.15, title, fontsize=8.5, fontweight="bold")
    for column, text in enumerate(COLUMNS):
        write(axes, _left(column) + WIDTH / 2, height - TOP + 0.09, text, ha="center", fontsize=8)


def _scale(axes: Axes, column: int, colours: Colormap | str, texts: Sequence[str]) -> None:
    ramp, room = np.linspace(0, 1, 128)[None], Room(axes, _left(column) + 0.12, 0.27, WIDTH - 0.24, 0.08)
    room.show(ramp, cmap=colours, vmin=0, vmax=1, interpolation="nearest")
    for place, text in zip(np.linspace(0.12, WIDTH - 0.12, len(texts)), texts, strict=True):
        write(axes, _left(column) + place, 0.15, text, ha="center")


def _legend(axes: Axes, top: float, labels: bool) -> None:
    _scale(axes, 3, "inferno", ("0", f"{top:.2f}"))
    _scale(axes, 6, determinant_colours(), ("0", "1", "2"))
    write(axes, _left(4), 0.31, "one scale for both differences", color=SOFT)
    axes.add_patch(Rectangle((_left(5) + 0.3, 0.27), 0.09, 0.09, color=FOLDED))
    write(axes, _left(5) + 0.44, 0.31, "folded, det J ≤ 0")
    if labels:
        for x, colour, text in ((0.0, FIXED_EDGE, "fixed labels"), (1.0, WARPED_EDGE, "moving labels, warped")):
            axes.plot([LEFT + x, LEFT + x + 0.16], [0.31, 0.31], color=colour, linewidth=2)
            write(axes, LEFT + x + 0.22, 0.31, text)
