"""A paper's tables in its own layout: what this run measured, and below it in brackets what the paper prints."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from reports.paper.cast import PaperRun
from reports.paper.layout import Entry, dataset_keys
from reports.paper.ledger import OURS, Judged, row_name, shown
from reports.paper.printed import DASHES
from reports.tables.numbers import MINUS, exact
from reports.tables.table import Cell, Group, Head, Table
from reports.tables.write import write_tables

ROMAN = ("0", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X")
Cells = Mapping[tuple[str, str], Judged]  # of (row, column)


@dataclass
class Reasons:
    """Numbers the reasons why cells have no number, each reason once."""

    found: list[str] = field(default_factory=list)

    def mark(self, reason: str, outcome: str = "") -> str:
        if reason not in self.found:
            self.found.append(reason)
        return f"{outcome or 'n. m.'} [{self.found.index(reason) + 1}]"


def write_paper_tables(folder: Path, stage: PaperRun, judged: Sequence[Judged]) -> list[Table]:
    """Write ``<paper>-table<N>.{csv,md,tex}`` for every table of the paper; return the tables.

    ``judged`` are the printed cells and those of rows that the paper does not have (`reports.paper.ledger.beside`).
    """
    tables = []
    for entry in stage.paper.tables:
        here = {(each.row["key"], each.column["key"]): each for each in judged if each.table is entry}
        table = paper_table(stage, entry, here)
        write_tables(folder, f"{stage.paper.key}-table{entry['number']}", table_frame(entry, here), [table])
        tables.append(table)
    return tables


def paper_table(stage: PaperRun, entry: Entry, judged: Cells) -> Table:
    """One table in the paper's layout; a gain or an SD stands in the cell of the number that it belongs to."""
    columns = [column for column in entry["columns"] if not {"gain_of", "sd_of"} & set(column)]
    heads = [Head(title, number=False) for title in entry["head"]]
    heads += [_head(stage, column) for column in columns]
    reasons, rows = Reasons(), []
    for row in entry["rows"]:
        numbers = [_cell(_parts(entry, row, column, judged), reasons) for column in columns]
        rows.append([*map(Cell, row["labels"]), *numbers])
    return Table(_caption(stage, entry), heads, rows, [*_notes(stage, judged, reasons), *_readings(entry)])


