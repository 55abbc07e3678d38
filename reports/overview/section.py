"""All that a page shows of one data set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure

from benchmarks.metrics import METRICS
from benchmarks.ranking import Rank, quote, ranking_metrics
from datasets.case import Described
from datasets.description import Description
from reports.drawing.html import inline_svg
from reports.drawing.style import save
from reports.overview import figures
from reports.overview.cases import Gallery, draw_cases
from reports.overview.rows import Summary, labels_of_data, rows_of_data
from reports.overview.tables import dataset_table, label_table
from reports.overview.timing import Timing, timing_table
from reports.reading.run import Run
from reports.tables.table import Table

Curves = Mapping[tuple[str, str], pd.DataFrame]  # of method and data set


@dataclass(frozen=True)
class Drawing:
    """A figure ready to stand in a page: its SVG, and what it shows in words."""

    alt: str
    svg: Markup


@dataclass(frozen=True)
class Numbers:
    """The numbers of one data set."""

    overview: Sequence[Summary]
    labels: Sequence[Summary]


@dataclass(frozen=True)
class Section:
    """The tables, figures and pictures of one data set."""

    name: str
    description: Description
    numbers: Numbers
    table: Table
    labels: Table | None
    timing: Table
    figures: Sequence[Drawing]
    curves: Sequence[Drawing]
    galleries: Sequence[Gallery]

    @property
    def title(self) -> str:
        """The data set's title for readers."""
        return self.description.display_title

    @property
    def voxel(self) -> str:
        """The voxel's size in mm along each axis, or the range of sizes where every pair has its own."""
        sizes = [self.description.spacing] if self.description.spacing else list(self.description.spacings.values())
        ends = [dict.fromkeys(f"{size:.3g}" for size in (min(axis), max(axis))) for axis in zip(*sizes, strict=True)]
        return " \N{MULTIPLICATION SIGN} ".join(" to ".join(each) for each in ends)


def make_section(
    folder: Path, run: Run, dataset: Described, *, timing: Sequence[Timing], curves: Curves, ranks: Sequence[Rank]
) -> Section:
    """Draw the figures and pictures of a data set into a folder; return them with its tables.

    Args:
        folder: where figures go; pictures of single registrations go into ``cases`` below it.
        run: the whole run.
        dataset: one of its data sets.
        timing: of the whole run.
        curves: of the whole run.
        ranks: which registrations of each method are shown.
    """
    numbers = Numbers(rows_of_data(run, dataset), labels_of_data(run, dataset))
    return Section(
        dataset.name,
        dataset.description,
        numbers,
        dataset_table(run, numbers.overview, dataset),
        label_table(run, numbers.labels, dataset),
        timing_table(run, timing, dataset),
        list(_spreads(folder, run, dataset)),
        list(_curves(folder, run, dataset, curves)),
        draw_cases(folder / "cases", run, dataset, ranks=ranks),
    )


def keep_drawing(figure: Figure, folder: Path, name: str, alt: str) -> Drawing:
    """Write a figure and return it ready for a page."""
    save(figure, folder, name)
    return Drawing(alt, inline_svg((folder / f"{name}.svg").read_text(encoding="utf-8"), name, alt))


def _spreads(folder: Path, run: Run, dataset: Described) -> Iterator[Drawing]:
    for metric in ranking_metrics():
        quoted = quote(run.rows_of(dataset.name), dataset.name, metric)
        figure = None if quoted is None else figures.spread(run, dataset, quoted)
        if figure is not None:
            title = dataset.description.display_title
            alt = f"{METRICS[metric].short} of every pair on {title}, a row for each method"
            yield keep_drawing(figure, folder, f"{metric.replace('_', '-')}-{dataset.name}", alt)


def _curves(folder: Path, run: Run, dataset: Described, curves: Curves) -> Iterator[Drawing]:
    for method in run.ordered:
        curve = curves.get((method, dataset.name))
        if curve is not None and len(curve):
            label = run.label(method)
            alt = f"Training loss of {label} on {dataset.description.display_title}"
            yield keep_drawing(figures.training(curve, label), folder, f"training-{method}-{dataset.name}", alt)
