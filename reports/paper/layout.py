"""A paper as data: one YAML (layout, protocol, readings) and one CSV (every printed number, with its locator).

Nothing about a paper stands in code. What a cell of a table measures is said by the table's ``cells``, its column, its
row and the row's ``cells`` together, the later over the earlier.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pandas as pd
import yaml

from reports.paper.printed import PaperError, read_printed

Entry = Mapping[str, Any]

PAPERS = Path(__file__).parents[1] / "papers"
SCHEMA = Path(__file__).parents[1] / "schemas" / "paper.schema.yaml"
LAYOUT = ("key", "label", "labels", "group", "only", "cells", "printed", "sd_of")  # of rows and columns, not of cells
POOLED = ("mean", "sd", "reduction", "seeds_lower")  # statistics that there are over all landmarks
AGAINST = ("reduction", "signed_rank", "signed_rank_p", "pairs_lower", "pairs_higher", "seeds_lower")  # of two methods


@dataclass(frozen=True)
class Paper:
    """A paper's layout and printed numbers; ``printed`` has a row a printed cell (`reports.paper.printed.COLUMNS`)."""

    key: str
    title: str
    cite: str
    hardware: str
    tolerance: Mapping[str, float]
    datasets: Mapping[str, Entry]
    tables: Sequence[Entry]
    figures: Sequence[Entry]
    printed: pd.DataFrame
    training: str = ""  # the data set that its networks learn from


def known_papers() -> list[str]:
    """Keys of the papers that can be loaded."""
    return sorted(path.stem for path in PAPERS.glob("*.yaml"))


def load_paper(key: str, *, folder: Path = PAPERS) -> Paper:
    """Read ``<key>.yaml`` and ``<key>.csv``; raise `PaperError` with one line when they do not fit each other."""
    layout = _read_layout(folder / f"{key}.yaml")
    if layout["paper"] != key:
        raise PaperError(f"{folder / f'{key}.yaml'}: paper is {layout['paper']!r}, the file's name says {key!r}")
    _check_layout(layout, str(folder / f"{key}.yaml"))
    printed = read_printed(folder / f"{key}.csv")
    _check_cells(layout, printed, str(folder / f"{key}.csv"))
    return Paper(
        key=key, title=layout["title"], cite=layout["cite"], hardware=layout.get("hardware", ""),
        tolerance=layout.get("tolerance", {}), datasets=layout["datasets"], tables=layout["tables"],
        figures=layout["figures"], printed=printed, training=layout.get("training", ""),
    )  # fmt: skip


def cells(table: Entry, *, printed: bool = True) -> Iterator[tuple[Entry, Entry]]:
    """Every (row, column) of a table that has a cell; with ``printed`` false those of the rows that the paper lacks.

    A row or a column may name its ``only`` partners; a gain is only in rows that say what they gain over.
    """
    for row in table["rows"]:
        if row.get("printed", True) != printed:
            continue
        for column in table["columns"]:
            partners = column["key"] in row.get("only", [column["key"]]) and row["key"] in column.get(
                "only", [row["key"]]
            )
            if partners and ("gain_of" not in column or "gain_over" in row):
                yield row, column


def specification(table: Entry, row: Entry, column: Entry) -> Entry:
    """What a cell measures: the table's cells, column, row and the row's cells together, the later over the earlier.

    A gain has all that the column has whose gain it is, and ``less``, the method that it is over.
    """
    parts = [table.get("cells", {}), column, row, row.get("cells", {}).get(column["key"], {})]
    more = {}
    if "gain_of" in column:
        parts.insert(1, find(table["columns"], column["gain_of"]))
        more = {"less": find(table["rows"], row["gain_over"])["method"]}
    return {name: value for part in parts for name, value in part.items() if name not in LAYOUT} | more


def dataset_keys(cell: Entry) -> list[str]:
    """The paper's data sets that a cell is over; a cell about a training has none."""
    named = cell.get("dataset", [])
    return [named] if isinstance(named, str) else list(named)


def find(entries: Sequence[Entry], key: str) -> Entry:
    """The row or column of that key."""
    return next(entry for entry in entries if entry["key"] == key)


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
            for option in ("only", "cells"):
                for name in row.get(option, []):
                    _check_known(name, columns, f"{here}: row {row['key']}: {option}")
        for column in table["columns"]:
            plain = [other["key"] for other in table["columns"] if "gain_of" not in other and "sd_of" not in other]
            for option in ("gain_of", "sd_of"):
                _check_known(column.get(option), plain, f"{here}: column {column['key']}: {option}")
            for name in column.get("only", []):
                _check_known(name, rows, f"{here}: column {column['key']}: only")
        for row, column in (*cells(table), *cells(table, printed=False)):
            cell, place = specification(table, row, column), f"{here}: row {row['key']}, column {column['key']}"
            for key in dataset_keys(cell):
                _check_known(key, list(layout["datasets"]), f"{place}: dataset")
            _check_complete(cell, place)


def _check_complete(cell: Entry, where: str) -> None:
    """A cell says its unit, what it measures and of what; or why it is not measured."""
    needed = ["unit"]
    if "not_run" not in cell:
        needed += ["method", "file"] if "setting" in cell else ["method", "metric", "dataset"]
        if cell.get("statistic") in AGAINST:
            needed.append("against")
    if missing := [name for name in needed if name not in cell]:
        raise PaperError(f"{where}: the cell needs {', '.join(missing)}")
    if cell.get("pooled") and (statistic := cell.get("statistic", "mean")) not in POOLED:
        raise PaperError(f"{where}: pooled goes with {', '.join(POOLED)}, not with {statistic}")


def _check_unique(keys: Sequence[Any], what: str) -> None:
    twice = [key for key, count in Counter(keys).items() if count > 1]
    if twice:
        raise PaperError(f"{what} {twice[0]} occurs twice")


def _check_known(name: str | None, known: Sequence[str], what: str) -> None:
    if name is not None and name not in known:
        raise PaperError(f"{what} names {name!r}, which is none of {', '.join(known)}")


def _check_cells(layout: Entry, printed: pd.DataFrame, where: str) -> None:
    """The CSV has each cell of the layout once and no other, in the cell's unit."""
    units = {
        (table["number"], row["key"], column["key"]): specification(table, row, column)["unit"]
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