def table_frame(entry: Entry, judged: Cells) -> pd.DataFrame:
    """The same for machines: a row each, and for each column the measured number and ``<column>_printed``; also
    ``<column>_unit`` where the column has several.
    """
    names = [re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_") for title in entry["head"]]
    rows = []
    for row in entry["rows"]:
        values = {"row": row["key"], **dict(zip(names, row["labels"], strict=True)), "method": row.get("method", "")}
        for column in entry["columns"]:
            cell = judged.get((row["key"], column["key"]))
            values[column["key"]] = exact(cell.measured.value) if cell else ""
            values[f"{column['key']}_printed"] = exact(cell.printed) if cell else ""
            if len(_units(column, judged)) > 1:
                values[f"{column['key']}_unit"] = cell.cell["unit"] if cell else ""
        rows.append(values)
    return pd.DataFrame(rows)


def _units(column: Entry, judged: Cells) -> set[str]:
    return {each.cell["unit"] for (_, key), each in judged.items() if key == column["key"]}


def _head(stage: PaperRun, column: Entry) -> Head:
    """A column's head; its group says which data set was measured where that is the column's own."""
    played = ""
    if isinstance(column.get("dataset"), str):
        player = stage.players[column["dataset"]]
        played = player.in_table(named=column.get("group") != player.title)
    if "group" in column:
        return Head(column["label"], group=Group(column["group"], played))
    return Head(column["label"], played)


def _parts(entry: Entry, row: Entry, column: Entry, judged: Cells) -> list[Judged]:
    """The cell of a row and column, and that of its gain or SD where the paper prints one."""
    more = [other["key"] for other in entry["columns"] if column["key"] in (other.get("gain_of"), other.get("sd_of"))]
    return [judged[row["key"], key] for key in (column["key"], *more) if (row["key"], key) in judged]


def _cell(parts: Sequence[Judged], reasons: Reasons) -> Cell:
    if not parts:
        return Cell("")
    texts = [_text(part, reasons) for part in parts]
    dagger = " †" if any(part.measured.failed for part in parts) else ""
    muted = all(part.measured.reason for part in parts)
    text = ", ".join(dict.fromkeys(texts)) if muted else _joined(texts, parts)
    if parts[0].verdict == OURS:
        return Cell(text + dagger, muted=muted)
    printed = [MINUS if part.text in DASHES else part.text for part in parts]
    one_word = math.isnan(parts[0].printed) and len(set(printed)) == 1
    return Cell(text + dagger, muted=muted, printed=printed[0] if one_word else _joined(printed, parts))


def _text(each: Judged, reasons: Reasons) -> str:
    """What was measured, or the mark of why nothing was."""
    if each.measured.reason:
        return reasons.mark(each.measured.reason, each.measured.outcome)
    of_all = f" of {each.measured.n}" if each.cell.get("form") == "count" else ""
    return shown(each.measured.value, each.cell) + of_all


def _joined(texts: Sequence[str], parts: Sequence[Judged]) -> str:
    """A number with its gain or SD, and its unit where the cell shows it."""
    between, cell = " ± " if any("sd_of" in part.column for part in parts) else ", ", parts[0].cell
    unit = f" {cell['unit']}" if cell.get("with_unit") and cell["unit"] != "1" else ""
    return between.join(texts) + unit


def _caption(stage: PaperRun, entry: Entry) -> str:
    title = entry.get("title", f"Table {ROMAN[entry['number']]}")
    return f"{title} of {stage.paper.cite}: {entry['caption']}"


def _notes(stage: PaperRun, judged: Cells, reasons: Reasons) -> Iterator[str]:
    set_up = all("setting" in each.cell for each in judged.values())
    what = "As training was set up in this run" if set_up else "Measured in this run"
    yield f"{what}; in brackets what the paper prints, ({MINUS}) where it prints no number."
    if any(each.verdict == OURS for each in judged.values()):
        yield "Rows without brackets are not in the paper."
    if played := _players(stage, judged):
        yield played
    if any(each.stand_in for each in judged.values()):
        yield "Stand-ins: numbers of other data or narrower networks than the paper's are no reproductions."
    if learned := _learned(judged):
        yield f"Trained on other data than the paper's ({stage.paper.training}): {learned}."
    if stage.run.about:
        yield stage.run.about
    if failed := [each.verdict == OURS for each in judged.values() if each.measured.failed]:
        where = [*(["the ledger"] if not all(failed) else []), *(["the notes on rows of ours"] if any(failed) else [])]
        verb = "count" if any(failed) else "counts"
        yield f"† Without the registrations or calls that failed; {' and '.join(where)} {verb} them."
    if ours := _ours(judged):
        yield f"Notes on rows of ours, which the paper does not have: {ours}."
    if reasons.found:
        listed = "; ".join(f"[{number}] {reason}" for number, reason in enumerate(reasons.found, start=1))
        diverged = "; diverged: the training ended so" if any(each.measured.outcome for each in judged.values()) else ""
        yield f"n. m.: not measured{diverged}. {listed}."
    if narrow := _narrow(judged):
        yield f"Networks narrower than the paper's: {narrow}."
    if seconds := _clock(judged):
        yield seconds
    if unreadable := [each for each in judged.values() if each.verdict == "unreadable"]:
        listed = "; ".join(f"{row_name(each.row)}, “{each.text}”" for each in unreadable)
        yield f"Not readable in print: {listed}."


def _learned(judged: Cells) -> str:
    """The networks that were trained on other data, by these."""
    networks: dict[str, dict[str, None]] = {}
    for each in judged.values():
        if each.measured.learned and _is_of_one(each) and (each.measured.outcome or not each.measured.reason):
            networks.setdefault(each.measured.learned, {})[_network(each)] = None
    return "; ".join(f"{' and '.join(names)} on {data}" for data, names in networks.items())


def _ours(judged: Cells) -> str:
    """What there is to know of the numbers in rows that the paper does not have, for no ledger says it."""
    notes: dict[str, dict[str, None]] = {}
    for each in judged.values():
        if each.verdict == OURS and not each.measured.reason:
            low, high = each.measured.low, each.measured.high
            about = dict.fromkeys(each.measured.notes)
            if not math.isnan(low) and "sd_of" not in each.column:
                about[f"{each.column['label']}, 95 % interval {shown(low, each.cell)} to {shown(high, each.cell)}"] = (
                    None
                )
            notes.setdefault(row_name(each.row), {}).update(about)
    return "; ".join(f"{row}: {', '.join(found)}" for row, found in notes.items() if found)


def _players(stage: PaperRun, judged: Cells) -> str:
    """Which data sets play those that no head names, because the rows or the whole table do."""
    keys = [key for each in judged.values() if "dataset" not in each.column for key in dataset_keys(each.cell)]
    played = [stage.players[key].in_table(named=True) for key in dict.fromkeys(keys)]
    return f"Data sets: {'; '.join(played)}." if played else ""


def _narrow(judged: Cells) -> str:
    """The networks that are narrower, with the size at full width where the table has a column of sizes."""
    narrow = [each for each in judged.values() if each.measured.narrow and _is_of_one(each)]
    sized = [each for each in narrow if each.measured.full is not None]
    by_remark: dict[str, dict[str, None]] = {}
    for each in sized or narrow:
        remark = f": {each.remark}" if each.measured.full is not None else ""
        by_remark.setdefault(remark, {})[_network(each)] = None
    return "; ".join(f"{' and '.join(rows)}{remark}" for remark, rows in by_remark.items())


def _is_of_one(each: Judged) -> bool:
    """Whether a cell is the main number of one method, not an SD or a comparison."""
    return "sd_of" not in each.column and "against" not in each.cell


def _network(each: Judged) -> str:
    """What a table calls a network: its row, or its columns where these are of a method."""
    column = each.column
    return column.get("group", column["label"]) if "method" in column else row_name(each.row)


def _clock(judged: Cells) -> str:
    """What the seconds are, their threads, and which rows were timed as another method."""
    timed = [each for each in judged.values() if each.measured.threads is not None]
    if not timed:
        return ""
    threads = " and ".join(map(str, sorted({each.measured.threads for each in timed})))
    others = [f"{row_name(each.row)} as {each.measured.timed_as}" for each in timed if each.measured.timed_as]
    same = f"; the same network timed once: {', '.join(dict.fromkeys(others))}" if others else ""
    statistic = " and ".join(dict.fromkeys(each.measured.statistic for each in timed))
    devices = "".join(f", {device}" for device in dict.fromkeys(each.measured.device for each in timed) if device)
    return f"Seconds: {statistic} of warm calls{devices}, threads: {threads}{same}."


def _readings(entry: Entry) -> Iterator[str]:
    """Which reading of the paper was run and what the other changes."""
    for reading in entry["readings"]:
        yield f"{reading['topic']}. Run: {_sentence(reading['run'])} Other reading: {_sentence(reading['other'])}"


def _sentence(text: str) -> str:
    flat = " ".join(text.split())
    return flat if flat.endswith(".") else f"{flat}."
