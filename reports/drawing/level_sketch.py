"""A sketch of the two coarsest levels of a progressive network and the weights at its edges at one time of training.

After Fig. 2 of doi:10.1109/TMI.2019.2953788. What has no weight is dotted: it takes no part in the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyArrowPatch, Rectangle

from reports.drawing.style import INK, PAPER, SOFT
from reports.drawing.weights import ALPHA, look, name

BETA, GAMMA = "\N{GREEK SMALL LETTER BETA}", "\N{GREEK SMALL LETTER GAMMA}"
WIDTH, HEIGHT = 10.0, 7.0  # of the sketch, in units of its own
TOP, LOW = 5.2, 1.5  # where the two levels stand
IMAGES, INPUT, JOIN, ENCODE, DECODE, OUTPUT, SUM = 0.9, 2.75, 4.3, 4.3, 6.3, 7.8, 9.3
Point = tuple[float, float]


@dataclass(frozen=True)
class State:
    """Weights of the two coarsest levels of ``levels`` at one time; the first one's own images enter by `beta`."""

    alpha: tuple[float, float]
    levels: int

    @property
    def beta(self) -> tuple[float, float]:
        """Eq. 3: the weights of the levels' own images; what is pooled from the level above has the rest."""
        return self.alpha[0], min(sum(self.alpha), 1.0)

    @property
    def gamma(self) -> float:
        """The weight of what is pooled from the level above."""
        return 1 - self.beta[0]


def draw(axes: Axes, state: State, sizes: Sequence[str]) -> None:
    """Draw the two levels, named by their grids ``sizes``, onto axes of their own."""
    axes.set(xlim=(0, WIDTH), ylim=(-0.25, HEIGHT))
    axes.set_axis_off()
    _entrance(axes, state)
    _upper(axes, state)
    _lower(axes, state)
    _sum(axes, state)
    for level, y in ((1, TOP + 1.42), (0, LOW - 1.45)):
        text = sizes[level] if sizes else ("coarsest level", "next level")[level]
        axes.text(0.04, y, text, fontsize=8, fontweight="bold", color=INK, va="center")


def _entrance(axes: Axes, state: State) -> None:
    """Draw the images of both levels, and their own convolutions where they have one."""
    used = state.alpha[1] > 0
    _images(axes, TOP, 0.7, used)
    if state.levels == 2:  # full resolution takes the images as they are
        _edge(axes, (IMAGES + 0.86, TOP), (ENCODE - 0.4, TOP), float(used))
    else:
        _box(axes, (INPUT, TOP), (0.85, 0.95), "conv", 1, used)
        _edge(axes, (IMAGES + 0.86, TOP), (INPUT - 0.43, TOP), float(used))
        _edge(axes, (INPUT + 0.43, TOP), (ENCODE - 0.4, TOP), state.beta[1] if used else 0.0)
        _weight(axes, (ENCODE - 0.5, TOP - 0.85), BETA, 1, state.beta[1], "right", used)
    fed = state.beta[0] > 0
    _images(axes, LOW, 0.56, fed)
    _box(axes, (INPUT, LOW), (0.85, 0.7), "conv", 0, fed)
    _edge(axes, (IMAGES + 0.72, LOW), (INPUT - 0.43, LOW), float(fed))
    _edge(axes, (INPUT + 0.43, LOW), (JOIN - 0.25, LOW), state.beta[0])
    _weight(axes, (ENCODE - 0.35, LOW - 0.75), BETA, 0, state.beta[0], "right")


def _upper(axes: Axes, state: State) -> None:
    used = state.alpha[1] > 0
    _box(axes, (ENCODE, TOP), (0.8, 1.7), "", 1, used)
    _box(axes, (DECODE, TOP), (0.8, 1.7), "", 1, used)
    _edge(axes, (ENCODE + 0.4, TOP), (DECODE - 0.4, TOP), float(used))
    axes.text((ENCODE + DECODE) / 2, TOP + 0.3, "skip", fontsize=7, ha="center", color=SOFT)
    _edge(axes, (ENCODE, TOP - 0.85), (JOIN, LOW + 0.25), state.gamma)
    axes.text(ENCODE - 0.15, TOP - 1.25, "pool", fontsize=7, ha="right", va="center", color=SOFT)
    _weight(axes, (ENCODE - 0.15, TOP - 1.85), GAMMA, 0, state.gamma, "right")
    _edge(axes, (DECODE, LOW + 0.6), (DECODE, TOP - 0.85), float(used))
    axes.text(DECODE - 0.15, TOP - 1.55, "up", fontsize=7, ha="right", va="center", color=SOFT)


