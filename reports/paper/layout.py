"""A paper read from one YAML (layout, protocol, readings) and one CSV (every printed number, with its locator).

Nothing about a paper stands in code. What a cell of a table measures is said by the table's ``cells``, its column, its
row and the row's ``cells`` together, the later over the earlier; `load_paper` puts them together once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd

from benchmarks.metrics import METRICS
from benchmarks.records import digest
from reports import PAPERS
from reports.claims.layout import load_claims
from reports.paper.contents import Cell, Margin, Paper, PaperData, PaperFigure, PaperTable, TrainingData
from reports.paper.printed import PaperError, read_layout, read_printed, read_text

SCHEMA = Path(__file__).parents[1] / "schemas" / "paper.schema.yaml"
# said of rows and columns alone
NOT_OF_CELLS = ("key", "label", "labels", "group", "only", "cells", "printed", "sd_of", "claim", "spread")
COMPARED = ("method", "less", "against")
ALIKE = ("mean", "reduction")  # statistics in which data sets can count alike
POOLED = (
    "mean",
    "sd",
    "reduction",
    "reduction_p",
    "seeds_lower",
    "draws_sd",
)  # statistics that there are over all landmarks
AGAINST = (
    "ratio",
    "reduction",
    "reduction_p",
    "signed_rank",
    "signed_rank_p",
    "signed_rank_p_normal",
    "pairs_lower",
    "pairs_higher",
    "seeds_lower",
)  # of two methods
ROMAN = ("0", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X")
# A table's protocol is inherited by what it is not of, too, such as seconds.
PROTOCOLS = sorted({protocol for metric in METRICS.values() for protocol in metric.protocols})
DASHES = ("", "\N{EM DASH}")  # labels that name nothing

_Place = tuple[int, str, str]  # table, row and column


def load_paper(key: str, *, folder: Path = PAPERS) -> Paper:
    """Read ``<key>.yaml`` and ``<key>.csv``; raise `PaperError` with one line when they do not fit each other."""
    layout_path, csv_path = folder / f"{key}.yaml", folder / f"{key}.csv"
    layout = read_layout(layout_path, SCHEMA)
    if layout["paper"] != key:
        raise PaperError(f"{layout_path}: paper is {layout['paper']!r}, the file's name says {key!r}")
    tables, figures = list(map(_table, layout["tables"])), [_figure(**entry) for entry in layout["figures"]]
    _check_layout(tables, figures, str(layout_path))
    wanted: dict[_Place, Cell] = {}
    for table, entry in zip(tables, layout["tables"], strict=True):
        wanted |= _cells(table, entry)
    for place, cell in wanted.items():
        _check_cell(cell, list(layout["datasets"]), f"{layout_path}: {_name(place)}")
    frame = read_printed(csv_path)
    _check_printed(frame, {place: cell for place, cell in wanted.items() if cell.row.printed}, str(csv_path))
    rows = frame[["table", "row", "column", "printed", "value", "note", "locator"]].itertuples(index=False, name=None)
    printed = {row[:3]: replace(wanted[row[:3]], printed=read_text(*row[3:])) for row in rows}
    printed = {place: _with_spread(cell, printed) for place, cell in printed.items()}
    return Paper(
        key=key,
        title=layout["title"],
        cite=layout["cite"],
        hardware=layout.get("hardware", ""),
        datasets=msgspec.convert(layout["datasets"], dict[str, PaperData]),
        tables=[_filled(table, {**wanted, **printed}) for table in tables],
        figures=figures,
        cells=list(printed.values()),
        trainings=msgspec.convert(layout.get("training", []), list[TrainingData]),
        taught=layout.get("taught", {}),
        software=layout.get("software", ""),
        grid=tuple(layout.get("grid", ())),
        claims=load_claims(key, list(layout["datasets"]), folder=folder),
    )


def margins_of(paper: Paper) -> str:
    """Return the digest of a paper's margins, cell by cell."""
    return digest([[cell.table, cell.row.key, cell.column.key, cell.margin] for cell in paper.cells])


