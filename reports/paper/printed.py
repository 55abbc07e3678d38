"""Printed numbers: a paper's CSV of cells, and what the text of a cell says.

The CSV has the string of a cell as printed, without its unit, and its ``value``, that number in the unit of the cell,
which is empty where the paper prints a dash or where the cell cannot be read (its note says why).
"""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import jsonschema.exceptions
import pandas as pd
import yaml
from jsonschema.exceptions import best_match

from datasets.files import one_line

COLUMNS = ("table", "row", "column", "printed", "value", "unit", "locator", "note")
DASHES = ("", "-", "\N{EN DASH}", "\N{MINUS SIGN}")
BLANKS = (*DASHES, "N/A")
MULTIPLES: Mapping[str, float] = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}
_ABOUT = r"(?:(?:\N{TILDE OPERATOR}|approximately) )?"
_PRINTED = re.compile(_ABOUT + r"([+\-\u2212]?)(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d+))?([kMG]?)")
_RANGE = re.compile(r"\[[-\u2212]([\d.]+), \1\]")
_CUBE = re.compile(r"(\d+)\N{MULTIPLICATION SIGN}\1\N{MULTIPLICATION SIGN}\1")


class PaperError(ValueError):
    """A paper's files that cannot be used; the message is one line that says where and what."""


def read_layout(path: Path, schema: Path) -> Any:
    """Read a YAML file of a paper; raise `PaperError` where it is none, or does not fit the JSON schema."""
    try:
        layout = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise PaperError(f"{path}: no such file") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise PaperError(f"{path}: not readable as YAML: {one_line(error)}") from error
    validator = jsonschema.Draft202012Validator(yaml.safe_load(schema.read_text(encoding="utf-8")))
    error = best_match(validator.iter_errors(layout))
    if error is not None:
        where = ".".join(map(str, error.absolute_path)) or "top level"
        raise PaperError(f"{path}: {where}: {_in_words(error)}")
    for where, value in _numbers(layout):
        if not math.isfinite(value):
            raise PaperError(f"{path}: {where}: {value} is no number; write one that is finite")
    return layout


def _numbers(layout: Any, where: str = "") -> Iterator[tuple[str, float]]:
    """Yield every number of a file and its place; YAML has words for infinity and for no number."""
    if isinstance(layout, float):
        yield where, layout
    elif isinstance(layout, Mapping | list):
        for key, value in layout.items() if isinstance(layout, Mapping) else enumerate(layout):
            yield from _numbers(value, f"{where}.{key}".lstrip("."))


def _in_words(error: jsonschema.exceptions.ValidationError) -> str:
    """Return a fault in one line; where none of several forms fits, name the keys or types that were looked for."""
    if error.validator not in ("anyOf", "oneOf"):
        return one_line(error.message)
    forms: Any = error.validator_value
    instance: Any = error.instance
    needed = [" and ".join(form["required"]) for form in forms if "required" in form]
    if needed and isinstance(instance, Mapping):
        named = f"{instance['key']} " if "key" in instance else ""
        return f"{named}needs {' or '.join(needed)}"
    return (
        f"expected {' or '.join(str(form.get('type', 'another form')) for form in forms)}, got {str(instance)[:60]!r}"
    )


@dataclass(frozen=True)
class Number:
    """A number as printed: its value and the size of one unit of its last digit, both in the cell's unit."""

    value: float
    step: float


@dataclass(frozen=True)
class Printed:
    """The text that a paper prints in a cell, the number that it is, None where it is none, and a note on the text.

    ``value`` is that number as the CSV has it, NaN where there is none; ``blank``: printed as a dash or not available.
    """

    text: str = ""
    value: float = math.nan
    number: Number | None = None
    blank: bool = False
    note: str = ""
    locator: str = ""  # where it stands in the paper


def read_number(printed: str) -> Number | None:
    """Read a printed number such as ``91.2``, ``+3.4``, ``59,025`` or ``0.56M``; None where the text is no number.

    A symmetric range such as ``[-6.4, 6.4]`` is read as its bound, a grid of equal sides as its side.
    """
    if alike := _RANGE.fullmatch(printed) or _CUBE.fullmatch(printed):
        printed = alike[1]
    found = _PRINTED.fullmatch(printed)
    if not found:
        return None
    sign, whole, fraction, multiple = found.groups()
    digits = len(fraction or "")
    step = MULTIPLES[multiple] / 10**digits
    count = int(whole.replace(",", "") + (fraction or ""))
    value = round(count * step, 9)
    return Number(-value if sign in ("-", "\N{MINUS SIGN}") else value, step)


def read_text(printed: str, value: float, note: str, locator: str = "") -> Printed:
    """Read what the row of a cell in the CSV says to be printed."""
    return Printed(printed, value, read_number(printed), is_blank(printed), note, locator)


def is_blank(printed: str) -> bool:
    """Return whether a cell is printed as a dash or as not available."""
    return printed.strip() in BLANKS


def read_printed(path: Path) -> pd.DataFrame:
    """Read the CSV of a paper's cells: columns `COLUMNS`, ``value`` NaN where there is none.

    Raises `PaperError` for a file that cannot be read and for a value that is not the printed one.
    """
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    except FileNotFoundError as error:
        raise PaperError(f"{path}: no such file") from error
    except (OSError, ValueError) as error:
        raise PaperError(f"{path}: not readable as CSV: {one_line(error)}") from error
    if tuple(frame.columns) != COLUMNS:
        raise PaperError(f"{path}: columns must be {','.join(COLUMNS)}, got {','.join(map(str, frame.columns))}")
    for number, row in enumerate(frame.to_dict("records"), start=2):
        _check_row(row, f"{path}: line {number}")
    values = [float(value) if value else math.nan for value in frame.value]
    return frame.assign(table=frame.table.astype(int), value=values)


def _check_row(row: Mapping[Hashable, str], where: str) -> None:
    """Check that a value is the number that the printed string shows; no number needs a dash, or a note on why."""
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
