"""Displacement of landmarks, true against estimated: a column for each anatomical axis, a row for each method.

All landmarks of all pairs are pooled. A displacement is that of the fixed landmark to the moving one, in mm along the
patient's axes: positive to the left, to the back and to the head.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from datasets import geometry
from datasets.files import Array
from reports.drawing.style import INK, KINDS, PAPER, SOFT, style
from reports.paper.cast import PaperRun
from reports.reading.pictures import Volumes
from reports.reading.registrations import kept
from reports.tables.numbers import number

AXES = (("x", "left-right", "left"), ("y", "anterior-posterior", "back"), ("z", "head-foot", "head"))
TO_PATIENT = np.array([-1.0, -1.0, 1.0])  # from right, front, head (NIfTI) to left, back, head
LINE = "#d55e00"
SIDE, TITLES = 2.45, 0.95  # inches: of one panel, and of what stands above and below all


@dataclass(frozen=True)
class Sample:
    """True and estimated displacements ``(n, 3)`` in mm of a method's landmarks; ``missing``: reason to pairs."""

    true: Array
    estimated: Array
    missing: Mapping[str, int]


@dataclass(frozen=True)
class Taken:
    """What the figure is drawn of: a sample of each method."""

    samples: Mapping[str, Sample]


@dataclass(frozen=True)
class Options:
    """The options of an entry of this kind in a paper's YAML."""

    datasets: tuple[str, ...]  # of the paper
    methods: tuple[str, ...]


def take(paper_run: PaperRun, options: Options, volumes: Volumes) -> Taken | str:
    """Read the displacements at all landmarks; or say why there are none."""
    cast, (methods, absent) = _cast(paper_run, options), paper_run.chosen(options.methods)
    if not cast or not methods:
        return absent if cast else paper_run.unplayed(options.datasets)
    return Taken({method: read_sample(paper_run, volumes, cast, method) for method in methods})


def draw(paper_run: PaperRun, options: Options, taken: Taken) -> tuple[Figure | None, str]:
    """Draw the figure; return it with what the run adds to its caption, or None and why nothing can be drawn."""
    cast = _cast(paper_run, options)
    methods, _ = paper_run.chosen(options.methods)
    samples = {method: taken.samples[method] for method in methods if method in taken.samples}
    if not any(len(sample.true) for sample in samples.values()):
        return None, "; ".join(dict.fromkeys(why for sample in samples.values() for why in sample.missing))
    return _draw(paper_run, cast, samples), _note(paper_run, options, cast, samples)


def _cast(paper_run: PaperRun, options: Options) -> list[str]:
    """Return those of the paper's data sets that something plays."""
    return [key for key in options.datasets if key in paper_run.datasets]


def read_sample(paper_run: PaperRun, volumes: Volumes, keys: Sequence[str], method: str) -> Sample:
    """Read the displacements of all landmarks of the data sets that play ``keys``, by a method's first seed."""
    true, estimated, missing = [np.empty((0, 3))], [np.empty((0, 3))], {}
    for dataset in (volumes.datasets[paper_run.datasets[key].name] for key in keys):
        for pair in dataset.test_pairs:
            landmarks = volumes.landmarks(dataset.name, pair.name) if volumes.landmarks else None
            found = kept(paper_run.run, volumes, pair, dataset=dataset.name, method=method) if landmarks else None
            if landmarks is None or found is None or found.displacement is None:
                why = found.why if found else "no landmarks"
                missing[why] = missing.get(why, 0) + 1
                continue
            affine = dataset.image(pair.fixed).affine
            fixed, moving = landmarks
            true.append(to_patient(np.asarray(moving) - fixed, affine))
            estimated.append(to_patient(geometry.move_points(found.displacement, fixed) - fixed, affine))
    return Sample(_fine(np.concatenate(true)), _fine(np.concatenate(estimated)), missing)


def _fine(steps: Array) -> Array:
    """Return steps in mm rounded to 1/1024 mm: finer than landmarks are set, and small in an archive."""
    return (np.round(1024 * steps) / 1024).astype(np.float32)


def to_patient(steps: ArrayLike, affine: Array) -> Array:
    """Turn steps ``(n, 3)`` in voxels to mm along the patient's axes: to the left, to the back, to the head."""
    return np.asarray(steps, np.float64) @ affine[:3, :3].T * TO_PATIENT


def agreement(true: Array, estimated: Array) -> tuple[float, float, float]:
    """Return Pearson's r, and slope and intercept of the least squares line; NaN where they are not defined."""
    if len(true) < 2 or np.ptp(true) == 0:
        return float("nan"), float("nan"), float("nan")
    slope, intercept = np.polyfit(true, estimated, 1)
    r = float(np.corrcoef(true, estimated)[0, 1]) if np.ptp(estimated) > 0 else float("nan")
    return r, float(slope), float(intercept)


