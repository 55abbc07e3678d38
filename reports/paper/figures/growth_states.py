"""The first two levels of a network that grows, before, within and after their transition; below, the curves
of the growth.

Every weight is one that the training recorded, none is computed from the paper's formula.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from reports.drawing import level_sketch
from reports.drawing.style import INK, SOFT, style
from reports.drawing.weights import ALPHA, draw_weights, name
from reports.paper.cast import PaperRun
from reports.reading.growth import Growth, read
from reports.reading.trainings import find, others

WIDTH, SKETCH, CURVES = 3.25, 2.35, 1.15  # inches: of one state, and the heights of its two panels


@dataclass(frozen=True)
class Moment:
    """A time of the growth: the index of its row, or None and why the training has no such time."""

    title: str
    row: int | None
    why: str = ""


@dataclass(frozen=True)
class Options:
    """The options of an entry of this kind in a paper's YAML."""

    method: str  # whose training recorded the weights of its levels


def draw(paper_run: PaperRun, options: Options) -> tuple[Figure | None, str]:
    """Draw the figure; return it with what the run adds to its caption, or None and why nothing can be drawn."""
    training = find(paper_run.run.trainings, options.method, own=paper_run.own_data)
    if isinstance(training, str):
        return None, training
    growth, why = read(training)
    if growth is None:
        return None, why
    if growth.levels < 2:
        return None, f"{options.method} has a single level, which no other one follows"
    found = moments(growth)
    times = ", ".join(f"{growth.iteration[moment.row]:g}" for moment in found if moment.row is not None)
    parts = [
        f"Weights that the training of {paper_run.run.label(options.method)} (seed {training.seed}, on "
        f"{paper_run.trained_on(training)}) recorded at iterations {times}, counted from 0.",
        f"{name(level_sketch.BETA, 0)} is {name(ALPHA, 0)}, {name(level_sketch.GAMMA, 0)} the rest to 1.",
        "Dotted: without weight, not in use.",
    ]
    if growth.levels > 2:
        parts.append(f"Later levels ({growth.levels} in all) are not sketched.")
    parts += _ended(training.status, growth)
    parts += others(paper_run.run.trainings, [training.method], training.dataset)
    return _draw(growth, found), " ".join(parts)


def moments(growth: Growth) -> list[Moment]:
    """Return the start, the row nearest to half of the first transition, and the middle of level 1 alone."""
    ended = f"the training ended at iteration {growth.iteration[-1]:g}, before this time"
    half, after = _half(growth), _after(growth)
    unmixed = "level 1 takes over at once: no iteration lies between" if after is not None else ended
    return [
        Moment("start", 0),
        Moment("half-way", half, unmixed if half is None else ""),
        Moment("after", after, ended if after is None else ""),
    ]


def _half(growth: Growth) -> int | None:
    """Return the row in which levels 0 and 1 weigh most alike; None where they never mix or 1 stays the lighter."""
    first, second = growth.alpha[:, 0], growth.alpha[:, 1]
    (mixed,) = np.nonzero((first > 0) & (second > 0))
    if not len(mixed) or second.max() < 0.5:
        return None
    return int(mixed[np.argmin(np.abs(second[mixed] - first[mixed]))])


def _after(growth: Growth) -> int | None:
    """Return the middle row of level 1 alone, or of its greatest weight where the next comes before; None before."""
    first, second = growth.alpha[:, 0], growth.alpha[:, 1]
    top = second.max()
    if top <= 0 or (top < 1 - 1e-9 and first[-1] > 0):
        return None
    (alone,) = np.nonzero(second >= top - 1e-9)
    return int(alone[len(alone) // 2])


def _draw(growth: Growth, found: Sequence[Moment]) -> Figure:
    with style():
        layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.05)
        figure = Figure(figsize=(WIDTH * len(found), SKETCH + CURVES + 0.5), layout=layout)
        FigureCanvasAgg(figure)
        grid = figure.subplots(2, len(found), sharey="row", height_ratios=(SKETCH, CURVES))
        for place, (moment, above, below) in enumerate(zip(found, *grid, strict=True)):
            _sketch(above, growth, moment, f"({'abc'[place]}) {moment.title}")
            _curves(below, growth, moment)
        grid[1, 0].set_ylabel("weight")
    return figure


def _sketch(axes: Axes, growth: Growth, moment: Moment, title: str) -> None:
    if moment.row is None:
        axes.set_axis_off()
        axes.set_title(title)
        why = textwrap.fill(moment.why, 30)
        axes.text(0.5, 0.5, why, transform=axes.transAxes, ha="center", va="center", fontsize=8, color=SOFT)
        return
    axes.set_title(f"{title}, iteration {growth.iteration[moment.row]:g}")
    first, second = (float(weight) for weight in growth.alpha[moment.row, :2])
    level_sketch.draw(axes, level_sketch.State((first, second), growth.levels), growth.sizes)


def _curves(axes: Axes, growth: Growth, moment: Moment) -> None:
    """Draw the weights until level 1 has faded out, and where the sketch above stands in time."""
    draw_weights(axes, _until_third(growth), bold=(0, 1))
    if moment.row is not None:
        axes.axvline(growth.iteration[moment.row], ymax=0.82, color=INK, linestyle="--", linewidth=1.1)
    axes.set_xlabel("iteration")
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))


def _until_third(growth: Growth) -> Growth:
    """Return the rows up to where the third level has all the weight."""
    gone = np.flatnonzero((growth.alpha[:, 1] <= 0) & (growth.alpha[:, 2:].sum(axis=1) > 0))
    stop = int(gone[0]) + 1 if len(gone) else len(growth.iteration)
    return Growth(growth.iteration[:stop], growth.alpha[:stop], growth.sizes)


def _ended(status: str, growth: Growth) -> list[str]:
    return [] if status == "ok" else [f"The training {status} at iteration {growth.iteration[-1]:g}."]
