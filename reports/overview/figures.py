"""Figures of a report: accuracy against time, spread over pairs, training curves; each as SVG and PNG.

Readable in black and white (markers and lines differ, methods are named or numbered beside their points) and with
colour blindness (Okabe and Ito's colours). Inks are fixed hex codes, which the page swaps for its dark colours.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter
from matplotlib.transforms import Bbox

from benchmarks.metrics import METRICS
from benchmarks.ranking import Quote, primary, quote
from datasets.case import Dataset
from reports.drawing.style import INK, KINDS, PAPER, SOFT, style
from reports.reading import summary
from reports.reading.summary import Datasets, Methods
from reports.tables.numbers import direction

NAMED = 10  # methods of a panel up to which names stand beside their points
_OFFSETS = [(9, 0, "left"), (-9, 0, "right"), (0, 11, "center"), (0, -11, "center"),
            (9, 9, "left"), (-9, 9, "right"), (9, -9, "left"), (-9, -9, "right")]  # fmt: skip


def accuracy_time(metrics: pd.DataFrame, datasets: Datasets, methods: Methods, clock: str) -> Figure | None:
    """Accuracy against median seconds, one panel per data set; None when no contestant has both anywhere.

    ``clock`` says where the seconds were measured. Bars: SD over pairs of the accuracy, quartiles of the seconds.
    """
    panels = [(dataset, found) for dataset in datasets.values() if (found := primary(metrics, dataset))]
    panels = [(data, found) for data, found in panels if _contested(metrics, data.name, found, methods)]
    if not panels:
        return None
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    points = [_points(metrics, dataset.name, found, methods) for dataset, found in panels]
    marks, key = _marks(points, methods, width=70 * columns)
    with style():
        figure = _figure(4.9 * columns, 3.7 * rows + 0.45 + 0.16 * len(key))
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes, (dataset, found) in zip(grid.flat, panels, strict=False):
            _panel(axes, metrics, dataset, found, methods)
        for axes in grid.flat[len(panels) :]:
            axes.set_axis_off()
        about = f"Squares: classical, circles: learned. Bars: SD over pairs, quartiles of time.\n{clock}"
        figure.supxlabel("\n".join([*key, about]), fontsize=8, color=SOFT)
        figure.get_layout_engine().set(w_pad=0.08, h_pad=0.1)
        figure.canvas.draw()
        for axes, here in zip(grid.flat, points, strict=False):
            _name_points(axes, here, marks)
    return figure


def _marks(points: Sequence[Mapping[str, object]], methods: Methods, width: int) -> tuple[dict[str, str], list[str]]:
    """What stands beside each method's point, and lines that explain it: numbers where names would be too many."""
    shown = [name for name in summary.contestants(methods) if any(name in panel for panel in points)]
    labels = {name: methods[name].label for name in shown}
    if max(map(len, points)) <= NAMED:
        return labels, []
    numbers = {name: str(number) for number, name in enumerate(shown, start=1)}
    entries = [f"{numbers[name]}\N{NO-BREAK SPACE}{labels[name].replace(' ', chr(160))}" for name in shown]
    return numbers, textwrap.wrap("   ".join(entries), width, break_long_words=False, break_on_hyphens=False)


def spread(metrics: pd.DataFrame, dataset: Dataset, quote: Quote, methods: Methods) -> Figure | None:
    """Box and dots of one metric over pairs, a row for each method; None when there are no values."""
    by_method = summary.per_pair(metrics, dataset.name, quote)
    names = [name for name in summary.ordered(methods) if name in by_method]
    if not names:
        return None
    with style():
        figure = _figure(6.4, 0.95 + 0.36 * len(names))
        axes = figure.subplots()
        for row, name in enumerate(names):
            _box(axes, by_method[name].sort_index().to_numpy(), len(names) - 1 - row, methods[name].kind)
        axes.set_yticks(range(len(names))[::-1], [_label(methods, name) for name in names])
        axes.set_ylim(-0.6, len(names) - 0.4)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(_axis_label(quote))
    return figure


