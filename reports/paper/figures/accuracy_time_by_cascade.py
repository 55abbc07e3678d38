"""Accuracy (lines) and seconds (bars) of recursive methods by their number of cascades, as measured and as printed.

The numbers are cells of one of the paper's tables, read as the table and the ledger read them, so that the figure
cannot disagree with them. The printed ones, of other hardware and perhaps other data, stand in panels of their own.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator

from benchmarks.metrics import METRICS
from reports.drawing.style import INK, PAPER, SOFT, style
from reports.paper.cast import PaperRun
from reports.paper.contents import Cell, Measured
from reports.paper.costs import OWN_SIZE
from reports.paper.ledger import Judge
from reports.paper.printed import PaperError
from reports.tables.numbers import direction, quantity

NAN = float("nan")
DEVICES: Mapping[str, str] = {"cpu": "CPU", "cuda": "GPU"}
LOOKS = (("#d55e00", "s", "--", "///"), ("#0072b2", "o", "-", ""), ("#009e73", "^", ":", "xxx"))
WIDTH, HEIGHT, TITLES = 3.7, 2.45, 0.35  # inches: of one panel, and of the titles above all


@dataclass(frozen=True)
class Value:
    """A number in printed units, its text and 95 % interval; NaN where there is none, and then ``reason`` says why."""

    value: float
    low: float = NAN
    high: float = NAN
    text: str = ""
    reason: str = ""

    @property
    def known(self) -> bool:
        """Whether there is a number."""
        return not np.isnan(self.value)


@dataclass(frozen=True)
class Series:
    """One line and its bars: values by number of cascades, from 1; ``seconds`` by device."""

    label: str
    accuracy: Sequence[Value]
    seconds: Mapping[str, Sequence[Value]]

    def values(self) -> Iterator[Value]:
        """Yield every value of the line and of its bars."""
        yield from self.accuracy
        for values in self.seconds.values():
            yield from values


@dataclass(frozen=True)
class Cells:
    """The cells of a paper's table that the figure shows, by method: accuracy, and seconds by device."""

    accuracy: Mapping[str, Cell]
    seconds: Mapping[str, Mapping[str, Cell]]

    def series(self, options: Options, read: Callable[[Cell], Value]) -> list[Series]:
        """Return the figure's series, each value read of its cell."""
        return [
            Series(
                one.label,
                [read(self.accuracy[method]) for method in one.methods],
                {device: [read(cells[method]) for method in one.methods] for device, cells in self.seconds.items()},
            )
            for one in options.series
        ]


@dataclass(frozen=True)
class Line:
    """One line of the figure: methods in order of their cascades, each the method of a row of the table."""

    label: str
    methods: tuple[str, ...]


@dataclass(frozen=True)
class Options:
    """The options of an entry of this kind in a paper's YAML."""

    dataset: str  # of the paper
    table: int  # of the paper, whose cells are drawn
    series: tuple[Line, ...]
    metric: str = "dice"

    def __post_init__(self) -> None:
        """Refuse more series than can be told apart."""
        if len(self.series) > len(LOOKS):
            raise ValueError(f"only {len(LOOKS)} series can be told apart, got {len(self.series)}")


def draw(paper_run: PaperRun, options: Options) -> tuple[Figure | None, str]:
    """Draw the figure; return it with what the run adds to its caption, or None and why nothing can be drawn.

    Raises:
        PaperError: the table lacks a method, or accuracy or seconds on the data set.
    """
    cells, judge = _cells(paper_run, options), Judge(paper_run)
    read: dict[tuple[str, str], Measured] = {}

    def measure(cell: Cell) -> Value:
        found = judge.judged(cell).measured
        read[cell.method, cell.column.key] = found
        text = "" if found.reason else quantity(found.metric, found.value)
        return Value(found.value, found.low, found.high, text, found.reason)

    def printed(cell: Cell) -> Value:
        return Value(cell.printed.value, text=cell.printed.text, reason="not printed")

    measured = cells.series(options, measure)
    if not any(value.known for one in measured for value in one.values()):
        return None, "; ".join(_reasons(value for one in measured for value in one.values()))
    figure = _draw(paper_run, options, cells, measured, cells.series(options, printed))
    return figure, _note(paper_run, options, measured, read)


