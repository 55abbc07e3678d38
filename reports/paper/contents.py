"""The contents of a paper as types: data sets, tables, cells, figures; built once when `layout.load_paper` reads it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from benchmarks.statistics import Estimate, Sample
from reports.claims.contents import Claims
from reports.paper.printed import Printed

# What a printed number is of: the data as they are, the size of a network, how a run was set up, or what came of it.
Kind = Literal["data", "size", "setting", "result"]
OWN_SIZE = "the paper's size"  # in the place of a data set: no data set changes what a network costs at that size
KINDS: tuple[Kind, ...] = ("result", "size", "data", "setting")  # in order of display


@dataclass(frozen=True)
class PaperData:
    """A data set that the paper tests on, and how many ``pairs`` of it.

    ``module`` of `datasets`, and its ``collection`` where that has several, are what prepares it: a data set of another
    origin is another one, whatever its name.
    """

    title: str
    module: str
    pairs: int
    collection: str = ""


@dataclass(frozen=True)
class TrainingData:
    """A data set that the paper's networks learn from before they are tested on ``datasets``, and how they do.

    ``module`` and ``collection`` are as for `PaperData`, ``cases`` how many scans there are; of ``iterations``,
    ``batch`` and ``learning_rate`` those are 0 that the paper does not say. ``trainings`` is how many the printed
    numbers are of.
    """

    title: str
    module: str
    cases: int
    datasets: Sequence[str]
    collection: str = ""
    iterations: int = 0
    batch: int = 0
    learning_rate: float = 0.0
    trainings: int = 1


@dataclass(frozen=True)
class Row:
    """A row of a table: its labels, and its method where all of its cells have the same one.

    ``printed`` is False for a row of ours that the paper does not have. ``only`` names the columns that it has a cell
    in where it has not all, ``cells`` those that it says more of, ``gain_over`` the row that its gains are over,
    ``spread`` the rows of single draws that it is the mean or the standard deviation of.
    ``claim`` is what the paper claims by it, which the report answers in a sentence for each column.
    """

    key: str
    labels: Sequence[str]
    name: str
    method: str = ""
    printed: bool = True
    only: Sequence[str] = ()
    cells: Sequence[str] = ()
    gain_over: str = ""
    spread: Sequence[str] = ()
    claim: str = ""


@dataclass(frozen=True)
class Column:
    """A column of a table; ``gain_of`` and ``sd_of`` name the column whose gain or standard deviation this one is.

    ``datasets`` and ``method`` are its own; where they are empty rows or the whole table say them. ``only`` names the
    rows that it has a cell in where it has not all.
    """

    key: str
    label: str
    group: str = ""
    gain_of: str = ""
    sd_of: str = ""
    datasets: Sequence[str] = ()
    method: str = ""
    only: Sequence[str] = ()


@dataclass(frozen=True)
class Margin:
    """How far a number may be from the printed one and still agree: ``size`` in printed units, or a share of it."""

    size: float
    relative: bool = False


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A cell: what it measures, how its number is shown, and what the paper prints in it."""

    table: int  # number of its table
    row: Row  # its row
    column: Column  # its column
    unit: str = ""  # unit of the printed number
    printed: Printed = field(default_factory=Printed)  # nothing in a row that the paper does not have
    datasets: Sequence[str] = ()  # keys of the paper's data sets that it is over; a number about a training has none
    method: str = ""  # name of the method that it is of
    less: str = ""  # the method that a gain is over
    against: str = ""  # the method that it is compared with
    methods: Sequence[str] = ()  # all three, as far as there are any
    metric: str = ""  # what is measured; empty for a setting
    protocol: str = ""  # how
    region: str = ""  # where, by default the headline region of the metric
    statistic: str = ""  # over pairs, or over calls of seconds
    pooled: bool = False  # over all landmarks together and not over pairs
    sets_alike: bool = False  # whether several data sets count alike, however many pairs each has
    seed: int | None = None  # one seed; None for all
    draws: bool = False  # whether there have to be several seeds
    spread: Sequence[float] = ()  # the printed numbers of single draws whose mean or SD is printed here
    as_set: bool = False  # a single draw, which is judged with the others of its set and not by itself
    kind: Kind = "result"
    pair: int | None = None  # one pair of the data set, from 1; None for all
    device: str = ""  # of seconds: cpu, cuda, or any
    setting: str = ""  # path with dots of a number in a ``file`` that the method's training left
    file: str = ""  # name of that file, JSON
    not_run: str = ""  # why nothing is measured
    factor: float = 1  # printed units per unit of the metric
    decimals: int | None = None  # decimals that are shown
    digits: int | None = None  # significant digits that are shown, over ``decimals``
    form: str = ""  # range is [-a, a], cube is a x a x a, count is a of n
    suffix: str = ""  # printed multiple of the unit
    with_unit: bool = False  # whether the unit is shown in the cell
    signed: bool = False  # whether a positive number has its sign, as a gain
    margin: Margin | None = None  # what it is judged by; None where it is not
    outcomes: Mapping[str, str] = field(default_factory=dict)  # printed words that say how a training ended


@dataclass(frozen=True)
class Measured:
    """A measured number in printed units, or the ``reason`` why there is none.

    ``outcome`` says that there is none because training ended so (diverged), which is a result. ``narrow`` says that
    the network that was run has another width than the paper's, ``learned`` what networks learned from where that is
    not the paper's training data, which makes a stand-in as well; ``failed`` how many registrations a mean leaves out.
    ``trainings`` counts those that were run, 0 for a repeatable method; ``drawn`` has its number in each of them,
    ``sample`` the values of its registrations where it is a mean of these, ``own`` its 90 % interval over timed calls.
    ``low`` and ``high`` are what is shown, at 95 %, of the ``interval``.

    Seconds have their ``threads``, the ``grid`` and the ``hardware`` (`benchmarks.clock.hardware`) of their calls, and
    whether there was but one (``once``); where another method was timed in the row's place, ``timed_as``; their
    ``device`` where the cell leaves it open.
    """

    dataset: str
    stand_in: bool
    metric: str
    protocol: str
    statistic: str
    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    interval: str = ""  # what low and high are over; empty where there are none
    trainings: int = 0
    drawn: Sample | None = None
    sample: Sample | None = None
    own: Estimate | None = None
    n: int | None = None
    failed: int = 0
    narrow: bool = False
    learned: str = ""
    threads: int | None = None
    device: str = ""
    grid: str = ""
    hardware: str = ""
    once: bool = False
    timed_as: str = ""
    notes: tuple[str, ...] = ()
    reason: str = ""
    outcome: str = ""


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
    trainings: Sequence[TrainingData] = ()  # what its networks learn from
    taught: Mapping[str, str] = field(default_factory=dict[str, str])  # the teacher of each method that has one
    software: str = ""  # what its networks are written in
    grid: Sequence[int] = ()  # voxels of the images that its networks see
    claims: Claims | None = None  # what it says of its methods, None where that is not written down

    @property
    def beside(self) -> list[Cell]:
        """The cells of rows that the paper does not have."""
        return [cell for table in self.tables for cell in table.cells.values() if not cell.row.printed]
