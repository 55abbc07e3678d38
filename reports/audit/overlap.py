"""Mean Dice beside mean Jaccard: per registration J = D / (2 - D), which is convex, so that the means bound each other.

With f(D) = D / (2 - D) and means over the same registrations and labels, Jensen's inequality gives f(mean D) <= mean J,
and the chord of f over [0, 1] gives mean J <= mean D. Where no Dice is below d the chord of f over [d, 1] gives
mean J <= (2 mean D - d) / (2 - d), so that some Dice is at most 2 (mean D - mean J) / (1 - mean J). From
f(x) - f(m) - f'(m) (x - m) = 2 (x - m)^2 / ((2 - x) (2 - m)^2) with x <= 1 the standard deviation is at least
(2 - mean D) sqrt((mean J - f(mean D)) / 2).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from reports.audit.finding import Finding
from reports.audit.sheet import Sheet, bounds, named, number, where
from reports.paper.contents import Cell

# Ours: at the least standard deviation of 0.12 over registrations the means still fit each other. Of the printed pairs
# none lies between 0.107 and 0.137.
WIDEST = 0.12
SHARE = 100  # the cells are in per cent
_IMPOSSIBLE = (
    "No set of registrations has both means: they are of different evaluations, or one is wrong. Read no "
    "difference of less than a point between such rows."
)


def jaccard_of(dice: float) -> float:
    """Return the Jaccard index of two masks with this Dice."""
    return dice / (2 - dice)


def least_deviation(dice: float, jaccard: float) -> float:
    """Return the least standard deviation of Dice that registrations with these means have."""
    return (2 - dice) * math.sqrt(max(0.0, jaccard - jaccard_of(dice)) / 2)


def highest_lowest(dice: float, jaccard: float) -> float:
    """Return the Dice that at least one registration with these means does not exceed."""
    return 2 * (dice - jaccard) / (1 - jaccard)


def check_overlap(sheet: Sheet) -> Iterator[Finding]:
    """Compare each mean Jaccard with what the mean Dice of its row and data set allows; a pair printed twice once."""
    pairs: dict[tuple[object, ...], list[Cell]] = {}
    for dice in sheet.find(metric="dice", statistic="mean"):
        same = {"metric": "jaccard", "statistic": "mean", "table": dice.table, "row": dice.row, "method": dice.method}
        for jaccard in sheet.find(**same, datasets=dice.datasets, protocol=dice.protocol):
            key = (dice.method, tuple(dice.datasets), dice.printed.text, jaccard.printed.text)
            pairs.setdefault(key, []).extend((dice, jaccard))
    for cells in pairs.values():
        yield _finding(sheet, cells)


def _finding(sheet: Sheet, cells: list[Cell]) -> Finding:
    dice, jaccard = cells[:2]
    mean = number(dice).value / SHARE
    (low, high), (least, most) = bounds(dice), bounds(jaccard)
    holds, follows = "yes", "The two means can be of the same masks."
    recomputed, bound = SHARE * jaccard_of(mean), "least"
    if most / SHARE < jaccard_of(low / SHARE):
        holds, follows = "impossible", _IMPOSSIBLE
    elif least > high:
        recomputed, bound = SHARE * mean, "greatest"
        holds, follows = "impossible", _IMPOSSIBLE
    elif (spread := least_deviation(high / SHARE, least / SHARE)) > WIDEST:
        lowest = highest_lowest(high / SHARE, least / SHARE)
        holds = "implausible"
        follows = (
            f"A registration with a Dice of {lowest:.2f} or less is needed, and a standard deviation of {spread:.2f} "
            "or more: either many registrations failed, which the mean hides, or the columns are of different masks."
        )
    key = f"overlap/{jaccard.table}/{jaccard.method}/{'+'.join(jaccard.datasets)}"
    what = named(jaccard, sheet.paper.datasets)
    words = f"{bound} mean Jaccard beside a mean Dice of {dice.printed.text} %, {what}"
    shown = (jaccard.printed.text, f"{recomputed:.1f}", "%")
    return Finding(key, where(cells[1::2]), words, *shown, holds, follows)
