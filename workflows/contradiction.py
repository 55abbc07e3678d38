"""Whether the truth of a data set contradicts what displacements made elsewhere were taken to mean.

A convention is stated, or found by images alone (`methods.given.finding`). The truth has no part in that: it may only
refuse, once all pairs are registered and before any is judged. It refuses where another convention brings what is known
of the pairs to less than half (`MUCH`) of the error that there is, and that there was before registration. A convention
that is stated as a whole is refused only if things are worse under it than before: perhaps the method is no good.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import product

import numpy as np
from scipy import ndimage

from benchmarks.records import Registrations, read
from datasets.case import Dataset, Pair, Truth, open_dataset
from datasets.files import DataError
from datasets.geometry import Array, sample
from datasets.placement import Placement
from methods.fields import Params
from methods.given.conventions import SENSES, Asked, Convention, arranged, candidates
from methods.given.names import find_files
from methods.given.reading import Stored, read_field
from workflows.planning.layout import ChunkFolder, pairs_of
from workflows.planning.specs import RegisterSpec
from workflows.running.options import build

MODULE = "methods.fields"
PAIRS, POINTS = 8, 20_000  # pairs that are looked at, and points in each where the truth is known everywhere
MUCH = 0.5
WORSE = 1.02  # times the error before registration, and things are worse
LEAST = 0.5  # voxels: with less of an error nothing is contradicted
SAME = 1e-3  # mm: conventions whose errors differ by no more fit equally
FEWEST = 3  # labels whose centres tell anything


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of a pair: places ``(3, n)`` in the fixed image and where they are in the moving one, in voxels."""

    what: str  # in words
    fixed: Array
    moving: Array


@dataclass(frozen=True, eq=False)
class Look:
    """A pair with its stored field and what is known of it."""

    stored: Stored
    grid: Placement
    known: Known

    def error(self, convention: Convention | None) -> float:
        """Return how far places end from where they are known to be, in mm: the mean, before registration without one.

        A field from moving to fixed is asked for the way back.
        """
        start, end = self._ends(convention.sense if convention else "pull")
        left = end - start
        if convention:
            values = self._read[convention.axes, convention.sense]
            left = left - convention.displacement(values, start, self.grid)
        return float(np.linalg.norm(left * np.reshape(self.grid.spacing, (3, 1)), axis=0).mean())

    def _ends(self, sense: str) -> tuple[Array, Array]:
        fixed, moving = self.known.fixed, self.known.moving
        return (fixed, moving) if sense == "pull" else (moving, fixed)

    @cached_property
    def _read(self) -> Mapping[tuple[str, str], Array]:
        """The stored numbers ``(3, n)`` where places start, by how the axes of the file may lie and by sense."""
        found = dict[tuple[str, str], Array]()
        for axes, sense in product(self.stored.axes, SENSES):
            values, (start, _) = arranged(self.stored.values, axes), self._ends(sense)
            found[axes, sense] = np.stack([sample(each, start) for each in values])
        return found


def check_convention(spec: RegisterSpec) -> None:
    """Refuse the convention of a chunk of displacements made elsewhere that the truth of its pairs contradicts.

    Raises:
        DataError: the truth contradicts it; the message has the figures, and what to state.
    """
    if spec.run.by.module != MODULE:
        return
    done = read(ChunkFolder(spec.folder).registrations, Registrations)
    found = json.loads(done.run.params).get("found")
    good = {each.pair for each in done.pairs if each.status == "ok"}
    if not found or not good:
        return
    data = open_dataset(spec.run.data)
    pairs = [pair for pair in pairs_of(data.test_pairs, spec.chunk, spec.chunks) if pair.name in good]
    asked = build(Params, spec.run.by.params)
    looks = list(_looks(data, pairs, asked))
    convention = Convention(**{each.name: found[each.name] for each in fields(Convention)})
    if looks and (fault := contradiction(looks, convention, asked)):
        raise DataError(f"{spec.run.by.method}: {fault}")


def contradiction(looks: Sequence[Look], convention: Convention, asked: Asked) -> str:
    """Return how what is known of some pairs contradicts a convention; empty where it does not."""
    before, here = (float(np.mean([each.error(one) for each in looks])) for one in (None, convention))
    if here < LEAST * float(np.mean([each.grid.spacing for each in looks])):
        return ""
    axes = [name for name in looks[0].stored.axes if all(name in each.stored.axes for each in looks)]
    others = candidates(looks[0].stored.known, axes, half=looks[0].stored.half)
    errors = {each: float(np.mean([look.error(each) for look in looks])) for each in others}
    least = min(errors.values())
    as_good = [each for each, error in errors.items() if error <= least + SAME]
    best = min(as_good, key=lambda each: convention.difference(each).count("("))  # what has to be changed least
    if least > MUCH * min(before, here) or (asked.whole and here <= WORSE * before):
        return ""
    return (
        f"the {looks[0].known.what} of {len(looks)} pairs contradict the convention: they lie {before:.2f} mm apart "
        f"before registration, {here:.2f} mm under [{convention}], {least:.2f} mm under [{best}]; state under "
        f"params which one holds: {convention.difference(best)}"
    )


def _looks(data: Dataset, pairs: Sequence[Pair], asked: Params) -> Iterator[Look]:
    """Yield some pairs of whose truth the same is known, the best that there is."""
    assert asked.folder is not None
    files, truth = find_files(asked.folder, data.test_pairs, asked.names), Truth(data.folder)
    for know in (_by_displacement, _by_landmarks, _by_labels):
        known = {pair: what for pair in pairs[:: -(-len(pairs) // PAIRS)] if (what := know(data, truth, pair))}
        for pair, what in known.items():
            grid = data.placement(pair.fixed)
            yield Look(read_field(files[pair], grid), grid, what)
        if known:
            return


def _by_displacement(data: Dataset, truth: Truth, pair: Pair) -> Known | None:
    u = truth.displacement(pair)
    if u is None:
        return None
    places = np.random.default_rng(0).integers(np.reshape(u.shape[1:], (3, 1)), size=(3, POINTS))
    return Known("true displacements", places, places + u[:, *places])


def _by_landmarks(data: Dataset, truth: Truth, pair: Pair) -> Known | None:
    points = truth.landmarks(pair)
    return Known("landmarks", points[0].T, points[1].T) if points and len(points[0]) else None


def _by_labels(data: Dataset, truth: Truth, pair: Pair) -> Known | None:
    """Return the centres of the labels that count and that both images have: where they go is known about."""
    fixed, moving = truth.labels(pair.fixed), truth.labels(pair.moving)
    if fixed is None or moving is None:
        return None
    counted = data.description.evaluated_labels or tuple(np.unique(fixed)[1:].tolist())
    shared = [label for label in counted if (fixed == label).any() and (moving == label).any()]
    if len(shared) < FEWEST:
        return None
    fixed, moving = (np.transpose(ndimage.center_of_mass(each > 0, each, shared)) for each in (fixed, moving))
    return Known("centres of labels", fixed, moving)
