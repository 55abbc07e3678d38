"""The ledger: every printed number of a paper beside what was measured, with a verdict."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from reports.paper.cast import PaperRun
from reports.paper.contents import Cell, Measured
from reports.paper.measured import Reader
from reports.paper.printed import MULTIPLES
from reports.paper.verdicts.as_paper import AsPaper, qualifiers, reduced
from reports.paper.verdicts.counts import Count, count
from reports.paper.verdicts.judging import Intervals, Verdict, intervals, margin_of, verdict
from reports.tables.numbers import MINUS, number
from reports.tables.table import Head, Table, Text

COLUMNS = (
    "paper", "table", "row", "column", "kind", "dataset", "stand_in", "metric", "protocol", "statistic", "printed",
    "margin", "measured", "interval", "low", "high", "half_width", "unit", "n", "subjects", "trainings", "difference",
    "verdict", "note",
)  # fmt: skip
TIMES = "\N{MULTIPLICATION SIGN}"
OURS = "not in the paper"  # the verdict on a row that the paper does not have, which no ledger lists


@dataclass(frozen=True)
class Judged:
    """One cell, what was measured and the verdict; ``remark`` goes with it, ``notes`` say what else has to be known.

    ``note`` puts both into one text. ``difference`` is measured minus printed, in printed units; NaN where there is
    only one of them. ``stand_in``: the number is of other data than the paper's, tested or learned from, or of a
    narrower network. The interval of ``measured`` is the one that is shown, at 95 %; ``half_width`` is that of the one
    at 90 % which decided, NaN where there is none.
    """

    paper: str
    cell: Cell
    measured: Measured
    judgement: Verdict
    notes: tuple[str, ...]
    note: str
    difference: float
    stand_in: bool
    half_width: float

    @property
    def verdict(self) -> str:
        """The verdict in a word."""
        return self.judgement.word

    @property
    def remark(self) -> str:
        """What has to be said of the verdict."""
        return self.judgement.remark


class Judge:
    """Judges the cells of a paper by what a run measured and recorded; what many cells ask for is looked up once."""

    def __init__(self, paper_run: PaperRun) -> None:
        self.paper_run, self._reader, self._as_paper = paper_run, Reader(paper_run), AsPaper(paper_run)

    def judged(self, cell: Cell) -> Judged:
        """Return what was measured for one cell, and the verdict."""
        measured = self._reader.read(cell)
        there = not measured.reason or bool(measured.outcome)
        departures = self._as_paper.departures(cell, measured) if there else []
        why = reduced(departures)
        found = intervals(cell, measured, as_printed=cell.row.printed and not why)
        given = verdict(cell, measured, found.judged, why) if cell.row.printed else Verdict(OURS)
        said = [] if why else qualifiers(departures)
        notes = [*_circumstances(measured), *said, *_of_interval(found, given), *measured.notes]
        notes += [f"in print: {cell.printed.note}"] if cell.printed.note else []
        return Judged(
            self.paper_run.paper.key,
            cell,
            _with_interval(measured, found),
            given,
            tuple(notes),
            "; ".join(part for part in (given.remark, *notes) if part),
            measured.value - cell.printed.value,
            measured.stand_in or measured.narrow,
            found.half_width,
        )


def judge(paper_run: PaperRun) -> list[Judged]:
    """Return every printed cell of the paper, in the order of its CSV, with what the run measured and a verdict."""
    return list(map(Judge(paper_run).judged, paper_run.paper.cells))


def beside(paper_run: PaperRun) -> list[Judged]:
    """Return the cells of rows that the paper does not have: measured, and nothing printed to compare with."""
    return list(map(Judge(paper_run).judged, paper_run.paper.beside))


def _with_interval(measured: Measured, found: Intervals) -> Measured:
    """Return a measured number with the interval that is shown, where that is of trainings or subjects."""
    if found.shown is None or math.isnan(measured.value):
        return measured
    return replace(measured, low=found.shown.low, high=found.shown.high, interval=found.over)


def _of_interval(found: Intervals, given: Verdict) -> list[str]:
    """Return what an interval leaves out, where the verdict does not say it."""
    return [found.judged.why] if found.judged and found.judged.why and found.judged.why not in given.remark else []


def ledger_frame(judged: Sequence[Judged]) -> pd.DataFrame:
    """Return the ledger as text for a CSV file: columns `COLUMNS`, printed units, one row a printed cell."""
    return pd.DataFrame(list(map(_ledger_row, judged)), columns=COLUMNS)


def _ledger_row(each: Judged) -> tuple[object, ...]:
    cell, measured = each.cell, each.measured
    return (
        each.paper,
        cell.table,
        cell.row.key,
        cell.column.key,
        cell.kind,
        measured.dataset,
        each.stand_in,
        measured.metric,
        measured.protocol,
        measured.statistic,
        cell.printed.text,
        exact(margin_of(cell)),
        exact(measured.value),
        measured.interval if not math.isnan(measured.low) else "",
        exact(measured.low),
        exact(measured.high),
        exact(each.half_width),
        cell.unit,
        "" if measured.n is None else measured.n,
        len(measured.sample.names) if measured.sample else "",
        measured.trainings or "",
        exact(each.difference),
        each.verdict,
        each.note,
    )


def ledger_table(judged: Sequence[Judged], caption: str) -> Table:
    """Return the ledger for readers."""
    heads = [Head(title, number=False) for title in ("Table", "Row", "Column")]
    heads += [Head("Printed"), Head("Measured"), Head("95 % interval"), Head("Difference"), Head("n")]
    heads += [Head("Verdict", number=False), Head("Note", width="8cm", number=False)]
    return Table(caption, heads, [_readable_row(each) for each in judged])


def verdict_counts(judged: Sequence[Judged]) -> str:
    """Return how often each verdict was given, kind by kind, in one line."""
    return "; ".join(each.text for each in counts(judged))


def counts(judged: Sequence[Judged]) -> list[Count]:
    """Return how often each verdict was given, kind by kind."""
    return count([(each.cell.kind, each.judgement) for each in judged])


def exact(value: float) -> str:
    """Return ``value`` for machines: ten significant digits, whole numbers without a point, empty for NaN."""
    return "" if math.isnan(value) else f"{value:.10g}"


def shown(value: float, cell: Cell) -> str:
    """Return a cell's number for readers: its decimals, else its significant digits, at most four decimals where those
    are not set; a gain with its sign, a range or a grid in the paper's form.
    """
    if cell.suffix:
        decimals = 2 if cell.decimals is None else cell.decimals
        return f"{number(value / MULTIPLES[cell.suffix], decimals)}{cell.suffix}"
    if cell.digits is None and cell.decimals == 0:
        text = f"{value:,.0f}".replace(",", "\u202f").replace("-", MINUS)
    elif cell.digits is None and cell.decimals is not None:
        text = number(value, cell.decimals)
    else:
        digits, most = (3, 4) if cell.digits is None else (cell.digits, 20)
        text = number(value, max(0, min(most, digits - 1 - math.floor(math.log10(abs(value))))) if value else 0)
    if cell.form in ("range", "cube"):
        return f"[{MINUS}{text}, {text}]" if cell.form == "range" else TIMES.join([text] * 3)
    return f"+{text}" if cell.signed and value > 0 and text.strip("0.") else text


def _circumstances(measured: Measured) -> Iterator[str]:
    """Yield how seconds were taken."""
    if measured.threads is not None:
        device = f" of {measured.device}" if measured.device else ""
        grid = f", {measured.grid.replace('x', ' x ')} voxels" if measured.grid else ""
        yield f"{measured.threads} thread{'s' if measured.threads > 1 else ''}{device}{grid}"
    if measured.timed_as:
        yield f"timed as {measured.timed_as}, the same network at registration"


def _readable_row(each: Judged) -> list[Text]:
    cell, measured, missing = each.cell, each.measured, Text("—", muted=True)
    found, interval, difference = missing, "—", missing
    if not math.isnan(measured.value):
        found = Text(shown(measured.value, cell))
    elif measured.outcome:
        found = Text(measured.outcome, muted=True)
    if not math.isnan(measured.low):
        interval = f"{shown(measured.low, cell)} to {shown(measured.high, cell)}"
    if not math.isnan(each.difference):
        difference = Text(shown(each.difference, replace(cell, form="", signed=True)))
    return [
        Text(str(cell.table)),
        Text(cell.row.name),
        Text(" ".join(part for part in (cell.column.group, cell.column.label) if part)),
        Text(cell.printed.text),
        found,
        Text(interval),
        difference,
        missing if measured.n is None else Text(str(measured.n)),
        Text(each.verdict),
        Text(each.note),
    ]
