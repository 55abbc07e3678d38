"""A plain folder that one CSV describes: a row a pair, with whatever belongs to its two images.

    fixed,moving,fixed_labels,moving_labels,fixed_landmarks,moving_landmarks,fixed_mask,moving_mask,split,subject

``fixed`` and ``moving`` are needed; paths are relative to the folder of the CSV. A row that names no moving image is
one to train on. ``split`` is test where it is left out. ``subject`` is that of both images; ``fixed_subject`` and
``moving_subject`` tell them apart; without any each image is of a subject of its own. Columns whose names begin with
``#`` are the user's own and are not read.
"""

from __future__ import annotations

import csv
import difflib
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from datasets.files import DataError
from datasets.found import search
from datasets.originals import note
from datasets.own.listing import Item, Listing, Row, as_case
from datasets.own.words import Split, without_ending

SIDES = ("fixed", "moving")
COLUMNS = (
    *SIDES,
    *(f"{side}_{what}" for what in ("labels", "landmarks", "mask", "subject") for side in SIDES),
    "split",
    "subject",
)
OWN = "#"  # with which the names of columns begin that are left alone
SPLITS: Mapping[str, Split] = {
    "": "test", "test": "test",
    "train": "training", "training": "training",
    "val": "validation", "validation": "validation",
}  # fmt: skip


@dataclass(frozen=True)
class Line:
    """A row of a table: its number in the file, and its cells by column, without white space around them."""

    number: int
    cells: Mapping[str, str]

    def get(self, column: str) -> str:
        """Return a cell, "" where the table lacks it."""
        return self.cells.get(column, "")


def read_table(path: Path) -> Listing:
    """Read a CSV and look for each file that it names; what is wrong is kept in the listing.

    Raises:
        DataError: the file cannot be read, or is no such table.
    """
    listing = Listing(path)
    note(path)
    search(path.parent, re.escape(path.name))  # which is noted: in a folder that is searched no other file counts
    lines = list(_lines(path, listing))
    names = _case_names(path.parent, [line.get(side) for line in lines for side in SIDES])
    for line in lines:
        _add(listing, line, names)
    _check_splits(listing)
    _note_shared_labels(listing)
    return listing


def is_table(path: Path) -> bool:
    """Return whether a file begins as such a table does: its first line names a fixed and a moving image."""
    note(path)
    with open(path, encoding="utf-8-sig", errors="replace") as stream:
        head = stream.readline()
    return set(SIDES) <= {cell.strip().lower() for cell in head.replace(";", ",").replace("\t", ",").split(",")}


def _lines(path: Path, listing: Listing) -> Iterator[Line]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text; a table is a CSV, in UTF-8") from error
    head = text.split("\n", 1)[0]
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count))
    columns = [cell.strip().lower() for cell in next(_cells(path, rows), list[str]())]
    _check_columns(path, columns)
    for cells in _cells(path, rows):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(columns):
            what = f"{len(cells)} cells for {len(columns)} columns"
            what += (
                "; put names with commas into quotes"
                if len(cells) > len(columns)
                else "; a cell that is left empty keeps its comma"
            )
            listing.fault(f"{path}, line {rows.line_num}", what)
            continue
        yield Line(rows.line_num, {key: cell.strip() for key, cell in zip(columns, cells, strict=True)})


def _cells(path: Path, rows: Iterator[list[str]]) -> Iterator[list[str]]:
    try:
        yield from rows
    except csv.Error as error:  # such as a quote that is never closed
        raise DataError(f"{path}: no sound CSV ({error}); is a quote left open?") from error


def _check_columns(path: Path, columns: list[str]) -> None:
    for column in SIDES:
        if column not in columns:
            raise DataError(
                f"{path}, line 1: no column {column!r}; the first line names the columns, such as fixed,moving"
            )
    for column in columns:
        if column.startswith(OWN):
            continue
        if column not in COLUMNS:
            close = difflib.get_close_matches(column, COLUMNS, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(COLUMNS)}; {OWN}{column} is not read"
            raise DataError(f"{path}, line 1: unknown column {column!r}; {hint}")
        if columns.count(column) > 1:
            raise DataError(f"{path}, line 1: the column {column!r} appears twice; keep one of them")


