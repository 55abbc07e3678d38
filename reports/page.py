"""The report of one run: tables, figures, pictures of cases, and one self-contained page that shows them all."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from benchmarks.evidence import NEEDS
from benchmarks.metrics import METRICS, Metric
from benchmarks.ranking import Rank
from benchmarks.results import RUN_LEVEL
from reports import CLAIMS, FAILURES, FIGURES, LEDGER, PAGE, TABLES
from reports.answer.content import Answer
from reports.answer.gather import Told, answer
from reports.answer.pictures import Plot, plots
from reports.audit.audit import write_audit
from reports.claims.table import claims_frame
from reports.drawing.html import cite
from reports.overview.accuracy_time import accuracy_time
from reports.overview.cases import shown_ranks
from reports.overview.costs import cost_table, frame_of_costs
from reports.overview.failures import failure_frame, failure_table
from reports.overview.frontier import Frontier, clock, frontiers
from reports.overview.rows import frame_of
from reports.overview.section import Drawing, Section, keep_drawing, make_section
from reports.overview.spread import Spread, movable, spread_frame, spreads
from reports.overview.tables import accuracy_table
from reports.overview.timing import Timing, how_to_time, timing_frame, timings
from reports.paper.cast import PaperRun
from reports.paper.ledger import Judged, ledger_frame
from reports.paper.page import PaperSection, write_paper
from reports.parallel import side_by_side
from reports.reading.method import Method
from reports.reading.run import Run
from reports.reading.trainings import loss_curves
from reports.tables.folding import folded
from reports.tables.table import Table
from reports.tables.write import csv_text, write_tables, write_text

TEMPLATES = Path(__file__).parent / "templates"
WEIGHT = 15_000_000  # bytes of pictures on the page


@dataclass(frozen=True)
class Origin:
    """When, where and with what a run was made."""

    date: str
    commits: Sequence[str]
    dirty: bool
    machines: Sequence[str]
    python: Sequence[str]
    versions: Sequence[tuple[str, str]]
    mixed: Sequence[str]  # such as numpy 2.1 and 2.2: what was not the same for all rows


@dataclass(frozen=True)
class Page:
    """All that the page shows."""

    run: Run
    origin: Origin
    answer: Answer
    plots: Sequence[tuple[Plot, Drawing | None]]
    overview: Table
    ranks: Sequence[Rank]
    scatter: Drawing | None
    sections: Sequence[Section]
    papers: Sequence[PaperSection]
    audits: Mapping[str, Table]  # of the papers' printed numbers, by the papers' keys
    failures: Table
    costs: Table
    timed: Sequence[str]
    glossary: Mapping[str, Metric]
    runs: pd.DataFrame
    movable: Sequence[str]  # sentences on which numbers another machine or seed would change

    @property
    def methods(self) -> list[Method]:
        """The methods in display order."""
        return [self.run.methods[name] for name in self.run.ordered]

    @property
    def how_to_time(self) -> str:
        """What to do for columns of seconds."""
        return how_to_time(self.run)

    @property
    def phantoms(self) -> bool:
        """Whether any data set is a phantom."""
        return any(section.description.phantom for section in self.sections)


def build(folder: Path, run: Run, papers: Sequence[PaperRun] = (), *, processes: int = 1) -> None:
    """Write the report of a run: page, failures, ledger, claims, audit, tables and figures, named in `reports`.

    ``papers`` are the papers whose tables, figures and ledger the run fills. Papers and data sets are shared among some
    ``processes``.

    Raises:
        ValueError: a row names a method or data set that the run does not describe.
    """
    _check_names(run)
    (folder / FIGURES).mkdir(parents=True, exist_ok=True)
    timing, ranks, steps = timings(run.timing), shown_ranks(run), list(frontiers(run))
    made = _make(folder, run, papers, timing, steps, processes)
    printed, sections, moved = made.printed, made.sections, made.moved
    numbers = [row for section in sections for row in section.numbers.overview]
    failed = failure_frame(run.metrics, run.unavailable, run.lacking)
    overview = accuracy_table(run, numbers)
    failures = failure_table(run, failed)
    _write_tables(folder / TABLES, overview, sections, timing)
    write_tables(folder / TABLES, "failures", failed, [failures])
    write_text(folder / FAILURES, csv_text(failed))
    write_text(folder / LEDGER, csv_text(ledger_frame([each for _, judged in printed for each in judged])))
    claimed = [each for section, _ in printed for each in section.claimed]
    write_text(folder / CLAIMS, csv_text(claims_frame(claimed)))
    audits = write_audit(folder, [paper.paper for paper in papers])
    write_tables(folder / TABLES, "costs", frame_of_costs(made.costs), [made.costs])
    write_text(folder / TABLES / "seeds.csv", csv_text(spread_frame(moved)))
    origin = _origin(run.runs)
    told = [Told(paper, judged, section.claimed) for paper, (section, judged) in zip(papers, printed, strict=True)]
    opening, measured = answer(run, told, steps), set(run.metrics.metric.unique())
    page = Page(
        run,
        origin,
        opening,
        [_keep_plot(plot, folder / FIGURES) for plot in plots(opening)],
        overview,
        ranks,
        made.scatter,
        _embed_pictures(sections),
        [section for section, _ in printed],
        audits,
        failures,
        made.costs,
        sorted({row.dataset for row in timing}),
        {name: METRICS[name] for name in METRICS if name in measured},
        _described(run),
        movable(run, moved),
    )
    write_text(folder / PAGE, render(page))


@dataclass(frozen=True)
class _Made:
    """The parts of a report that do not need each other."""

    printed: Sequence[tuple[PaperSection, list[Judged]]]
    sections: Sequence[Section]
    scatter: Drawing | None
    moved: Sequence[Spread]
    costs: Table


def _make(
    folder: Path,
    run: Run,
    papers: Sequence[PaperRun],
    timing: Sequence[Timing],
    steps: Sequence[Frontier],
    processes: int,
) -> _Made:
    """Make what is of each paper and of each data set, and the plot of them all, side by side."""
    place, curves = folder / FIGURES, loss_curves(run.trainings)
    longest_first = sorted(run.datasets.values(), key=lambda data: -len(run.rows_of(data.name)))
    section = partial(make_section, place, run, timing=timing, curves=curves, ranks=shown_ranks(run))
    tasks: list[Callable[[], object]] = [
        *(partial(write_paper, folder, paper) for paper in papers),
        *(partial(section, data) for data in longest_first),
        *(partial(_scatter, run, steps, place), partial(spreads, run), partial(cost_table, run)),
    ]
    done: list[Any] = side_by_side(tasks, processes)
    made = dict(zip((data.name for data in longest_first), done[len(papers) : -3], strict=True))
    return _Made(done[: len(papers)], [made[data.name] for data in run.datasets.values()], *done[-3:])


def render(page: Page) -> str:
    """Return the page's HTML."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["cite"] = cite
    environment.filters["folded"] = folded
    return environment.get_template("page.html").render(page=page, origin=page.origin, needs=NEEDS)


