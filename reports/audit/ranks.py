"""Wilcoxon's signed-rank test worked out of the printed means of the pairs."""

from __future__ import annotations

import math
from collections.abc import Iterator

from scipy import stats

from benchmarks.statistics import wilcoxon
from datasets.files import Array
from reports.audit.finding import Finding
from reports.audit.sheet import Sheet, within
from reports.audit.totals import rows_of, values_of
from reports.paper.contents import Cell


def normal_p(differences: Array) -> float:
    """Return the two-sided p of the normal approximation, without corrections for ties or continuity."""
    n = len(differences)
    above = wilcoxon(differences, alternative="greater").statistic - n * (n + 1) / 4
    return 2 * float(stats.norm.sf(abs(above) / math.sqrt(n * (n + 1) * (2 * n + 1) / 24)))


def check_ranks(sheet: Sheet) -> Iterator[Finding]:
    """Compare the printed sum of ranks with that of the pairs, and its p with the exact one-sided p."""
    for cell in sheet.cells:
        if not cell.statistic.startswith("signed_rank"):
            continue
        ours, theirs = (rows_of(sheet, cell, method) for method in (cell.method, cell.against))
        if ours and theirs:
            differences = values_of(theirs.means) - values_of(ours.means)
            yield (_sum if cell.statistic == "signed_rank" else _p)(cell, differences)


def _sum(cell: Cell, differences: Array) -> Finding:
    found, n = wilcoxon(differences, alternative="greater"), len(differences)
    holds = within(cell, found.statistic)
    follows = "The text's sum is that of its table." if holds else "The text's sum is not that of its table."
    if holds and found.statistic == n * (n + 1) / 2:
        follows = f"The largest sum that {n} pairs can have: every pair improves, so it tells nothing of how much."
    words = f"sum of the ranks of the {n} pairs' mean errors that are lower"
    parts = (cell.printed.locator, words, cell.printed.text, f"{found.statistic:g}", cell.unit)
    return Finding(f"ranks/{cell.row.key}", *parts, "yes" if holds else "no", follows, notable=True)


def _p(cell: Cell, differences: Array) -> Finding:
    exact, normal = wilcoxon(differences, alternative="greater").p_value, normal_p(differences)
    holds = within(cell, exact)
    is_normal = "it is the two-sided p of the normal approximation" if within(cell, normal) else "it is neither"
    words = f"exact one-sided p of the signed ranks; two-sided by the normal approximation {normal:.3g}"
    follows = "It is the exact p." if holds else f"Printed as one-sided, {is_normal}. Compare the sum of ranks, not p."
    parts = (cell.printed.locator, words, cell.printed.text, f"{exact:.2g}", cell.unit)
    return Finding(f"ranks/{cell.row.key}", *parts, "yes" if holds else "no", follows)