def _add(listing: Listing, line: Line, names: Mapping[str, str]) -> None:
    """Add a row with its images; what is wrong with it is kept, and the rest of it used where that makes sense."""
    where = f"{listing.source}, line {line.number}"
    split = SPLITS.get(line.get("split").lower())
    if split is None:
        listing.fault(where, f"split {line.get('split')!r} is none of training, validation and test; correct it")
        return
    if not line.get("fixed"):
        listing.fault(where, "names no fixed image; name one")
        return
    sides = [side for side in SIDES if line.get(side)]
    whose = [side for side in sides if line.get(f"{side}_subject") or line.get("subject")]
    if len(whose) == 1 and len(sides) == 2:
        listing.fault(where, f"{whose[0]}_subject alone; name that of both images, or their subject")
    if len(sides) == 1 and split != "training":
        listing.fault(where, f"names no moving image, and a {split} row is a pair; name both")
        return
    for side in SIDES:
        if not line.get(side) and (
            left := [column for column in COLUMNS if column.startswith(f"{side}_") and line.get(column)]
        ):
            listing.fault(where, f"{left[0]} without a {side} image; name the image, or take it out")
    cases = [_item(listing, line, side, names, where) for side in sides]
    for case in dict.fromkeys(cases):
        listing.lines.setdefault(case, []).append(line.number)
    if len(cases) == 1:
        listing.training += [case for case in cases if case not in listing.training]
    else:
        listing.rows.append(Row(cases[0], cases[1], split, where, _landmarks(listing, line, where), line.number))


def _item(listing: Listing, line: Line, side: str, names: Mapping[str, str], where: str) -> str:
    """Keep an image of a row, and return its case; of an image that is met again more may be known."""
    case = names[line.get(side)]
    files = {what: _file(listing, line.get(f"{side}_{what}"), where) for what in ("labels", "mask")}
    subject = line.get(f"{side}_subject") or line.get("subject")
    item = Item(case, _image(listing, line.get(side), where), **files, subject=subject)
    before = listing.items.setdefault(case, item)
    for what in ("labels", "mask", "subject"):
        known, given = getattr(before, what), getattr(item, what)
        if known and given and known != given:
            listing.fault(where, f"{line.get(side)}: has the {what} {given} here, {known} in a row before; keep one")
        if given and not known:
            before = replace(before, **{what: given})
    listing.items[case] = before
    return case


def _image(listing: Listing, text: str, where: str) -> Path:
    path = listing.source.parent / text
    if not path.exists():  # a folder may be a DICOM series
        listing.fault(where, f"{text}: no such file or folder; correct the path, which is relative to this table")
    return path


def _file(listing: Listing, text: str, where: str) -> Path | None:
    if not text:
        return None
    path = listing.source.parent / text
    if not path.is_file():
        listing.fault(where, f"{text}: no such file; correct the path, which is relative to this table")
        return None
    return path


def _landmarks(listing: Listing, line: Line, where: str) -> tuple[Path, Path] | None:
    files = [line.get(f"{side}_landmarks") for side in SIDES]
    if len(set(map(bool, files))) == 2:
        listing.fault(where, "landmarks of one image alone; name those of both, or none")
        return None
    fixed, moving = (_file(listing, text, where) for text in files)
    return (fixed, moving) if fixed and moving else None


def _case_names(folder: Path, paths: list[str]) -> dict[str, str]:
    """Return a name for each path: that of the file, with those of its folders where two files have one name."""
    paths = list(dict.fromkeys(filter(None, paths)))
    stems = {text: without_ending(Path(text).name) for text in paths}
    long = {text: as_case([*Path(text).parent.parts, stems[text]]) for text in paths}
    short = {text: as_case([stem]) for text, stem in stems.items()}
    same = {text: Path(folder, text).resolve() for text in paths}  # one file may be written in two ways
    named = {text: short[text] if _only(text, short, same) else long[text] for text in paths}
    numbered = enumerate(named.items())
    return {text: name if _only(text, named, same) else f"{name}-{number}" for number, (text, name) in numbered}


def _only(text: str, names: Mapping[str, str], same: Mapping[str, Path]) -> bool:
    """Return whether a path's name is that of no other file."""
    return all(same[other] == same[text] for other, name in names.items() if name.casefold() == names[text].casefold())


def _check_splits(listing: Listing) -> None:
    if not listing.rows and not listing.training and not listing.problems:
        listing.fault(str(listing.source), "names no pair; write a row for each pair below the names of the columns")
    if listing.training and listing.of("training"):
        what = "some training rows name a moving image and others do not; pair all of them, or none"
        listing.fault(str(listing.source), what)


def _note_shared_labels(listing: Listing) -> None:
    """Note one label map that is said to be of several images: of one subject it may be, else cells are mixed up."""
    of = dict[Path, list[str]]()
    for item in listing.items.values():
        if item.labels:
            of.setdefault(item.labels, []).append(item.case)
    for path, cases in of.items():
        if len(cases) > 1:
            lines = sorted({line for case in cases for line in listing.lines.get(case, ())})
            where = f"{listing.source.name}, lines {', '.join(map(str, lines))}"
            listing.notes.append(f"{path} is named as the labels of {' and '.join(cases)} ({where}): is it of each?")