def _keep_plot(plot: Plot, folder: Path) -> tuple[Plot, Drawing | None]:
    """Write a plot; return what is said of it, and its drawing for the page where there is one."""
    drawing = None if plot.figure is None else keep_drawing(plot.figure, folder, plot.name, plot.alt)
    return replace(plot, figure=None), drawing


def _scatter(run: Run, steps: Sequence[Frontier], folder: Path) -> Drawing | None:
    """Draw accuracy against time of every data set that was timed; None where none was."""
    alt = "Accuracy against median seconds, one panel per data set"
    return keep_drawing(accuracy_time(steps, clock(run)), folder, "accuracy-time", alt) if steps else None


def _check_names(run: Run) -> None:
    for what, column, known in (("data sets", "dataset", run.datasets), ("methods", "method", run.methods)):
        if unknown := sorted(set(run.metrics[column].unique().astype(str)) - {*known, RUN_LEVEL}):
            raise ValueError(f"build: metrics has rows of {what} that are not described: {', '.join(unknown)}")


def _write_tables(folder: Path, overview: Table, sections: Sequence[Section], timing: Sequence[Timing]) -> None:
    labels = [section.labels for section in sections if section.labels]
    tables = [overview, *(section.table for section in sections)]
    numbers = [section.numbers for section in sections]
    write_tables(folder, "overview", frame_of(row for each in numbers for row in each.overview), tables)
    write_tables(folder, "labels", frame_of((row for each in numbers for row in each.labels), labels=True), labels)
    write_tables(folder, "timing", timing_frame(timing), [section.timing for section in sections])


def _embed_pictures(sections: Sequence[Section]) -> list[Section]:
    """Return the sections with their pictures as data, which together stay below the page's weight."""
    number = sum(len(gallery.pictures) for section in sections for gallery in section.galleries)
    limit = int(0.75 * WEIGHT / max(number, 1))  # base64 makes three bytes four
    return [replace(each, galleries=[gallery.embedded(limit) for gallery in each.galleries]) for each in sections]


def _origin(runs: pd.DataFrame) -> Origin:
    found = {pair for text in runs.versions for pair in json.loads(text or "{}").items()}
    versions = [(name, " and ".join(sorted(v for n, v in found if n == name))) for name in {name for name, _ in found}]
    return Origin(
        date=str(runs.started_utc.max())[:10] if len(runs) else "no runs recorded",
        commits=sorted({str(commit)[:12] for commit in runs.commit if commit}),
        dirty=bool(runs.dirty.fillna(False).astype(bool).any()),
        machines=sorted({str(chip) for chip in [*runs.cpu, *runs.gpu] if chip not in ("", "none", None)}),
        python=sorted({str(python) for python in runs.python if python}),
        versions=sorted(versions, key=lambda item: item[0].lower()),
        mixed=_mixed(runs, found),
    )


def _mixed(runs: pd.DataFrame, versions: Iterable[tuple[str, str]]) -> list[str]:
    """Return what was not the same for all rows of the tables: commits, Python, libraries."""
    commits = [("commit", str(commit)[:12]) for commit in runs.commit if commit]
    seen: dict[str, set[str]] = {}
    for name, version in [*commits, *(("Python", str(python)) for python in runs.python if python), *versions]:
        seen.setdefault(name, set()).add(version)
    return [f"{name} {' and '.join(sorted(found))}" for name, found in sorted(seen.items()) if len(found) > 1]


def _described(run: Run) -> pd.DataFrame:
    """Return the provenance rows with labels of methods, and options as text."""
    rows = run.runs.sort_values(["dataset", "method", "seed"])
    options = [json.loads(text or "{}") for text in rows.params]
    texts = [", ".join(f"{key}={value}" for key, value in each.items()) for each in options]
    versions = [
        ", ".join(f"{name} {version}" for name, version in json.loads(text or "{}").items()) for text in rows.versions
    ]
    return rows.assign(label=[run.label(method) for method in rows.method], params=texts, versions=versions)