def _table(entry: dict[str, Any]) -> PaperTable:
    """Return a table that has no cells yet."""
    columns = [{**column, "datasets": _listed(column.get("dataset", ()))} for column in entry["columns"]]
    rows = []
    for row in entry["rows"]:
        name = ", ".join(label for label in row["labels"] if label not in DASHES)
        rows.append({**row, "name": name, "cells": list(row.get("cells", ()))})
    title = entry.get("title", f"Table {ROMAN[entry['number']]}")
    return msgspec.convert({**entry, "title": title, "rows": rows, "columns": columns, "cells": {}}, PaperTable)


def _filled(table: PaperTable, cells: Mapping[_Place, Cell]) -> PaperTable:
    return replace(table, cells={place[1:]: cell for place, cell in cells.items() if place[0] == table.number})


def _figure(number: int, kind: str, caption: str, **options: Any) -> PaperFigure:
    return PaperFigure(number, kind, caption, options)


def _with_spread(cell: Cell, printed: Mapping[_Place, Cell]) -> Cell:
    """Return a cell with the printed numbers of the single draws that it is the mean or the SD of."""
    draws = [printed.get((cell.table, row, cell.column.key)) for row in cell.row.spread]
    return replace(cell, spread=tuple(draw.printed.value for draw in draws if draw))


def _cells(table: PaperTable, entry: dict[str, Any]) -> dict[_Place, Cell]:
    """Build every cell that a table has; nothing is printed in it yet.

    A row or a column may name its ``only`` partners; a gain is only in rows that say what they gain over. A cell is
    said by the table, its column, its row and the row's cells, the later over the earlier; a gain has all that the
    column has whose gain it is, and ``less``.
    """
    rows = {row.key: row for row in table.rows}
    of_columns, cells = {column["key"]: column for column in entry["columns"]}, {}
    for (row, of_row), column in product(zip(table.rows, entry["rows"], strict=True), table.columns):
        partners = column.key in (row.only or [column.key]) and row.key in (column.only or [row.key])
        if not partners or (column.gain_of and not row.gain_over):
            continue
        parts = [entry.get("cells", {}), of_columns[column.key], of_row, of_row.get("cells", {}).get(column.key, {})]
        if column.gain_of:
            parts = [parts[0], of_columns[column.gain_of], *parts[1:], {"less": rows[row.gain_over].method}]
        said = {name: value for part in parts for name, value in part.items() if name not in NOT_OF_CELLS}
        place = (table.number, row.key, column.key)
        cells[place] = _cell({**said, "table": table.number, "row": row, "column": column})
    return cells


def _cell(said: dict[str, Any]) -> Cell:
    """Build a cell of all that is said of it, so that nobody has to look anything of it up again."""
    metric, known = said.get("metric", ""), {field.name for field in fields(Cell)}
    usual = "median" if metric == "seconds" else "mean"
    derived = {
        "datasets": _listed(said.get("dataset", ())),
        "methods": [said[name] for name in COMPARED if name in said],
        "region": said.get("region") or (METRICS[metric].region if metric in METRICS else ""),
        "statistic": "less" if "less" in said and metric != "seconds" else said.get("statistic", usual),
        "draws": "seed" in said and said["seed"] is None,
        "setting": ".".join(said[name] for name in ("within", "setting") if said.get(name) and "setting" in said),
        "signed": "gain_of" in said,
        "kind": "setting" if "setting" in said else "size" if metric == "parameters" else said.get("kind", "result"),
        "margin": _margin(said["margin"]) if "margin" in said else None,
    }
    return Cell(**{name: value for name, value in said.items() if name in known} | derived)


def _margin(said: float | str) -> Margin:
    """Return a margin that is said in printed units, or in per cent of the printed number."""
    return Margin(float(said.removesuffix("%")) / 100, relative=True) if isinstance(said, str) else Margin(float(said))


def _listed(named: str | Sequence[str]) -> tuple[str, ...]:
    return (named,) if isinstance(named, str) else tuple(named)


