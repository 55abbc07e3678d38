"""What a report writes and shows of one paper: its tables, figures and ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from reports.drawing import html
from reports.overview.tables import display_title
from reports.paper.draw import draw_figures
from reports.paper.layout import PaperRun
from reports.paper.ledger import Judged, beside, judge, ledger_table, verdict_counts
from reports.paper.tables import write_paper_tables
from reports.tables.table import Table

PICTURE = 1_500_000  # bytes of a figure that is embedded as a picture


@dataclass(frozen=True)
class Player:
    """Which prepared data set plays a data set of the paper: none has an empty ``name``; ``note``: its pairs differ."""

    title: str
    name: str
    player: str
    stand_in: bool
    pairs: int
    note: str = ""


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
    """What the page shows of one paper."""

    key: str
    title: str
    cite: str
    hardware: str
    players: Sequence[Player]
    tables: Sequence[Table]
    figures: Sequence[Figure]
    ledger: Table
    printed: int
    verdicts: str


def write_paper(folder: Path, run: PaperRun) -> tuple[PaperSection, list[Judged]]:
    """Write a paper's tables and figures into a report's folder; return its section of the page and its ledger."""
    judged = judge(run)
    tables = write_paper_tables(folder / "tables", run, [*judged, *beside(run)])
    figures = [_figure(run, *drawn) for drawn in draw_figures(run, folder / "figures")]
    caption = f"Ledger of {run.paper.cite}: every printed number beside the measured one, in printed units."
    section = PaperSection(
        run.paper.key, run.paper.title, run.paper.cite, run.paper.hardware, _players(run), tables, figures,
        ledger_table(judged, caption), len(judged), verdict_counts(judged),
    )  # fmt: skip
    return section, judged


def _players(run: PaperRun) -> list[Player]:
    players = []
    for key, about in run.paper.datasets.items():
        data = run.datasets.get(key)
        if data is None:
            players.append(Player(about["title"], "", "", False, 0))
        else:
            pairs = len(data.test_pairs)
            shown, note = display_title(data), run.pairs_note(key)
            players.append(Player(about["title"], data.name, shown, run.is_stand_in(key), pairs, note))
    return players


def _figure(run: PaperRun, number: int, caption: str, stem: Path | None, why_not: str) -> Figure:
    """A figure's drawing goes inline; one that holds pictures is shown as one picture."""
    if stem is None:
        return Figure(number, caption, None, "", why_not)
    svg = stem.with_name(f"{stem.name}.svg").read_text(encoding="utf-8")
    if "<image" in svg:
        return Figure(number, caption, None, html.data_uri(stem.with_name(f"{stem.name}.png"), PICTURE), why_not)
    name = f"{run.paper.key}-fig{number}"
    return Figure(number, caption, html.inline_svg(svg, name, caption), "", why_not)
