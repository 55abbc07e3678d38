"""The report of one run: tables, figures, pictures of cases, and one self-contained page that shows them all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from benchmarks.metrics import METRICS, Metric
from benchmarks.ranking import RANKS, quote, ranking_metrics
from benchmarks.results import RUN_LEVEL
from datasets.description import Description
from reports.drawing import html as embed
from reports.drawing.style import save
from reports.overview import figures
from reports.overview import tables as overview
from reports.overview.cases import Case, draw_cases
from reports.overview.failures import failure_frame, failure_table
from reports.paper.cast import PaperRun
from reports.paper.ledger import ledger_frame
from reports.paper.page import write_paper
from reports.reading import summary
from reports.reading.run import Methods, Run
from reports.reading.summary import Datasets
from reports.reading.trainings import loss_curves
from reports.tables.table import Table
from reports.tables.write import csv_text, write_tables, write_text

Curves = Mapping[tuple[str, str], pd.DataFrame]
TEMPLATES = Path(__file__).parent / "templates"
WEIGHT = 15_000_000  # bytes of pictures on the page
MANY = 40  # combinations of method and data set from which only the worst case of each is drawn


@dataclass(frozen=True)
class Section:
    """What the page shows of one data set; figures are SVG text ready to inline."""

    name: str
    title: str
    description: Description
    pairs: int
    voxel: str
    table: Table
    labels: Table | None
    timing: Table
    figures: Sequence[tuple[str, str]]
    curves: Sequence[tuple[str, str]]
    galleries: Sequence[tuple[str, Sequence[Case]]]


def build(folder: Path, run: Run, papers: Sequence[PaperRun] = ()) -> None:
    """Write the report of a run: ``index.html``, ``failures.csv``, ``ledger.csv``, ``tables/`` and ``figures/``.

    ``papers`` are the papers whose tables, figures and ledger the run fills.

    Raises:
        ValueError: a row names a method or data set that the run does not describe.
    """
    metrics, datasets, methods, timing, runs = run.metrics, run.datasets, run.methods, run.timing, run.runs
    _check_names(metrics, datasets, methods)
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    frames = overview.overview_frame(metrics, datasets, methods), overview.label_frame(metrics, datasets, methods)
    times = overview.timing_frame(timing)
    failed = failure_frame(metrics)
    failures = failure_table(failed, datasets, methods)
    tables = overview.overview_tables(frames[0], metrics, datasets, methods)
    ranks = RANKS if len(methods) * len(datasets) <= MANY else RANKS[:1]
    sections, curves = [], loss_curves(run.trainings)
    for dataset, table in zip(datasets.values(), tables[1:], strict=True):
        drawn = _dataset_figures(folder / "figures", metrics, dataset, methods, curves)
        sections.append(
            Section(
                dataset.name,
                dataset.description.display_title,
                dataset.description,
                len(dataset.test_pairs),
                _voxel(dataset.description),
                table,
                overview.label_table(frames[1], dataset, methods),
                overview.timing_table(times, dataset, methods),
                *drawn,
                draw_cases(folder / "figures" / "cases", run, dataset, ranks=ranks),
            )
        )
    label_tables = [section.labels for section in sections if section.labels]
    write_tables(folder / "tables", "overview", frames[0], tables)
    write_tables(folder / "tables", "labels", frames[1], label_tables)
    write_tables(folder / "tables", "timing", times, [section.timing for section in sections])
    write_tables(folder / "tables", "failures", failed, [failures])
    write_text(folder / "failures.csv", csv_text(failed))
    printed = [write_paper(folder, paper) for paper in papers]
    write_text(folder / "ledger.csv", csv_text(ledger_frame([each for _, judged in printed for each in judged])))
    scatter = figures.accuracy_time(metrics, datasets, methods, _clock(runs))
    if scatter is not None:
        save(scatter, folder / "figures", "accuracy-time")
    page = {
        "profile": run.profile,
        "profile_about": run.about,
        "about": _about_run(runs, datasets),
        "overview": tables[0],
        "ranks": ranks,
        "scatter": _inline(folder / "figures", "accuracy-time") if scatter is not None else None,
        "clock": _clock(runs),
        "sections": [_embed_pictures(section, folder, sections) for section in sections],
        "papers": [section for section, _ in printed],
        "failures": failures,
        "n_failed": int((failed.status != "not_applicable").sum()),
        "n_idle": int((failed.status == "not_applicable").sum()),
        "timed": [] if timing is None else sorted(set(timing.dataset)),
        "methods": [methods[name] for name in summary.ordered(methods)],
        "glossary": _glossary(metrics),
        "runs": _provenance(runs, methods),
    }
    write_text(folder / "index.html", render(page))


def render(page: Mapping[str, Any]) -> str:
    """The page's HTML from its contents."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters["cite"] = embed.cite
    return environment.get_template("page.html").render(**page)


