"""A table as the page shows it: without its empty rows and columns, its long notes apart. Files keep all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from reports.tables.table import Table, Text

SHORT = 170  # letters of a note that stands below its table at once
SHOWN = 4  # of such notes


@dataclass(frozen=True)
class Folded:
    """A table without what is empty; ``hidden`` says in a line what that is, ``notes`` are short, ``more`` folded."""

    table: Table
    hidden: str
    notes: Sequence[str]
    more: Sequence[str]


def folded(table: Table) -> Folded:
    """Hide the rows and columns of numbers in which nothing is measured, and part notes by their length.

    A number, a printed number and a failure are something. A table without any of them stays as it is.
    """
    numbers = [place for place, head in enumerate(table.heads) if head.number]
    rows = [row for row in table.rows if not numbers or not all(row[place].empty for place in numbers)]
    columns = [place for place in numbers if rows and all(row[place].empty for row in rows)]
    short = [note for note in table.notes if len(note) <= SHORT][:SHOWN]
    more = [note for note in table.notes if note not in short]
    if not rows or len(columns) == len(numbers) or not (columns or len(rows) < len(table.rows)):
        return Folded(table, "", short, more)
    kept = [place for place in range(len(table.heads)) if place not in columns]
    shown = replace(
        table, heads=[table.heads[place] for place in kept], rows=[[row[place] for place in kept] for row in rows]
    )
    lost = [row for row in table.rows if row not in rows]
    return Folded(shown, "; ".join(_hidden(table, lost, columns)), short, more)


def _hidden(table: Table, rows: Sequence[Sequence[Text]], columns: Sequence[int]) -> Iterator[str]:
    if rows:
        names = ", ".join(row[0].text for row in rows)
        yield f"{len(rows)} row{'s' * (len(rows) != 1)} without a number ({names})"
    if columns:
        names = ", ".join(_named(table, place) for place in columns)
        yield f"{len(columns)} column{'s' * (len(columns) != 1)} without a number ({names})"


def _named(table: Table, place: int) -> str:
    """Return what a column is called, and why it is empty where its cells agree on that."""
    said = {row[place].text for row in table.rows if row[place].text.strip("— ")}
    head = table.heads[place]
    title = " ".join(filter(None, [head.group.title if head.group else "", head.title]))
    return f"{title}: {next(iter(said))}" if len(said) == 1 else title
