"""The schedule of a network that grows, as its training recorded it: the weight of each level at each iteration.

Level 0 is the coarsest, the last one full resolution (doi:10.1109/TMI.2019.2953788, II-C).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from datasets.files import Array
from reports.drawing.style import INK
from reports.reading.trainings import Training

LOOKS = (("#009e73", "-"), ("#cc79a7", "--"), ("#56b4e9", "-."), ("#e69f00", ":"), (INK, "-"))
ALPHA = "\N{GREEK SMALL LETTER ALPHA}"
_COLUMN = re.compile(r"alpha_(\d+)")


@dataclass(frozen=True)
class Schedule:
    """Weights ``alpha (k, L)`` of the levels, the coarsest first, at iterations ``iteration (k,)``, ascending.

    ``sizes`` names the grid of each level; empty where the training does not say its own.
    """

    iteration: Array
    alpha: Array
    sizes: Sequence[str]

    @property
    def levels(self) -> int:
        return self.alpha.shape[1]

    def transitions(self) -> Iterator[tuple[float, float]]:
        """From and to which iteration more than one level counts."""
        mixed = np.flatnonzero(np.diff(np.count_nonzero(self.alpha > 0, axis=1) > 1, prepend=False, append=False))
        last = len(self.iteration) - 1
        for start, stop in mixed.reshape(-1, 2):
            yield float(self.iteration[start]), float(self.iteration[min(stop, last)])


def read(training: Training) -> tuple[Schedule | None, str]:
    """The schedule that a training followed, or None and why it is not known."""
    rows = training.rows("curve.jsonl")
    if rows is None:
        return None, f"the training of {training.method} left no curve"
    columns = sorted(filter(_COLUMN.fullmatch, rows.columns), key=lambda name: int(name.removeprefix("alpha_")))
    if not columns or "iteration" not in rows:
        return None, f"the curve of {training.method} has no weights of levels"
    rows = rows[["iteration", *columns]].astype(float)
    rows = rows[np.isfinite(rows).all(axis=1)].drop_duplicates("iteration", keep="last").sort_values("iteration")
    if rows.empty:
        return None, f"the weights of levels in the curve of {training.method} are no numbers"
    return Schedule(rows.iteration.to_numpy(), rows[columns].to_numpy(), _sizes(training, len(columns))), ""


def draw_weights(axes: Axes, schedule: Schedule, *, bold: Sequence[int] | None = None) -> None:
    """Each level's weight against iteration, named above its highest part; levels that are not ``bold`` stay thin."""
    for level, weights in enumerate(schedule.alpha.T):
        if not np.any(weights > 0):
            continue
        colour, line = look(level)
        strong = bold is None or level in bold
        counts = np.pad(weights > 0, 1)
        shown = np.where(counts[:-2] | counts[1:-1] | counts[2:], weights, np.nan)  # from foot to foot
        axes.plot(schedule.iteration, shown, color=colour, linestyle=line, linewidth=1.8 if strong else 1.0,
                  drawstyle="steps-post" if _steps(schedule) else "default")  # fmt: skip
        top = schedule.iteration[weights >= weights.max() - 1e-9]
        axes.annotate(name(ALPHA, level), ((top[0] + top[-1]) / 2, weights.max()), xytext=(0, 3), fontsize=9,
                      textcoords="offset points", ha="center", color=INK)  # fmt: skip
    axes.set_ylim(-0.04, 1.22)
    axes.set_yticks([0, 0.5, 1])


def look(level: int) -> tuple[str, str]:
    """Colour and line of a level."""
    return LOOKS[level % len(LOOKS)]


def name(letter: str, level: int) -> str:
    """A letter with the level as subscript."""
    return letter + "".join(chr(ord("\N{SUBSCRIPT ZERO}") + int(digit)) for digit in str(level))


def _steps(schedule: Schedule) -> bool:
    """Whether levels replace each other at once, so that a slope between two recorded iterations would be made up."""
    return not any(True for _ in schedule.transitions())


def _sizes(training: Training, levels: int) -> list[str]:
    """The grid of each level, half of the next one along every axis."""
    shape = (training.about("synthetic.json") or {}).get("shape")
    if not shape or len(shape) != 3:
        return []
    return [" x ".join(f"{n / 2 ** (levels - 1 - level):g}" for n in shape) for level in range(levels)]
