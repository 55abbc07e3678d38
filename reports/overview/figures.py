"""Figures of the overview: spread over pairs and training curves, in the look of `style`."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.metrics import METRICS
from benchmarks.ranking import Quote
from datasets.case import Described
from datasets.files import Array
from reports.drawing.style import INK, KINDS, SOFT, constrained, style
from reports.reading.run import Run
from reports.reading.summary import per_pair
from reports.tables.numbers import direction


def spread(run: Run, dataset: Described, quoted: Quote) -> Figure | None:
    """Draw box and dots of one metric over pairs, a row for each method; None when there are no values."""
    by_method = per_pair(run.rows_of(dataset.name), dataset.name, quoted)
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
        axes.set_xlabel(axis_label(quoted))
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


def axis_label(quote: Quote) -> str:
    """Return what an axis of a metric is called: name, arrow, unit and protocol."""
    metric = METRICS[quote.metric]
    name = f"{metric.short} {direction(metric.higher_is_better)}"
    return f"{name} ({quote.protocol})" if metric.unit == "1" else f"{name} in {metric.unit} ({quote.protocol})"
