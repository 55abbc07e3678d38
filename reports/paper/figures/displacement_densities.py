"""How far the true displacements of synthetic training pairs reach along each axis of the patient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from datasets.files import Array
from reports.drawing.style import INK, KINDS, SOFT, style
from reports.paper.cast import PaperRun
from reports.reading.trainings import Training, find, others
from reports.tables.numbers import number

NAMES: Mapping[str, str] = {"x": "x, to the left", "y": "y, to posterior", "z": "z, to superior"}
COLUMNS = ("component", "low", "high", "count")


@dataclass(frozen=True)
class Density:
    """How often one component lies in each range: ``edges (k + 1,)`` in mm, ``count (k,)`` voxels."""

    edges: Array
    count: Array

    @property
    def voxels(self) -> int:
        """The number of voxels."""
        return int(self.count.sum())

    @property
    def per_mm(self) -> Array:
        """The probability density in each range, in 1/mm."""
        return self.count / self.voxels / np.diff(self.edges)

    @property
    def mean_abs(self) -> float:
        """Mean of the absolute value in mm, as if evenly spread within a range."""
        low, high = self.edges[:-1], self.edges[1:]
        across = (low**2 + high**2) / (2 * (high - low))
        return float(np.average(np.where((low < 0) & (high > 0), across, np.abs(low + high) / 2), weights=self.count))

    @property
    def sd(self) -> float:
        """Standard deviation in mm, as if evenly spread within a range."""
        low, high = self.edges[:-1], self.edges[1:]
        mean = np.average((low + high) / 2, weights=self.count)
        return float(np.sqrt(np.average((low**2 + low * high + high**2) / 3, weights=self.count) - mean**2))

    @property
    def reach(self) -> float:
        """The end in mm of the outermost range that is not empty."""
        (filled,) = np.nonzero(self.count)
        return float(max(abs(self.edges[filled[0]]), abs(self.edges[filled[-1] + 1])))


@dataclass(frozen=True)
class Options:
    """The options of an entry of this kind in a paper's YAML."""

    method: str  # whose training kept the displacements of its pairs


def draw(paper_run: PaperRun, options: Options) -> tuple[Figure | None, str]:
    """Draw the figure; return it with what the run adds to its caption, or None and why nothing can be drawn."""
    training = find(paper_run.run.trainings, options.method, own=paper_run.own_data)
    if isinstance(training, str):
        return None, training
    table = training.table("displacements.csv")
    if table is None:
        return None, f"the training of {options.method} kept no displacements"
    if absent := [column for column in COLUMNS if column not in table]:
        return None, f"the displacements of {options.method} lack {', '.join(absent)}"
    try:
        found = {component: density(table[table.component == component]) for component in NAMES}
    except ValueError as error:
        return None, f"{options.method}: {error}"
    known = {component: one for component, one in found.items() if one is not None}
    if not known:
        return None, f"the displacements of {options.method} have no voxel in any range"
    return _draw(found), " ".join(_note(paper_run, options, training, known))


def density(rows: pd.DataFrame) -> Density | None:
    """Return the density of one component; None without a voxel. Ranges that overlap raise ValueError."""
    rows = rows.astype(dict.fromkeys(COLUMNS[1:], float)).dropna(subset=list(COLUMNS)).sort_values("low")
    rows = rows[np.isfinite(rows.low) & np.isfinite(rows.high) & (rows.high > rows.low)]
    if not rows["count"].sum() > 0:
        return None
    low, high = rows.low.to_numpy(float), rows.high.to_numpy(float)
    if np.any(high[:-1] > low[1:] + 1e-9):
        raise ValueError(f"displacements.csv: ranges of {rows.component.iloc[0]} overlap")
    apart = low[1:] > high[:-1] + 1e-9
    edges = np.concatenate([low[:1], np.insert(low[1:], np.flatnonzero(apart), high[:-1][apart]), high[-1:]])
    count = np.insert(rows["count"].to_numpy(float), np.flatnonzero(apart) + 1, 0.0)  # a gap holds no voxel
    return Density(edges, count)


def _draw(found: Mapping[str, Density | None]) -> Figure:
    """Draw a panel a component, all with the same axes, so that widths and heights compare."""
    reach = max(one.reach for one in found.values() if one is not None)
    with style():
        figure = Figure(figsize=(7.4, 2.6), layout="constrained")
        FigureCanvasAgg(figure)
        panels = figure.subplots(1, len(found), sharex=True, sharey=True)
        for axes, (component, one) in zip(panels, found.items(), strict=True):
            axes.set_title(NAMES[component])
            axes.set_xlabel(f"displacement along {component} in mm")
            _panel(axes, one)
        panels[0].set_ylabel("probability density (1/mm)")
        panels[0].set_xlim(-1.03 * reach, 1.03 * reach)
        panels[0].set_ylim(0, 1.28 * max(one.per_mm.max() for one in found.values() if one is not None))
    return figure


def _panel(axes: Axes, one: Density | None) -> None:
    if one is None:
        axes.text(0.5, 0.5, "no voxels", transform=axes.transAxes, ha="center", color=SOFT)
        return
    colour = KINDS["learned"][1]
    axes.stairs(one.per_mm, one.edges, fill=True, color=colour, alpha=0.3, linewidth=0)
    axes.stairs(one.per_mm, one.edges, color=colour, linewidth=1.2)
    text = f"mean |u| {number(one.mean_abs, 2)} mm\nSD {number(one.sd, 2)} mm"
    axes.text(0.98, 0.97, text, transform=axes.transAxes, ha="right", va="top", fontsize=8, color=INK)


def _note(paper_run: PaperRun, options: Options, training: Training, known: Mapping[str, Density]) -> list[str]:
    """Return what a reader has to know: of how many voxels, of whose pairs, and by which spacing the mm are."""
    counts = sorted({one.voxels for one in known.values()})
    voxels = " to ".join(f"{count:,}" for count in dict.fromkeys((counts[0], counts[-1])))
    parts = [
        f"{voxels} voxels of {_pairs(training)}, from the training of {paper_run.run.label(training.method)} "
        f"(seed {training.seed}) on {paper_run.trained_on(training)}.",
        _spacing(training),
        "Mean absolute value and SD in mm, from the ranges that are drawn.",
    ]
    absent = [component for component in NAMES if component not in known]
    parts += [f"No voxels of component {', '.join(absent)}."] if absent else []
    return parts + others(paper_run.run.trainings, [training.method], training.dataset)


def _pairs(training: Training) -> str:
    count = (training.about("synthetic.json") or {}).get("pairs")
    if not count:
        return "synthetic pairs"
    return f"the first {count} training pairs" if count > 1 else "the first training pair"


def _spacing(training: Training) -> str:
    """Return which voxels the mm are of: a displacement is drawn in voxels, so that another spacing gives other mm."""
    about = training.about("synthetic.json") or {}
    if ranges := about.get("spacings"):
        spans = [f"{axis} {low:.3g} to {high:.3g} mm" for axis, (low, high) in zip("xyz", ranges, strict=True)]
        return f"The mm are by each scan's own spacing in {training.dataset}: {', '.join(spans)} a voxel."
    if not about.get("spacing"):
        return "The spacing behind the mm is not recorded."
    size = " x ".join(f"{mm:.3g}" for mm in about["spacing"])
    return f"The mm are those of voxels of {size} mm, the spacing of {training.dataset}."
