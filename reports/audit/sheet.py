"""A paper as the audit reads it: its printed cells by what they are of, and the numbers that are known beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import pandas as pd

from reports.paper.contents import Cell, Paper
from reports.paper.printed import Number

KNOWN = Path(__file__).parent / "known"
COSTS = ("seconds", "parameters")  # no data set changes them


@dataclass(frozen=True)
class Known:
    """A number beside the tables: ``printed`` as the text states it, empty for a fact that the paper does not state.

    ``locator`` says where in the paper, or for a fact its source.
    """

    printed: str
    value: float
    unit: str
    locator: str


@dataclass(frozen=True)
class Quantity:
    """What a cell is of. Two cells of one quantity have to print one number, wherever they stand."""

    methods: Sequence[str]
    datasets: Sequence[str]
    metric: str
    protocol: str
    region: str
    statistic: str
    pooled: bool
    pair: int | None
    seed: int | None
    spread: Sequence[float]
    device: str


@dataclass(frozen=True)
class Sheet:
    """A paper with the numbers that are known beside its tables, by key."""

    paper: Paper
    known: Mapping[str, Known]

    @cached_property
    def numbers(self) -> list[Cell]:
        """The cells that print a number."""
        return [cell for cell in self.paper.cells if cell.printed.number]

    @cached_property
    def cells(self) -> list[Cell]:
        """The cells that print a number of something that can be measured."""
        return [cell for cell in self.numbers if cell.metric]

    @cached_property
    def quantities(self) -> dict[Quantity, list[Cell]]:
        """The cells of each quantity, as far as they are of methods of this project."""
        found: dict[Quantity, list[Cell]] = {}
        for cell in filter(lambda cell: cell.methods, self.cells):
            found.setdefault(quantity(cell), []).append(cell)
        return found

    def find(self, **wanted: object) -> list[Cell]:
        """Return the cells that have these attributes, in the paper's order."""
        return [cell for cell in self.cells if all(getattr(cell, name) == value for name, value in wanted.items())]


def open_sheet(paper: Paper, *, folder: Path = KNOWN) -> Sheet:
    """Return a paper with what ``numbers.csv`` of ``folder`` knows beside its tables."""
    frame = _numbers(folder / "numbers.csv")
    rows = frame[frame.paper == paper.key].drop(columns="paper").itertuples(index=False, name=None)
    return Sheet(paper, {key: Known(printed, float(value), unit, where) for key, printed, value, unit, where in rows})


@cache
def _numbers(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")


def quantity(cell: Cell) -> Quantity:
    """Return what a cell is of; the mean and the median of seconds count as one, for papers do not tell them apart."""
    statistic = "typical" if cell.metric == "seconds" and cell.statistic in ("mean", "median") else cell.statistic
    if cell.metric in COSTS:
        return Quantity(tuple(cell.methods), (), cell.metric, "", "", statistic, False, None, None, (), cell.device)
    of = (tuple(cell.datasets), cell.metric, cell.protocol, cell.region, statistic, cell.pooled, cell.pair, cell.seed)
    return Quantity(tuple(cell.methods), *of, tuple(cell.spread), "")


def number(cell: Cell) -> Number:
    """Return the number that a cell of a sheet prints."""
    if cell.printed.number is None:
        raise ValueError(f"number: {cell.printed.text!r} is none")
    return cell.printed.number


def bounds(cell: Cell) -> tuple[float, float]:
    """Return the lowest and the highest number that is printed as the cell's."""
    printed = number(cell)
    return printed.value - printed.step / 2, printed.value + printed.step / 2


def within(cell: Cell, value: float, slack: float = 0.0) -> bool:
    """Return whether a number, known up to ``slack``, can be printed as the cell's."""
    low, high = bounds(cell)
    return low - slack - 1e-9 <= value <= high + slack + 1e-9


def where(cells: Iterable[Cell]) -> str:
    """Return the places of some cells, each once."""
    return "; ".join(dict.fromkeys(cell.printed.locator for cell in cells))


def named(cell: Cell, datasets: Mapping[str, object]) -> str:
    """Return a cell's row and, where it is of one data set of several, that one."""
    titles = [getattr(datasets[key], "title", key) for key in cell.datasets]
    return (
        f"{cell.row.name} on {titles[0]}" if len(titles) == 1 and cell.metric in ("dice", "jaccard") else cell.row.name
    )
