"""Figures of the overview: accuracy against time, spread over pairs, training curves, in the look of `style`.

Methods are named or numbered beside their points.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from benchmarks.metrics import METRICS
from benchmarks.ranking import Quote, primary
from datasets.case import Described
from datasets.files import Array
from reports.drawing.labels import Cross, name_points
from reports.drawing.style import INK, KINDS, PAPER, SOFT, constrained, style
from reports.reading.run import Run
from reports.reading.summary import per_pair
from reports.reading.timed import Calls, Sought
from reports.tables.numbers import direction

NAMED = 10  # methods of a panel up to which names stand beside their points


def accuracy_time(run: Run) -> Figure | None:
    """Draw accuracy against median seconds of timed calls, a panel for each data set that was timed.

    None when no contestant has both anywhere. Bars: SD over pairs of the accuracy, quartiles of the seconds.
    """
    ranked = {name: found for name, dataset in run.datasets.items() if (found := primary(run.metrics, dataset))}
    points = {name: found for name, accurate in ranked.items() if (found := _points(run, name, accurate))}
    if not points:
        return None
    columns = min(2, len(points))
    rows = -(-len(points) // columns)
    marks, key = _marks(run, list(points.values()), width=70 * columns)
    with style():
        figure = constrained(4.9 * columns, 3.7 * rows + 0.45 + 0.16 * len(key), w_pad=0.08, h_pad=0.1)
        grid = list(figure.subplots(rows, columns, squeeze=False).flat)
        for axes, name in zip(grid, points, strict=False):
            _panel(axes, run, run.datasets[name], ranked[name], points[name])
        for axes in grid[len(points) :]:
            axes.set_axis_off()
        about = f"Squares: classical, circles: learned. Bars: SD over pairs, quartiles of time.\n{clock(run)}"
        figure.supxlabel("\n".join([*key, about]), fontsize=8, color=SOFT)
        figure.canvas.draw()
        for axes, here in zip(grid, points.values(), strict=False):
            name_points(axes, here, marks)
    return figure


def spread(run: Run, dataset: Described, quoted: Quote) -> Figure | None:
    """Draw box and dots of one metric over pairs, a row for each method; None when there are no values."""
    by_method = per_pair(run.metrics, dataset.name, quoted)
    names = [name for name in run.ordered if name in by_method]
    if not names:
        return None
    with style():
        figure = constrained(6.4, 0.95 + 0.36 * len(names))
        axes = figure.subplots()
        labels = ["Before registration" if name == "identity" else run.label(name) for name in names]
        places = range(len(names))[::-1]
        for place, name in zip(places, names, strict=True):
            _box(axes, by_method[name].sort_index().to_numpy(), place, run.methods[name].kind)
        axes.set_yticks(places, labels)
        axes.set_ylim(-0.6, len(names) - 0.4)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(_axis_label(quoted))
    return figure


def training(curve: pd.DataFrame, title: str) -> Figure:
    """Draw loss against iteration: every value pale, the running median dark. Columns ``iteration`` and ``loss``."""
    if not {"iteration", "loss"} <= set(curve.columns):
        raise ValueError(f"training: curve needs columns iteration and loss, got {list(curve.columns)}")
    window = max(1, len(curve) // 40)
    smooth = curve.loss.rolling(window, center=True, min_periods=1).median()
    with style():
        figure = constrained(5.2, 2.8)
        axes = figure.subplots()
        axes.plot(curve.iteration, curve.loss, color=KINDS["learned"][1], alpha=0.3, linewidth=0.8)
        axes.plot(curve.iteration, smooth, color=INK, linewidth=1.4)
        axes.set_xlabel("iteration")
        axes.set_ylabel(f"loss (line: median of {window})" if window > 1 else "loss")
        axes.set_title(title)
    return figure


def _points(run: Run, dataset: str, accurate: Quote) -> dict[str, Cross]:
    """Return for each contestant median seconds of its timed calls with quartiles, and mean accuracy with SD."""
    accuracy, timed = per_pair(run.metrics, dataset, accurate), timed_calls(run, dataset)
    return {name: _cross(each.seconds, accuracy[name]) for name, each in timed.items() if name in accuracy}


def timed_calls(run: Run, dataset: str) -> dict[str, Calls]:
    """Return the warm calls of each contestant's timing run on a data set, on the CPU with all threads."""
    calls = {name: run.timed.find(Sought(name, "cpu", dataset)) for name in run.contestants}
    return {name: each for name, each in calls.items() if isinstance(each, Calls) and len(each.seconds)}


