"""A paper's tables in its own layout: what this run measured, and below it in brackets what the paper prints."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from benchmarks.clock.hardware import parse
from datasets.files import one_line
from reports.paper.cast import PaperRun
from reports.paper.contents import OWN_SIZE, Cell, Column, PaperTable, Row
from reports.paper.costs import BESIDE, NOT_KNOWN
from reports.paper.costs import METRICS as COSTS
from reports.paper.ledger import OURS, Judged, exact, shown
from reports.paper.printed import DASHES
from reports.reading.elsewhere import gpu_seconds
from reports.reading.run import Run
from reports.reading.summary import DRAWN, drawn
from reports.reading.timed import Sought
from reports.tables.numbers import MINUS
from reports.tables.table import Group, Head, Table, Text
from reports.tables.write import write_tables

Cells = Mapping[tuple[str, str], Judged]  # by row and column


@dataclass
class Reasons:
    """Numbers the reasons why cells have no number, each reason once."""

    found: list[str] = field(default_factory=list)

    def mark(self, reason: str, outcome: str = "") -> str:
        """Return what stands in the place of a number: how the training ended, or n. m., with the reason's number."""
        if reason not in self.found:
            self.found.append(reason)
        return f"{outcome or 'n. m.'} [{self.found.index(reason) + 1}]"


def write_paper_tables(folder: Path, paper_run: PaperRun, judged: Sequence[Judged]) -> list[Table]:
    """Write ``<paper>-table<N>.{csv,md,tex}`` for every table of the paper; return the tables.

    ``judged`` are the printed cells and those of rows that the paper does not have (`reports.paper.ledger.beside`).
    """
    tables = []
    for printed in paper_run.paper.tables:
        here = {(each.cell.row.key, each.cell.column.key): each for each in judged if each.cell.table == printed.number}
        table = paper_table(paper_run, printed, here)
        write_tables(folder, f"{paper_run.paper.key}-table{printed.number}", table_frame(printed, here), [table])
        tables.append(table)
    return tables


def paper_table(paper_run: PaperRun, printed: PaperTable, judged: Cells) -> Table:
    """Return one table in the paper's layout; a gain or an SD stands in the cell of the number that it belongs to."""
    columns = [column for column in printed.columns if not (column.gain_of or column.sd_of)]
    heads = [Head(title, number=False) for title in printed.head]
    heads += [_head(paper_run, column, judged) for column in columns]
    reasons, rows = Reasons(), []
    for row in printed.rows:
        numbers = [_text_cell(_parts(printed, row, column, judged), reasons) for column in columns]
        rows.append([*map(Text, row.labels), *numbers])
    caption = f"{printed.title} of {paper_run.paper.cite}: {printed.caption}"
    return Table(caption, heads, rows, [*_notes(paper_run, judged, reasons), *_readings(printed)])


