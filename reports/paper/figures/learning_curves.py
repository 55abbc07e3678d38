"""Schedule and error of networks against iteration: the weights of the levels above, the TRE of snapshots below."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from reports.drawing.style import PAPER, RULE, SOFT, style
from reports.paper import snapshots
from reports.paper.cast import PaperRun, trained_on
from reports.paper.layout import Entry, PaperError
from reports.paper.snapshots import Line, Snapshots
from reports.reading import growth
from reports.reading.growth import ALPHA, Schedule
from reports.reading.trainings import choose, find
from reports.tables.numbers import number

LOOKS = (("#d55e00", (0, (4, 1.2))), ("#0072b2", "-"), ("#009e73", ":"), ("#cc79a7", "-."))
FEW, MANY = 40, 150  # snapshots up to which each has a marker, and from which lines are running medians


def draw(stage: PaperRun, entry: Entry) -> tuple[Figure | None, str]:
    """Draw the figure.

    The entry names ``methods``, whose snapshots are shown; the schedule is that of the last one that has any. It may
    name the ``datasets`` whose test pairs count, by default all of the paper.

    Returns:
        The figure and what the run adds to its caption, or None and why nothing can be drawn.

    Raises:
        PaperError: there are more methods than can be told apart.
    """
    if len(entry["methods"]) > len(LOOKS):
        raise PaperError(
            f"{stage.paper.key}: figure {entry['number']}: only {len(LOOKS)} methods can be told apart, "
            f"got {len(entry['methods'])}"
        )
    plan, why = _plan(stage, entry)
    found = snapshots.read(stage, entry)
    if plan is None and not found.lines:
        return None, "; ".join(dict.fromkeys([*found.missing, why]))
    return _draw(entry, plan, why, found), " ".join(_note(stage, entry, plan, found))


def log_scale(values: Sequence[float]) -> bool:
    """Whether values, all above 0, span more than a decade."""
    known = [value for value in values if np.isfinite(value)]
    return bool(known) and min(known) > 0 and max(known) > 10 * min(known)


def window(line: Line) -> int:
    """How many snapshots a point of a line is the running median of: one, unless there are many."""
    return 1 if len(line.tre) <= MANY else len(line.tre) // 40


def set_log(axes: Axes, which: str) -> None:
    """Make an axis, ``x`` or ``y``, logarithmic, with plain numbers at 1, 2 and 5 times the powers of ten."""
    axes.set(**{f"{which}scale": "log"})
    axis = getattr(axes, f"{which}axis")
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _plan(stage: PaperRun, entry: Entry) -> tuple[Schedule | None, str]:
    """The schedule of the last method that followed one, or None and why there is none."""
    reasons, own = [], choose(stage.run.trainings, entry["methods"], stage.paper.training)
    for method in reversed(entry["methods"]):
        training = find([each for each in stage.run.trainings if each.dataset == own], method)
        plan, why = growth.read(training) if training else (None, f"no training of {method}")
        if plan is not None:
            return plan, ""
        reasons.append(why)
    return None, "; ".join(reasons)


def _draw(entry: Entry, plan: Schedule | None, why: str, found: Snapshots) -> Figure:
    with style():
        figure = Figure(figsize=(7.4, 5.2), layout="constrained")
        FigureCanvasAgg(figure)
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1, 2))
        above.set_title("A: weights of the levels")
        below.set_title("B: error on the test pairs")
        if plan is None:
            _empty(above, why)
        else:
            growth.draw_weights(above, plan)
            above.set_ylabel("weight")
            for start, stop in plan.transitions():
                for axes in (above, below):
                    axes.axvspan(start, stop, color=RULE, alpha=0.45, linewidth=0, zorder=0)
        if found.lines:
            _errors(below, entry, found)
            handles, labels = below.get_legend_handles_labels()
            figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=8, handlelength=3)
        else:
            _empty(below, "; ".join(found.missing))
        below.set_xlabel("iteration")
        below.set_xlim(left=0, right=1.01 * _end(plan, found) or None)
    return figure


def _end(plan: Schedule | None, found: Snapshots) -> float:
    """The last iteration that the figure has anything of."""
    ends = [float(line.tre.index[-1]) for line in found.lines]
    return max([*ends, float(plan.iteration[-1])] if plan is not None else ends)


def _errors(axes: Axes, entry: Entry, found: Snapshots) -> None:
    """A line a training, thick for the first seed of a method; a cross where one diverged."""
    marker = "o" if max(len(line.tre) for line in found.lines) <= FEW else ""
    for method, (colour, dashes) in zip(entry["methods"], LOOKS, strict=False):
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
    text = {0: snapshots.title(line), 1: f"{line.label} (further seeds)"}.get(place)
    if place == 0 and window(line) > 1:
        axes.plot(line.tre.index, line.tre, color=colour, linewidth=0.6, alpha=0.35, zorder=2)
    shown = line.tre.rolling(window(line), center=True, min_periods=1).median()
    axes.plot(shown.index, shown, color=colour, linestyle=dashes, marker=marker, label=text,
              markersize=3.5 if place == 0 else 2.2, **look)  # fmt: skip
    if line.training.status == "diverged":
        axes.plot(shown.index[-1], shown.iloc[-1], "X", color=colour, markersize=10 if place == 0 else 8,
                  markeredgecolor=PAPER, markeredgewidth=0.8, zorder=6)  # fmt: skip


def _empty(axes: Axes, why: str) -> None:
    text = textwrap.fill(textwrap.shorten(why, 300, placeholder=" …"), 80)
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", fontsize=8, color=SOFT)
    axes.set(ylim=(0, 1), yticks=[])


def _note(stage: PaperRun, entry: Entry, plan: Schedule | None, found: Snapshots) -> list[str]:
    """What a reader has to know: the levels, over which pairs the error is, what was left out and why."""
    parts = []
    if plan is not None:
        sizes = ", ".join(f"{growth.name(ALPHA, level)}: {size}" for level, size in enumerate(plan.sizes))
        parts.append(f"A: the schedule as recorded{f' ({sizes})' if sizes else ''}; transitions are shaded.")
    if found.lines:
        parts += snapshots.note(stage, entry, found)
        if (widest := max(map(window, found.lines))) > 1:
            parts.append(f"Lines: running median of {widest} snapshots; pale: every snapshot of the first seeds.")
        parts.append(_last(entry, found))
        if not np.isfinite(found.before):
            parts.append("The error before registration is not drawn: identity was not run on all of these pairs.")
    parts += [f"Trained on {on}." for on in dict.fromkeys(trained_on(line.training, entry)
                                                          for line in found.lines)]  # fmt: skip
    parts += [_ended(line) for line in found.lines if line.training.status != "ok"]
    return parts + [f"Not drawn: {why}." for why in found.missing]


def _last(entry: Entry, found: Snapshots) -> str:
    """The last error of every method's first seed, in words."""
    first = [lines[0] for method in entry["methods"] if (lines := found.of(method))]
    last = [
        f"{line.label} {number(float(line.tre.iloc[-1]), 2)} mm at iteration {line.tre.index[-1]:g}" for line in first
    ]
    return f"Last snapshots of the first seeds: {', '.join(last)}."


def _ended(line: Line) -> str:
    reason = textwrap.shorten(line.training.reason or "no reason given", 160, placeholder=" …").rstrip(".")
    return f"{snapshots.title(line)} {line.training.status}: {reason}."
