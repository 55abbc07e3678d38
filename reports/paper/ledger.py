"""The ledger: every printed number of a paper beside what was measured, with a verdict."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from reports.paper.cast import PaperRun
from reports.paper.layout import Entry, Paper, cells, dataset_keys, find, specification
from reports.paper.measured import Measured, Reader
from reports.paper.printed import MULTIPLES, Printed, is_blank, read_number
from reports.tables.numbers import MINUS, exact, number
from reports.tables.table import Cell, Head, Table

COLUMNS = (
    "paper", "table", "row", "column", "dataset", "stand_in", "metric", "protocol", "statistic", "printed", "measured",
    "low", "high", "unit", "n", "difference", "verdict", "note",
)  # fmt: skip
# In order of display. "reproduced" and "differs" are said of the paper's own data and, of sizes, of its own networks;
# "incomplete" of its own data where registrations failed, for a mean over the others is another number.
VERDICTS = (
    "reproduced", "differs", "incomplete", "other hardware", "stand-in", "diverged", "not measured", "not printed",
    "unreadable",
)  # fmt: skip
TIMES = "\N{MULTIPLICATION SIGN}"
OURS = "not in the paper"  # the verdict on a row that the paper does not have, which no ledger lists


@dataclass(frozen=True)
class Judged:
    """One cell: the entries of its table, row and column, what is printed, what was measured, the verdict.

    ``cell`` is its specification, ``remark`` goes with the verdict, ``notes`` are what else a reader has to know.
    """

    paper: str
    table: Entry
    row: Entry
    column: Entry
    text: str
    printed: float
    measured: Measured
    verdict: str
    remark: str
    notes: tuple[str, ...]
    cell: Entry

    @property
    def note(self) -> str:
        return "; ".join(part for part in (self.remark, *self.notes) if part)

    @property
    def difference(self) -> float:
        """Measured minus printed, in printed units; NaN where there is only one of them."""
        return self.measured.value - self.printed

    @property
    def stand_in(self) -> bool:
        """Whether the number is of other data than the paper's, tested or learned from, or of a narrower network."""
        return self.measured.stand_in or self.measured.narrow


def judge(stage: PaperRun) -> list[Judged]:
    """Every printed cell of the paper, in the order of its CSV, with what the run measured and a verdict."""
    reader, judged = Reader(stage), []
    tables = {table["number"]: table for table in stage.paper.tables}
    for cell in stage.paper.printed.to_dict("records"):
        table = tables[cell["table"]]
        row, column = find(table["rows"], cell["row"]), find(table["columns"], cell["column"])
        measured = reader.cell(table, row, column)
        what = specification(table, row, column)
        verdict, remark = _verdict(cell["printed"], measured, what, stage.paper)
        in_print = [f"in print: {cell['note']}"] if cell["note"] else []
        notes = (*_circumstances(stage, what, measured), *measured.notes, *in_print)
        printed = cell["printed"], cell["value"]
        judged.append(Judged(stage.paper.key, table, row, column, *printed, measured, verdict, remark, notes, what))
    return judged


def beside(stage: PaperRun) -> list[Judged]:
    """The cells of rows that the paper does not have: measured, and nothing printed to compare with."""
    reader, found = Reader(stage), []
    for table in stage.paper.tables:
        for row, column in cells(table, printed=False):
            measured, what = reader.cell(table, row, column), specification(table, row, column)
            notes = (*_circumstances(stage, what, measured), *measured.notes)
            found.append(Judged(stage.paper.key, table, row, column, "", math.nan, measured, OURS, "", notes, what))
    return found


def ledger_frame(judged: Sequence[Judged]) -> pd.DataFrame:
    """The ledger as text for a CSV file: columns `COLUMNS`, printed units, one row a printed cell."""
    rows = [
        (
            each.paper, each.table["number"], each.row["key"], each.column["key"], each.measured.dataset,
            each.stand_in, each.measured.metric, each.measured.protocol, each.measured.statistic, each.text,
            exact(each.measured.value), exact(each.measured.low), exact(each.measured.high), each.cell["unit"],
            "" if each.measured.n is None else each.measured.n, exact(each.difference), each.verdict, each.note,
        )
        for each in judged
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def ledger_table(judged: Sequence[Judged], caption: str) -> Table:
    """The ledger for readers."""
    heads = [Head(title, number=False) for title in ("Table", "Row", "Column")]
    heads += [Head("Printed"), Head("Measured"), Head("95 % interval"), Head("Difference"), Head("n")]
    heads += [Head("Verdict", number=False), Head("Note", width="8cm", number=False)]
    return Table(caption, heads, [_ledger_row(each) for each in judged])


def verdict_counts(judged: Sequence[Judged]) -> str:
    """How often each verdict was given, in one line."""
    counts = Counter(each.verdict for each in judged)
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])


def row_name(row: Entry) -> str:
    """A row's labels as one, without empty ones and dashes."""
    return ", ".join(label for label in row["labels"] if label not in ("", "\N{EM DASH}"))


def shown(value: float, cell: Entry) -> str:
    """A cell's number for readers: its decimals, else its significant digits, at most four decimals where those are not
    set; a gain with its sign, a range or a grid in the paper's form.
    """
    if cell.get("suffix"):
        return f"{number(value / MULTIPLES[cell['suffix']], cell.get('decimals', 2))}{cell['suffix']}"
    if "digits" not in cell and cell.get("decimals") == 0:
        text = f"{value:,.0f}".replace(",", "\u202f").replace("-", MINUS)
    elif "digits" not in cell and "decimals" in cell:
        text = number(value, cell["decimals"])
    else:
        digits, most = cell.get("digits", 3), 20 if "digits" in cell else 4
        text = number(value, max(0, min(most, digits - 1 - math.floor(math.log10(abs(value))))) if value else 0)
    if cell.get("form") in ("range", "cube"):
        return f"[{MINUS}{text}, {text}]" if cell["form"] == "range" else TIMES.join([text] * 3)
    return f"+{text}" if "gain_of" in cell and value > 0 and text.strip("0.") else text


