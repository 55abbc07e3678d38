"""The ledger: every printed number of a paper beside what was measured, with a verdict."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from reports.paper.cast import PaperRun
from reports.paper.contents import Cell, Measured, Paper
from reports.paper.costs import OWN_SIZE
from reports.paper.measured import Reader
from reports.paper.printed import MULTIPLES, Number
from reports.tables.numbers import MINUS, number
from reports.tables.table import Head, Table, Text

COLUMNS = (
    "paper", "table", "row", "column", "dataset", "stand_in", "metric", "protocol", "statistic", "printed", "measured",
    "low", "high", "unit", "n", "difference", "verdict", "note",
)  # fmt: skip
# In order of display. "reproduced" and "differs" are said of the paper's own data and, of sizes, of its own networks;
# seconds and their ratios at the paper's size have neither, for the paper's machine is another ("other hardware");
# "incomplete" of its own data where registrations failed, for a mean over the others is another number.
VERDICTS = (
    "reproduced", "differs", "incomplete", "other hardware", "stand-in", "diverged", "not measured", "not printed",
    "unreadable",
)  # fmt: skip
TIMES = "\N{MULTIPLICATION SIGN}"
OURS = "not in the paper"  # the verdict on a row that the paper does not have, which no ledger lists


@dataclass(frozen=True)
class Judged:
    """One cell, what was measured and the verdict; ``remark`` goes with it, ``notes`` say what else has to be known.

    ``note`` puts both into one text. ``difference`` is measured minus printed, in printed units; NaN where there is
    only one of them. ``stand_in``: the number is of other data than the paper's, tested or learned from, or of a
    narrower network.
    """

    paper: str
    cell: Cell
    measured: Measured
    verdict: str
    remark: str
    notes: tuple[str, ...]
    note: str
    difference: float
    stand_in: bool


def judge(paper_run: PaperRun) -> list[Judged]:
    """Return every printed cell of the paper, in the order of its CSV, with what the run measured and a verdict."""
    reader = Reader(paper_run)
    return [_judged(paper_run, cell, reader.read(cell)) for cell in paper_run.paper.cells]


def beside(paper_run: PaperRun) -> list[Judged]:
    """Return the cells of rows that the paper does not have: measured, and nothing printed to compare with."""
    reader = Reader(paper_run)
    return [_judged(paper_run, cell, reader.read(cell)) for cell in paper_run.paper.beside]


def _judged(paper_run: PaperRun, cell: Cell, measured: Measured) -> Judged:
    verdict, remark = _verdict(cell, measured, paper_run.paper) if cell.row.printed else (OURS, "")
    in_print = [f"in print: {cell.printed.note}"] if cell.printed.note else []
    notes = (*_circumstances(paper_run, cell, measured), *measured.notes, *in_print)
    note = "; ".join(part for part in (remark, *notes) if part)
    difference, stand_in = measured.value - cell.printed.value, measured.stand_in or measured.narrow
    return Judged(paper_run.paper.key, cell, measured, verdict, remark, notes, note, difference, stand_in)


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
        measured.dataset,
        each.stand_in,
        measured.metric,
        measured.protocol,
        measured.statistic,
        cell.printed.text,
        exact(measured.value),
        exact(measured.low),
        exact(measured.high),
        cell.unit,
        "" if measured.n is None else measured.n,
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
    """Return how often each verdict was given, in one line."""
    counts = Counter(each.verdict for each in judged)
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])


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


def _verdict(cell: Cell, measured: Measured, paper: Paper) -> tuple[str, str]:
    """Return the verdict on a printed text, and what has to be said about it."""
    text, printed = cell.printed.text, cell.printed.number
    if text in cell.outcomes:
        return _outcome_verdict(text, cell.outcomes[text], measured)
    if printed is None:
        why = f"not measured: {measured.reason}" if measured.reason else ""
        return ("not printed" if cell.printed.blank else "unreadable"), why
    if measured.outcome:
        return measured.outcome, measured.reason
    if measured.reason:
        return "not measured", measured.reason
    if measured.metric == "parameters":
        agrees, how = _prints_as(measured.value, printed, text)
        size = f"{measured.value:.4g}" if cell.statistic == "ratio" else f"{measured.value:,.0f}"
        return ("reproduced" if agrees else "differs"), f"{size} {how}"
    if measured.stand_in or measured.narrow:
        return "stand-in", ""
    if measured.metric == "seconds":
        return "other hardware", "; ".join(_elsewhere(cell, printed, measured, paper))
    if measured.failed:
        return "incomplete", "not compared: the printed number leaves no registration out"
    return _number_verdict(printed, measured, cell.tolerance)


def _elsewhere(cell: Cell, printed: Number, measured: Measured, paper: Paper) -> Iterator[str]:
    """Yield what the printed seconds are of and, for a ratio, where the printed one lies: no verdict on either."""
    if paper.hardware:
        yield f"printed: {paper.hardware}"
    if cell.statistic == "ratio" and not math.isnan(measured.low):
        yield _within(printed, measured)[1]


def _outcome_verdict(text: str, outcome: str, measured: Measured) -> tuple[str, str]:
    """Compare how this run's training ended with the printed word that says how the paper's did."""
    if measured.reason and not measured.outcome:
        return "not measured", measured.reason
    here = (
        f"here it {measured.outcome} too: {measured.reason}" if measured.outcome else "here it was trained to the end"
    )
    remark = f"printed “{text}”, which stands for a training that {outcome}; {here}"
    if measured.stand_in or measured.narrow:
        return "stand-in", remark
    return ("reproduced" if measured.outcome == outcome else "differs"), remark


def _prints_as(value: float, printed: Number, text: str) -> tuple[bool, str]:
    """Return whether a number can become the printed one, and how."""
    digits, wanted = value / printed.step, round(printed.value / printed.step)
    if round(digits) == wanted:
        return True, f"rounds to the printed {text}"
    if math.floor(digits + 1e-9) == wanted:
        return True, f"is cut, though not rounded, to the printed {text}"
    return False, f"does not give the printed {text}"


def _number_verdict(printed: Number, measured: Measured, tolerance: float | None) -> tuple[str, str]:
    """Compare within the tolerance, or with the measured interval widened by half a unit of the last printed digit."""
    if tolerance is not None:
        inside = abs(measured.value - printed.value) <= tolerance + 1e-9
        return ("reproduced" if inside else "differs"), f"tolerance {tolerance:g}"
    inside, where = _within(printed, measured)
    return ("reproduced" if inside else "differs"), where


def _within(printed: Number, measured: Measured) -> tuple[bool, str]:
    """Return whether a printed number lies in the measured interval, or is the measured number, and say so."""
    half = printed.step / 2
    known = not math.isnan(measured.low)
    low, high = (measured.low, measured.high) if known else (measured.value, measured.value)
    inside = low - half - 1e-9 <= printed.value <= high + half + 1e-9
    what = "95 % interval" if known else "measured number"
    place = "inside" if inside else "outside"
    return inside, f"printed value {place} of the {what} ± {half:g}"


def _circumstances(paper_run: PaperRun, cell: Cell, measured: Measured) -> list[str]:
    """Return what a reader has to know before comparing: other data, to test on or to learn from, another width."""
    if measured.reason and not measured.outcome:
        return []
    notes = []
    if measured.stand_in:
        keys = cell.datasets if measured.dataset != OWN_SIZE else ()
        played = [player for key in keys if (player := paper_run.players[key]).stand_in]
        notes += [f"on {'; '.join(player.in_ledger for player in played)}"] if played else []
        if cell.pair and any(player.note for player in played):
            notes.append(f"pair {cell.pair} of these may be another one of the paper's")
    if measured.learned:
        notes.append(f"trained on {measured.learned}, the paper's on {paper_run.paper.training.name}")
    if measured.narrow:
        notes.append("a network narrower than the paper's")
    if measured.threads is not None:
        device = f" of {measured.device}" if measured.device else ""
        grid = f", {measured.grid.replace('x', ' x ')} voxels" if measured.grid else ""
        notes.append(f"{measured.threads} thread{'s' if measured.threads > 1 else ''}{device}{grid}")
    if measured.timed_as:
        notes.append(f"timed as {measured.timed_as}, the same network at registration")
    return notes


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