def training(curve: pd.DataFrame, title: str) -> Figure:
    """Loss against iteration: every value pale, the running median dark. Columns ``iteration`` and ``loss``."""
    if not {"iteration", "loss"} <= set(curve.columns):
        raise ValueError(f"training: curve needs columns iteration and loss, got {list(curve.columns)}")
    window = max(1, len(curve) // 40)
    smooth = curve.loss.rolling(window, center=True, min_periods=1).median()
    with style():
        figure = _figure(5.2, 2.8)
        axes = figure.subplots()
        axes.plot(curve.iteration, curve.loss, color=KINDS["learned"][1], alpha=0.3, linewidth=0.8)
        axes.plot(curve.iteration, smooth, color=INK, linewidth=1.4)
        axes.set_xlabel("iteration")
        axes.set_ylabel(f"loss (line: median of {window})" if window > 1 else "loss")
        axes.set_title(title)
    return figure


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _points(metrics: pd.DataFrame, dataset: str, accurate: Quote, methods: Methods) -> dict[str, tuple[float, ...]]:
    """For each contestant: median seconds with quartiles, mean accuracy with SD."""
    clock = quote(metrics, dataset, "seconds")
    if clock is None:
        return {}
    accuracy, seconds = summary.per_pair(metrics, dataset, accurate), summary.per_pair(metrics, dataset, clock)
    points = {}
    for name in summary.contestants(methods):
        if name in accuracy and name in seconds:
            low, middle, high = np.percentile(seconds[name], [25, 50, 75])
            sd = accuracy[name].std(ddof=1) if len(accuracy[name]) > 1 else 0.0
            points[name] = (middle, low, high, float(accuracy[name].mean()), float(sd))
    return points


def _contested(metrics: pd.DataFrame, dataset: str, quote: Quote, methods: Methods) -> bool:
    return bool(_points(metrics, dataset, quote, methods))


def _panel(axes: Axes, metrics: pd.DataFrame, dataset: Dataset, quote: Quote, methods: Methods) -> None:
    points = _points(metrics, dataset.name, quote, methods)
    for name, (x, low, high, y, sd) in points.items():
        marker, colour = KINDS[methods[name].kind]
        bars = {"yerr": [[sd], [sd]], "xerr": [[max(x - low, 0)], [max(high - x, 0)]]}
        axes.errorbar(x, y, **bars, fmt=marker, color=colour, markersize=6, elinewidth=0.9, capsize=2,
                      markeredgecolor=PAPER, markeredgewidth=0.6)  # fmt: skip
    axes.set_xscale("log")
    xs = [x for point in points.values() for x in point[:3] if x > 0]
    axes.set_xlim(min(xs) / 3, max(xs) * 3)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(y=0.16)
    _control_lines(axes, summary.per_pair(metrics, dataset.name, quote))
    axes.set_title(dataset.description.display_title)
    axes.set_xlabel("median seconds per pair")
    axes.set_ylabel(_axis_label(quote))


def _control_lines(axes: Axes, by_method: Mapping[str, pd.Series]) -> None:
    for name, text, line in (("identity", "before registration", "--"), ("truth", "true displacement", ":")):
        if name in by_method:
            level = float(by_method[name].mean())
            axes.axhline(level, color=SOFT, linestyle=line, linewidth=1.1, zorder=1)
            axes.annotate(text, (1, level), xycoords=("axes fraction", "data"), xytext=(-2, 3), ha="right",
                          textcoords="offset points", fontsize=7.5, color=SOFT)  # fmt: skip


def _name_points(axes: Axes, points: Mapping[str, Sequence[float]], marks: Mapping[str, str]) -> None:
    """Write each method's mark beside its point, at the nearest place where it covers nothing and names no other."""
    renderer = axes.figure.canvas.get_renderer()
    taken = [text.get_window_extent(renderer) for text in axes.texts]
    centres = {name: axes.transData.transform((x, y)) for name, (x, *_, y, _sd) in points.items()}
    for name, (_x, low, high, y, sd) in points.items():
        (x0, y0), (x1, y1) = axes.transData.transform([(low, y - sd), (high, y + sd)])
        px, py = centres[name]
        taken += [Bbox([[px - 6, py - 6], [px + 6, py + 6]]), Bbox([[px - 1, y0], [px + 1, y1]])]
        taken.append(Bbox([[x0, py - 1], [x1, py + 1]]))
    for name, (x, *_, y, _sd) in sorted(points.items(), key=lambda item: (item[1][3], item[0])):
        others = [centre for other, centre in centres.items() if other != name]
        taken += _place(axes, marks[name], (x, y), taken, others)


def _place(
    axes: Axes, text: str, point: tuple[float, float], taken: Sequence[Bbox], others: Sequence[Sequence[float]]
) -> list[Bbox]:
    """Write a name; return the boxes that it and the line to its point cover."""
    renderer = axes.figure.canvas.get_renderer()
    frame, centre = axes.get_window_extent(renderer), axes.transData.transform(point)
    covered = np.array([box.extents for box in taken])  # thousands of places are tried
    note = axes.annotate(text, point, xytext=(0, 0), textcoords="offset points", va="center", fontsize=8)
    best: tuple[float, float, float, str, list[Bbox]] | None = None
    for step in range(1, 8):
        for dx, dy, align in _OFFSETS:
            place = (dx * (0.1 + 0.9 * step), dy * step)
            note.set(position=place, ha=align)
            box = note.get_window_extent(renderer)
            line = _line_boxes(centre, box) if step > 1 else []
            cost = _shared_area([box, *line], covered)
            cost += box.width * box.height - _shared_area([box], [frame])
            cost += 60 * (step == 1 and any(_distance(other, box) < _distance(centre, box) + 3 for other in others))
            if best is None or cost < best[0]:
                best = (cost, *place, align, [box, *line])
        if best is not None and best[0] <= 0:
            break
    note.remove()
    leader = {"arrowstyle": "-", "color": SOFT, "linewidth": 0.6, "shrinkA": 1, "shrinkB": 3}
    axes.annotate(text, point, xytext=best[1:3], textcoords="offset points", ha=best[3], va="center", fontsize=8,
                  arrowprops=leader if len(best[4]) > 1 else None)  # fmt: skip
    return best[4]


def _line_boxes(start: Sequence[float], box: Bbox) -> list[Bbox]:
    """Small boxes along the line from just outside a point to the nearest edge of a name."""
    start, end = np.asarray(start), np.clip(start, box.min, box.max)
    spots = start + np.linspace(0.3, 0.95, 8)[:, None] * (end - start)
    return [Bbox([spot - 1, spot + 1]) for spot in spots if np.hypot(*(spot - start)) > 8]


def _distance(point: Sequence[float], box: Bbox) -> float:
    return float(np.hypot(*(np.asarray(point) - np.clip(point, box.min, box.max))))


def _shared_area(some: Sequence[Bbox], others: Sequence[Bbox] | np.ndarray) -> float:
    """Sum of the areas that boxes of one group share with those of another, which may be given by their extents."""
    first = np.array([box.extents for box in some])[:, None]
    second = np.array([getattr(box, "extents", box) for box in others])[None]
    low, high = np.maximum(first[..., :2], second[..., :2]), np.minimum(first[..., 2:], second[..., 2:])
    return float((high - low).clip(min=0).prod(axis=-1).sum())


def _box(axes: Axes, values: np.ndarray, row: float, kind: str) -> None:
    marker, colour = KINDS[kind]
    if len(values) > 4:
        axes.boxplot(values, positions=[row], orientation="horizontal", widths=0.5, showfliers=False,
                     medianprops={"color": INK, "linewidth": 1.6}, boxprops={"color": SOFT},
                     whiskerprops={"color": SOFT}, capprops={"color": SOFT})  # fmt: skip
    else:
        axes.plot([np.median(values)] * 2, [row - 0.25, row + 0.25], color=INK, linewidth=1.6)
    offsets = 0.16 * np.sin(2.4 * np.arange(len(values)))  # spread by order, so that equal input gives an equal figure
    axes.plot(values, row + offsets, marker, color=colour, markersize=3.4, alpha=0.75, markeredgewidth=0)


def _axis_label(quote: Quote) -> str:
    metric = METRICS[quote.metric]
    name = f"{metric.short} {direction(metric.higher_is_better)}"
    return f"{name} ({quote.protocol})" if metric.unit == "1" else f"{name} in {metric.unit} ({quote.protocol})"


def _label(methods: Methods, name: str) -> str:
    return "Before registration" if name == "identity" else methods[name].label
