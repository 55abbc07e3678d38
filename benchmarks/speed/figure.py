"""A picture of the ratios: one line a kernel, grid and peer, on a logarithmic axis with a mark at 1."""

# pyright: reportUnknownMemberType=false
# matplotlib is typed in part only.

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.speed.measurement import SpeedRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's, which the colour-blind can tell apart
COLOURS = {
    ("float32", False): "#0072B2",
    ("float32", True): "#56B4E9",
    ("mixed", False): "#D55E00",
    ("mixed", True): "#E69F00",
}
TICKS = (0.25, 0.5, 1, 2, 5, 10, 25, 50, 100, 250, 1000)
LINE = 0.24  # inches a line of the picture takes
ROOM = 1.4  # inches for the axis below and the legend above


def draw(rows: Sequence[SpeedRow], path: Path) -> None:
    """Draw how many times longer each peer took, one thread beside all, and save the picture as ``path``."""
    from matplotlib.figure import Figure

    rows = [row for row in rows if row.ratio is not None]
    lines = list(dict.fromkeys(map(label_of, rows)))
    figure = Figure(figsize=(8, ROOM + LINE * max(1, len(lines))), layout="constrained", dpi=150)
    axes = figure.subplots()
    _points(axes, rows, lines)
    _scale(axes, rows, lines)
    if lines:
        figure.legend(loc="outside upper center", ncols=4, frameon=False, fontsize="small")
    figure.supxlabel("the peer's median time over ours (right of 1: ours is faster)", fontsize="medium")
    figure.savefig(path)


def label_of(row: SpeedRow) -> str:
    """Return the name of a row's line."""
    sides = row.grid.split("x")
    grid = f"{sides[0]}³" if len(set(sides)) == 1 else row.grid.replace("x", " x ")
    return f"{row.name}, {grid}: {row.peer}"


def _points(axes: Axes, rows: Sequence[SpeedRow], lines: Sequence[str]) -> None:
    legend = dict[str, None]()
    for row in rows:
        several = row.threads > 1
        name = f"{row.precision}, {'all threads' if several else '1 thread'}"
        axes.plot(
            row.ratio or 1,
            lines.index(label_of(row)),
            marker="s" if several else "o",
            color=COLOURS[row.precision, several],
            linestyle="none",
            label="_" if name in legend else name,
        )
        legend[name] = None


def _scale(axes: Axes, rows: Sequence[SpeedRow], lines: Sequence[str]) -> None:
    ratios = [row.ratio or 1 for row in rows] or [1]
    low, high = min(0.5, 0.8 * min(ratios)), max(2, 1.25 * max(ratios))
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    ticks = [tick for tick in TICKS if low <= tick <= high]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.axvline(1, color="black", linewidth=0.8)
    axes.grid(axis="both", color="#dddddd", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.set_yticks(range(len(lines)), lines, fontsize="small")
    axes.set_ylim(max(1, len(lines)) - 0.5, -0.5)
