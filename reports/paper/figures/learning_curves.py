"""Growth and error of networks against iteration: the weights of the levels above, the TRE of snapshots below."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from reports.drawing.logarithmic import log_scale, set_log
from reports.drawing.style import PAPER, RULE, SOFT, style
from reports.drawing.weights import ALPHA, draw_weights, name
from reports.paper import snapshots
from reports.paper.cast import PaperRun
from reports.paper.snapshots import Line, Snapshots
from reports.reading.growth import Growth, read
from reports.reading.trainings import choose, find
from reports.tables.numbers import number

LOOKS = (("#d55e00", (0, (4, 1.2))), ("#0072b2", "-"), ("#009e73", ":"), ("#cc79a7", "-."))
FEW, MANY = 40, 150  # snapshots up to which each has a marker, and from which lines are running medians


@dataclass(frozen=True)
class Options:
    """The options of an entry of this kind in a paper's YAML."""

    methods: tuple[str, ...]  # whose snapshots are shown; the growth is that of the last one that grows
    datasets: tuple[str, ...] = ()  # of the paper, whose test pairs count; all where none is named

    def __post_init__(self) -> None:
        """Refuse more methods than can be told apart."""
        if len(self.methods) > len(LOOKS):
            raise ValueError(f"only {len(LOOKS)} methods can be told apart, got {len(self.methods)}")


def draw(paper_run: PaperRun, options: Options) -> tuple[Figure | None, str]:
    """Draw the figure; return it with what the run adds to its caption, or None and why nothing can be drawn."""
    growth, why = _growth(paper_run, options)
    found = snapshots.read(paper_run, options.methods, options.datasets)
    if growth is None and not found.lines:
        return None, "; ".join(dict.fromkeys([*found.missing, why]))
    return _draw(options, growth, why, found), " ".join(_note(paper_run, options, growth, found))


def window(line: Line) -> int:
    """Return how many snapshots a point of a line is the running median of: one, unless there are many."""
    return 1 if len(line.tre) <= MANY else len(line.tre) // 40


def _growth(paper_run: PaperRun, options: Options) -> tuple[Growth | None, str]:
    """Return how the last method that grows did so, or None and why that is not known."""
    reasons, own = [], choose(paper_run.run.trainings, options.methods, paper_run.own_data)
    for method in reversed(options.methods):
        training = find([each for each in paper_run.run.trainings if each.dataset == own], method)
        growth, why = (None, training) if isinstance(training, str) else read(training)
        if growth is not None:
            return growth, ""
        reasons.append(why)
    return None, "; ".join(reasons)


def _draw(options: Options, growth: Growth | None, why: str, found: Snapshots) -> Figure:
    with style():
        figure = Figure(figsize=(7.4, 5.2), layout="constrained")
        FigureCanvasAgg(figure)
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1, 2))
        above.set_title("A: weights of the levels")
        below.set_title("B: error on the test pairs")
        if growth is None:
            _empty(above, why)
        else:
            draw_weights(above, growth)
            above.set_ylabel("weight")
            for start, stop in growth.transitions():
                for axes in (above, below):
                    axes.axvspan(start, stop, color=RULE, alpha=0.45, linewidth=0, zorder=0)
        if found.lines:
            _errors(below, options, found)
            handles, labels = below.get_legend_handles_labels()
            figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=8, handlelength=3)
        else:
            _empty(below, "; ".join(found.missing))
        below.set_xlabel("iteration")
        below.set_xlim(left=0, right=1.01 * _end(growth, found) or None)
    return figure


def _end(growth: Growth | None, found: Snapshots) -> float:
    """Return the last iteration that the figure has anything of."""
    ends = [float(line.tre.index[-1]) for line in found.lines]
    return max([*ends, float(growth.iteration[-1])] if growth is not None else ends)


