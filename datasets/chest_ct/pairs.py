"""Breathing pairs of chest CT with landmarks in prepared form: cropped around the lungs, resized, checked.

As in Eppenhof et al. (doi:10.1109/TMI.2019.2953788), who crop around the lung field and resize to 128 x 128 x 128.
How they find the lung field, how they interpolate and which phase is fixed is not stated; here the lungs of both scans
come from a threshold, plus a margin, the resize is linear, and end-inhale is fixed unless the configuration swaps them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from datasets.case import Pair, Writer
from datasets.chest_ct.lungs import (
    LUNG_HU,
    WINDOW,
    Scan,
    field_of_view,
    find_lungs,
    lung_box,
    resample,
    share_inside,
)
from datasets.description import Description, LungPair, TrainingSplit, cases_of
from datasets.files import DataError
from datasets.geometry import Array
from datasets.grid import Grid


@dataclass(frozen=True)
class Phase:
    """One scan of a breathing pair: its case name, the scan, and its landmarks ``(n, 3)`` in the patient's mm."""

    case: str
    scan: Scan
    points: Array


@dataclass(frozen=True, kw_only=True)
class Crop:
    """How pairs are prepared, as options of the data sets that hold them."""

    direction: Literal["inhale_fixed", "exhale_fixed"] = "inhale_fixed"  # which phase is the fixed image
    shape: tuple[int, int, int] = (128, 128, 128)  # voxels to the patient's left, posterior and superior
    margin_mm: float = 10.0  # room around the lungs of both scans
    inside: float = 0.95  # least share of landmarks that must have lung within 5 mm

    def __post_init__(self) -> None:
        """Raise `DataError` for options that are out of range."""
        if min(self.shape) < 2:
            raise DataError(f"shape must be three numbers of at least 2, got {list(self.shape)}")
        if not self.margin_mm >= 0 or not 0 <= self.inside <= 1:
            raise DataError(
                f"margin_mm must be at least 0 and inside from 0 to 1, got {self.margin_mm} and {self.inside}"
            )


def distances(fixed: Array, moving: Array) -> Array:
    """Return the distances ``(n,)`` of corresponding points ``(n, 3)``, in their unit."""
    return np.linalg.norm(np.asarray(fixed) - np.asarray(moving), axis=1)


def write_pair(
    writer: Writer, inhale: Phase, exhale: Phase, crop: Crop, *, slices: Grid | None
) -> tuple[Pair, LungPair]:
    """Write both scans of a pair on one grid with masks and landmarks; return the pair and what was found on the way.

    ``slices``: the grid of the scanner's whole slices, None where it is not known (see `lungs.field_of_view`).

    Raises:
        DataError: no lungs, landmarks that lie elsewhere, or landmarks outside of the box.
    """
    fixed, moving = (inhale, exhale) if crop.direction == "inhale_fixed" else (exhale, inhale)
    lungs = [find_lungs(phase.scan, phase.case) for phase in (fixed, moving)]
    shares = [_check_inside(phase, mask, crop.inside) for phase, mask in zip((fixed, moving), lungs, strict=True)]
    low, high = lung_box(lungs, crop.margin_mm, fixed.scan.grid)
    grid = Grid.between(low, high, crop.shape)
    mask = field_of_view(grid, slices)
    for phase in (fixed, moving):
        writer.image(phase.case, WINDOW.scale(resample(phase.scan, grid)), grid.affine)
        writer.mask(phase.case, mask, grid.affine)
    pair = Pair(fixed.case, moving.case)
    writer.landmarks(pair, *(_on_grid(phase, grid) for phase in (fixed, moving)))
    return pair, LungPair(
        before_mm=round(float(distances(fixed.points, moving.points).mean()), 4),
        landmarks=len(fixed.points),
        spacing=tuple(round(size, 6) for size in grid.spacing),
        box_mm=tuple(tuple(corner) for corner in np.round([low, high], 4).tolist()),
        inside_lungs=tuple(round(share, 4) for share in shares),
    )


def _check_inside(phase: Phase, lungs: Scan, least: float) -> float:
    """Refuse landmarks outside of the lungs, which swapped axes would give, though they keep distances as they are.

    Left and right, front and back are too alike for this: a mirrored chest passes.
    """
    share = share_inside(lungs, phase.points)
    if not share >= least:
        raise DataError(
            f"{phase.case}: {share:.0%} of the landmarks lie in the lungs, expected at least {least:.0%}; the axes of "
            "landmarks and image differ, or they belong to different scans (option `inside` sets another share)"
        )
    return share


def _on_grid(phase: Phase, grid: Grid) -> Array:
    points = grid.to_voxels(phase.points)
    inside = np.all((points >= -0.5) & (points <= np.asarray(grid.shape) - 0.5), axis=1)
    if outside := int((~inside).sum()):
        raise DataError(
            f"{phase.case}: {outside} landmarks lie outside of the box around the lungs; enlarge the option `margin_mm`"
        )
    return points


def describe(name: str, pairs: Mapping[Pair, LungPair], crop: Crop) -> Description:
    """Return the part of dataset.json that all breathing pairs share; their cases are named ``<subject>-<phase>``."""
    phases = ("end-inhale", "end-exhale")
    fixed, moving = phases if crop.direction == "inhale_fixed" else phases[::-1]
    return Description(
        name=name,
        anatomy="lung",
        modality="CT",
        preprocessing=(
            f"cropped to the lungs of both scans (air below {LUNG_HU:g} HU within the body) and {crop.margin_mm:g} mm "
            f"more, resized linearly to {crop.shape} voxels, voxel areas aligned",
            f"fixed is {fixed}, moving {moving}",
            WINDOW.text,
        ),
        intensity=WINDOW,
        shape=crop.shape,
        spacings={pair.name: facts.spacing for pair, facts in pairs.items()},  # each pair has its own
        orientation=("L", "P", "S"),
        primary="tre",
        subjects={case: case.rpartition("-")[0] for case in cases_of(pairs)},
        training=TrainingSplit(()),
        test=tuple(pairs),
        severity={pair.name: facts.before_mm for pair, facts in pairs.items()},
        pairs={pair.name: facts for pair, facts in pairs.items()},
    )
