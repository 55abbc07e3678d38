"""The three plots of the first screen: small, and legible at the width of a telephone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.ticker import FuncFormatter, NullFormatter

from reports.answer.content import Answer, Effect, Seconds, Speed
from reports.answer.forest import forest_plot, is_cut
from reports.answer.words import times
from reports.drawing.style import INK, KINDS, PAPER, constrained, style
from reports.overview.accuracy_time import frontier_plot
from reports.tables.numbers import quantity

TIMES = "\N{MULTIPLICATION SIGN}"
NOT_TIMED = "Nothing was timed that has accuracy on the same data set; the section Timing says how to have it."
FAST, SLOW = KINDS["learned"][1], KINDS["classical"][1]  # than the reference


@dataclass(frozen=True)
class Plot:
    """One plot with its title, what it shows in a sentence, and its text for those who do not see it."""

    name: str  # of its file
    title: str
    caption: str
    alt: str
    figure: Figure | None  # None where there is nothing to draw; the caption then says why


def plots(answer: Answer) -> list[Plot]:
    """Draw the plots of an answer."""
    effects = [_effects(answer.effects)] if answer.effects else []
    claimed = [_speed(answer.speeds)] if answer.papers else []
    return [_frontier(answer), *effects, *claimed]


def _frontier(answer: Answer) -> Plot:
    found, title = answer.frontier, "Accuracy against seconds"
    if found is None:
        return Plot("answer-frontier", title, NOT_TIMED, "", None)
    caption = f"{found.title}: numbered are the methods, of {len(found.points)}, that no faster one matches."
    steps = "; ".join(f"{each.label}: {each.accuracy:.3g} in {each.seconds:.2g} s" for each in found.steps)
    alt = f"Mean accuracy against median seconds on {found.title}. Not matched by a faster method: {steps or 'none'}."
    return Plot("answer-frontier", title, caption, alt, frontier_plot(found))


def _effects(effects: Sequence[Effect]) -> Plot:
    title = "Claims: effects with their intervals"
    once = "; hollow: one training, which decides nothing" if any(each.once for each in effects) else ""
    cut = "; arrows: goes on" if is_cut(effects) else ""
    whole = f"with 95 % intervals{once}; carets: bounds to pass{cut}"
    caption = f"Claims measured over pairs, sizes and seconds apart, {whole}."
    said = [f"{each.statement.rstrip('.')}: {each.value:.3g} {each.unit}, {each.verdict}" for each in effects]
    return Plot("answer-effects", title, caption, f"Effects of claims. {'; '.join(said)}.", forest_plot(effects))


def _speed(speeds: Sequence[Speed]) -> Plot:
    title = "The claim of speed, at the papers' size"
    if not speeds:
        return Plot("answer-speed", title, "No claim of speed was measured at the papers' size.", "", None)
    first = speeds[0]
    where = f"{first.grid.replace('x', ' x ')} voxels, {first.threads} thread{'s' * (first.threads != 1)}"
    drawn = [seconds for each in speeds for seconds in each.seconds]
    calls, disturbed = sum(each.calls for each in drawn), sum(each.disturbed for each in drawn)
    beside = f"; {disturbed} of {calls} calls had other work beside, or may have" if disturbed else ""
    caption = f"Medians at {where}, {first.machine}{beside}; diamonds: by the printed ratio."
    alt = "Seconds at the papers' size. " + " ".join(_words(each) for each in speeds)
    return Plot("answer-speed", title, caption, alt, speed_plot(speeds))


@dataclass(frozen=True)
class _Line:
    """One line of the plot of speed: a point with quartiles and what is written beside it."""

    label: str
    text: str
    seconds: Seconds
    marker: str
    colour: str
    filled: bool = True


def speed_plot(speeds: Sequence[Speed]) -> Figure:
    """Draw the seconds of each claim's networks below each other, and where the printed ratio would lie."""
    groups = [list(_lines(each)) for each in speeds]
    number = sum(map(len, groups)) + 0.5 * (len(groups) - 1)
    with style():
        figure = constrained(3.8, 0.45 + 0.165 * number, w_pad=0.02, h_pad=0.02)
        axes, row, ticks = figure.subplots(), 0.0, []
        for group in groups:
            for line in group:
                _draw(axes, line, row)
                ticks.append((row, line.label))
                row += 1
            row += 0.5
        axes.set_yticks([place for place, _ in ticks], [label for _, label in ticks], fontsize=8)
        axes.set_ylim(row - 0.9, -0.6)
        _seconds_axis(axes, [line.seconds for group in groups for line in group])
        _make_room(figure, axes)
    return figure


def _lines(speed: Speed) -> Iterator[_Line]:
    reference = speed.reference
    yield _Line(reference.label, f"{quantity('seconds', reference.median)} s", reference, "s", INK)
    for each in speed.rivals:
        text = f"{quantity('seconds', each.seconds.median)} s, {times(each.times)} {TIMES} as fast"
        yield _Line(each.seconds.label, text, each.seconds, "o", FAST if each.times >= 1 else SLOW)
    for printed in dict.fromkeys(each.printed for each in speed.rivals):
        place = reference.median / printed
        yield _Line(
            "as printed", f"{printed:g} {TIMES} as fast", Seconds("", place, place, place), "D", INK, filled=False
        )


def _draw(axes: Axes, line: _Line, row: float) -> None:
    seconds, face = line.seconds, line.colour if line.filled else PAPER
    axes.plot([seconds.low, seconds.high], [row, row], color=line.colour, linewidth=1.4, solid_capstyle="butt")
    look = {"color": line.colour, "markerfacecolor": face, "markersize": 5.5, "markeredgewidth": 1.2}
    axes.plot([seconds.median], [row], line.marker, **look)
    place = {"xytext": (8, 0), "textcoords": "offset points", "va": "center", "fontsize": 8}
    axes.annotate(line.text, (seconds.high, row), **place).set_in_layout(False)


def _seconds_axis(axes: Axes, drawn: Sequence[Seconds]) -> None:
    axes.set_xscale("log")
    low, high = min(each.low for each in drawn), max(each.high for each in drawn)
    axes.set_xlim(low / 1.6, high * 1.6)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("seconds of a registration (logarithmic)", fontsize=8)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)


def _make_room(figure: Figure, axes: Axes) -> None:
    """Move the end of the axis of seconds so far out that the texts beside the points end before it."""
    figure.draw_without_rendering()
    (low, high), width = np.log(axes.get_xlim()), axes.get_window_extent().width
    for text in axes.texts:
        assert isinstance(text, Annotation)
        beside = 8 * figure.dpi / 72 + text.get_window_extent().width  # 8 points from the point
        high = max(high, low + (np.log(text.xy[0]) - low) / max(1 - beside / width, 0.1) * 1.03)
    axes.set_xlim(float(np.exp(low)), float(np.exp(high)))


def _words(speed: Speed) -> str:
    """Say in a sentence what the plot of one claim shows."""
    rivals = "; ".join(
        f"{each.seconds.label} {each.seconds.median:.3g} s, {times(each.times)} times as fast, printed {each.printed:g}"
        for each in speed.rivals
    )
    return f"{speed.reference.label}: {speed.reference.median:.3g} s; {rivals}."
