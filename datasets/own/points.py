"""Landmarks of a user's own: the unit that they are in, stated or found, and the places that they mean.

A unit is found by what it makes of the numbers: every landmark has to lie inside its image, and those of a pair have to
be nearer to each other than they are spread. Millimetres that are read as voxels, or the other way round, change both
alike, so that the distance can speak against a unit and never for one: where two units have all inside, nobody can tell
but the one who has the files.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datasets.files import Array, DataError, parse_points
from datasets.originals import note
from datasets.own.scans import TURNED, Scan
from datasets.own.words import UNITS, Unit
from datasets.placement import Placement

CLEARLY = 2.0  # times as far apart as in another unit, for their spread: so much speaks against a unit
APART = 1.0  # of their spread: landmarks of a pair that are further apart do not correspond
EDGE = 0.501  # voxels beyond the outermost voxel centres, as `datasets.values` has it


@dataclass(frozen=True, eq=False)
class PairPoints:
    """Landmarks of a pair as their files have them ``(n, 3)``, and how the two images lie by their headers.

    ``by_array`` says that voxels of equal numbers are the same place, whatever the headers say.
    """

    fixed: Array
    moving: Array
    fixed_place: Placement
    moving_place: Placement
    by_array: bool = False

    @property
    def sides(self) -> tuple[tuple[Array, Placement], tuple[Array, Placement]]:
        """Each image's landmarks with its place."""
        return (self.fixed, self.fixed_place), (self.moving, self.moving_place)


@dataclass(frozen=True)
class Fit:
    """What a unit makes of landmarks.

    Attributes:
        unit: that they are read in.
        inside: the share of them inside their images.
        distance: how far apart those of a pair are before registration, mean in mm.
        relative: the same for their spread about their centre.
    """

    unit: Unit
    inside: float
    distance: float
    relative: float

    def __str__(self) -> str:
        """Return the figures as words of a message."""
        return f"as {self.unit} {self.inside:.1%} lie inside, {self.distance:.1f} mm apart"


class UnitError(DataError):
    """Landmarks whose unit is another than stated, or cannot be told."""


def read_rows(path: Path) -> Array:
    """Read landmarks ``(n, 3)`` as a file has them: one a row, parted by commas, semicolons or white space."""
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    note(path)
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    return parse_points(text.replace(",", " ").replace(";", " "), str(path))


def read_points(path: Path, scan: Scan, unit: Unit) -> Array:
    """Read the landmarks of a scan and return them ``(n, 3)`` in LPS millimetres.

    Raises:
        DataError: no landmarks, or most lie outside of the image: another unit is likely, and the message says so.
    """
    points, place = read_rows(path), scan.placement
    inside = share_inside(to_voxels(points, unit, place), place.shape)
    if inside < 1:
        others = [
            each for each in UNITS if each != unit and share_inside(to_voxels(points, each, place), place.shape) == 1
        ]
        hint = f"; they all do as {' or '.join(others)} (--landmark-unit)" if others else ""
        raise DataError(f"{path}: as {unit} ({UNITS[unit]}) only {inside:.0%} of the landmarks lie in the image{hint}")
    return scan.to_millimetres(to_voxels(points, unit, place))


def to_voxels(points: Array, unit: Unit, place: Placement) -> Array:
    """Return the zero-based voxel coordinates ``(n, 3)`` of points ``(n, 3)`` in a unit, of an image that lies so."""
    if unit in ("voxels", "voxels-from-1"):
        return points - (1.0 if unit == "voxels-from-1" else 0.0)
    ras: Array = points @ TURNED if unit == "lps" else points
    return np.linalg.solve(place.affine[:3, :3], (ras - place.affine[:3, 3]).T).T


def share_inside(voxels: Array, shape: Sequence[int]) -> float:
    """Return the share of voxel coordinates ``(n, 3)`` that lie in an image of ``shape``."""
    within: Array = np.all((voxels >= -EDGE) & (voxels <= np.asarray(shape) - 1 + EDGE), axis=1)
    return float(within.mean())


def fit(unit: Unit, pairs: Sequence[PairPoints]) -> Fit:
    """Return what a unit makes of the landmarks of all pairs."""
    inside, apart, relative = list[float](), list[float](), list[float]()
    for pair in pairs:
        voxels = [to_voxels(points, unit, place) for points, place in pair.sides]
        inside += [share_inside(at, place.shape) for at, (_, place) in zip(voxels, pair.sides, strict=True)]
        places = (pair.fixed_place, pair.fixed_place if pair.by_array else pair.moving_place)
        fixed, moving = (_millimetres(at, place) for at, place in zip(voxels, places, strict=True))
        apart.append(_mean_length(fixed - moving))
        relative.append(apart[-1] / max(_mean_length(fixed - fixed.mean(axis=0)), 1e-9))
    return Fit(unit, float(np.mean(inside)), float(np.mean(apart)), float(np.mean(relative)))


def find_unit(pairs: Sequence[PairPoints], usual: Unit | None = None) -> Unit:
    """Return the unit of the landmarks of a data set.

    Args:
        pairs: the landmarks of every pair; one unit is that of all.
        usual: the unit that the form of the files prescribes, which others may only refute.

    Raises:
        UnitError: no unit has all landmarks inside, or several do, or they speak against the usual one.
    """
    fits = [fit(unit, pairs) for unit in UNITS]
    within = [each for each in fits if each.inside == 1]
    if not within:
        raise UnitError(f"in no unit do all landmarks lie inside of their images: {_listed(fits)}; correct the files")
    if usual is not None:
        return _confirmed(usual, fits, within)
    if len(within) > 1:
        raise UnitError(f"the unit of the landmarks cannot be told: {_listed(within)}; {_say(within)}")
    if len(pairs[0].fixed) > 1 and within[0].relative > APART:
        what = f"{_listed(within)}: further than they are spread, so that they are no pairs"
        raise UnitError(f"{what}; correct the files, or {_say(within)}")
    return within[0].unit


def _confirmed(usual: Unit, fits: Sequence[Fit], within: Sequence[Fit]) -> Unit:
    """Return the usual unit unless landmarks are outside in it, or clearly nearer in another one."""
    expected = next((each for each in within if each.unit == usual), None)
    if expected is None:
        raise UnitError(f"not all landmarks lie inside as {usual} ({UNITS[usual]}): {_listed(fits)}; {_say(within)}")
    nearer = [each for each in within if CLEARLY * each.relative < expected.relative]
    if nearer:
        found = [expected, *nearer]
        raise UnitError(f"in another unit than {usual} they are clearly nearer: {_listed(found)}; {_say(found)}")
    return usual


def check_unit(pairs: Sequence[PairPoints], unit: Unit) -> None:
    """Raise `UnitError` unless all landmarks lie inside of their images in a unit that somebody has stated."""
    stated = fit(unit, pairs)
    if stated.inside < 1:
        others = [other for each in UNITS if (other := fit(each, pairs)).inside == 1]
        hint = _say(others) if others else "correct the files"
        raise UnitError(f"{stated}; {hint}")


def _mean_length(vectors: Array) -> float:
    lengths: Array = np.linalg.norm(vectors, axis=1)
    return float(lengths.mean())


def _millimetres(voxels: Array, place: Placement) -> Array:
    return voxels @ place.affine[:3, :3].T + place.affine[:3, 3]


def _listed(fits: Iterable[Fit]) -> str:
    return ", ".join(map(str, fits))


def _say(fits: Sequence[Fit]) -> str:
    return f"say which by `landmark_unit: {' or '.join(each.unit for each in fits)}`"
