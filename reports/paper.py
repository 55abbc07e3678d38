"""A paper as data: one YAML (layout, protocol, readings) and one CSV (every printed number, with its locator).

Nothing about a paper stands in code. What a printed cell holds is the string as printed; its ``value`` is that number
in the unit of the column, empty where the paper prints a dash or where the cell cannot be read (its note says why).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pandas as pd
import yaml

from datasets.case import Dataset
from datasets.files import Array
from reports.pictures import Labels
from reports.summary import Methods
from reports.trainings import Training

DisplacementPath = Callable[[str, str, int, str], Path]
Landmarks = Callable[[str, str], tuple[Array, Array] | None]  # of data set and pair: fixed and moving, voxels (n, 3)
Entry = Mapping[str, Any]

PAPERS = Path(__file__).parent / "papers"
SCHEMA = Path(__file__).parent / "schemas" / "paper.schema.yaml"
COLUMNS = ("table", "row", "column", "printed", "value", "unit", "locator", "note")
BLANKS = ("", "-", "\N{EN DASH}", "\N{MINUS SIGN}")
MULTIPLES: Mapping[str, float] = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}
_PRINTED = re.compile(r"([+\-\u2212]?)(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d+))?([kMG]?)")


class PaperError(ValueError):
    """A paper's files that cannot be used; the message is one line that says where and what."""


@dataclass(frozen=True)
class Paper:
    """A paper's layout and printed numbers; ``printed`` has the columns `COLUMNS`, one row a printed cell."""

    key: str
    title: str
    cite: str
    hardware: str
    tolerance: Mapping[str, float]
    datasets: Mapping[str, Entry]
    tables: Sequence[Entry]
    figures: Sequence[Entry]
    printed: pd.DataFrame


@dataclass(frozen=True)
class PaperRun:
    """What one run of a profile measured, seen from one paper.

    ``datasets`` maps a paper's key to the prepared data set that plays it; a key that nothing plays is absent.
    """

    paper: Paper
    metrics: pd.DataFrame
    timing: pd.DataFrame | None
    runs: pd.DataFrame
    datasets: Mapping[str, Dataset]
    methods: Methods
    displacement_path: DisplacementPath
    labels: Labels | None = None
    landmarks: Landmarks | None = None
    trainings: Sequence[Training] = ()
    about: str = ""  # what the profile cuts

    def is_stand_in(self, key: str) -> bool:
        """Whether the data set that plays ``key`` is another one: its name differs. KeyError where nothing plays it."""
        return self.datasets[key].name != key


@dataclass(frozen=True)
class Printed:
    """A printed number: its value and the size of one unit of its last digit, both in the column's unit."""

    value: float
    step: float


def known_papers() -> list[str]:
    """Keys of the papers that can be loaded."""
    return sorted(path.stem for path in PAPERS.glob("*.yaml"))


def load_paper(key: str, *, folder: Path = PAPERS) -> Paper:
    """Read ``<key>.yaml`` and ``<key>.csv``; raise `PaperError` with one line when they do not fit each other."""
    layout = _read_layout(folder / f"{key}.yaml")
    if layout["paper"] != key:
        raise PaperError(f"{folder / f'{key}.yaml'}: paper is {layout['paper']!r}, the file's name says {key!r}")
    _check_layout(layout, str(folder / f"{key}.yaml"))
    printed = _read_printed(folder / f"{key}.csv")
    _check_cells(layout, printed, str(folder / f"{key}.csv"))
    return Paper(
        key=key, title=layout["title"], cite=layout["cite"], hardware=layout.get("hardware", ""),
        tolerance=layout.get("tolerance", {}), datasets=layout["datasets"], tables=layout["tables"],
        figures=layout["figures"], printed=printed,
    )  # fmt: skip


def cells(table: Entry) -> Iterator[tuple[Entry, Entry]]:
    """Every (row, column) of a table that the paper prints; a gain only in rows that say what they gain over."""
    for row in table["rows"]:
        for column in table["columns"]:
            if "gain_of" not in column or "gain_over" in row:
                yield row, column


def find(entries: Sequence[Entry], key: str) -> Entry:
    """The row or column of that key."""
    return next(entry for entry in entries if entry["key"] == key)


def read_number(printed: str) -> Printed | None:
    """A printed number such as ``91.2``, ``+3.4``, ``59,025`` or ``0.56M``; None where the text is no number."""
    found = _PRINTED.fullmatch(printed)
    if not found:
        return None
    sign, whole, fraction, multiple = found.groups()
    digits = len(fraction or "")
    step = MULTIPLES[multiple] / 10**digits
    count = int(whole.replace(",", "") + (fraction or ""))
    value = round(count * step, 9)
    return Printed(-value if sign in ("-", "\N{MINUS SIGN}") else value, step)


def is_blank(printed: str) -> bool:
    """Whether a cell is printed as a dash."""
    return printed.strip() in BLANKS


