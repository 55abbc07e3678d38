"""The part of a report that is one paper's: its tables, figures and ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from reports import FIGURES, TABLES
from reports.drawing import html
from reports.paper.cast import PaperRun, Player
from reports.paper.contents import Paper
from reports.paper.draw import Drawn, draw_figures
from reports.paper.ledger import Judged, beside, judge, ledger_table, verdict_counts
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


def write_paper(folder: Path, paper_run: PaperRun) -> tuple[PaperSection, list[Judged]]:
    """Write a paper's tables and figures into a report's folder; return its section of the page and its ledger."""
    judged = judge(paper_run)
    tables = write_paper_tables(folder / TABLES, paper_run, [*judged, *beside(paper_run)])
    figures = [_figure(paper_run, drawn) for drawn in draw_figures(paper_run, folder / FIGURES)]
    caption = f"Ledger of {paper_run.paper.cite}: every printed number beside the measured one, in printed units."
    ledger, players = ledger_table(judged, caption), list(paper_run.players.values())
    counts = len(judged), verdict_counts(judged)
    return PaperSection(paper_run.paper, players, tables, figures, ledger, *counts), judged


def _figure(paper_run: PaperRun, drawn: Drawn) -> PageFigure:
    """Return a figure for the page: a drawing goes inline; one that holds pictures is shown as one picture."""
    number, caption, path = drawn.number, drawn.caption, drawn.path
    if path is None:
        return PageFigure(number, caption, None, "", drawn.why_not)
    svg = path.with_name(f"{path.name}.svg").read_text(encoding="utf-8")
    if "<image" in svg:
        return PageFigure(number, caption, None, html.data_uri(path.with_name(f"{path.name}.png"), PICTURE), "")
    return PageFigure(number, caption, html.inline_svg(svg, f"{paper_run.paper.key}-fig{number}", caption), "", "")
