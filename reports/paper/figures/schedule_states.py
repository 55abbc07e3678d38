"""The first two levels of a network that grows, before, within and after their transition, with the schedule's curves.

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
from matplotlib.ticker import MaxNLocator

from reports.drawing import level_sketch
from reports.drawing.style import INK, SOFT, style
from reports.paper.cast import PaperRun, trained_on
from reports.paper.layout import Entry
from reports.reading.growth import ALPHA, Schedule, draw_weights, name, read
from reports.reading.trainings import find, others

WIDTH, SKETCH, CURVES = 3.25, 2.35, 1.15  # inches: of one state, and the heights of its two panels


@dataclass(frozen=True)
class Moment:
    """A time of the schedule: the index of its row, or None and why the training has no such time."""

    title: str
    row: int | None
    why: str = ""


def draw(stage: PaperRun, entry: Entry) -> tuple[Figure | None, str]:
    """Draw the figure.

    The first of the entry's ``methods`` is the one whose training recorded the weights of its levels.

    Returns:
        The figure and what the run adds to its caption, or None and why nothing can be drawn.
    """
    training = find(stage.run.trainings, entry["methods"][0], own=stage.paper.training)
    if training is None:
        return None, f"no training of {entry['methods'][0]}"
    schedule, why = read(training)
    if schedule is None:
        return None, why
    if schedule.levels < 2:
        return None, f"{entry['methods'][0]} has a single level, which no other one follows"
    found = moments(schedule)
    times = ", ".join(f"{schedule.iteration[moment.row]:g}" for moment in found if moment.row is not None)
    parts = [
        f"Weights that the training of {stage.run.label(entry['methods'][0])} (seed {training.seed}, on "
        f"{trained_on(training, entry)}) recorded at iterations {times}, counted from 0.",
        f"{name(level_sketch.BETA, 0)} is {name(ALPHA, 0)}, {name(level_sketch.GAMMA, 0)} the rest to 1.",
        "Dotted: without weight, not in use.",
    ]
    if schedule.levels > 2:
        parts.append(f"Later levels ({schedule.levels} in all) are not sketched.")
    parts += _ended(training.status, schedule)
    return _draw(schedule, found), " ".join([*parts, *others(stage.run.trainings, [training.method], training.dataset)])


def moments(schedule: Schedule) -> list[Moment]:
    """The start, the row nearest to half of the first transition, and the middle of the time of level 1 alone."""
    ended = f"the training ended at iteration {schedule.iteration[-1]:g}, before this time"
    half, after = _half(schedule), _after(schedule)
    unmixed = "level 1 takes over at once: no iteration lies between" if after is not None else ended
    return [
        Moment("start", 0),
        Moment("half-way", half, unmixed if half is None else ""),
        Moment("after", after, ended if after is None else ""),
    ]


def _half(schedule: Schedule) -> int | None:
    """The row in which levels 0 and 1 weigh most alike; None where they never mix or level 1 stays the lighter one."""
    first, second = schedule.alpha[:, 0], schedule.alpha[:, 1]
    (mixed,) = np.nonzero((first > 0) & (second > 0))
    if not len(mixed) or second.max() < 0.5:
        return None
    return int(mixed[np.argmin(np.abs(second[mixed] - first[mixed]))])


def _after(schedule: Schedule) -> int | None:
    """The middle row of level 1 alone, or of its greatest weight where the next level comes in before; None before."""
    first, second = schedule.alpha[:, 0], schedule.alpha[:, 1]
    top = second.max()
    if top <= 0 or (top < 1 - 1e-9 and first[-1] > 0):
        return None
    (alone,) = np.nonzero(second >= top - 1e-9)
    return int(alone[len(alone) // 2])


def _draw(schedule: Schedule, found: Sequence[Moment]) -> Figure:
    with style():
        figure = Figure(figsize=(WIDTH * len(found), SKETCH + CURVES + 0.5), layout="constrained")
        FigureCanvasAgg(figure)
        grid = figure.subplots(2, len(found), sharey="row", height_ratios=(SKETCH, CURVES))
        for place, (moment, above, below) in enumerate(zip(found, *grid, strict=True)):
            _sketch(above, schedule, moment, f"({'abc'[place]}) {moment.title}")
            _curves(below, schedule, moment)
        grid[1, 0].set_ylabel("weight")
        figure.get_layout_engine().set(w_pad=0.08, h_pad=0.05)
    return figure


def _sketch(axes: Axes, schedule: Schedule, moment: Moment, title: str) -> None:
    if moment.row is None:
        axes.set_axis_off()
        axes.set_title(title)
        axes.text(0.5, 0.5, textwrap.fill(moment.why, 30), transform=axes.transAxes, ha="center", va="center",
                  fontsize=8, color=SOFT)  # fmt: skip
        return
    axes.set_title(f"{title}, iteration {schedule.iteration[moment.row]:g}")
    first, second = (float(weight) for weight in schedule.alpha[moment.row, :2])
    level_sketch.draw(axes, level_sketch.State((first, second), schedule.levels), schedule.sizes)


def _curves(axes: Axes, schedule: Schedule, moment: Moment) -> None:
    """The weights until level 1 has faded out, and where the sketch above stands in time."""
    draw_weights(axes, _until_third(schedule), bold=(0, 1))
    if moment.row is not None:
        axes.axvline(schedule.iteration[moment.row], ymax=0.82, color=INK, linestyle="--", linewidth=1.1)
    axes.set_xlabel("iteration")
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))


def _until_third(schedule: Schedule) -> Schedule:
    """The rows up to where the third level has all the weight."""
    gone = np.flatnonzero((schedule.alpha[:, 1] <= 0) & (schedule.alpha[:, 2:].sum(axis=1) > 0))
    stop = int(gone[0]) + 1 if len(gone) else len(schedule.iteration)
    return Schedule(schedule.iteration[:stop], schedule.alpha[:stop], schedule.sizes)


def _ended(status: str, schedule: Schedule) -> list[str]:
    return [] if status == "ok" else [f"The training {status} at iteration {schedule.iteration[-1]:g}."]