def _check_names(metrics: pd.DataFrame, datasets: Datasets, methods: Methods) -> None:
    for what, column, known in (("data sets", "dataset", datasets), ("methods", "method", methods)):
        if unknown := sorted(set(metrics[column].astype(str)) - {*known, RUN_LEVEL}):
            raise ValueError(f"build: metrics has rows of {what} that are not described: {', '.join(unknown)}")


def _dataset_figures(
    folder: Path, metrics: pd.DataFrame, dataset: Any, methods: Methods, curves: Curves
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    spreads, trained = [], []
    for metric in ranking_metrics():
        quoted = quote(metrics, dataset.name, metric)
        figure = None if quoted is None else figures.spread(metrics, dataset, quoted, methods)
        if figure is not None:
            name = f"{metric.replace('_', '-')}-{dataset.name}"
            save(figure, folder, name)
            alt = f"{METRICS[metric].short} of every pair on {dataset.description.display_title}, a row for each method"
            spreads.append((alt, _inline(folder, name, alt)))
    for method in summary.ordered(methods):
        curve = curves.get((method, dataset.name))
        if curve is not None and len(curve):
            alt = f"Training loss of {methods[method].label} on {dataset.description.display_title}"
            save(figures.training(curve, methods[method].label), folder,
                         f"training-{method}-{dataset.name}")  # fmt: skip
            trained.append((alt, _inline(folder, f"training-{method}-{dataset.name}", alt)))
    return spreads, trained


def _voxel(data: Description) -> str:
    """The voxel's size in mm along each axis, or the range of sizes where every pair has its own."""
    sizes = [data.spacing] if data.spacing else list(data.spacings.values())
    ends = [dict.fromkeys(f"{size:.3g}" for size in (min(axis), max(axis))) for axis in zip(*sizes, strict=True)]
    return " \N{MULTIPLICATION SIGN} ".join(" to ".join(each) for each in ends)


def _inline(folder: Path, name: str, alt: str = "Accuracy against median seconds, one panel per data set") -> str:
    return embed.inline_svg((folder / f"{name}.svg").read_text(encoding="utf-8"), name, alt)


def _embed_pictures(section: Section, folder: Path, sections: Sequence[Section]) -> Section:
    number = sum(len(cases) for other in sections for _, cases in other.galleries)
    limit = int(0.75 * WEIGHT / max(number, 1))  # base64 makes three bytes four
    galleries = [
        (label, [replace(case, data=embed.data_uri(case.path, limit)) for case in cases])
        for label, cases in section.galleries
    ]
    return replace(section, galleries=galleries)


def _clock(runs: pd.DataFrame) -> str:
    """One line on the hardware that the seconds of the run were measured on."""
    if runs.empty:
        return "Seconds of the accuracy run; hardware not recorded."
    where = runs[["device", "threads", "cpu", "gpu"]].drop_duplicates().sort_values(["device", "threads", "cpu"])
    parts = []
    for row in where.itertuples():
        chip = row.cpu if row.device == "cpu" or not row.gpu else row.gpu
        parts.append(f"{row.device}, {row.threads} thread{'s' if row.threads != 1 else ''} ({chip})")
    return f"Seconds of the accuracy run: {'; '.join(dict.fromkeys(parts))}."


def _about_run(runs: pd.DataFrame, datasets: Datasets) -> dict[str, Any]:
    phantoms = [dataset.description.phantom for dataset in datasets.values()]
    data = "phantoms only" if all(phantoms) else "phantoms and real images" if any(phantoms) else "real images only"
    versions: dict[str, str] = {}
    for text in runs.versions if len(runs) else []:
        versions.update({str(k): str(v) for k, v in json.loads(text or "{}").items()})
    dirty = bool((runs.dirty.fillna(False).astype(bool)).any()) if len(runs) else False
    return {
        "data": data,
        "phantom": any(phantoms),
        "date": str(runs.started_utc.max())[:10] if len(runs) else "no runs recorded",
        "commits": sorted({str(commit)[:12] for commit in runs.commit if commit}),
        "dirty": dirty,
        "machines": sorted(
            {str(cpu) for cpu in runs.cpu if cpu} | {str(gpu) for gpu in runs.gpu if gpu not in ("", "none")}
        ),
        "versions": sorted(versions.items(), key=lambda item: item[0].lower()),
        "python": sorted({str(python) for python in runs.python if python}),
    }


def _glossary(metrics: pd.DataFrame) -> dict[str, Metric]:
    return {name: METRICS[name] for name in METRICS if name in set(metrics.metric)}


def _provenance(runs: pd.DataFrame, methods: Methods) -> list[dict[str, Any]]:
    rows = runs.sort_values(["dataset", "method", "seed"]).to_dict("records")
    for row in rows:
        row["label"] = methods[row["method"]].label if row["method"] in methods else row["method"]
        row["params"] = ", ".join(f"{key}={value}" for key, value in json.loads(row["params"] or "{}").items())
    return rows