def _errors(axes: Axes, options: Options, found: Snapshots) -> None:
    """Draw a line a training, thick for the first seed of a method; a cross where one diverged."""
    marker = "o" if max(len(line.tre) for line in found.lines) <= FEW else ""
    for method, (colour, dashes) in zip(options.methods, LOOKS, strict=False):
        for place, line in enumerate(found.of(method)):
            _line(axes, line, place, (colour, dashes), marker)
    if any(line.training.status == "diverged" for line in found.lines):
        axes.plot([], [], "X", color=SOFT, markersize=8, label="diverged")
    values = [value for line in found.lines for value in line.tre]
    if np.isfinite(found.before):
        values.append(found.before)
        axes.axhline(found.before, color=SOFT, linestyle=":", linewidth=1.4, zorder=1, label="before registration")
    if log_scale(values):
        set_log(axes, "y")
    axes.set_ylabel("mean TRE in mm ↓")


def _line(axes: Axes, line: Line, place: int, pen: tuple[str, object], marker: str) -> None:
    colour, dashes = pen
    look = {"linewidth": 1.7, "zorder": 4} if place == 0 else {"linewidth": 0.8, "alpha": 0.5, "zorder": 3}
    text = {0: line.title, 1: f"{line.label} (further seeds)"}.get(place)
    if place == 0 and window(line) > 1:
        axes.plot(line.tre.index, line.tre, color=colour, linewidth=0.6, alpha=0.35, zorder=2)
    shown = line.tre.rolling(window(line), center=True, min_periods=1).median()
    axes.plot(
        shown.index,
        shown,
        color=colour,
        linestyle=dashes,
        marker=marker,
        label=text,
        markersize=3.5 if place == 0 else 2.2,
        **look,
    )
    if line.training.status == "diverged":
        axes.plot(
            shown.index[-1],
            shown.iloc[-1],
            "X",
            color=colour,
            markersize=10 if place == 0 else 8,
            markeredgecolor=PAPER,
            markeredgewidth=0.8,
            zorder=6,
        )


def _empty(axes: Axes, why: str) -> None:
    text = textwrap.fill(textwrap.shorten(why, 300, placeholder=" …"), 80)
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", fontsize=8, color=SOFT)
    axes.set(ylim=(0, 1), yticks=[])


def _note(paper_run: PaperRun, options: Options, growth: Growth | None, found: Snapshots) -> list[str]:
    """Return what a reader has to know: the levels, over which pairs the error is, what was left out and why."""
    parts = []
    if growth is not None:
        sizes = ", ".join(f"{name(ALPHA, level)}: {size}" for level, size in enumerate(growth.sizes))
        parts.append(f"A: the growth as recorded{f' ({sizes})' if sizes else ''}; transitions are shaded.")
    if found.lines:
        parts += snapshots.note(paper_run, found, options.methods)
        if (widest := max(map(window, found.lines))) > 1:
            parts.append(f"Lines: running median of {widest} snapshots; pale: every snapshot of the first seeds.")
        parts.append(_last(options, found))
        if not np.isfinite(found.before):
            parts.append("The error before registration is not drawn: identity was not run on all of these pairs.")
    parts += paper_run.learned(line.training for line in found.lines)
    parts += [_ended(line) for line in found.lines if line.training.status != "ok"]
    return parts + [f"Not drawn: {why}." for why in found.missing]


def _last(options: Options, found: Snapshots) -> str:
    """Return the last errors of every method over several snapshots and all seeds, in words: one alone may jump."""
    told = []
    for lines in filter(None, map(found.of, options.methods)):
        late = np.concatenate([line.late for line in lines])
        mean, low, high = (number(float(value), 2) for value in (late.mean(), late.min(), late.max()))
        many = f"{len(lines)} seed{'s' * (len(lines) > 1)}"
        told.append(f"{lines[0].label} {mean} mm ({low} to {high}; {many})")
    return f"Mean and range of the last {snapshots.LATE} snapshots: {', '.join(told)}."


def _ended(line: Line) -> str:
    reason = textwrap.shorten(line.training.reason or "no reason given", 160, placeholder=" …").rstrip(".")
    return f"{line.title} {line.training.status}: {reason}."
