"""The grid that each scan of a user's own is prepared on.

A pair lies on the grid of its fixed image. By the rule ``header`` the moving image is read there at the same places in
mm; by the rule ``array`` voxels of equal numbers are the same place, whatever origins the headers have. With a spacing
or a shape the grid has other voxels over the same field of view. A scan that is read on several grids becomes several
cases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from datasets.files import Array, DataError
from datasets.own.listing import Listing, Row
from datasets.own.resampling import frame, resized, share_covered, with_shape
from datasets.own.scanned import Seen
from datasets.own.scans import Scan
from datasets.own.words import GridRule
from datasets.placement import Placement

OVERLAP = 0.25  # of the fixed image's field of view that the moving one has to cover at least
Key = tuple[str, str]  # a case of the listing, and the one on whose grid it lies


@dataclass(frozen=True)
class GridOptions:
    """What a user says of grids: the rule, and the size of voxels in mm or their number."""

    rule: GridRule
    spacing: float | None = None
    shape: tuple[int, int, int] | None = None


@dataclass(eq=False)
class Places:
    """Where each case of a listing is prepared.

    Attributes:
        options: what a user says of grids.
        scans: how each scan lies; by the rule ``array`` their origins are one.
        grids: the grid of each scan as a fixed image.
        names: the name of each scan on a grid.
    """

    options: GridOptions
    scans: dict[str, Placement]
    grids: dict[str, Placement] = field(default_factory=dict[str, Placement])
    names: dict[Key, str] = field(default_factory=dict[Key, str])

    def grid(self, key: Key) -> Placement:
        """Return the grid of a scan, on its own or on that of another."""
        return self.grids[key[1]]

    def key(self, case: str, reference: str) -> Key:
        """Return what stands for a case on the grid of another; on one that is like its own, it lies on its own."""
        alike = case in self.grids and not self.grids[case].difference(self.grids[reference])
        return (case, case if alike else reference)

    def keys(self, row: Row) -> tuple[Key, Key]:
        """Return what stands for the fixed and for the moving image of a pair."""
        return (row.fixed, row.fixed), self.key(row.moving, row.fixed)

    def to_grid(self, voxels: Array, key: Key) -> Array:
        """Return voxel coordinates ``(n, 3)`` of a scan's own array as those of its grid."""
        own, grid = self.scans[key[0]], self.grid(key)
        if not own.difference(grid):
            return voxels
        places = voxels @ own.affine[:3, :3].T + own.affine[:3, 3]
        return np.linalg.solve(grid.affine[:3, :3], (places - grid.affine[:3, 3]).T).T


def place(listing: Listing, seen: Mapping[str, Seen], options: GridOptions) -> Places:
    """Return the grids of all scans that were read; pairs that cannot lie on one are kept as problems."""
    places = Places(options, _own(seen, options.rule))
    for case, own in places.scans.items():
        try:
            places.grids[case] = _target(own, options)
        except DataError as error:
            listing.fault(str(listing.items[case].image), str(error))
    rows = [row for row in listing.rows if set(row.cases) <= places.grids.keys()]
    for row in rows:
        if fault := _pair_fault(places, row):
            listing.fault(row.where, fault)
    keys = [key for row in rows for key in places.keys(row)]
    keys += [(case, case) for case in listing.training if case in places.grids]
    places.names = _names(list(dict.fromkeys(keys)))
    return places


def laid(scan: Scan, own: Placement) -> Scan:
    """Move a scan that was just read to where it lies by the rule, and return it."""
    if not np.array_equal(scan.affine, own.affine):
        scan.image.SetOrigin(frame(Placement((1, 1, 1), own.affine)).GetOrigin())
        return Scan(scan.path, scan.image)
    return scan


def _own(seen: Mapping[str, Seen], rule: GridRule) -> dict[str, Placement]:
    found = {case: each.place for case, each in seen.items()}
    if rule == "header" or not found:
        return found
    origin = next(iter(found.values())).affine[:3, 3]
    return {case: Placement(each.shape, _at(each.affine, origin)) for case, each in found.items()}


def _at(affine: Array, origin: Array) -> Array:
    moved = affine.copy()
    moved[:3, 3] = origin
    return moved


def _target(own: Placement, options: GridOptions) -> Placement:
    if options.shape is not None:
        return _placement(with_shape(frame(own), options.shape))
    if options.spacing is not None:
        return _placement(resized(frame(own), np.full(3, options.spacing), "spacing"))
    return own


def _placement(image: Any) -> Placement:
    return Scan(Path(), image).placement


def _pair_fault(places: Places, row: Row) -> str:
    fixed, moving = (places.scans[case] for case in row.cases)
    if places.options.rule == "array":
        fault = fixed.difference(moving)
        hint = "`grid: header` reads the moving image on the grid of the fixed one, where the headers place it"
        return f"grids differ: {fault}; {hint}" if fault else ""
    if not fixed.difference(moving):
        return ""
    covered = share_covered(frame(fixed), _scan(moving))
    if covered >= OVERLAP:
        return ""
    hint = "correct the headers, or align the images first; `grid: array` lays them voxel on voxel"
    return f"{row.moving} covers only {covered:.0%} of the field of view of {row.fixed}; {hint}"


def _scan(own: Placement) -> Scan:
    return Scan(Path(), frame(own))


def _names(keys: Sequence[Key]) -> dict[Key, str]:
    """Return the case's own name for a scan that lies on one grid alone, or on its own, else one that says the grid."""
    grids = {case: [other for each, other in keys if each == case] for case, _ in keys}
    return {
        (case, other): case if case == other or len(grids[case]) == 1 else f"{case}-on-{other}" for case, other in keys
    }
