"""A paper's tables in its own layout: what this run measured, and below it in brackets what the paper prints."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from reports.ledger import Judged, shown
from reports.overview import display_title
from reports.paper import Entry, PaperRun, is_blank
from reports.tables import MINUS, Cell, Group, Head, Table, exact, write_tables

ROMAN = ("0", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X")
Cells = Mapping[tuple[str, str], Judged]  # of (row, column)


@dataclass
class Reasons:
    """Numbers the reasons why cells have no number, each reason once."""

    found: list[str] = field(default_factory=list)

    def mark(self, reason: str) -> str:
        if reason not in self.found:
            self.found.append(reason)
        return f"n. m. [{self.found.index(reason) + 1}]"


def write_paper_tables(folder: Path, run: PaperRun, judged: Sequence[Judged]) -> list[Table]:
    """Write ``<paper>-table<N>.{csv,md,tex}`` for every table of the paper; return the tables."""
    tables = []
    for entry in run.paper.tables:
        here = {(each.row["key"], each.column["key"]): each for each in judged if each.table is entry}
        table = paper_table(run, entry, here)
        write_tables(folder, f"{run.paper.key}-table{entry['number']}", table_frame(entry, here), [table])
        tables.append(table)
    return tables


def paper_table(run: PaperRun, entry: Entry, judged: Cells) -> Table:
    """One table in the paper's layout; a gain stands in the cell of the number that it belongs to."""
    columns = [column for column in entry["columns"] if "gain_of" not in column]
    heads = [Head(title, number=False) for title in entry["head"]]
    heads += [_head(run, column) for column in columns]
    reasons, rows = Reasons(), []
    for row in entry["rows"]:
        numbers = [_cell(_parts(entry, row, column, judged), reasons) for column in columns]
        rows.append([*map(Cell, row["labels"]), *numbers])
    return Table(_caption(run, entry), heads, rows, [*_notes(run, judged, reasons), *_readings(entry)])


def table_frame(entry: Entry, judged: Cells) -> pd.DataFrame:
    """The same for machines: a row each, and for each column the measured number and ``<column>_printed``."""
    names = [re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_") for title in entry["head"]]
    rows = []
    for row in entry["rows"]:
        values = {"row": row["key"], **dict(zip(names, row["labels"], strict=True)), "method": row["method"]}
        for column in entry["columns"]:
            cell = judged.get((row["key"], column["key"]))
            values[column["key"]] = exact(cell.measured.value) if cell else ""
            values[f"{column['key']}_printed"] = exact(cell.printed) if cell else ""
        rows.append(values)
    return pd.DataFrame(rows)


def _head(run: PaperRun, column: Entry) -> Head:
    """A column's head; its group says which data set was measured."""
    key, title = column["dataset"], run.paper.datasets[column["dataset"]]["title"]
    if key not in run.datasets:
        played = "no data set plays it" if column.get("group") == title else f"no data set plays {title}"
    elif run.is_stand_in(key):
        player = display_title(run.datasets[key])
        played = f"played by {player}" if column.get("group") == title else f"{title} played by {player}"
    else:
        played = "measured on it" if column.get("group") == title else f"on {title}"
    if "group" in column:
        return Head(column["label"], group=Group(column["group"], played))
    return Head(column["label"], played)


def _parts(entry: Entry, row: Entry, column: Entry, judged: Cells) -> list[Judged]:
    """The cell of a row and column, and that of its gain where the paper prints one."""
    keys = [column["key"], *(other["key"] for other in entry["columns"] if other.get("gain_of") == column["key"])]
    return [judged[row["key"], key] for key in keys if (row["key"], key) in judged]


def _cell(parts: Sequence[Judged], reasons: Reasons) -> Cell:
    texts = [
        reasons.mark(part.measured.reason) if part.measured.reason else shown(part.measured.value, part.column)
        for part in parts
    ]
    dagger = " †" if any(part.measured.failed for part in parts) else ""
    muted = all(part.measured.reason for part in parts)
    printed = ", ".join(MINUS if is_blank(part.text) else part.text for part in parts)
    return Cell(", ".join(dict.fromkeys(texts)) + dagger, muted=muted, printed=printed)


def _caption(run: PaperRun, entry: Entry) -> str:
    return f"Table {ROMAN[entry['number']]} of {run.paper.cite}: {entry['caption']}"


def _notes(run: PaperRun, judged: Cells, reasons: Reasons) -> Iterator[str]:
    yield f"Measured in this run; in brackets what the paper prints, ({MINUS}) where it prints no number."
    if any(each.stand_in for each in judged.values()):
        yield "Stand-ins: numbers of other data or narrower networks than the paper's are no reproductions."
    if run.about:
        yield run.about
    if any(each.measured.failed for each in judged.values()):
        yield "† Without the registrations or calls that failed; the ledger counts them."
    if reasons.found:
        listed = "; ".join(f"[{number}] {reason}" for number, reason in enumerate(reasons.found, start=1))
        yield f"n. m.: not measured. {listed}."
    if narrow := _narrow(judged):
        yield f"Networks narrower than the paper's: {narrow}."
    if seconds := _clock(judged):
        yield seconds
    if unreadable := [each for each in judged.values() if each.verdict == "unreadable"]:
        listed = "; ".join(f"{', '.join(each.row['labels'])}, “{each.text}”" for each in unreadable)
        yield f"Not readable in print: {listed}."


def _narrow(judged: Cells) -> str:
    """The rows whose networks are narrower, with the size at full width where the table has a column of sizes."""
    narrow = [each for each in judged.values() if each.measured.narrow]
    sized = [each for each in narrow if each.measured.full is not None]
    by_remark: dict[str, dict[str, None]] = {}
    for each in sized or narrow:
        remark = f": {each.remark}" if each.measured.full is not None else ""
        by_remark.setdefault(remark, {})[", ".join(each.row["labels"])] = None
    return "; ".join(f"{' and '.join(rows)}{remark}" for remark, rows in by_remark.items())


def _clock(judged: Cells) -> str:
    """Threads of the seconds, and which rows were timed as another method."""
    timed = [each for each in judged.values() if each.measured.threads is not None]
    if not timed:
        return ""
    threads = " and ".join(map(str, sorted({each.measured.threads for each in timed})))
    others = [
        f"{', '.join(each.row['labels'])} as {each.measured.timed_as}" for each in timed if each.measured.timed_as
    ]
    same = f"; the same network timed once: {', '.join(dict.fromkeys(others))}" if others else ""
    return f"Seconds: median of warm calls, threads: {threads}{same}."


def _readings(entry: Entry) -> Iterator[str]:
    """Which reading of the paper was run and what the other changes."""
    for reading in entry["readings"]:
        yield f"{reading['topic']}. Run: {_sentence(reading['run'])} Other reading: {_sentence(reading['other'])}"


def _sentence(text: str) -> str:
    flat = " ".join(text.split())
    return flat if flat.endswith(".") else f"{flat}."
