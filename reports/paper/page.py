"""The part of a report that is one paper's: its tables, figures and ledger."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from benchmarks.clock.hardware import parse
from reports import FIGURES, TABLES
from reports.claims import contents as claiming
from reports.claims.contents import Counts, count
from reports.claims.declared import sentence
from reports.claims.judge import judge as judge_claims
from reports.claims.table import claims_table
from reports.drawing import html
from reports.paper.cast import PaperRun, Player
from reports.paper.contents import Paper
from reports.paper.draw import Drawn, draw_figures
from reports.paper.layout import margins_of
from reports.paper.ledger import Judged, beside, judge, ledger_table, shown, verdict_counts
from reports.paper.tables import write_paper_tables
from reports.tables.table import Table

PICTURE = 1_500_000  # bytes of a figure that is embedded as a picture


@dataclass(frozen=True)
class PageFigure:
    """A figure for the page: an inline drawing or the data of a picture, or why there is neither."""

    number: int
    caption: str
    drawing: Markup | None
    picture: str
    why_not: str


@dataclass(frozen=True)
class PaperSection:
    """All that the page shows of one paper."""

    about: Paper
    players: Sequence[Player]
    tables: Sequence[Table]
    figures: Sequence[PageFigure]
    ledger: Table
    printed: int
    verdicts: str
    claimed: Sequence[claiming.Judged]
    claim_counts: Counts
    claim_table: Table | None  # None where the paper's claims are not written down
    claims: Sequence[str]  # what becomes of what the paper claims, a sentence each


def write_paper(folder: Path, paper_run: PaperRun) -> tuple[PaperSection, list[Judged]]:
    """Write a paper's tables and figures into a report's folder; return its section of the page and its ledger."""
    judged = judge(paper_run)
    tables = write_paper_tables(folder / TABLES, paper_run, [*judged, *beside(paper_run)])
    figures = [_figure(paper_run, drawn) for drawn in draw_figures(paper_run, folder / FIGURES)]
    caption = f"Ledger of {paper_run.paper.cite}: every printed number beside the measured one, in printed units."
    ledger, players = ledger_table(judged, caption), list(paper_run.players.values())
    counts = len(judged), verdict_counts(judged)
    claimed = judge_claims(paper_run)
    declared = sentence(paper_run.run.declared, paper_run.paper.key, margins_of(paper_run.paper))
    caption = f"Claims of {paper_run.paper.cite}, decided by this run."
    table = claims_table(claimed, caption, declared) if claimed else None
    claim_parts = claimed, count(claimed), table, claims(judged)
    return PaperSection(paper_run.paper, players, tables, figures, ledger, *counts, *claim_parts), judged


def claims(judged: Sequence[Judged]) -> list[str]:
    """Return what becomes of the claims of a paper's rows: a sentence for each column, worked out of its numbers."""
    return [_answer(each) for each in judged if each.cell.row.claim]


def _answer(each: Judged) -> str:
    cell, measured = each.cell, each.measured
    said = f"Printed is that {cell.row.claim}, {cell.printed.text} times; {cell.column.label}"
    if measured.reason:
        return f"{said}: not measured, {measured.reason}."
    times, known = shown(measured.value, cell), not math.isnan(measured.low)
    interval = f"95 % interval {shown(measured.low, cell)} to {shown(measured.high, cell)}" if known else "no interval"
    others = f", so it takes {shown(1 / measured.value, cell)} times as long" if measured.value < 1 else ""
    grid, threads = measured.grid.replace("x", " x "), f"{measured.threads} thread{'s' * (measured.threads != 1)}"
    where = f"{grid} voxels, {threads}, {parse(measured.hardware).cpu}"
    return f"{said}: {times} times here ({interval}; {measured.n} calls each, {where}){others}."


def _figure(paper_run: PaperRun, drawn: Drawn) -> PageFigure:
    """Return a figure for the page: a drawing goes inline; one that holds pictures is shown as one picture."""
    number, caption, path = drawn.number, drawn.caption, drawn.path
    if path is None:
        return PageFigure(number, caption, None, "", drawn.why_not)
    svg = path.with_name(f"{path.name}.svg").read_text(encoding="utf-8")
    if "<image" in svg:
        return PageFigure(number, caption, None, html.data_uri(path.with_name(f"{path.name}.png"), PICTURE), "")
    return PageFigure(number, caption, html.inline_svg(svg, f"{paper_run.paper.key}-fig{number}", caption), "", "")
