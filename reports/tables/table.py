"""A table as data; `reports.tables.write` makes its files.

The texts depend on nothing but their input: no time stamp, no locale, no hash order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby


@dataclass(frozen=True)
class Text:
    """One entry of a table."""

    text: str
    best: bool = False  # of its column
    muted: bool = False  # it says that there is no number
    printed: str = ""  # by a paper in its place
    outcome: bool = False  # how a registration or a training ended, which is a result though it is no number

    @property
    def empty(self) -> bool:
        """Whether there is no number, none printed, and no failure either."""
        return (self.muted or not self.text) and not (self.printed or self.outcome)


@dataclass(frozen=True)
class Group:
    """A head above several columns: a title and a line below it."""

    title: str
    detail: str = ""


@dataclass(frozen=True)
class Head:
    """The head of a column."""

    title: str
    detail: str = ""  # the protocol and unit, below the title
    width: str = ""  # for long text, in LaTeX's words, such as 7cm
    number: bool = True
    group: Group | None = None  # which it shares with its neighbours


@dataclass(frozen=True)
class Table:
    """A table that can stand alone: its caption says what it is, its notes what the marks mean."""

    caption: str
    heads: Sequence[Head]
    rows: Sequence[Sequence[Text]]
    notes: Sequence[str] = ()

    def groups(self) -> list[tuple[Group | None, int]]:
        """Return each group with the number of columns below it, in order; None for columns without one."""
        return [(group, len(list(heads))) for group, heads in groupby(self.heads, key=lambda head: head.group)]


NOTHING = Text("—", muted=True)
