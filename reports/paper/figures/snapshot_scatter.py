"""Snapshots of two networks against each other: the error of the one and of the other after equally many updates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from scipy.stats import gaussian_kde

from reports.drawing.logarithmic import log_scale, set_log
from reports.drawing.style import KINDS, SOFT, style
from reports.paper import snapshots
from reports.paper.cast import PaperRun
from reports.paper.snapshots import Snapshots

Points = NDArray[np.float64]  # (n, 2): error of the first and of the second method
FEWEST, SIDE, SHADES = 5, 72, 7  # points of a density; its grid; its steps of grey
MANY = 2000  # points from which they are drawn as one picture


@dataclass(frozen=True)
class Options:
    """The options of an entry of this kind in a paper's YAML."""

    methods: tuple[str, ...]  # two: along x and along y
    datasets: tuple[str, ...] = ()  # of the paper, whose test pairs count; all where none is named

    def __post_init__(self) -> None:
        """Refuse anything but two methods."""
        if len(self.methods) != 2:
            raise ValueError(f"a scatter is of two methods, got {len(self.methods)}")


def draw(paper_run: PaperRun, options: Options) -> tuple[Figure | None, str]:
    """Draw the figure; return it with what the run adds to its caption, or None and why nothing can be drawn."""
    found = snapshots.read(paper_run, options.methods, options.datasets)
    first, second = options.methods
    points = matched(found, first, second)
    if not points:
        why = "the two methods share no snapshot of the same iteration and seed"
        return None, "; ".join(found.missing) or why
    everything = np.concatenate(list(points.values()))
    log = log_scale(everything.ravel().tolist())
    shade = density(np.log10(everything) if log else everything)
    names = [paper_run.run.label(method) for method in options.methods]
    return _draw(points, names, shade, log), " ".join(_note(paper_run, options, found, points, shade is not None, log))


def matched(found: Snapshots, first: str, second: str) -> dict[int, Points]:
    """Return for each seed the errors in mm of both methods at the iterations at which both have a snapshot."""
    other = {line.training.seed: line for line in found.of(second)}
    points = {}
    for line in found.of(first):
        seed = line.training.seed
        both = line.tre.index.intersection(other[seed].tre.index) if seed in other else []
        if len(both):
            points[seed] = np.stack([line.tre.loc[both], other[seed].tre.loc[both]], axis=1).astype(float)
    return points


def density(points: Points) -> gaussian_kde | None:
    """Return the points' kernel density, Scott's bandwidth; None where they are too few or lie on a line."""
    if len(points) < FEWEST:
        return None
    try:
        shade = gaussian_kde(points.T)
    except np.linalg.LinAlgError:
        return None
    return shade if np.linalg.cond(shade.covariance) < 1e10 else None


def _draw(points: Mapping[int, Points], names: list[str], shade: gaussian_kde | None, log: bool) -> Figure:
    everything = np.concatenate(list(points.values()))
    low, high = (everything.min() / 1.25, everything.max() * 1.25) if log else (0.0, 1.08 * everything.max() or 1.0)
    with style():
        figure = Figure(figsize=(4.9, 5.0), layout="constrained", dpi=150)
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        if log:
            set_log(axes, "x")
            set_log(axes, "y")
        if shade is not None:
            _shade(axes, shade, (low, high), log)
        axes.plot([low, high], [low, high], color=SOFT, linestyle="--", linewidth=1.1, zorder=3)
        _scatter(axes, points)
        axes.set_title(f"below the line: {_below(everything)} of {len(everything)} snapshots")
        axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
        axes.set_xlabel(f"TRE of {names[0]} in mm ↓")
        axes.set_ylabel(f"TRE of {names[1]} in mm ↓")
        if not log:
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    return figure


def _shade(axes: Axes, shade: gaussian_kde, span: tuple[float, float], log: bool) -> None:
    """Draw layers of grey, one for each step of the density: the denser the points are the darker it is."""
    line = np.geomspace(*span, SIDE) if log else np.linspace(*span, SIDE)
    x, y = np.meshgrid(line, line)
    place = np.stack([x.ravel(), y.ravel()])
    height = shade(np.log10(place) if log else place).reshape(x.shape)
    top = float(height.max())
    for step in np.linspace(0.05, 0.9, SHADES):
        axes.contourf(x, y, height, levels=[step * top, 1.01 * top], colors=[SOFT], alpha=0.13, zorder=1)


def _scatter(axes: Axes, points: Mapping[int, Points]) -> None:
    """Draw dots of the first seed full, of further ones pale and smaller; the more there are the smaller all are."""
    count = sum(map(len, points.values()))
    size = float(np.clip(4 * (150 / count) ** 0.25, 1.5, 4))
    for place, seed in enumerate(sorted(points)):
        marks, alpha = (size, 0.9) if place == 0 else (0.75 * size, 0.4)
        text = {0: f"seed {seed}", 1: "further seeds"}.get(place)
        colour = KINDS["learned"][1]
        (dots,) = axes.plot(*points[seed].T, "o", color=colour, label=text, markeredgewidth=0, rasterized=count > MANY)
        dots.set(markersize=marks, alpha=alpha, zorder=5 - (place > 0))
    if len(points) > 1:
        axes.figure.legend(loc="outside lower center", ncols=2, fontsize=8, handletextpad=0.2, markerscale=4 / size)


def _below(points: Points) -> int:
    return int(np.count_nonzero(points[:, 1] < points[:, 0]))


def _note(
    paper_run: PaperRun, options: Options, found: Snapshots, points: Mapping[int, Points], shaded: bool, log: bool
) -> list[str]:
    """Return what a reader has to know: the share below the line, over which pairs, what the grey is or its lack."""
    everything = np.concatenate(list(points.values()))
    first, second = map(paper_run.run.label, options.methods)
    below, count = _below(everything), len(everything)
    seeds = f"seed{'s' * (len(points) > 1)} {', '.join(map(str, sorted(points)))}"
    parts = [
        f"In {below} of {count} snapshots ({100 * below / count:.0f} %; {seeds}) the TRE of {second} is below that of "
        f"{first} after as many updates; snapshots of one training are not independent.",
        *snapshots.note(paper_run, found, options.methods),
    ]
    parts.append("Grey: kernel density." if shaded else "No density: too few points, or points on a line.")
    if log:
        parts.append("Logarithmic, as the errors span more than a decade.")
    parts += paper_run.learned(line.training for line in found.lines if line.training.seed in points)
    return parts + [f"Left out: {why}." for why in found.missing]
