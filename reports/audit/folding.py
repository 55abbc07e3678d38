"""Printed counts of voxels that fold, as shares of the grid that they can be counted on."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from reports.audit.finding import Finding
from reports.audit.sheet import Sheet, number
from reports.paper.contents import Cell


def check_folding(sheet: Sheet) -> Iterator[Finding]:
    """Work each count out as a share of the whole grid and of the voxels that have a forward difference."""
    cells = sheet.find(metric="folding_count")
    most = max((number(cell).value for cell in cells), default=0)
    for cell in cells if len(sheet.paper.grid) == 3 else []:
        yield _share(sheet, cell, notable=number(cell).value == most)


def _share(sheet: Sheet, cell: Cell, *, notable: bool) -> Finding:
    count, title = number(cell).value, sheet.paper.datasets[cell.datasets[0]].title
    inner = [side - 1 for side in sheet.paper.grid]
    whole, forward = count / prod(sheet.paper.grid), count / prod(inner)
    grid, smaller = (" x ".join(map(str, sides)) for sides in (sheet.paper.grid, inner))
    words = (
        f"voxels that fold on {title} ({cell.row.name}) as a share of {grid}; of the {smaller} that have forward "
        f"differences {100 * forward:.2f} %"
    )
    holds = forward <= 1
    follows = "Compare the share with another grid's, not the count." if holds else "More voxels than the grid has."
    parts = (cell.printed.locator, words, cell.printed.text, f"{100 * whole:.2f}", "%")
    key = f"folding/{cell.row.key}/{cell.datasets[0]}"
    return Finding(key, *parts, "yes" if holds else "impossible", follows, notable=notable)