def _cells(paper_run: PaperRun, options: Options) -> Cells:
    """Return the cells that the figure draws, all of one table and on the figure's data set."""
    tables = [table for table in paper_run.paper.tables if table.number == options.table]
    if not tables:
        raise PaperError(f"there is no table {options.table}")
    here = [cell for cell in tables[0].cells.values() if list(cell.datasets) == [options.dataset]]
    accuracy = {cell.method: cell for cell in here if cell.metric == options.metric and not cell.less}
    seconds: dict[str, dict[str, Cell]] = {}
    for cell in here:
        if cell.device:
            seconds.setdefault(cell.device, {})[cell.method] = cell
    if not accuracy or not seconds:
        raise PaperError(f"table {options.table} lacks accuracy or seconds on {options.dataset}")
    for method in (method for one in options.series for method in one.methods):
        if method not in accuracy:
            raise PaperError(f"method {method!r} is in no row of table {options.table}")
    return Cells(accuracy, seconds)


def _draw(
    paper_run: PaperRun, options: Options, cells: Cells, measured: Sequence[Series], printed: Sequence[Series]
) -> Figure:
    blocks = [(_measured_title(paper_run, options.dataset), measured, False)]
    if any(value.known for one in printed for value in one.values()):
        title = paper_run.players[options.dataset].title
        blocks.append((f"printed ({title}; {paper_run.paper.hardware or 'hardware not stated'})", printed, True))
    height = len(blocks) * (HEIGHT + TITLES)
    with style():
        figure = Figure(figsize=(WIDTH * len(cells.seconds), height), layout="constrained")
        FigureCanvasAgg(figure)
        parts = figure.subfigures(len(blocks), 1, squeeze=False).ravel()
        for part, (title, series, hollow) in zip(parts, blocks, strict=True):
            _block(part, title, series, cells, hollow)
    return figure


def _measured_title(paper_run: PaperRun, key: str) -> str:
    player = paper_run.players[key]
    return f"measured ({player.in_figure or player.absent}; {'; '.join(_chips(paper_run)) or 'hardware not recorded'})"


def _block(part: SubFigure, title: str, series: Sequence[Series], cells: Cells, hollow: bool) -> None:
    """Draw a panel for each device: lines of accuracy above bars of seconds, on axes of their own."""
    part.suptitle(textwrap.fill(title, 100), x=0.01, ha="left", fontsize=9, color=SOFT)
    grid = part.subplots(2, len(cells.seconds), squeeze=False, sharex=True, height_ratios=(1.25, 1))
    count = max(len(one.accuracy) for one in series)
    for place, (device, above, below) in enumerate(zip(cells.seconds, *grid, strict=True)):
        above.set_title(f"({'abcdefgh'[place]}) {DEVICES.get(device, device)}")
        _lines(above, series, next(iter(cells.accuracy.values())), hollow)
        _bars(below, [one.seconds[device] for one in series], hollow)
        below.set_xlim(0.4, count + 0.6)
        below.set_xticks(range(1, count + 1))
        below.set_xlabel("cascades")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    part.legend(handles, labels, loc="outside lower center", ncols=len(series), fontsize=8, handlelength=3)


def _lines(axes: Axes, series: Sequence[Series], cell: Cell, hollow: bool) -> None:
    for place, (one, (colour, marker, line, _)) in enumerate(zip(series, LOOKS, strict=False)):
        values = np.array([value.value for value in one.accuracy])
        x = np.arange(1, len(values) + 1) + 0.06 * (place - (len(series) - 1) / 2)  # apart, for the intervals' sake
        ends = np.array([(value.value - value.low, value.high - value.value) for value in one.accuracy])
        axes.errorbar(
            x,
            values,
            yerr=np.nan_to_num(ends).clip(0).T,
            color=colour,
            marker=marker,
            linestyle=line,
            linewidth=1.3,
            markersize=5.5,
            elinewidth=0.9,
            capsize=2,
            label=one.label,
            markerfacecolor=PAPER if hollow else colour,
        )
    axes.set_ylabel(f"{METRICS[cell.metric].short} ({cell.unit}) {direction(True)}")
    axes.margins(y=0.2)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.tick_params(axis="x", length=0)
    axes.grid(visible=False, axis="x")
    _missing(axes, [one.accuracy for one in series])


