"""The part of a report that is one paper's: its tables, figures and ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from reports.drawing import html
from reports.paper.cast import PaperRun, Player
from reports.paper.contents import Paper
from reports.paper.draw import Drawn, draw_figures
from reports.paper.ledger import Judged, beside, judge, ledger_table, verdict_counts
from reports.paper.tables import write_paper_tables
from reports.tables.table import Table

PICTURE = 1_500_000  # bytes of a figure that is embedded as a picture


@dataclass(frozen=True)
class Figure:
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
    figures: Sequence[Figure]
    ledger: Table
    printed: int
    verdicts: str


def write_paper(folder: Path, stage: PaperRun) -> tuple[PaperSection, list[Judged]]:
    """Write a paper's tables and figures into a report's folder; return its section of the page and its ledger."""
    judged = judge(stage)
    tables = write_paper_tables(folder / "tables", stage, [*judged, *beside(stage)])
    figures = [_figure(stage, drawn) for drawn in draw_figures(stage, folder / "figures")]
    caption = f"Ledger of {stage.paper.cite}: every printed number beside the measured one, in printed units."
    ledger, players = ledger_table(judged, caption), list(stage.players.values())
    counts = len(judged), verdict_counts(judged)
    return PaperSection(stage.paper, players, tables, figures, ledger, *counts), judged


def _figure(stage: PaperRun, drawn: Drawn) -> Figure:
    """Return a figure for the page: a drawing goes inline; one that holds pictures is shown as one picture."""
    number, caption, path = drawn.number, drawn.caption, drawn.path
    if path is None:
        return Figure(number, caption, None, "", drawn.why_not)
    svg = path.with_name(f"{path.name}.svg").read_text(encoding="utf-8")
    if "<image" in svg:
        return Figure(number, caption, None, html.data_uri(path.with_name(f"{path.name}.png"), PICTURE), "")
    return Figure(number, caption, html.inline_svg(svg, f"{stage.paper.key}-fig{number}", caption), "", "")
