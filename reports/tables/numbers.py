"""Numbers as texts, the same in every table and figure."""

from __future__ import annotations

import math

from benchmarks.metrics import METRICS

MINUS = "\N{MINUS SIGN}"


def number(value: float, decimals: int) -> str:
    """Return ``value`` with a fixed number of decimals, a true minus sign, and never a negative zero."""
    text = f"{value:.{decimals}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", MINUS)


def quantity(metric: str, value: float) -> str:
    """Return a metric's value with as many decimals, and at most as many significant digits, as the metric says."""
    decimals, digits = METRICS[metric].decimals, METRICS[metric].digits
    if digits and value > 0:
        decimals = min(decimals, max(0, digits - 1 - math.floor(math.log10(value))))
    return number(value, decimals)


def direction(higher_is_better: bool) -> str:
    """Return the arrow that says which way is better."""
    return "↑" if higher_is_better else "↓"