def _bars(axes: Axes, seconds: Sequence[Sequence[Value]], hollow: bool) -> None:
    width = 0.76 / len(seconds)
    for place, (values, (colour, _, _, hatch)) in enumerate(zip(seconds, LOOKS, strict=False)):
        face, edge, line = (PAPER, colour, 1.1) if hollow else (colour, PAPER, 0)
        for number, value in enumerate(values, start=1):
            x = number + width * (place - (len(seconds) - 1) / 2)
            if value.known:
                axes.bar(x, value.value, 0.92 * width, facecolor=face, edgecolor=edge, hatch=hatch, linewidth=line)
            top, ink = (value.value, INK) if value.known else (0, SOFT)
            place_of = {"xytext": (0, 2), "textcoords": "offset points", "ha": "center"}
            axes.annotate(value.text or "n. m.", (x, top), fontsize=7, color=ink, **place_of)
    axes.margins(y=0.2)  # above only: bars stand on 0
    axes.yaxis.set_major_locator(MaxNLocator(3))
    axes.set_ylabel("seconds")
    axes.grid(visible=False, axis="x")
    _missing(axes, seconds)


def _missing(axes: Axes, series: Sequence[Sequence[Value]]) -> None:
    """Say in a panel that holds no number at all why it is empty."""
    values = [value for one in series for value in one]
    if any(value.known for value in values):
        return
    for text in list(axes.texts):
        text.remove()
    shown = "not measured: " * ((reasons := _reasons(values)) != ["not printed"]) + "; ".join(reasons)
    text = textwrap.fill(textwrap.shorten(shown, 170, placeholder=" …"), 46)
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes, fontsize=8, color=SOFT)
    axes.set(ylim=(0, 1), yticks=[])


def _reasons(values: Iterable[Value]) -> list[str]:
    """Return why values are missing, each reason once."""
    return list(dict.fromkeys(value.reason for value in values if not value.known))


def _note(
    paper_run: PaperRun, options: Options, measured: Sequence[Series], read: Mapping[tuple[str, str], Measured]
) -> str:
    """Return what a reader has to know of the measured numbers: statistic, protocol, what is missing and why."""
    means = [cell for cell in read.values() if cell.statistic == "mean" and not cell.reason]
    clocks = [cell for cell in read.values() if cell.statistic == "median" and not cell.reason]
    parts = list(filter(None, [paper_run.no_reproduction([options.dataset])]))
    if means:
        pairs, protocols = _span(cell.n for cell in means), sorted({cell.protocol for cell in means})
        over = "".join(f" ({each})" for each in dict.fromkeys(cell.interval for cell in means if cell.interval))
        parts.append(f"Lines: mean over {pairs} pairs ({', '.join(protocols)}) with its 95 % interval{over}.")
    if clocks:
        threads = _span(cell.threads for cell in clocks)
        grid, calls = clocks[0].grid.replace("x", " x "), _span(cell.n for cell in clocks)
        parts.append(f"Bars: median of {calls} warm calls, threads: {threads}, {grid} voxels.")
    if any(cell.narrow for cell in read.values()):
        timed = ", but for the seconds" if any(cell.dataset == OWN_SIZE for cell in clocks) else ""
        parts.append(f"The networks are narrower than the paper's{timed}.")
    for (method, _), cell in read.items():
        if cell.timed_as:
            parts.append(f"Seconds of {method} are those of {cell.timed_as}, the same network at registration.")
        if cell.failed and not cell.reason:
            parts.append(f"Failed and left out of {cell.metric} of {method}: {cell.failed}.")
    return " ".join([*dict.fromkeys(parts), *_gaps(measured, means)])


def _gaps(measured: Sequence[Series], means: Sequence[Measured]) -> list[str]:
    """Return a sentence for accuracy and for the seconds of each device that says what is missing and why."""
    name = METRICS[means[0].metric].short if means else "Accuracy"
    groups = {name: [value for one in measured for value in one.accuracy]}
    for device in measured[0].seconds:
        groups[f"{DEVICES.get(device, device)} seconds"] = [value for one in measured for value in one.seconds[device]]
    gaps = []
    for what, values in groups.items():
        if reasons := _reasons(values):
            some = " in part" if any(value.known for value in values) else ""
            gaps.append(f"{what} not measured{some}: {'; '.join(reasons)}.")
    return gaps


def _span(numbers: Iterable[int | None]) -> str:
    known = sorted({number for number in numbers if number})
    return "-".join(str(number) for number in dict.fromkeys((known[0], known[-1]))) if known else "unknown"


def _chips(paper_run: PaperRun) -> list[str]:
    """Return the processors on record of the run."""
    runs = paper_run.run.runs
    return [] if runs.empty else sorted({str(chip) for chip in (*runs.cpu, *runs.gpu) if chip} - {"none"})
