"""Numbers over several pairs, worked out of the rows of the single pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from datasets.files import Array
from reports.audit.finding import Finding, Holds
from reports.audit.sheet import Sheet, number, where, within
from reports.paper.contents import Cell

OVER_PAIRS = ("mean", "sd", "sum")


@dataclass(frozen=True)
class Rows:
    """The cells of single pairs: means and, where there are any, standard deviations and numbers of landmarks."""

    means: Sequence[Cell]
    deviations: Sequence[Cell]
    counts: Sequence[Cell]


def check_totals(sheet: Sheet) -> Iterator[Finding]:
    """Work each mean, standard deviation or sum over pairs out of the single pairs; a quantity printed twice once."""
    for cells in sheet.quantities.values():
        cell = cells[0]
        if cell.spread:
            yield _draws(cell)
            continue
        rows = None if cell.pair is not None or cell.statistic not in OVER_PAIRS else rows_of(sheet, cell)
        if rows is not None:
            yield _total(cells, rows)


def rows_of(sheet: Sheet, cell: Cell, method: str = "") -> Rows | None:
    """Return the cells of the single pairs that a cell is over; None where the paper has not one of every pair."""
    wanted = {"method": method or cell.method, "metric": cell.metric, "protocol": cell.protocol, "seed": cell.seed}
    single = [each for each in sheet.find(**wanted) if each.pair is not None and each.datasets[0] in cell.datasets]
    counts = [each for each in sheet.find(region="count", statistic="sum") if each.pair is not None]
    counts = [each for each in counts if each.datasets[0] in cell.datasets]
    means = counts if cell.statistic == "sum" else [each for each in single if each.statistic == "mean"]
    deviations = [each for each in single if each.statistic == "sd"] if cell.pooled else []
    pairs = sum(sheet.paper.datasets[key].pairs or 0 for key in cell.datasets)
    whole = pairs > 0 and len(means) == pairs and (not cell.pooled or len(counts) == len(deviations) == pairs)
    return Rows(means, deviations, counts) if whole else None


def values_of(cells: Sequence[Cell]) -> Array:
    """Return the printed numbers of some cells."""
    return np.array([number(cell).value for cell in cells])


def mean_and_deviation(means: Array, deviations: Array, weights: Array) -> tuple[float, float]:
    """Return mean and standard deviation (n, not n - 1) of all values of groups with these means and weights."""
    share = weights / weights.sum()
    mean = float(share @ means)
    return mean, float(np.sqrt(share @ (deviations**2 + (means - mean) ** 2)))


def _worked_out(cell: Cell, rows: Rows) -> tuple[float, float]:
    """Return a cell's number, and how far the rounding of the rows can move it (to first order)."""
    means = values_of(rows.means)
    if cell.statistic == "sum":
        return float(means.sum()), 0.0
    weights = values_of(rows.counts) if cell.pooled else np.ones(len(means))
    deviations = values_of(rows.deviations) if cell.pooled else np.zeros(len(means))
    mean, deviation = mean_and_deviation(means, deviations, weights)
    half, share = number(rows.means[0]).step / 2, weights / weights.sum()
    if cell.statistic == "mean":
        return mean, half
    moved = np.abs(means - mean) + (np.abs(deviations) if cell.pooled else 0)
    return deviation, half * float(share @ moved) / deviation


def _total(cells: Sequence[Cell], rows: Rows) -> Finding:
    cell = cells[0]
    value, slack = _worked_out(cell, rows)
    how = "weighted by landmarks" if cell.pooled else "of the pairs"
    exact = within(cell, value)
    holds: Holds = "yes" if within(cell, value, slack) else "no"
    follows = "The row is that of the pairs above it."
    if not exact:
        follows = "Only the rounding of the rows allows it; what is worked out of the rows differs in the last digit."
    return Finding(
        f"total/{cell.table}/{cell.row.key}/{cell.column.key}",
        where(cells),
        f"{cell.column.group or cell.column.label}, {cell.statistic} {how} of {len(rows.means)} pairs",
        cell.printed.text,
        _rounded(value, number(cell).step),
        cell.unit,
        holds,
        follows if holds == "yes" else "The row is not that of the pairs above it.",
        notable=not exact,
    )


def _draws(cell: Cell) -> Finding:
    """Work the mean, or the standard deviation (n - 1), of single draws out of their numbers."""
    draws = np.array(cell.spread)
    value = float(draws.mean() if cell.statistic == "mean" else draws.std(ddof=1))
    holds = within(cell, value)
    return Finding(
        f"draws/{cell.row.key}/{cell.column.key}",
        cell.printed.locator,
        f"{cell.row.name}, {cell.column.label}, of {', '.join(f'{draw:g}' for draw in draws)}",
        cell.printed.text,
        _rounded(value, number(cell).step),
        cell.unit,
        "yes" if holds else "no",
        "It is that of the printed draws." if holds else "It is not that of the printed draws.",
    )


def _rounded(value: float, step: float) -> str:
    decimals = max(0, round(-np.log10(step)))
    return f"{value:,.{decimals}f}"