def _read_layout(path: Path) -> dict[str, Any]:
    try:
        layout = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise PaperError(f"{path}: no such file") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise PaperError(f"{path}: not readable as YAML: {_one_line(error)}") from error
    validator = jsonschema.Draft202012Validator(yaml.safe_load(SCHEMA.read_text(encoding="utf-8")))
    error = jsonschema.exceptions.best_match(validator.iter_errors(layout))
    if error is not None:
        where = ".".join(map(str, error.absolute_path)) or "top level"
        raise PaperError(f"{path}: {where}: {_one_line(error.message)}")
    return layout


def _check_layout(layout: Entry, where: str) -> None:
    """Keys are unique, and what one entry names exists."""
    _check_unique([table["number"] for table in layout["tables"]], f"{where}: table")
    _check_unique([figure["number"] for figure in layout["figures"]], f"{where}: figure")
    for table in layout["tables"]:
        here = f"{where}: table {table['number']}"
        rows, columns = ([entry["key"] for entry in table[part]] for part in ("rows", "columns"))
        _check_unique(rows, f"{here}: row")
        _check_unique(columns, f"{here}: column")
        for row in table["rows"]:
            if len(row["labels"]) != len(table["head"]):
                raise PaperError(f"{here}: row {row['key']} needs {len(table['head'])} labels, one per head")
            _check_known(row.get("gain_over"), rows, f"{here}: row {row['key']}: gain_over")
        for column in table["columns"]:
            plain = [other["key"] for other in table["columns"] if "metric" in other]
            _check_known(column.get("gain_of"), plain, f"{here}: column {column['key']}: gain_of")
            _check_known(column["dataset"], list(layout["datasets"]), f"{here}: column {column['key']}: dataset")


def _check_unique(keys: Sequence[Any], what: str) -> None:
    twice = [key for key, count in Counter(keys).items() if count > 1]
    if twice:
        raise PaperError(f"{what} {twice[0]} occurs twice")


def _check_known(name: str | None, known: Sequence[str], what: str) -> None:
    if name is not None and name not in known:
        raise PaperError(f"{what} names {name!r}, which is none of {', '.join(known)}")


def _read_printed(path: Path) -> pd.DataFrame:
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    except FileNotFoundError as error:
        raise PaperError(f"{path}: no such file") from error
    except (OSError, ValueError) as error:
        raise PaperError(f"{path}: not readable as CSV: {_one_line(error)}") from error
    if tuple(frame.columns) != COLUMNS:
        raise PaperError(f"{path}: columns must be {','.join(COLUMNS)}, got {','.join(map(str, frame.columns))}")
    for number, row in enumerate(frame.to_dict("records"), start=2):
        _check_row(row, f"{path}: line {number}")
    values = [float(value) if value else math.nan for value in frame.value]
    return frame.assign(table=frame.table.astype(int), value=values)


def _check_row(row: Mapping[str, str], where: str) -> None:
    """A cell's value is the number that its printed string shows; no number means a dash, or a note that says why."""
    if not row["table"].isdigit():
        raise PaperError(f"{where}: table must be a number, got {row['table']!r}")
    if not row["locator"]:
        raise PaperError(f"{where}: a printed number needs a locator")
    number = read_number(row["printed"])
    if number is None:
        if row["value"]:
            raise PaperError(f"{where}: {row['printed']!r} is no number, so value must be empty, got {row['value']!r}")
        if not is_blank(row["printed"]) and not row["note"]:
            raise PaperError(f"{where}: {row['printed']!r} is neither a number nor a dash: the note must say why")
    elif not _equal(row["value"], number.value):
        raise PaperError(f"{where}: printed {row['printed']!r} is {number.value:g}, but value says {row['value']!r}")


def _equal(text: str, value: float) -> bool:
    try:
        return math.isclose(float(text), value, rel_tol=1e-9, abs_tol=1e-12)
    except ValueError:
        return False


def _check_cells(layout: Entry, printed: pd.DataFrame, where: str) -> None:
    """The CSV has each cell of the layout once and no other, in the column's unit."""
    units = {
        (table["number"], row["key"], column["key"]): column["unit"]
        for table in layout["tables"]
        for row, column in cells(table)
    }
    found = list(printed[["table", "row", "column"]].itertuples(index=False, name=None))
    _check_unique(found, f"{where}: cell")
    for cell in found:
        if cell not in units:
            raise PaperError(f"{where}: cell {_cell_name(cell)} is not in the layout")
    for cell in units:
        if cell not in set(found):
            raise PaperError(f"{where}: cell {_cell_name(cell)} of the layout is missing")
    for cell, unit in zip(found, printed.unit, strict=True):
        if unit != units[cell]:
            raise PaperError(f"{where}: cell {_cell_name(cell)} has unit {unit!r}, its column {units[cell]!r}")


def _cell_name(cell: tuple[int, str, str]) -> str:
    return f"table {cell[0]}, row {cell[1]}, column {cell[2]}"


def _one_line(error: object) -> str:
    return " ".join(str(error).split())