def _check_layout(tables: Sequence[PaperTable], figures: Sequence[PaperFigure], where: str) -> None:
    """Check that keys are unique, and that what one entry names exists."""
    _check_unique([table.number for table in tables], f"{where}: table")
    _check_unique([figure.number for figure in figures], f"{where}: figure")
    for table in tables:
        _check_table(table, f"{where}: table {table.number}")


def _check_table(table: PaperTable, where: str) -> None:
    rows, columns = [row.key for row in table.rows], [column.key for column in table.columns]
    _check_unique(rows, f"{where}: row")
    _check_unique(columns, f"{where}: column")
    for row in table.rows:
        here = f"{where}: row {row.key}"
        if len(row.labels) != len(table.head):
            raise PaperError(f"{here} needs {len(table.head)} labels, one per head")
        _check_known([row.gain_over] if row.gain_over else [], rows, f"{here}: gain_over")
        _check_known(row.only, columns, f"{here}: only")
        _check_known(row.cells, columns, f"{here}: cells")
        _check_known(row.spread, rows, f"{here}: spread")
    plain = [column.key for column in table.columns if not (column.gain_of or column.sd_of)]
    for column in table.columns:
        for option, named in (("gain_of", column.gain_of), ("sd_of", column.sd_of)):
            _check_known([named] if named else [], plain, f"{where}: column {column.key}: {option}")
        _check_known(column.only, rows, f"{where}: column {column.key}: only")


def _check_cell(cell: Cell, datasets: Sequence[str], where: str) -> None:
    """Check that a cell says its unit, what it measures and of what; or why it is not measured."""
    _check_known(cell.datasets, datasets, f"{where}: dataset")
    _check_known([cell.metric] if cell.metric else [], list(METRICS), f"{where}: metric")
    _check_known([cell.protocol] if cell.protocol else [], PROTOCOLS, f"{where}: protocol")
    needed = {"unit": cell.unit}
    if not cell.not_run:
        of = {"file": cell.file} if cell.setting else {"metric": cell.metric, "dataset": cell.datasets}
        needed |= {"method": cell.method, **of}
        if cell.statistic in AGAINST:
            needed["against"] = cell.against
    if missing := [name for name, value in needed.items() if not value]:
        raise PaperError(f"{where}: the cell needs {', '.join(missing)}")
    if cell.pooled and cell.statistic not in POOLED:
        raise PaperError(f"{where}: pooled goes with {', '.join(POOLED)}, not {cell.statistic}")
    if cell.sets_alike and (cell.pooled or cell.statistic not in ALIKE):
        raise PaperError(f"{where}: sets_alike goes with {', '.join(ALIKE)} over pairs")
    if _is_judged(cell) and cell.margin is None:
        raise PaperError(f"{where}: the cell needs a margin: how far from the printed number still agrees")


def _is_judged(cell: Cell) -> bool:
    """Return whether a margin decides on a cell: not on a size, a setting, or seconds, which are of a machine."""
    absolute = cell.metric == "seconds" and cell.statistic != "ratio"
    return cell.row.printed and cell.kind in ("data", "result") and not (cell.not_run or absolute or cell.as_set)


def _check_unique(keys: Sequence[object], what: str) -> None:
    twice = [key for key, count in Counter(keys).items() if count > 1]
    if twice:
        raise PaperError(f"{what} {twice[0]} occurs twice")


def _check_known(names: Iterable[str], known: Sequence[str], what: str) -> None:
    for name in names:
        if name not in known:
            raise PaperError(f"{what} names {name!r}, which is none of {', '.join(known)}")


def _check_printed(printed: pd.DataFrame, wanted: Mapping[_Place, Cell], where: str) -> None:
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
        if unit != wanted[place].unit:
            raise PaperError(f"{where}: cell {_name(place)} has unit {unit!r}, its column {wanted[place].unit!r}")


def _name(place: _Place) -> str:
    return f"table {place[0]}, row {place[1]}, column {place[2]}"