def _draw(paper_run: PaperRun, cast: Sequence[str], samples: Mapping[str, Sample]) -> Figure:
    limits = [_limits(samples.values(), axis) for axis in range(3)]
    with style():
        figure = Figure(figsize=(3 * SIDE + 0.3, len(samples) * SIDE + TITLES), dpi=150, layout="constrained")
        FigureCanvasAgg(figure)
        grid = figure.subplots(len(samples), 3, squeeze=False)
        for line, (method, sample) in zip(grid, samples.items(), strict=True):
            for axis, (axes, limit) in enumerate(zip(line, limits, strict=True)):
                _panel(axes, sample, axis, limit, KINDS[paper_run.run.methods[method].kind][1])
            line[0].set_ylabel(f"{textwrap.fill(paper_run.run.methods[method].label, 34)}\nestimated (mm)")
        for axes, (name, along, _) in zip(grid[0], AXES, strict=True):
            axes.set_title(f"{name}: {along}")
        for axes, (_, _, positive) in zip(grid[-1], AXES, strict=True):
            axes.set_xlabel(f"true (mm, + to the {positive})")
        title = textwrap.fill(paper_run.title(cast), 115)
        figure.suptitle(title, x=0.01, ha="left", fontsize=8, color=SOFT)
        figure.legend(handles=_handles(), loc="outside lower center", ncols=2, fontsize=8, handlelength=2.4)
    return figure


def _panel(axes: Axes, sample: Sample, axis: int, limit: tuple[float, float], colour: str) -> None:
    """Draw the points of one component; points are one picture in the SVG, thousands of marks would make it large."""
    true, estimated = sample.true[:, axis], sample.estimated[:, axis]
    axes.set(xlim=limit, ylim=limit, aspect="equal")
    for ticks in (axes.xaxis, axes.yaxis):
        ticks.set_major_locator(MaxNLocator(5, integer=True))
    if not len(true):
        why = textwrap.fill("; ".join(sample.missing), 24)
        axes.text(0.5, 0.5, why, ha="center", va="center", transform=axes.transAxes, fontsize=8, color=SOFT)
        return
    axes.plot(limit, limit, color=INK, linewidth=0.9, linestyle="--", zorder=3)
    axes.scatter(true, estimated, s=5, color=colour, alpha=_opacity(len(true)), linewidths=0, rasterized=True, zorder=2)
    r, slope, intercept = agreement(true, estimated)
    if np.isfinite(slope):
        ends = np.array([true.min(), true.max()])
        axes.plot(ends, intercept + slope * ends, color=LINE, linewidth=1.5, zorder=4)
    outside = int(np.count_nonzero((estimated < limit[0]) | (estimated > limit[1])))
    lines = [f"r = {_shown(r)}", f"slope = {_shown(slope)}", *([f"{outside} beyond"] if outside else [])]
    ground = {"facecolor": PAPER, "edgecolor": "none", "alpha": 0.8, "pad": 1.5}
    axes.text(0.04, 0.96, "\n".join(lines), va="top", transform=axes.transAxes, fontsize=8, zorder=5, bbox=ground)


def _limits(samples: Iterable[Sample], axis: int) -> tuple[float, float]:
    """Return the ends of both axes of a column: 0, all true values, estimated ones up to half that range beyond."""
    found = [(sample.true[:, axis], sample.estimated[:, axis]) for sample in samples if len(sample.true)]
    true, estimated = (np.concatenate(values) for values in zip(*found, strict=True))
    low, high = min(0.0, float(true.min())), max(0.0, float(true.max()))
    room = 0.5 * (high - low) or 1.0
    low, high = max(low - room, min(low, estimated.min())), min(high + room, max(high, estimated.max()))
    margin = 0.06 * (high - low) or 1.0
    return float(low - margin), float(high + margin)


def _opacity(count: int) -> float:
    return float(np.clip(15 / np.sqrt(count), 0.25, 0.9))


def _shown(value: float) -> str:
    return number(value, 2) if np.isfinite(value) else "undefined"


def _handles() -> list[Line2D]:
    return [
        Line2D([], [], color=INK, linewidth=0.9, linestyle="--", label="estimated = true"),
        Line2D([], [], color=LINE, linewidth=1.5, label="least squares"),
    ]


def _note(paper_run: PaperRun, options: Options, cast: Sequence[str], samples: Mapping[str, Sample]) -> str:
    """Return what a reader has to know: whose landmarks and how many, what a sign means, what is missing and why."""
    parts = [f"{paper_run.title(cast)}. First seed, all landmarks of all pairs pooled."]
    parts.append("Displacement of the fixed landmark to the moving one; estimated: read at the fixed landmark.")
    parts.append("r: Pearson; slope: least squares of the estimated on the true displacement.")
    for method, sample in samples.items():
        gaps = [f"{count} {'pair' if count == 1 else 'pairs'} ({why})" for why, count in sample.missing.items()]
        left_out = f"; left out: {', '.join(gaps)}" if gaps else ""
        parts.append(f"{paper_run.run.methods[method].label}: {len(sample.true):,} landmarks{left_out}.")
    if unplayed := paper_run.unplayed(options.datasets):
        parts.append(f"{unplayed[0].upper()}{unplayed[1:]}.")
    _, absent = paper_run.chosen(options.methods)
    return " ".join(filter(None, [*parts, absent, *paper_run.trained(list(samples))]))
