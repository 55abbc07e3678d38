"""The weights of the levels of a network that grows, drawn against iteration; how a level looks and is written."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from reports.drawing.style import INK
from reports.reading.growth import Growth

LOOKS = (("#009e73", "-"), ("#cc79a7", "--"), ("#56b4e9", "-."), ("#e69f00", ":"), (INK, "-"))
ALPHA = "\N{GREEK SMALL LETTER ALPHA}"


def draw_weights(axes: Axes, growth: Growth, *, bold: Sequence[int] | None = None) -> None:
    """Draw each level's weight against iteration, named above its highest part; levels not in ``bold`` stay thin."""
    for level, weights in enumerate(growth.alpha.T):
        if not np.any(weights > 0):
            continue
        colour, line = look(level)
        strong = bold is None or level in bold
        counts = np.pad(weights > 0, 1)
        shown = np.where(counts[:-2] | counts[1:-1] | counts[2:], weights, np.nan)  # from foot to foot
        drawstyle, width = "steps-post" if _steps(growth) else "default", 1.8 if strong else 1.0
        axes.plot(growth.iteration, shown, color=colour, linestyle=line, linewidth=width, drawstyle=drawstyle)
        top = growth.iteration[weights >= weights.max() - 1e-9]
        place = {"xy": ((top[0] + top[-1]) / 2, weights.max()), "xytext": (0, 3), "textcoords": "offset points"}
        axes.annotate(name(ALPHA, level), **place, fontsize=9, ha="center", color=INK)
    axes.set_ylim(-0.04, 1.22)
    axes.set_yticks([0, 0.5, 1])


def look(level: int) -> tuple[str, str]:
    """Return colour and line of a level."""
    return LOOKS[level % len(LOOKS)]


def name(letter: str, level: int) -> str:
    """Return a letter with the level as subscript."""
    return letter + "".join(chr(ord("\N{SUBSCRIPT ZERO}") + int(digit)) for digit in str(level))


def _steps(growth: Growth) -> bool:
    """Return whether levels replace each other at once; a slope between two recorded iterations would be made up."""
    return not any(True for _ in growth.transitions())