def _verdict(text: str, measured: Measured, cell: Entry, paper: Paper) -> tuple[str, str]:
    """The verdict on a printed text, and what has to be said about it."""
    if text in cell.get("outcomes", {}):
        return _outcome_verdict(text, cell["outcomes"][text], measured)
    printed = read_number(text)
    if printed is None:
        why = f"not measured: {measured.reason}" if measured.reason else ""
        return ("not printed" if is_blank(text) else "unreadable"), why
    if measured.outcome:
        return measured.outcome, measured.reason
    if measured.reason:
        return "not measured", measured.reason
    if measured.metric == "parameters":
        return _size_verdict(printed, text, measured)
    if measured.stand_in or measured.narrow:
        return "stand-in", ""
    if measured.metric == "seconds":
        return "other hardware", f"printed: {paper.hardware}" if paper.hardware else ""
    if measured.failed:
        return "incomplete", "not compared: the printed number leaves no registration out"
    return _number_verdict(printed, measured, cell.get("tolerance", paper.tolerance.get(measured.metric)))


def _outcome_verdict(text: str, outcome: str, measured: Measured) -> tuple[str, str]:
    """A printed word says how a training ended: whether this run's ended so too."""
    if measured.reason and not measured.outcome:
        return "not measured", measured.reason
    here = (
        f"here it {measured.outcome} too: {measured.reason}" if measured.outcome else "here it was trained to the end"
    )
    remark = f"printed “{text}”, which stands for a training that {outcome}; {here}"
    if measured.stand_in or measured.narrow:
        return "stand-in", remark
    return ("reproduced" if measured.outcome == outcome else "differs"), remark


def _size_verdict(printed: Printed, text: str, measured: Measured) -> tuple[str, str]:
    """A size is compared at the paper's width: it must round, or be cut, to the printed digits."""
    if measured.narrow and measured.full is not None:
        _, how = _prints_as(measured.full, printed, text)
        return "stand-in", f"at the paper's width {measured.full:,}, which {how}"
    agrees, how = _prints_as(measured.value, printed, text)
    return ("reproduced" if agrees else "differs"), f"{measured.value:,.0f} {how}"


def _prints_as(value: float, printed: Printed, text: str) -> tuple[bool, str]:
    """Whether a number can become the printed one, and how."""
    digits, wanted = value / printed.step, round(printed.value / printed.step)
    if round(digits) == wanted:
        return True, f"rounds to the printed {text}"
    if math.floor(digits + 1e-9) == wanted:
        return True, f"is cut, though not rounded, to the printed {text}"
    return False, f"does not give the printed {text}"


def _number_verdict(printed: Printed, measured: Measured, tolerance: float | None) -> tuple[str, str]:
    """Within the tolerance, or inside of the measured interval widened by half a unit of the last printed digit."""
    if tolerance is not None:
        inside = abs(measured.value - printed.value) <= tolerance + 1e-9
        return ("reproduced" if inside else "differs"), f"tolerance {tolerance:g}"
    half = printed.step / 2
    known = not math.isnan(measured.low)
    low, high = (measured.low, measured.high) if known else (measured.value, measured.value)
    inside = low - half - 1e-9 <= printed.value <= high + half + 1e-9
    what = "95 % interval" if known else "measured number"
    place = "inside" if inside else "outside"
    return ("reproduced" if inside else "differs"), f"printed value {place} of the {what} ± {half:g}"


def _circumstances(stage: PaperRun, cell: Entry, measured: Measured) -> list[str]:
    """What a reader has to know before comparing: other data, to test on or to learn from, another width."""
    if measured.reason and not measured.outcome:
        return []
    notes = []
    if measured.stand_in:
        played = [player for key in dataset_keys(cell) if (player := stage.players[key]).stand_in]
        notes += [f"on {'; '.join(player.in_ledger() for player in played)}"] if played else []
        if "pair" in cell and any(player.note for player in played):
            notes.append(f"pair {cell['pair']} of these may be another one of the paper's")
    if measured.learned:
        notes.append(f"trained on {measured.learned}, the paper's on {stage.paper.training}")
    if measured.narrow and measured.metric != "parameters":
        notes.append("a network narrower than the paper's")
    if measured.threads is not None:
        device = f" of {measured.device}" if measured.device else ""
        notes.append(f"{measured.threads} thread{'s' if measured.threads > 1 else ''}{device}")
    if measured.timed_as:
        notes.append(f"timed as {measured.timed_as}, the same network at registration")
    return notes


def _ledger_row(each: Judged) -> list[Cell]:
    measured = each.measured
    missing = Cell("—", muted=True)
    known = not math.isnan(measured.value)
    interval = "—" if math.isnan(measured.low) else (
        f"{shown(measured.low, each.cell)} to {shown(measured.high, each.cell)}"
    )  # fmt: skip
    signed = {**{name: value for name, value in each.cell.items() if name != "form"}, "gain_of": "-"}
    return [
        Cell(str(each.table["number"])),
        Cell(row_name(each.row)),
        Cell(" ".join(part for part in (each.column.get("group"), each.column["label"]) if part)),
        Cell(each.text),
        Cell(shown(measured.value, each.cell))
        if known
        else Cell(measured.outcome, muted=True)
        if measured.outcome
        else missing,
        Cell(interval),
        missing if math.isnan(each.difference) else Cell(shown(each.difference, signed)),
        missing if measured.n is None else Cell(str(measured.n)),
        Cell(each.verdict),
        Cell(each.note),
    ]
