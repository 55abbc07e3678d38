"""Numbers that a paper prints twice, or that are the difference, mean or ratio of others that it prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from reports.audit.finding import Finding
from reports.audit.sheet import COSTS, Sheet, bounds, named, number, where
from reports.paper.contents import Cell

MIXED = ("ratio", "reduction", "less")  # statistics of two methods that printed means of both give


def check_repeats(sheet: Sheet) -> Iterator[Finding]:
    """Compare the cells that print one quantity in several places."""
    for first, *others in sheet.quantities.values():
        for other in others:
            yield _repeat(sheet, first, other)


def _repeat(sheet: Sheet, first: Cell, other: Cell) -> Finding:
    coarser = max(number(first).step, number(other).step)  # “approximately 1” stands for 1.24
    same = abs(number(first).value - number(other).value) < coarser / 2
    follows = "The paper has two numbers for one quantity; neither is to be preferred."
    return Finding(
        f"repeat/{_place(other)}",
        where((first, other)),
        f"{named(other, sheet.paper.datasets)}, printed in two places",
        other.printed.text,
        first.printed.text,
        other.unit,
        "yes" if same else "no",
        "One number stands for it." if same else follows,
    )


def check_gains(sheet: Sheet) -> Iterator[Finding]:
    """Compare each gain in brackets with the difference of the two cells it is of."""
    gains = [cell for cell in sheet.paper.cells if cell.column.gain_of and not cell.printed.blank]
    exact = sum(_gain(sheet, cell).holds == "yes" for cell in gains)
    for cell in gains:
        found = _gain(sheet, cell)
        if found.holds == "no" and cell.printed.number:
            follows = (
                f"{exact} of {len(gains)} gains are exactly that difference, so this one is a slip; use the cells."
            )
            yield replace(found, follows=follows)
        else:
            yield found


def _gain(sheet: Sheet, cell: Cell) -> Finding:
    of = {"table": cell.table, "metric": cell.metric, "datasets": cell.datasets, "less": ""}
    (above,), (below,) = (sheet.find(method=method, **of) for method in (cell.method, cell.less))
    step = number(above).step
    difference = number(above).value - number(below).value
    holds = cell.printed.number is not None and abs(cell.printed.number.value - difference) < step / 2
    return Finding(
        f"gain/{_place(cell)}",
        cell.printed.locator,
        f"gain of {named(cell, sheet.paper.datasets)}: {above.printed.text} less {below.printed.text}",
        cell.printed.text,
        f"{difference:+.1f}",
        cell.unit,
        "yes" if holds else "no",
        "The gain is that of the two cells." if holds else "No number can be read in print; the cells give the gain.",
    )


def check_comparisons(sheet: Sheet) -> Iterator[Finding]:
    """Work ratios and differences of two methods out of the cells that print a number of each."""
    for cell in sheet.cells:
        if cell.statistic not in MIXED or cell.column.gain_of:
            continue
        above, below = (_means(sheet, cell, method) for method in (cell.method, cell.against))
        if above and below:
            yield _comparison(sheet, cell, above, below)


def _means(sheet: Sheet, cell: Cell, method: str) -> list[Cell]:
    """Return the cell with a method's mean (of costs, the only number) over all data sets, or one for each of them.

    Empty where the paper prints neither.
    """
    kind = {"metric": cell.metric, "method": method, "less": "", "against": "", "pair": None, "device": cell.device}
    if cell.metric in COSTS:
        return sheet.find(**kind)[:1]
    kind |= {"seed": cell.seed, "statistic": "mean"}
    if whole := sheet.find(**kind, datasets=cell.datasets)[:1]:
        return whole
    parts = [sheet.find(**kind, datasets=(name,))[:1] for name in cell.datasets]
    return [part[0] for part in parts] if all(parts) else []


def _comparison(sheet: Sheet, cell: Cell, above: Sequence[Cell], below: Sequence[Cell]) -> Finding:
    (low_above, high_above), (low_below, high_below) = _mean_bounds(above), _mean_bounds(below)
    ours, theirs = (sum(number(each).value for each in cells) / len(cells) for cells in (above, below))
    if cell.statistic == "ratio":
        value, low, high, words = ours / theirs, low_above / high_below, high_above / low_below, "divided by"
    else:
        value, low, high, words = theirs - ours, low_below - high_above, high_below - low_above, "taken from"
    lowest, highest = bounds(cell)
    holds = low <= highest and lowest <= high
    return Finding(
        f"comparison/{_place(cell)}",
        where((cell, *above, *below)),
        f"{cell.row.name}: {_listed(above)} {words} {_listed(below)}",
        cell.printed.text,
        f"{value:.3g}",
        cell.unit,
        "yes" if holds else "no",
        "The text can be had from the tables." if holds else "The text contradicts the tables; quote the tables.",
    )


def _mean_bounds(cells: Sequence[Cell]) -> tuple[float, float]:
    low, high = zip(*map(bounds, cells), strict=True)
    return sum(low) / len(low), sum(high) / len(high)


def _listed(cells: Sequence[Cell]) -> str:
    texts = ", ".join(cell.printed.text for cell in cells)
    return texts if len(cells) == 1 else f"the mean of {texts}"


def _place(cell: Cell) -> str:
    return f"{cell.table}/{cell.row.key}/{cell.column.key}"
