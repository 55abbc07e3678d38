"""Names beside the points of a plot, placed so that they cover nothing and each is nearest to its own point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from datasets.files import Array
from reports.drawing.style import SOFT

OFFSETS = (
    (9, 0, "left"), (-9, 0, "right"), (0, 11, "center"), (0, -11, "center"),
    (9, 9, "left"), (-9, 9, "right"), (9, -9, "left"), (-9, -9, "right"),
)  # fmt: skip


@dataclass(frozen=True)
class Cross:
    """A point with bars: ``x`` between ``low`` and ``high``, ``y`` give or take ``sd``."""

    x: float
    low: float
    high: float
    y: float
    sd: float


@dataclass(frozen=True)
class _Place:
    """A possible place of a name: its cost, its offset in points, and the boxes that it and its line cover."""

    cost: float
    offset: tuple[float, float]
    align: str
    boxes: list[Bbox]


def name_points(axes: Axes, points: Mapping[str, Cross], marks: Mapping[str, str]) -> None:
    """Write its mark beside each point that has one, at the nearest place where it covers nothing and names no other.

    The figure has to be drawn before, so that the places of its points and texts are known.
    """
    renderer = _renderer(axes)
    taken = [text.get_window_extent(renderer) for text in axes.texts]
    centres = {name: axes.transData.transform((point.x, point.y)) for name, point in points.items()}
    for name, point in points.items():
        ends = [(point.low, point.y - point.sd), (point.high, point.y + point.sd)]
        (x0, y0), (x1, y1) = axes.transData.transform(ends)
        x, y = centres[name]
        taken += [Bbox([[x - 6, y - 6], [x + 6, y + 6]]), Bbox([[x - 1, y0], [x + 1, y1]])]
        taken.append(Bbox([[x0, y - 1], [x1, y + 1]]))
    for name, point in sorted(points.items(), key=lambda item: (item[1].y, item[0])):
        if name not in marks:
            continue
        others = [centre for other, centre in centres.items() if other != name]
        taken += _write(axes, marks[name], (point.x, point.y), taken, others)


def _write(
    axes: Axes, text: str, point: tuple[float, float], taken: Sequence[Bbox], others: Sequence[Array]
) -> list[Bbox]:
    """Write a name; return the boxes that it and the line to its point cover."""
    best = _best_place(axes, text, point, taken, others)
    leader = {"arrowstyle": "-", "color": SOFT, "linewidth": 0.6, "shrinkA": 1, "shrinkB": 3}
    look = {"ha": best.align, "va": "center", "fontsize": 8, "arrowprops": leader if len(best.boxes) > 1 else None}
    axes.annotate(text, point, xytext=best.offset, textcoords="offset points", **look)
    return best.boxes


def _best_place(
    axes: Axes, text: str, point: tuple[float, float], taken: Sequence[Bbox], others: Sequence[Array]
) -> _Place:
    renderer = _renderer(axes)
    frame, centre = np.array([axes.get_window_extent(renderer).extents]), axes.transData.transform(point)
    covered = np.array([box.extents for box in taken])  # thousands of places are tried
    note = axes.annotate(text, point, xytext=(0, 0), textcoords="offset points", va="center", fontsize=8)
    best: _Place | None = None
    for step in range(1, 8):
        for dx, dy, align in OFFSETS:
            offset = (dx * (0.1 + 0.9 * step), dy * step)
            note.set(position=offset, ha=align)
            box = note.get_window_extent(renderer)
            boxes = [box, *(_line_boxes(centre, box) if step > 1 else [])]
            cost = _shared_area(boxes, covered) + box.width * box.height - _shared_area([box], frame)
            cost += 60 * (step == 1 and any(_distance(other, box) < _distance(centre, box) + 3 for other in others))
            if best is None or cost < best.cost:
                best = _Place(cost, offset, align, boxes)
        if best is not None and best.cost <= 0:
            break
    note.remove()
    return cast(_Place, best)


def _renderer(axes: Axes) -> RendererBase:
    figure = cast(Figure, axes.get_figure(root=True))
    return cast(FigureCanvasAgg, figure.canvas).get_renderer()


def _line_boxes(start: Array, box: Bbox) -> list[Bbox]:
    """Return small boxes along the line from just outside a point to the nearest edge of a name."""
    end = np.clip(start, box.min, box.max)
    spots = start + np.linspace(0.3, 0.95, 8)[:, None] * (end - start)
    return [Bbox([spot - 1, spot + 1]) for spot in spots if np.hypot(*(spot - start)) > 8]


def _distance(point: Array, box: Bbox) -> float:
    return float(np.hypot(*(point - np.clip(point, box.min, box.max))))


def _shared_area(boxes: Sequence[Bbox], extents: Array) -> float:
    """Return the sum of the areas that boxes share with others, which are given by their extents ``(n, 4)``."""
    first, second = np.array([box.extents for box in boxes])[:, None], extents[None]
    low, high = np.maximum(first[..., :2], second[..., :2]), np.minimum(first[..., 2:], second[..., 2:])
    return float((high - low).clip(min=0).prod(axis=-1).sum())
