"""A paper read from one YAML (layout, protocol, readings) and one CSV (every printed number, with its locator).

Nothing about a paper stands in code. What a cell of a table measures is said by the table's ``cells``, its column, its
row and the row's ``cells`` together, the later over the earlier; `load_paper` puts them together once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pandas as pd
import yaml
from jsonschema.exceptions import best_match

from benchmarks.metrics import METRICS
from datasets.files import one_line
from reports import PAPERS
from reports.paper.contents import Cell, Column, Paper, PaperData, PaperFigure, PaperTable, Reading, Row, TrainingData
from reports.paper.printed import PaperError, Printed, read_printed, read_text

SCHEMA = Path(__file__).parents[1] / "schemas" / "paper.schema.yaml"
NOT_OF_CELLS = (
    "key",
    "label",
    "labels",
    "group",
    "only",
    "cells",
    "printed",
    "sd_of",
)  # said of rows and columns alone
COMPARED = ("method", "less", "against")
POOLED = ("mean", "sd", "reduction", "seeds_lower")  # statistics that there are over all landmarks
AGAINST = ("reduction", "signed_rank", "signed_rank_p", "pairs_lower", "pairs_higher", "seeds_lower")  # of two methods
ROMAN = ("0", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X")
DASHES = ("", "\N{EM DASH}")  # labels that name nothing

_Said = Mapping[str, Any]  # an entry of the YAML as the schema lets it through
_Place = tuple[int, str, str]  # table, row and column


def load_paper(key: str, *, folder: Path = PAPERS) -> Paper:
    """Read ``<key>.yaml`` and ``<key>.csv``; raise `PaperError` with one line when they do not fit each other."""
    layout_path, csv_path = folder / f"{key}.yaml", folder / f"{key}.csv"
    layout = _read_layout(layout_path)
    if layout["paper"] != key:
        raise PaperError(f"{layout_path}: paper is {layout['paper']!r}, the file's name says {key!r}")
    _check_layout(layout, str(layout_path))
    said = {place: one for table in layout["tables"] for place, one in _places(table)}
    for place, one in said.items():
        _check_cell(one, list(layout["datasets"]), f"{layout_path}: {_name(place)}")
    frame = read_printed(csv_path)
    ours = {(table["number"], row["key"]) for table in layout["tables"] for row in table["rows"] if not _in_print(row)}
    _check_printed(frame, {place: one for place, one in said.items() if place[:2] not in ours}, str(csv_path))
    rows = frame[["table", "row", "column", "printed", "value", "note"]].itertuples(index=False, name=None)
    printed = {row[:3]: read_text(*row[3:]) for row in rows}
    tables = [_table(table, said, printed, layout.get("tolerance", {})) for table in layout["tables"]]
    cells = {(table.number, *place): cell for table in tables for place, cell in table.cells.items()}
    return Paper(
        key=key,
        title=layout["title"],
        cite=layout["cite"],
        hardware=layout.get("hardware", ""),
        datasets=msgspec.convert(layout["datasets"], dict[str, PaperData]),
        tables=tables,
        figures=[_figure(entry) for entry in layout["figures"]],
        cells=[cells[place] for place in printed],
        training=msgspec.convert(layout.get("training", {}), TrainingData),
    )


def _read_layout(path: Path) -> dict[str, Any]:
    try:
        layout = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise PaperError(f"{path}: no such file") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise PaperError(f"{path}: not readable as YAML: {one_line(error)}") from error
    validator = jsonschema.Draft202012Validator(yaml.safe_load(SCHEMA.read_text(encoding="utf-8")))
    error = best_match(validator.iter_errors(layout))
    if error is not None:
        where = ".".join(map(str, error.absolute_path)) or "top level"
        raise PaperError(f"{path}: {where}: {one_line(error.message)}")
    return layout


def _places(table: _Said) -> Iterator[tuple[_Place, _Said]]:
    """Yield where a table has a cell, and all that is said of it.

    A row or a column may name its ``only`` partners; a gain is only in rows that say what they gain over.
    """
    for row in table["rows"]:
        for column in table["columns"]:
            partners = column["key"] in row.get("only", [column["key"]]) and row["key"] in column.get(
                "only", [row["key"]]
            )
            if partners and ("gain_of" not in column or "gain_over" in row):
                yield (table["number"], row["key"], column["key"]), _put_together(table, row, column)


def _put_together(table: _Said, row: _Said, column: _Said) -> _Said:
    """Put the parts that say a cell together; a gain has all that the column has whose gain it is, and ``less``."""
    parts = [table.get("cells", {}), column, row, row.get("cells", {}).get(column["key"], {})]
    more = {}
    if "gain_of" in column:
        parts.insert(1, _find(table["columns"], column["gain_of"]))
        more = {"less": _find(table["rows"], row["gain_over"]).get("method", "")}
    return {name: value for part in parts for name, value in part.items() if name not in NOT_OF_CELLS} | more


def _table(
    entry: _Said, said: Mapping[_Place, _Said], printed: Mapping[_Place, Printed], tolerance: Mapping[str, float]
) -> PaperTable:
    number = entry["number"]
    rows = {row["key"]: _row(row) for row in entry["rows"]}
    columns = {column["key"]: _column(column) for column in entry["columns"]}
    cells = {
        (row, column): _cell(one, (number, rows[row], columns[column]), printed.get((number, row, column)), tolerance)
        for (table, row, column), one in said.items()
        if table == number
    }
    return PaperTable(
        number=number,
        title=entry.get("title", f"Table {ROMAN[number]}"),
        caption=entry["caption"],
        head=entry["head"],
        columns=list(columns.values()),
        rows=list(rows.values()),
        cells=cells,
        readings=msgspec.convert(entry["readings"], list[Reading]),
    )


def _row(entry: _Said) -> Row:
    name = ", ".join(label for label in entry["labels"] if label not in DASHES)
    return Row(entry["key"], entry["labels"], name, entry.get("method", ""), _in_print(entry))


def _in_print(row: _Said) -> bool:
    return row.get("printed", True)


def _column(entry: _Said) -> Column:
    own = {name: entry[name] for name in ("label", "group", "gain_of", "sd_of", "method") if name in entry}
    return Column(entry["key"], **own, datasets=_datasets(entry))


def _datasets(said: _Said) -> tuple[str, ...]:
    named = said.get("dataset", ())
    return (named,) if isinstance(named, str) else tuple(named)


def _cell(said: _Said, place: tuple[int, Row, Column], printed: Printed | None, tolerance: Mapping[str, float]) -> Cell:
    """Build a cell of all that is said of it, so that nobody has to look anything of it up again."""
    metric, known = said.get("metric", ""), {field.name for field in fields(Cell)}
    usual = "median" if metric == "seconds" else "mean"
    derived = {
        "table": place[0],
        "row": place[1],
        "column": place[2],
        "printed": printed or Printed(),
        "datasets": _datasets(said),
        "methods": [said[name] for name in COMPARED if name in said],
        "region": said.get("region") or (METRICS[metric].region if metric else ""),
        "statistic": "less" if "less" in said and metric != "seconds" else said.get("statistic", usual),
        "draws": "seed" in said and said["seed"] is None,
        "setting": ".".join(said[name] for name in ("within", "setting") if said.get(name) and "setting" in said),
        "signed": "gain_of" in said,
        "tolerance": said.get("tolerance", tolerance.get("setting" if "setting" in said else metric)),
    }
    return Cell(**{name: value for name, value in said.items() if name in known} | derived)


def _figure(entry: _Said) -> PaperFigure:
    options = {name: value for name, value in entry.items() if name not in ("number", "kind", "caption")}
    return PaperFigure(entry["number"], entry["kind"], entry["caption"], options)


def _find(entries: Sequence[_Said], key: str) -> _Said:
    return next(entry for entry in entries if entry["key"] == key)


def _check_layout(layout: _Said, where: str) -> None:
    """Check that keys are unique, and that what one entry names exists."""
    _check_unique([table["number"] for table in layout["tables"]], f"{where}: table")
    _check_unique([figure["number"] for figure in layout["figures"]], f"{where}: figure")
    for table in layout["tables"]:
        here = f"{where}: table {table['number']}"
        rows, columns = ([entry["key"] for entry in table[part]] for part in ("rows", "columns"))
        _check_unique(rows, f"{here}: row")
        _check_unique(columns, f"{here}: column")
        for row in table["rows"]:
            _check_row(row, len(table["head"]), rows, columns, f"{here}: row {row['key']}")
        plain = [column["key"] for column in table["columns"] if not {"gain_of", "sd_of"} & set(column)]
        for column in table["columns"]:
            for option in ("gain_of", "sd_of"):
                _check_known(column.get(option), plain, f"{here}: column {column['key']}: {option}")
            for name in column.get("only", []):
                _check_known(name, rows, f"{here}: column {column['key']}: only")


def _check_row(row: _Said, labels: int, rows: Sequence[str], columns: Sequence[str], where: str) -> None:
    if len(row["labels"]) != labels:
        raise PaperError(f"{where} needs {labels} labels, one per head")
    _check_known(row.get("gain_over"), rows, f"{where}: gain_over")
    for option in ("only", "cells"):
        for name in row.get(option, []):
            _check_known(name, columns, f"{where}: {option}")


def _check_cell(said: _Said, datasets: Sequence[str], where: str) -> None:
    """Check that a cell says its unit, what it measures and of what; or why it is not measured."""
    for key in _datasets(said):
        _check_known(key, datasets, f"{where}: dataset")
    _check_known(said.get("metric"), list(METRICS), f"{where}: metric")
    needed = ["unit"]
    if "not_run" not in said:
        needed += ["method", "file"] if "setting" in said else ["method", "metric", "dataset"]
        if said.get("statistic") in AGAINST:
            needed.append("against")
    if missing := [name for name in needed if name not in said]:
        raise PaperError(f"{where}: the cell needs {', '.join(missing)}")
    if said.get("pooled") and (statistic := said.get("statistic", "mean")) not in POOLED:
        raise PaperError(f"{where}: pooled goes with {', '.join(POOLED)}, not with {statistic}")


def _check_unique(keys: Sequence[object], what: str) -> None:
    twice = [key for key, count in Counter(keys).items() if count > 1]
    if twice:
        raise PaperError(f"{what} {twice[0]} occurs twice")


def _check_known(name: str | None, known: Sequence[str], what: str) -> None:
    if name is not None and name not in known:
        raise PaperError(f"{what} names {name!r}, which is none of {', '.join(known)}")


def _check_printed(printed: pd.DataFrame, wanted: Mapping[_Place, _Said], where: str) -> None:
    """Check that the CSV has each cell of the layout once and no other, in the cell's unit."""
    found = list(printed[["table", "row", "column"]].itertuples(index=False, name=None))
    _check_unique(found, f"{where}: cell")
    for place in found:
        if place not in wanted:
            raise PaperError(f"{where}: cell {_name(place)} is not in the layout")
    for place in wanted:
        if place not in set(found):
            raise PaperError(f"{where}: cell {_name(place)} of the layout is missing")
    for place, unit in zip(found, printed.unit, strict=True):
        if unit != wanted[place]["unit"]:
            raise PaperError(f"{where}: cell {_name(place)} has unit {unit!r}, its column {wanted[place]['unit']!r}")


def _name(place: _Place) -> str:
    return f"table {place[0]}, row {place[1]}, column {place[2]}"
