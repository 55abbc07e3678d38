"""All checks of a paper's printed numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from reports import AUDIT
from reports.audit import counts, differences, folding, overlap, ranks, sizes, speed, totals
from reports.audit.finding import Finding, audit_frame, audit_table
from reports.audit.sheet import Sheet, open_sheet
from reports.paper.contents import Paper
from reports.tables.table import Table
from reports.tables.write import csv_text, write_text

CHECKS: Sequence[Callable[[Sheet], Iterable[Finding]]] = (
    overlap.check_overlap,
    differences.check_gains,
    differences.check_repeats,
    differences.check_comparisons,
    totals.check_totals,
    ranks.check_ranks,
    speed.check_throughput,
    speed.check_alike,
    speed.check_training,
    sizes.check_parameters,
    sizes.check_brains,
    sizes.check_student,
    folding.check_folding,
    counts.check_pairs,
    counts.check_training_set,
    counts.check_rows,
    counts.check_extremes,
    counts.check_best_conventional,
)


def audit(paper: Paper) -> list[Finding]:
    """Return what comes out when a paper's printed numbers are worked out anew; checks that find no such cells skip."""
    sheet = open_sheet(paper)
    return [finding for check in CHECKS for finding in check(sheet)]


def write_audit(folder: Path, papers: Sequence[Paper]) -> dict[str, Table]:
    """Write ``audit.csv`` into a report's folder; return for each paper, by key, what readers are shown of it."""
    found = {paper.key: audit(paper) for paper in papers}
    rows = [(key, finding) for key, findings in found.items() for finding in findings]
    write_text(folder / AUDIT, csv_text(audit_frame(rows)))
    return {paper.key: audit_table(paper.cite, found[paper.key]) for paper in papers}
