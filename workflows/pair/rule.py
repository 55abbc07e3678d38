"""Which grid a pair is registered on: what is asked for, what a network knows, and both in words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from datasets.values import PERCENTILES

Align = Literal["header", "centre"]
Size = tuple[float, float, float]  # mm of a voxel along each axis
Levels = tuple[float, float]  # intensities of what is dark and what is bright (`values.PERCENTILES`), within [0, 1]
AXES = "LPS"  # left, posterior, superior
FAR = 1.25  # times as large or as small as the voxels that a network knows, and it is warned of


@dataclass(frozen=True)
class Seen:
    """The images that a network has learned from, and by which factor it saw them smaller.

    Attributes:
        spacing: millimetres of a voxel along each axis, before it saw them smaller.
        axes: where the axes point, such as LPS; empty where that is not known.
        shrink: how many voxels along each axis the network took as one.
        levels: the intensities of what is dark and what is bright in them, within [0, 1]; None where nobody knows.
    """

    spacing: Size
    axes: str = ""
    shrink: int = 1
    levels: Levels | None = None

    def at(self, shrink: int) -> Size:
        """Return the voxel size of a grid of which a network that takes ``shrink`` voxels as one sees what it knows."""
        first, second, third = (size * self.shrink / shrink for size in self.spacing)
        return first, second, third


@dataclass(frozen=True)
class Rule:
    """What may be said of the grid and the intensities.

    Attributes:
        spacing: voxel size in mm that is asked for.
        window: the intensities that become 0 and 1.
        align: how the images are laid before the method.
        known: voxel size in mm along each axis of the grid that a network knows; ``spacing`` goes before it.
        axes: where the axes of the grid point.
        levels: what the dark and the bright of each image become, as a network knows them; ``window`` goes before them.
    """

    spacing: float | None = None
    window: tuple[float, float] | None = None
    align: Align = "header"
    known: Size | None = None
    axes: str = AXES
    levels: Levels = (0.0, 1.0)

    def seen_by(self, network: Seen | None, shrink: int) -> Rule:
        """Return the rule for a network that takes ``shrink`` voxels as one, of which its weights record this."""
        if network is None:
            return self
        known = None if self.spacing else network.at(shrink)
        return replace(self, known=known, axes=network.axes or self.axes, levels=network.levels or self.levels)


def are_axes(letters: str) -> bool:
    """Return whether three letters name the directions of a grid's axes, such as LPS."""
    return len(letters) == 3 and all(len(set(letters) & set(pair)) == 1 for pair in ("LR", "AP", "IS"))


def seen_by(shrink: int | None, spacing: Size) -> Size | None:
    """Return the voxel size as a network sees it that takes ``shrink`` voxels as one; None for no network."""
    return None if shrink is None else (spacing[0] * shrink, spacing[1] * shrink, spacing[2] * shrink)


def origin_of(rule: Rule, spacing: Size, shrink: int | None, *, coarser: bool = False) -> str:
    """Return the voxel size of a grid, whose that is, and what a network that takes ``shrink`` as one makes of it.

    ``coarser``: the fixed image is so large that its grid was made coarser.
    """
    whose = (
        "a coarser grid than that of the fixed image, which is very large" if coarser else "the fixed image's own grid"
    )
    if rule.spacing:
        whose = "voxels as --spacing says"
    elif rule.known:
        whose = "voxels of the size that the weights learned from"
    axes = "" if rule.axes == AXES else f", axes to {rule.axes} as the weights know them"
    seen = seen_by(shrink, spacing) if shrink and shrink > 1 else None
    network = f", of which the network sees {_words(seen)}" if seen else ""
    return f"{_words(spacing)}: {whose}{axes}{network}"


def scale_of(rule: Rule) -> str:
    """Return in words what became of the intensities of both images."""
    if rule.window:
        return f"{rule.window[0]:g} and {rule.window[1]:g} became 0 and 1, as --window says"
    whose = "" if rule.levels == Rule.levels else ", as the weights know them"
    ends = " and ".join(f"{percentile:g}" for percentile in PERCENTILES)
    return f"percentiles {ends} of each image became {rule.levels[0]:g} and {rule.levels[1]:g}{whose}"


def doubt_of(method: str, rule: Rule, seen: Seen | None, shrink: int) -> str:
    """Return a warning where a network may be given a scale that it does not know; empty for none."""
    if seen is None:
        given = f"voxels of {rule.spacing:g} mm, by --spacing" if rule.spacing else "those of the fixed image"
        return (
            f"the weights of {method} do not record the size of the voxels that they learned from: it is given "
            f"{given}; where it learned from others, name their size in mm with --spacing, or train it anew"
        )
    known = seen.at(shrink)
    if rule.spacing and max(max(size / rule.spacing, rule.spacing / size) for size in known) > FAR:
        return (
            f"the weights of {method} learned from voxels of {_words(known)}, and --spacing gives it "
            f"{rule.spacing:g} mm: things look another size to it than those it knows; leave --spacing out"
        )
    return ""


def _words(spacing: Size) -> str:
    sizes = [f"{size:.3g}" for size in np.round(spacing, 6)]
    return f"{sizes[0]} mm" if len(set(sizes)) == 1 else f"{' x '.join(sizes)} mm"