def clock(run: Run) -> str:
    """Say in a sentence what the seconds of the timing run were measured on."""
    calls = [each for dataset in run.datasets for each in timed_calls(run, dataset).values()]
    places = dict.fromkeys(f"{each.threads} thread{'s' * (each.threads != 1)} ({each.machine})" for each in calls)
    n, contended = sum(len(each.seconds) for each in calls), sum(each.contended for each in calls)
    unknown = sum(each.unknown for each in calls)
    beside = f" {contended} of {n} calls had other work beside." if contended else ""
    unclear = f" For {unknown} of {n} calls it is not known whether they had other work beside." if unknown else ""
    return f"Warm calls of the timing run: {'; '.join(places) or 'none'}.{beside}{unclear}"


def _cross(seconds: Array, accuracy: pd.Series) -> Cross:
    low, middle, high = map(float, np.percentile(seconds, [25, 50, 75]))
    sd = float(accuracy.std(ddof=1)) if len(accuracy) > 1 else 0.0
    return Cross(middle, low, high, float(accuracy.mean()), sd)


def _marks(run: Run, points: Sequence[Mapping[str, Cross]], width: int) -> tuple[dict[str, str], list[str]]:
    """Return what stands beside each method's point and lines that explain it: numbers where names are too many."""
    labels = {name: run.label(name) for name in run.contestants if any(name in panel for panel in points)}
    if max(map(len, points)) <= NAMED:
        return labels, []
    numbers = {name: str(number) for number, name in enumerate(labels, start=1)}
    entries = [f"{numbers[name]}\N{NO-BREAK SPACE}{label.replace(' ', chr(160))}" for name, label in labels.items()]
    return numbers, textwrap.wrap("   ".join(entries), width, break_long_words=False, break_on_hyphens=False)


def _panel(axes: Axes, run: Run, dataset: Described, accurate: Quote, points: Mapping[str, Cross]) -> None:
    for name, point in points.items():
        _mark(axes, point, run.methods[name].kind)
    axes.set_xscale("log")
    xs = [x for point in points.values() for x in (point.x, point.low, point.high) if x > 0]
    axes.set_xlim(min(xs) / 3, max(xs) * 3)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(y=0.16)
    _control_lines(axes, per_pair(run.metrics, dataset.name, accurate))
    axes.set_title(dataset.description.display_title)
    axes.set_xlabel("median seconds of warm calls")
    axes.set_ylabel(_axis_label(accurate))


def _mark(axes: Axes, point: Cross, kind: str) -> None:
    marker, colour = KINDS[kind]
    across = [[max(point.x - point.low, 0)], [max(point.high - point.x, 0)]]
    look = {"color": colour, "markersize": 6, "markeredgecolor": PAPER, "markeredgewidth": 0.6}
    bars = {"yerr": [[point.sd], [point.sd]], "xerr": across, "elinewidth": 0.9, "capsize": 2}
    axes.errorbar(point.x, point.y, fmt=marker, **look, **bars)


def _control_lines(axes: Axes, by_method: Mapping[str, pd.Series]) -> None:
    for name, text, line in (("identity", "before registration", "--"), ("truth", "true displacement", ":")):
        if name in by_method:
            level = float(by_method[name].mean())
            axes.axhline(level, color=SOFT, linestyle=line, linewidth=1.1, zorder=1)
            place = {"xycoords": ("axes fraction", "data"), "xytext": (-2, 3), "textcoords": "offset points"}
            axes.annotate(text, (1, level), **place, ha="right", fontsize=7.5, color=SOFT)


def _box(axes: Axes, values: Array, row: float, kind: str) -> None:
    marker, colour = KINDS[kind]
    if len(values) > 4:
        soft, middle = {"color": SOFT}, {"color": INK, "linewidth": 1.6}
        place = {"positions": [row], "orientation": "horizontal", "widths": 0.5, "showfliers": False}
        axes.boxplot(values, **place, medianprops=middle, boxprops=soft, whiskerprops=soft, capprops=soft)
    else:
        axes.plot([float(np.median(values))] * 2, [row - 0.25, row + 0.25], color=INK, linewidth=1.6)
    offsets = 0.16 * np.sin(2.4 * np.arange(len(values)))  # spread by order, so that equal input gives an equal figure
    axes.plot(values, row + offsets, marker, color=colour, markersize=3.4, alpha=0.75, markeredgewidth=0)


def _axis_label(quote: Quote) -> str:
    metric = METRICS[quote.metric]
    name = f"{metric.short} {direction(metric.higher_is_better)}"
    return f"{name} ({quote.protocol})" if metric.unit == "1" else f"{name} in {metric.unit} ({quote.protocol})"