def _lower(axes: Axes, state: State) -> None:
    _circle(axes, (JOIN, LOW), state.beta[0] > 0 and state.gamma > 0)
    _edge(axes, (JOIN + 0.25, LOW), (DECODE - 0.95, LOW), 1.0)
    _box(axes, (DECODE - 0.15, LOW), (1.6, 1.2), "", 0, True)


def _sum(axes: Axes, state: State) -> None:
    """Draw each level's displacement, and their weighted sum."""
    middle = (TOP + LOW) / 2
    for level, y, side in ((1, TOP, 1), (0, LOW, -1)):
        weight, (colour, _) = state.alpha[level], look(level)
        _edge(axes, (DECODE + (0.4 if level else 0.65), y), (OUTPUT - 0.4, y), float(weight > 0))
        _box(axes, (OUTPUT, y), (0.8, 0.8), name("u", level), level, weight > 0)
        _edge(axes, (OUTPUT + 0.4, y), (SUM, middle + side * 0.27), weight, colour)
        _weight(axes, (WIDTH, y + side * 0.1), ALPHA, level, weight, "right")
    _circle(axes, (SUM, middle), True)
    axes.text(SUM - 0.38, middle, "u", fontsize=9, ha="right", va="center", color=INK, fontstyle="italic")


def _images(axes: Axes, y: float, side: float, used: bool) -> None:
    """Draw fixed and moving image, one behind the other."""
    for shift in (0.16, -0.16):
        corner = (IMAGES - side + shift, y - side + shift)
        edge = {"edgecolor": INK if used else SOFT, "linewidth": 0.9, "linestyle": _line(used)}
        axes.add_patch(Rectangle(corner, 2 * side, 2 * side, facecolor=PAPER, **edge))
    axes.text(IMAGES - 0.16, y - 0.16, "images", fontsize=6, ha="center", va="center", color=INK if used else SOFT)


def _box(axes: Axes, centre: Point, size: Point, text: str, level: int, used: bool) -> None:
    """Draw the layers of a level in its colour, dotted where they are not in use."""
    (x, y), (width, height), (colour, _) = centre, size, look(level)
    corner = (x - width / 2, y - height / 2)
    axes.add_patch(Rectangle(corner, width, height, facecolor=PAPER, edgecolor="none", zorder=2))
    axes.add_patch(Rectangle(corner, width, height, facecolor=colour, alpha=0.35 if used else 0.06, zorder=2.1))
    edge = {"edgecolor": colour, "linewidth": 1.1, "linestyle": _line(used)}
    axes.add_patch(Rectangle(corner, width, height, fill=False, zorder=2.2, **edge))
    axes.text(x, y, text, fontsize=6.5, ha="center", va="center", color=INK if used else SOFT, zorder=3)


def _circle(axes: Axes, centre: Point, used: bool) -> None:
    """Draw a sum."""
    axes.add_patch(Circle(centre, 0.25, facecolor=PAPER, edgecolor=INK if used else SOFT, linewidth=0.9, zorder=2))
    axes.text(*centre, "+", fontsize=9, ha="center", va="center_baseline", color=INK if used else SOFT, zorder=3)


def _edge(axes: Axes, start: Point, end: Point, weight: float, colour: str = INK) -> None:
    """Draw an arrow, the wider the more weight it carries; dotted without any."""
    used = weight > 0
    look = {"linewidth": 0.7 + max(weight, 0), "color": colour if used else SOFT, "linestyle": _line(used)}
    head = {"arrowstyle": "-|>", "mutation_scale": 7, "shrinkA": 0, "shrinkB": 0}
    axes.add_patch(FancyArrowPatch(start, end, zorder=1.5, **head, **look))


def _weight(axes: Axes, place: Point, letter: str, level: int, value: float, align: str, used: bool = True) -> None:
    shown = f"{value:.2f}".rstrip("0").rstrip(".")
    colour = INK if used and value > 0 else SOFT
    axes.text(*place, f"{name(letter, level)} = {shown}", fontsize=8, ha=align, va="center", color=colour)


def _line(used: bool) -> str:
    return "-" if used else ":"
