"""Everything that is wrong with data of a user's own, found at once and before anything is written."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from datasets.check import NOTHING_NAMED, described_problems
from datasets.description import Description, Pair
from datasets.files import Array, DataError
from datasets.own.listing import Listing, Row
from datasets.own.options import Params
from datasets.own.placing import GridOptions, Places, place
from datasets.own.points import PairPoints, UnitError, check_unit, find_unit, fit, read_rows, to_voxels
from datasets.own.scanned import Seen, look, unlike
from datasets.own.scans import SMALLEST
from datasets.own.sources import read_listing
from datasets.own.splits import lines_of, located, split_up
from datasets.own.words import Split, Unit, listed
from datasets.problem import Problem
from datasets.values import landmark_fault


@dataclass(eq=False)
class Examined:
    """Data of a user's own after every file was looked at.

    Attributes:
        listing: what the folder or the table says.
        seen: the scans that could be read.
        places: the grids of all scans.
        unit: that of the landmarks; None where there are none.
        points: landmarks of each judged pair, in voxels of its grid.
        before_mm: their mean distance before registration.
        labels: names of labels.
        evaluated: the labels that count; empty for all.
    """

    listing: Listing
    seen: Mapping[str, Seen]
    places: Places
    unit: Unit | None = None
    points: dict[Row, tuple[Array, Array]] = field(default_factory=dict[Row, tuple[Array, Array]])
    before_mm: float | None = None
    labels: Mapping[int, str] = field(default_factory=dict[int, str])
    evaluated: tuple[int, ...] = ()

    @property
    def problems(self) -> list[Problem]:
        """All that is wrong."""
        return located(self.listing)

    def pair(self, row: Row) -> Pair:
        """Return a row as a pair of prepared cases."""
        fixed, moving = (self.places.names[key] for key in self.places.keys(row))
        return Pair(fixed, moving)

    def usable(self, rows: Sequence[Row]) -> list[Row]:
        """Return the rows both of whose scans could be read."""
        return [row for row in rows if set(row.cases) <= self.places.grids.keys()]


def examine(params: Params) -> Examined:
    """Read all that a data set of a user's own is made of, and keep everything that is wrong with it.

    Raises:
        DataError: there is no such folder, or nothing in it says what the pairs are.
    """
    listing = read_listing(params)
    check_options(listing, params)
    window = params.window if params.window and params.window[0] < params.window[1] else None
    seen = look(listing, window)
    found = Examined(listing, seen, place(listing, seen, _grid_options(listing, params)))
    _check_labels(found)
    _read_landmarks(found, params)
    _name_labels(found, params)
    _check_common_labels(found)
    _check_training(found)
    _check_copies(found)
    _note_shapes(found)
    _note_scales(found)
    earlier = bool(listing.problems)  # what could not be read leaves splits empty, and that is no problem of its own
    for problem in described_problems(splits(found)):
        if not (earlier and problem == NOTHING_NAMED):
            listing.fault(f"{problem.where}{lines_of(listing, _as_listed(found, problem))}", problem.what)
    return found


def _as_listed(found: Examined, problem: Problem) -> Problem:
    """Return a problem with the cases that the source names, of which some are read on several grids."""
    case = {name: key[0] for key, name in found.places.names.items()}
    pair = problem.pair and (case.get(problem.pair[0], ""), case.get(problem.pair[1], ""))
    return replace(problem, pair=pair, cases=tuple(dict.fromkeys(case.get(name, "") for name in problem.cases)))


def splits(found: Examined) -> Description:
    """Return the part of a description that says which case is whose, and in which split."""
    rows = found.usable(found.listing.rows)
    singles = [case for case in found.listing.training if (case, case) in found.places.names]
    subjects = {name: found.listing.whose(key[0]) for key, name in found.places.names.items()}
    described = split_up(found.listing, {row: found.pair(row) for row in rows}, singles, subjects)
    return replace(described, evaluated_labels=found.evaluated)


def check_options(listing: Listing, params: Params) -> None:
    """Keep what is wrong with options, as far as that can be told from the rows."""
    if params.window and not params.window[0] < params.window[1]:
        listing.fault("window", f"{list(params.window)}: the second number has to be the larger one")
    if not listing.of("test") and not params.training_only and not listing.problems:
        what = "registration_val names no pair" if listing.grid == "array" else "no row is of the split test"
        listing.fault(str(listing.source), f"nothing to test on: {what}; with `training_only: true` none is expected")


def _grid_options(listing: Listing, params: Params) -> GridOptions:
    """Return what is said of grids; what cannot be is kept as a problem and left out."""
    rule = listing.grid if params.grid == "auto" else params.grid
    if params.spacing is not None and params.shape is not None:
        listing.fault("spacing", "shape is given too, and one follows from the other; take one out")
    elif params.spacing is not None and not params.spacing > 0:
        listing.fault("spacing", f"expected mm above 0, got {params.spacing:g}")
    elif params.shape is not None and min(params.shape) < SMALLEST:
        listing.fault("shape", f"expected {SMALLEST} voxels or more along each axis, got {list(params.shape)}")
    else:
        return GridOptions(rule, params.spacing, params.shape)
    return GridOptions(rule)


def _check_labels(found: Examined) -> None:
    """Keep pairs of whose images only one has labels, and training scans of which some have a mask."""
    items, faulty = found.listing.items, {problem.where for problem in found.listing.problems}
    for row in found.usable(found.listing.judged):
        lacking = [case for case in row.cases if items[case].labels is None]
        if len(lacking) == 1 and row.where not in faulty:  # which says that the map is not there
            found.listing.fault(row.where, f"{lacking[0]} has no labels, and the other image has; give both, or none")
    trained = [*found.listing.training, *(case for row in found.listing.of("training") for case in row.cases)]
    lacking = [case for case in dict.fromkeys(trained) if items[case].mask is None]
    if len(lacking) < len(set(trained)):
        for case in lacking:
            found.listing.fault(str(items[case].image), "has no mask, and other training scans have; give all, or none")


def _read_landmarks(found: Examined, params: Params) -> None:
    """Read the landmarks of all judged pairs, tell their unit, and carry them onto the grids."""
    rows = [row for row in found.usable(found.listing.judged) if row.landmarks]
    pairs = {row: pair for row in rows if (pair := _pair_points(found, row))}
    if not pairs:
        return
    try:
        if params.landmark_unit == "auto":
            found.unit = find_unit(list(pairs.values()), found.listing.unit)
        else:
            found.unit = params.landmark_unit
            check_unit(list(pairs.values()), found.unit)
    except UnitError as error:
        found.listing.fault(f"{found.listing.source}, landmarks", str(error))
        return
    found.before_mm = fit(found.unit, list(pairs.values())).distance
    for row, pair in pairs.items():
        found.points[row] = _on_grid(found, row, pair, found.unit)


def _pair_points(found: Examined, row: Row) -> PairPoints | None:
    assert row.landmarks is not None
    try:
        fixed, moving = (read_rows(path) for path in row.landmarks)
    except DataError as error:
        where, _, what = str(error).partition(": ")
        found.listing.fault(where, what)
        return None
    if len(fixed) != len(moving):
        what = f"{len(fixed)} landmarks of the fixed image, {len(moving)} of the moving one; they have to be pairs"
        found.listing.fault(row.where, what)
        return None
    places = (found.seen[case].place for case in row.cases)
    return PairPoints(fixed, moving, *places, by_array=found.places.options.rule == "array")


def _on_grid(found: Examined, row: Row, pair: PairPoints, unit: Unit) -> tuple[Array, Array]:
    carried = list[Array]()
    for key, (points, own) in zip(found.places.keys(row), pair.sides, strict=True):
        carried.append(found.places.to_grid(to_voxels(points, unit, own), key))
        if fault := landmark_fault(carried[-1], found.places.grid(key).shape):
            found.listing.fault(f"{row.where}, landmarks of {key[0]} on the grid of {key[1]}", fault)
    return carried[0], carried[1]


def _name_labels(found: Examined, params: Params) -> None:
    """Keep the names of labels, and which of them count."""
    given = params.labels
    found.labels = {value: name for name, value in given.items()} if given else found.listing.labels
    tested = [case for row in found.usable(found.listing.of("test")) for case in row.cases]
    held = frozenset[int]().union(*(found.seen[case].labels for case in tested))
    if params.evaluate is None:
        found.evaluated = tuple(sorted(found.labels.keys() & held))
        if absent := sorted(found.labels.keys() - held) if held and not _unread(found, "test") else []:
            names = ", ".join(found.labels[value] for value in absent)
            found.listing.notes.append(f"labels with a name that no test image has: {names}")
        return
    values = [_value_of(label, found.labels) for label in params.evaluate]
    unread = _unread(found, "test")
    for label, value in zip(params.evaluate, values, strict=True):
        if value is None:
            close = difflib.get_close_matches(str(label), found.labels.values(), n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(found.labels.values()) or 'none'}"
            found.listing.fault("evaluate", f"no label is called {label!r}; {hint}")
        elif tested and not unread and value not in held:
            found.listing.fault("evaluate", f"no label map of a test pair holds {label!r}; take it out")
    found.evaluated = tuple(value for value in values if value is not None)


def _check_common_labels(found: Examined) -> None:
    """Keep judged pairs that no label could judge: their maps have none in common that counts."""
    count, items = set(found.evaluated), found.listing.items
    for row in found.usable(found.listing.judged):
        held = [found.seen[case].labels for case in row.cases if items[case].labels is not None]
        if len(held) < 2 or _unread(found, row.split):
            continue
        common = held[0] & held[1]
        if not (common & count if count else common):
            words = [f"{case} has {listed(each) or 'none'}" for case, each in zip(row.cases, held, strict=True)]
            what = f"no label{' that counts' if count else ''} is in both label maps: {', '.join(words)}"
            found.listing.fault(row.where, f"{what}; give a structure one number in both, or take their labels out")


def _check_copies(found: Examined) -> None:
    """Keep scans that are met again, voxel by voxel, under another name: of a pair, or of another split.

    Of two subjects in one split they are noted, for they are not independent.
    """
    items = found.listing.items
    for row in found.usable(found.listing.rows):
        fixed, moving = (found.seen[case] for case in row.cases)
        if row.fixed != row.moving and fixed.digest == moving.digest and not fixed.place.difference(moving.place):
            what = f"{_file(found, row.fixed)} and {_file(found, row.moving)} are the same scan, voxel by voxel"
            found.listing.fault(row.where, f"{what}, which is registered with itself; take the pair out")
    first: dict[str, tuple[str, Split]] = {}
    rows = [*found.listing.rows, *(Row(case, case, "training", "") for case in found.listing.training)]
    used: list[tuple[str, Split]] = [(case, row.split) for row in rows for case in row.cases]
    for case, split in used:
        if case not in found.seen:
            continue
        other, where = first.setdefault(found.seen[case].digest, (case, split))
        if other == case or found.listing.whose(case) == found.listing.whose(other):
            continue
        same = f"the same scan as {_file(found, other)}, voxel by voxel"
        if where != split:
            what = f"{same}: one is for {split}, one for {where}; take it out of one of them"
            found.listing.fault(str(items[case].image), what)
        elif (note := f"{_file(found, case)} is {same}, and they count as two subjects") not in found.listing.notes:
            found.listing.notes.append(note)


def _file(found: Examined, case: str) -> str:
    """Return the file of a scan, with the folders below that of the data."""
    path, folder = found.listing.items[case].image, found.listing.source.parent
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else path.name


def _unread(found: Examined, split: Split) -> bool:
    """Return whether an image or a label map of a split could not be read, so that more labels may be there."""
    rows, faulty = found.listing.of(split), {problem.where for problem in found.listing.problems}
    maps = {str(found.listing.items[case].labels) for row in rows for case in row.cases}
    return len(found.usable(rows)) < len(rows) or not faulty.isdisjoint(maps | {row.where for row in rows})


def _value_of(label: str | int, names: Mapping[int, str]) -> int | None:
    if isinstance(label, int):
        return label
    return next((value for value, name in names.items() if name == label), int(label) if label.isdecimal() else None)


def _check_training(found: Examined) -> None:
    """Keep scans to train on that differ in shape or directions: every two of them are a pair."""
    grids = {case: found.places.grids[case] for case in found.listing.training if case in found.places.grids}
    for case, grid in list(grids.items())[1:]:
        if fault := next(iter(grids.values())).difference(grid, place=False):
            hint = "networks pair all of them: `shape: [...]` gives them one number of voxels"
            found.listing.fault(
                str(found.listing.items[case].image), f"{fault}, here and in other training scans; {hint}"
            )


def _note_shapes(found: Examined) -> None:
    """Note training pairs that differ in shape: networks that take several at a time could not learn from them."""
    shapes = dict.fromkeys(found.places.grids[row.fixed].shape for row in found.usable(found.listing.of("training")))
    if len(shapes) > 1:
        what = f"training pairs have {len(shapes)} different shapes, such as {' and '.join(map(str, list(shapes)[:2]))}"
        found.listing.notes.append(f"{what}; networks want one: `shape: [...]`")


def _note_scales(found: Examined) -> None:
    pairs: Iterator[tuple[str, str]] = (row.cases for row in found.usable(found.listing.rows))
    found.listing.notes += [f"{fixed} and {moving}: {what}" for fixed, moving, what in unlike(dict(found.seen), pairs)]
