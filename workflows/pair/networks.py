"""On which grid a network registers a user's pair, in words, and where that is not what it has learned from."""

from __future__ import annotations

import numpy as np

from workflows.pair.grids import AXES, Grid, Rule
from workflows.pair.registering import Order

Size = tuple[float, float, float]
FAR = 1.25  # times as large or as small as the voxels that a network knows, and it is warned of


def seen_by(order: Order, grid: Grid) -> Size | None:
    """Return the size in mm of a voxel as a network sees it on a grid; None for a method without weights."""
    first, second, third = grid.as_scan.spacing
    return (first * order.shrink, second * order.shrink, third * order.shrink) if order.weights else None


def origin_of(order: Order, rule: Rule, grid: Grid) -> str:
    """Return whose grid a method registers on, and how large the voxels are that a network makes of it."""
    whose = "the fixed image's own grid, or a coarser one where it is very large"
    if rule.spacing:
        whose = "voxels as --spacing says"
    elif rule.known:
        whose = "voxels of the size that the weights learned from"
    axes = "" if rule.axes == AXES else f", axes to {rule.axes} as the weights know them"
    seen = seen_by(order, grid)
    network = f", of which the network sees {_words(seen)}" if seen and order.shrink > 1 else ""
    return f"{_words(grid.as_scan.spacing)}: {whose}{axes}{network}"


def doubt_of(order: Order, rule: Rule) -> str:
    """Return a warning where a network may be given a scale that it does not know; empty for none."""
    if order.weights is None:
        return ""
    if order.seen is None:
        given = f"voxels of {rule.spacing:g} mm, by --spacing" if rule.spacing else "those of the fixed image"
        return (
            f"the weights of {order.by.method} do not record the size of the voxels that they learned from: it is given"
            f" {given}; where it learned from others, name their size in mm with --spacing, or train it anew"
        )
    known = order.seen.at(order.shrink)
    if rule.spacing and max(max(size / rule.spacing, rule.spacing / size) for size in known) > FAR:
        return (
            f"the weights of {order.by.method} learned from voxels of {_words(known)}, and --spacing gives it "
            f"{rule.spacing:g} mm: things look another size to it than those it knows; leave --spacing out"
        )
    return ""


def _words(spacing: Size) -> str:
    sizes = [f"{size:.3g}" for size in np.round(spacing, 6)]
    return f"{sizes[0]} mm" if len(set(sizes)) == 1 else f"{' x '.join(sizes)} mm"