def table_frame(printed: PaperTable, judged: Cells) -> pd.DataFrame:
    """Return the same for machines: a row each, and for each column the measured number and ``<column>_printed``.

    A column with several units has ``<column>_unit`` as well.
    """
    names = [re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_") for title in printed.head]
    rows = []
    for row in printed.rows:
        values = {"row": row.key, **dict(zip(names, row.labels, strict=True)), "method": row.method}
        for column in printed.columns:
            each = judged.get((row.key, column.key))
            values[column.key] = exact(each.measured.value) if each else ""
            values[f"{column.key}_printed"] = exact(each.cell.printed.value) if each else ""
            if len({one.cell.unit for one in judged.values() if one.cell.column is column}) > 1:
                values[f"{column.key}_unit"] = each.cell.unit if each else ""
        rows.append(values)
    return pd.DataFrame(rows)


def _head(paper_run: PaperRun, column: Column, judged: Cells) -> Head:
    """Return a column's head; its group says which data set was measured where that is the column's own."""
    played = ""
    if len(column.datasets) == 1:
        player = paper_run.players[column.datasets[0]]
        played = player.in_table(named=column.group != player.title)
    here = [each for place, each in judged.items() if place[1] == column.key]
    if any(each.measured.dataset == OWN_SIZE for each in here):
        played = f"{'' if all(each.cell.metric in (*COSTS, '') for each in here) else 'costs '}at {OWN_SIZE}"
    return Head(column.label, group=Group(column.group, played)) if column.group else Head(column.label, played)


def _parts(printed: PaperTable, row: Row, column: Column, judged: Cells) -> list[Judged]:
    """Return the cell of a row and column, with its gain or SD where the paper prints one."""
    more = [other.key for other in printed.columns if column.key in (other.gain_of, other.sd_of)]
    return [judged[row.key, key] for key in (column.key, *more) if (row.key, key) in judged]


def _text_cell(parts: Sequence[Judged], reasons: Reasons) -> Text:
    if not parts:
        return Text("")
    texts = [_text(part, reasons) for part in parts]
    dagger = " †" if any(part.measured.failed for part in parts) else ""
    muted = all(part.measured.reason for part in parts)
    ended = any(part.measured.outcome for part in parts)
    text = ", ".join(dict.fromkeys(texts)) if muted else _joined(texts, parts)
    if parts[0].verdict == OURS:
        return Text(text + dagger, muted=muted, outcome=ended)
    printed = [MINUS if part.cell.printed.text in DASHES else part.cell.printed.text for part in parts]
    one_word = math.isnan(parts[0].cell.printed.value) and len(set(printed)) == 1
    return Text(text + dagger, muted=muted, printed=printed[0] if one_word else _joined(printed, parts))


def _text(each: Judged, reasons: Reasons) -> str:
    """Return what was measured, or the mark of why nothing was."""
    if each.measured.reason:
        return reasons.mark(each.measured.reason, each.measured.outcome)
    of_all = f" of {each.measured.n}" if each.cell.form == "count" else ""
    return shown(each.measured.value, each.cell) + of_all


def _joined(texts: Sequence[str], parts: Sequence[Judged]) -> str:
    """Return a number with its gain or SD, and its unit where the cell shows it."""
    between, cell = " ± " if any(part.cell.column.sd_of for part in parts) else ", ", parts[0].cell
    unit = f" {cell.unit}" if cell.with_unit and cell.unit != "1" else ""
    return between.join(texts) + unit


def _notes(paper_run: PaperRun, judged: Cells, reasons: Reasons) -> Iterator[str]:
    set_up = all(each.cell.setting for each in judged.values())
    what = "As training was set up in this run" if set_up else "Measured in this run"
    yield f"{what}; in brackets what the paper prints, ({MINUS}) where it prints no number."
    if any(each.verdict == OURS for each in judged.values()):
        yield "Rows without brackets are not in the paper."
    if played := _players(paper_run, judged):
        yield played
    if any(each.stand_in for each in judged.values()):
        yield "Stand-ins: numbers of other data or narrower networks than the paper's are no reproductions."
    if any(each.cell.column.gain_of and not each.measured.reason for each in judged.values()):
        yield "Behind a comma: the gain over the pairs and trainings that both have; no difference of the two means."
    if any(_before(paper_run, each.cell) for each in judged.values()):
        yield DRAWN
    if learned := _learned(judged):
        yield f"Trained on other data than the paper's ({paper_run.training_titles}): {learned}."
    if taught := paper_run.taught(dict.fromkeys(each.cell.method for each in judged.values())):
        yield taught
    if paper_run.run.about:
        yield paper_run.run.about
    if failed := [each.verdict == OURS for each in judged.values() if each.measured.failed]:
        where = [*(["the ledger"] if not all(failed) else []), *(["the notes on rows of ours"] if any(failed) else [])]
        verb = "count" if any(failed) else "counts"
        yield f"† Without the registrations or calls that failed; {' and '.join(where)} {verb} them."
    if ours := _ours(judged):
        yield f"Notes on rows of ours, which the paper does not have: {ours}."
    yield from _remarks(paper_run.run, judged, reasons)


def _remarks(run: Run, judged: Cells, reasons: Reasons) -> Iterator[str]:
    if reasons.found:
        listed = "; ".join(f"[{number}] {reason}" for number, reason in enumerate(reasons.found, start=1))
        diverged = "; diverged: the training ended so" if any(each.measured.outcome for each in judged.values()) else ""
        yield f"n. m.: not measured{diverged}. {listed}."
    if narrow := _narrow(judged):
        sizes = any(each.measured.dataset == OWN_SIZE for each in judged.values())
        yield f"Networks narrower than the paper's{', but for their costs' * sizes}: {narrow}."
    yield from _clock(judged)
    yield from _elsewhere(run, judged)
    if unreadable := [each for each in judged.values() if each.verdict == "unreadable"]:
        listed = "; ".join(f"{each.cell.row.name}, “{each.cell.printed.text}”" for each in unreadable)
        yield f"Not readable in print: {listed}."


def _learned(judged: Cells) -> str:
    """Return the networks that were trained on other data, by these."""
    networks: dict[str, dict[str, None]] = {}
    for each in judged.values():
        if each.measured.learned and _is_of_one(each) and (each.measured.outcome or not each.measured.reason):
            networks.setdefault(each.measured.learned, {})[_network(each)] = None
    return "; ".join(f"{' and '.join(names)} on {data}" for data, names in networks.items())


def _ours(judged: Cells) -> str:
    """Return what has to be known of the numbers in rows that the paper does not have, for no ledger says it."""
    notes: dict[str, dict[str, None]] = {}
    for each in judged.values():
        if each.verdict == OURS and not each.measured.reason:
            low, high = each.measured.low, each.measured.high
            about = dict.fromkeys(each.measured.notes)
            if not math.isnan(low) and not each.cell.column.sd_of:
                about[
                    f"{each.cell.column.label}, 95 % interval {shown(low, each.cell)} to {shown(high, each.cell)}"
                ] = None
            notes.setdefault(each.cell.row.name, {}).update(about)
    return "; ".join(f"{row}: {', '.join(found)}" for row, found in notes.items() if found)


def _before(paper_run: PaperRun, cell: Cell) -> bool:
    """Return whether a cell has the landmark distance before registration of a phantom that is drawn to have it."""
    played = (paper_run.players[key].dataset for key in cell.datasets)
    distance = cell.method == "identity" and cell.metric == "tre" and cell.region != "count"
    return distance and any(each is not None and drawn(each) for each in played)


def _players(paper_run: PaperRun, judged: Cells) -> str:
    """Return which data sets play those that no head names, because the rows or the whole table do."""
    here = [each.cell for each in judged.values() if each.measured.dataset != OWN_SIZE]
    keys = [key for cell in here if not cell.column.datasets for key in cell.datasets]
    played = [paper_run.players[key].in_table(named=True) for key in dict.fromkeys(keys)]
    return f"Data sets: {'; '.join(played)}." if played else ""


def _narrow(judged: Cells) -> str:
    """Return the networks that are narrower."""
    narrow = [each for each in judged.values() if each.measured.narrow and _is_of_one(each)]
    return " and ".join(dict.fromkeys(map(_network, narrow)))


def _is_of_one(each: Judged) -> bool:
    """Return whether a cell is the main number of one method, not an SD or a comparison."""
    return not each.cell.column.sd_of and not each.cell.against


def _network(each: Judged) -> str:
    """Return what a table calls a network: its row, or its columns where these are of a method."""
    column = each.cell.column
    return (column.group or column.label) if column.method else each.cell.row.name


def _clock(judged: Cells) -> Iterator[str]:
    """Yield what the seconds are, their threads, which rows were timed as another method, and the hardware."""
    timed = [each for each in judged.values() if each.measured.threads is not None]
    if not timed:
        return
    threads = " and ".join(map(str, sorted({each.measured.threads or 0 for each in timed})))
    others = [f"{each.cell.row.name} as {each.measured.timed_as}" for each in timed if each.measured.timed_as]
    same = f"; the same network timed once: {', '.join(dict.fromkeys(others))}" if others else ""
    statistic = " and ".join(dict.fromkeys(each.measured.statistic for each in timed))
    devices = "".join(f", {device}" for device in dict.fromkeys(each.measured.device for each in timed) if device)
    yield f"Seconds: {statistic} of warm calls{devices}, threads: {threads}, on {_images(timed)}{same}."
    if once := dict.fromkeys(each.cell.row.name for each in timed if each.measured.once):
        yield f"One call alone, with the options that hold on every data set: {', '.join(once)}."
    said = dict.fromkeys(note for each in timed for note in each.measured.notes)
    for lead, words in (("Not alone on the machine", BESIDE), ("Other work", NOT_KNOWN)):
        if found := [note for note in said if words in note]:
            yield f"{lead}: {'; '.join(found)}."
    for hardware in dict.fromkeys(each.measured.hardware for each in timed):
        yield f"Hardware of the seconds: {parse(hardware).words}."


def _images(timed: Sequence[Judged]) -> str:
    """Return what images seconds are of: those drawn at random for the paper's size, then those of data sets."""
    found = []
    for own, what in ((True, "images drawn at random, "), (False, "")):
        here = [each for each in timed if (each.measured.dataset == OWN_SIZE) is own]
        if grids := " and ".join(dict.fromkeys(each.measured.grid.replace("x", " x ") for each in here)):
            names = ", ".join(dict.fromkeys(each.cell.row.name for each in here))
            found.append(f"data of this profile ({names}), {grids} voxels" if found else f"{what}{grids} voxels")
    return ", and on ".join(found)


def _of_network(run: Run, cell: Cell, seconds: Mapping[str, float]) -> float | None:
    """Return the seconds of a cell's network, which another method may have too."""
    timed, same = run.timed, [cell.method]
    for dataset in timed.same:
        same += timed.same_network(Sought(cell.method, "cuda", dataset))
    return next((seconds[name] for name in same if name in seconds), None)


def _elsewhere(run: Run, judged: Cells) -> Iterator[str]:
    """Yield the seconds on another machine's GPU where this run has none; they are no part of the table."""
    lacking = [each.cell for each in judged.values() if each.cell.device == "cuda" and each.measured.reason]
    for gpu, seconds in gpu_seconds().items():
        known = {cell.row.name: _of_network(run, cell, seconds) for cell in lacking}
        if listed := "; ".join(f"{name} {value:.3f}" for name, value in known.items() if value):
            size = "128 x 128 x 128 voxels, full width, single precision"
            yield f"GPU seconds measured elsewhere, on one {gpu} ({size}; docs/gpu.md): {listed}."


def _readings(printed: PaperTable) -> Iterator[str]:
    """Yield which reading of the paper was run and what the other changes."""
    for reading in printed.readings:
        yield f"{reading.topic}. Run: {_sentence(reading.run)} Other reading: {_sentence(reading.other)}"


def _sentence(text: str) -> str:
    flat = one_line(text)
    return flat if flat.endswith(".") else f"{flat}."
