"""Accuracy against seconds as a figure: the methods that no faster one matches numbered, all others small and pale."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from reports.drawing.labels import Cross, name_points
from reports.drawing.style import KINDS, PAPER, SOFT, constrained, style
from reports.overview.figures import axis_label
from reports.overview.frontier import Frontier, Point
from reports.tables.numbers import quantity

WIDTH, HEIGHT, LINE = 4.9, 3.6, 0.15  # inches: of a panel, and of a line of the key below it
COLUMNS, NARROW = 72, 58  # characters of such a line, and of one below the small plot
MARKS = "Squares: classical, circles: learned. Numbered: more accurate than all that take no longer."


def accuracy_time(found: Sequence[Frontier], clock: str) -> Figure:
    """Draw a panel for each data set, above the names of its methods; ``clock`` says what the seconds are of."""
    columns = min(2, len(found))
    rows, keys = -(-len(found) // columns), [list(_key(each)) for each in found]
    with style():
        figure = constrained(WIDTH * columns, (HEIGHT + LINE * max(map(len, keys))) * rows + 0.4, w_pad=0.08, h_pad=0.1)
        grid = list(figure.subplots(rows, columns, squeeze=False).flat)
        for axes, each, key in zip(grid, found, keys, strict=False):
            draw_panel(axes, each)
            axes.set_title(each.title)
            text = "\n".join(["median seconds of warm calls", *key])
            axes.set_xlabel(text, loc="left", fontsize=8, linespacing=1.4)
        for axes in grid[len(found) :]:
            axes.set_axis_off()
        below = [line for text in (MARKS, clock) for line in textwrap.wrap(text, COLUMNS * columns)]
        figure.supxlabel("\n".join(below), fontsize=8, color=SOFT)
        number_points(figure, grid, found)
    return figure


def frontier_plot(found: Frontier) -> Figure:
    """Draw one data set small, with the names of the numbered methods alone."""
    named = [f"{point.place}  {point.label}, {_both(found, point)}" for point in found.steps]
    lines = [line for text in named for line in _wrapped(text, NARROW)]
    with style():
        figure = constrained(3.8, 1.75 + 0.14 * len(lines), w_pad=0.02, h_pad=0.02)
        axes = figure.subplots()
        draw_panel(axes, found)
        axes.set_ylabel(textwrap.fill(axis_label(found.quote), 20), fontsize=8)  # the panel is low
        axes.set_xlabel("median seconds of a registration (logarithmic)", fontsize=8)
        figure.supxlabel("\n".join(lines), fontsize=8, x=0.02, ha="left", linespacing=1.25)
        number_points(figure, [axes], [found])
    return figure


def draw_panel(axes: Axes, found: Frontier) -> None:
    """Draw the points, the steps that join the frontier, and a line for the state before registration."""
    for point in found.others:
        _mark(axes, point, size=4.5, alpha=0.5)
    if steps := found.steps:
        last = max(point.seconds for point in found.points)
        xs, ys = [*(point.seconds for point in steps), last], [point.accuracy for point in steps]
        axes.step(xs, [*ys, ys[-1]], where="post", color=SOFT, linewidth=1, zorder=1.5)
    for point in steps:
        _mark(axes, point, size=7.5, alpha=1)
    xs = [point.seconds for point in found.points]
    axes.set_xscale("log")
    axes.set_xlim(min(xs) / 2, max(xs) * 2)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(y=0.12)
    _controls(axes, found)
    axes.set_ylabel(axis_label(found.quote))


def number_points(figure: Figure, grid: Iterable[Axes], found: Iterable[Frontier]) -> None:
    """Write its number beside each point of the frontier, where it covers no point; draws the figure before."""
    figure.canvas.draw()
    for axes, each in zip(grid, found, strict=False):
        name_points(axes, _crosses(each), {point.method: str(point.place) for point in each.steps})


def _crosses(found: Frontier) -> dict[str, Cross]:
    """Return what each point covers: itself, and of the frontier the level line to the next step."""
    nexts = [*found.steps[1:], found.points[-1]]
    ends = {step.method: after.seconds for step, after in zip(found.steps, nexts, strict=False)}  # there may be no step
    return {
        each.method: Cross(each.seconds, each.seconds, ends.get(each.method, each.seconds), each.accuracy, 0)
        for each in found.points
    }


def _mark(axes: Axes, point: Point, *, size: float, alpha: float) -> None:
    marker, colour = KINDS[point.kind]
    look = {"color": colour, "markersize": size, "markeredgecolor": PAPER, "markeredgewidth": 0.6, "alpha": alpha}
    axes.plot([point.seconds], [point.accuracy], marker, **look)


def _controls(axes: Axes, found: Frontier) -> None:
    for level, text, line in ((found.before, "before registration", "--"), (found.best, "true displacement", ":")):
        if level is not None:
            axes.axhline(level, color=SOFT, linestyle=line, linewidth=1.1, zorder=1)
            place = {"xycoords": ("axes fraction", "data"), "xytext": (-2, 3), "textcoords": "offset points"}
            axes.annotate(text, (1, level), **place, ha="right", fontsize=7.5, color=SOFT)


def _key(found: Frontier) -> Iterator[str]:
    """Yield the lines below a panel: the numbered methods with their numbers, then the others by family."""
    for point in found.steps:
        line = f"{point.place}  {point.label}: {_both(found, point)}"
        yield from _wrapped(line, COLUMNS)
    if others := found.others:
        yield from textwrap.wrap(f"Not numbered: {_by_family(others)}.", COLUMNS, break_on_hyphens=False)


def _wrapped(text: str, columns: int) -> list[str]:
    return textwrap.wrap(text, columns, subsequent_indent="    ", break_on_hyphens=False)


def _both(found: Frontier, point: Point) -> str:
    text = f"{quantity(found.quote.metric, point.accuracy)} in {quantity('seconds', point.seconds)} s"
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def _by_family(points: Iterable[Point]) -> str:
    """Return labels in a row; those that are alike up to their comma in one: RCN, 1 cascade and 3 cascades."""
    ordered = sorted(points, key=lambda point: point.label)
    families = groupby((point.label.partition(", ") for point in ordered), key=lambda parts: parts[0])
    texts = ((name, " and ".join(part for *_, part in parts if part)) for name, parts in families)
    return "; ".join(f"{name}, {parts}" if parts else name for name, parts in texts)
