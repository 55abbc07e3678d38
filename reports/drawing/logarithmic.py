"""Logarithmic axes, for values that span more than a decade."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter


def log_scale(values: Sequence[float]) -> bool:
    """Return whether values, all above 0, span more than a decade."""
    known = [value for value in values if np.isfinite(value)]
    return bool(known) and min(known) > 0 and max(known) > 10 * min(known)


def set_log(axes: Axes, which: Literal["x", "y"]) -> None:
    """Make an axis, ``x`` or ``y``, logarithmic, with plain numbers at 1, 2 and 5 times the powers of ten."""
    axes.set(**{f"{which}scale": "log"})
    axis = getattr(axes, f"{which}axis")
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
