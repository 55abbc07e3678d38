"""What a paper holds, as types: data sets, tables, cells and figures, built once when `layout.load_paper` reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reports.paper.printed import Printed


@dataclass(frozen=True)
class PaperData:
    """A data set that the paper tests on; ``pairs``: how many test pairs it has of it, where the layout says so."""

    title: str
    pairs: int | None = None


@dataclass(frozen=True)
class TrainingData:
    """The data set that the paper's networks learn from; without a ``name`` the paper has none."""

    name: str = ""
    title: str = ""


@dataclass(frozen=True)
class Row:
    """A row of a table: its labels, and its method where all of its cells have the same one.

    ``printed`` is False for a row of ours that the paper does not have.
    """

    key: str
    labels: Sequence[str]
    name: str
    method: str = ""
    printed: bool = True


@dataclass(frozen=True)
class Column:
    """A column of a table; ``gain_of`` and ``sd_of`` name the column whose gain or standard deviation this one is.

    ``datasets`` and ``method`` are its own; where they are empty rows or the whole table say them.
    """

    key: str
    label: str
    group: str = ""
    gain_of: str = ""
    sd_of: str = ""
    datasets: Sequence[str] = ()
    method: str = ""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A cell: what it measures, how its number is shown, and what the paper prints in it.

    Args:
        table: number of its table.
        row: its row.
        column: its column.
        printed: what the paper prints; of a row that the paper does not have nothing.
        unit: unit of the printed number.
        datasets: keys of the paper's data sets that it is over; a number about a training has none.
        method: name of the method that it is of.
        less: the method that a gain is over.
        against: the method that it is compared with.
        methods: all three, as far as there are any.
        metric: what is measured; empty for a setting.
        protocol: how.
        region: where, by default the headline region of the metric.
        statistic: over pairs, or over calls of seconds.
        pooled: over all landmarks together and not over pairs.
        seed: one seed; None for all.
        draws: whether there have to be several seeds.
        pair: one pair of the data set, from 1; None for all.
        device: of seconds: cpu, cuda, or any.
        timed_as: a method that is the same network at registration and is timed in its place.
        setting: path with dots of a number in a ``file`` that the method's training left.
        file: name of that file, JSON.
        not_run: why nothing is measured.
        factor: printed units per unit of the metric.
        decimals: decimals that are shown.
        digits: significant digits that are shown, over ``decimals``.
        form: range is [-a, a], cube is a x a x a, count is a of n.
        suffix: printed multiple of the unit.
        with_unit: whether the unit is shown in the cell.
        signed: whether a positive number has its sign, as a gain.
        tolerance: how far a measured number may be from the printed one, in printed units.
        outcomes: printed words that say how a training ended.
    """

    table: int
    row: Row
    column: Column
    printed: Printed
    unit: str
    datasets: Sequence[str] = ()
    method: str = ""
    less: str = ""
    against: str = ""
    methods: Sequence[str] = ()
    metric: str = ""
    protocol: str = ""
    region: str = ""
    statistic: str = ""
    pooled: bool = False
    seed: int | None = None
    draws: bool = False
    pair: int | None = None
    device: str = ""
    timed_as: str = ""
    setting: str = ""
    file: str = ""
    not_run: str = ""
    factor: float = 1
    decimals: int | None = None
    digits: int | None = None
    form: str = ""
    suffix: str = ""
    with_unit: bool = False
    signed: bool = False
    tolerance: float | None = None
    outcomes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Reading:
    """Where the paper can be read in more than one way: which reading was run, and what another changes."""

    topic: str
    run: str
    other: str


@dataclass(frozen=True)
class PaperTable:
    """A table in the paper's layout; ``head`` titles the labels of its rows, ``cells`` are by row and column."""

    number: int
    title: str
    caption: str
    head: Sequence[str]
    columns: Sequence[Column]
    rows: Sequence[Row]
    cells: Mapping[tuple[str, str], Cell]
    readings: Sequence[Reading]


@dataclass(frozen=True)
class PaperFigure:
    """A figure: ``kind`` names the module of `reports.paper.figures` that draws it, ``options`` are for that module."""

    number: int
    kind: str
    caption: str
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Paper:
    """A paper; ``cells`` are the printed ones in the order of its CSV."""

    key: str
    title: str
    cite: str
    hardware: str
    datasets: Mapping[str, PaperData]
    tables: Sequence[PaperTable]
    figures: Sequence[PaperFigure]
    cells: Sequence[Cell]
    training: TrainingData = TrainingData()

    @property
    def beside(self) -> list[Cell]:
        """The cells of rows that the paper does not have."""
        return [cell for table in self.tables for cell in table.cells.values() if not cell.row.printed]
