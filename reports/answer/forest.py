"""The claims as a forest plot: effect and interval of each, coloured by verdict, with the bound that it has to pass."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from reports.answer.content import TONES, Effect, Tone
from reports.drawing.style import AGAINST, FOR, OPEN, PAPER, RULE, SOFT, constrained, style

COLOURS: Mapping[Tone, str] = {"for": FOR, "against": AGAINST, "open": OPEN, "none": SOFT}
MARKERS: Mapping[Tone, str] = {"for": "o", "against": "s", "open": "D", "none": "x"}  # also without colours
ROW, AXIS = 0.128, 0.4  # inches: of a claim, and of an axis with its name
FURTHEST = 8  # a panel ends so many times as far from zero as the middle one of its intervals reaches
SPARED = 1.5  # and goes on for an interval that reaches no more than so many times as far as that


def by_unit(effects: Sequence[Effect]) -> dict[str, list[Effect]]:
    """Return effects in groups that may share an axis, the largest group first."""
    groups: dict[str, list[Effect]] = {}
    for each in effects:
        groups.setdefault(each.unit, []).append(each)
    return dict(sorted(groups.items(), key=lambda item: -len(item[1])))


def limit_of(effects: Sequence[Effect]) -> float:
    """Return how far from zero a panel shows: one interval of no use would leave all others without a width."""
    reaches = [max(map(abs, _of(each))) for each in effects]
    limit = FURTHEST * statistics.median(reaches)
    return limit if 0 < SPARED * limit < max(reaches) else math.inf


def is_cut(effects: Sequence[Effect]) -> bool:
    """Return whether a plot of these shows some intervals in part."""
    return any(_ends(each, limit_of(group)) for group in by_unit(effects).values() for each in group)


def forest_plot(effects: Sequence[Effect]) -> Figure:
    """Draw a panel for each unit, in it a row for each claim; there has to be one."""
    groups = by_unit(effects)
    heights = [ROW * len(group) + AXIS for group in groups.values()]
    with style():
        figure = constrained(3.8, sum(heights) + 0.25, w_pad=0.02, h_pad=0.02)
        grid = figure.subplots(len(groups), 1, squeeze=False, height_ratios=heights)[:, 0]
        for axes, (unit, group) in zip(grid, groups.items(), strict=True):
            _panel(axes, unit, group)
        figure.legend(handles=_legend(effects), loc="outside upper center", ncols=3, fontsize=7.5, handletextpad=0.3)
    return figure


def _ends(effect: Effect, limit: float) -> list[float]:
    """Return the ends of what is shown beyond which an effect or its interval goes on."""
    return [side * limit for side in (-1, 1) if max(side * end for end in _of(effect)) > limit]


def _of(effect: Effect) -> list[float]:
    return [end for end in (effect.value, effect.low, effect.high) if not math.isnan(end)]


def _panel(axes: Axes, unit: str, effects: Sequence[Effect]) -> None:
    limit = limit_of(effects)
    for row, each in enumerate(effects):
        tone: Tone = TONES.get(each.verdict, "none")
        colour = COLOURS[tone]
        if not math.isnan(each.low):
            shown = [min(max(end, -limit), limit) for end in (each.low, each.high)]
            axes.plot(shown, [row, row], color=colour, linewidth=1.5, solid_capstyle="butt")
        face = PAPER if each.once else colour
        if abs(each.value) <= limit:
            axes.plot([each.value], [row], MARKERS[tone], color=colour, markersize=4.2, markerfacecolor=face)
        for end in _ends(each, limit):
            axes.plot([end], [row], "<" if end < 0 else ">", color=colour, markersize=4.2, markerfacecolor=face)
        for bound, marker in ((each.above, 5), (each.below, 4)):  # carets that point to where the claim holds
            if abs(bound) <= limit and math.isfinite(bound):
                axes.plot([bound], [row], marker=marker, color=SOFT, markersize=4, markeredgewidth=0, zorder=1.5)
    axes.axvline(0, color=RULE, linewidth=1.2, zorder=0.5)
    axes.set_yticks(range(len(effects)), [each.label for each in effects], fontsize=7.6)
    axes.set_ylim(len(effects) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0, pad=2)
    axes.tick_params(axis="x", labelsize=7.5)
    axes.grid(visible=False, axis="y")
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.set_xlabel(unit, fontsize=7.5, labelpad=1)


def _legend(effects: Sequence[Effect]) -> list[Line2D]:
    order = list(TONES)
    verdicts = sorted({each.verdict for each in effects}, key=lambda word: order.index(word) if word in order else -1)
    tones: dict[str, Tone] = {verdict: TONES.get(verdict, "none") for verdict in verdicts}
    return [
        Line2D([], [], marker=MARKERS[tone], color=COLOURS[tone], linewidth=1.5, markersize=4.2, label=verdict)
        for verdict, tone in tones.items()
    ]
