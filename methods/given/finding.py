"""Find what the numbers of a set of fields mean by images alone: under which convention the pairs become alike.

What is compared is mutual information, so that pairs of two modalities can be judged, too. A convention counts as found
where it makes the images more alike, and the second best gains at most half as much. Where another one differs in
length alone, such as millimetres from voxels, images tell less, for a method may itself move too far or not far enough:
then the images must not ask for longer or shorter displacements than the best convention has. What is stated of a
convention is held against the images, too: a slip in it, such as one side for the other, would else be made good by
another slip in what is left open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from datasets.case import Dataset, Pair
from datasets.files import DataError
from datasets.geometry import Array, out_of_reach, sample
from datasets.placement import Placement
from methods.given.conventions import HALF, Asked, Convention, arranged, candidates
from methods.given.names import Files
from methods.given.reading import read_field

PAIRS, POINTS, LEVELS = 8, 40_000, 24  # pairs that are looked at, points in each, and levels of intensity
LEAST = 0.02  # of the mutual information before, that the best convention has to add
SECOND = 0.5  # of what the best convention adds, that the second best may add
ALONG = 0.9  # cosine of two conventions' displacements that differ in little but their length
OTHERWISE = 1.25  # times what the best convention as stated adds, that one adds which the statement rules out
NEARLY = 0.95  # of the gain of the best of these, that others have to add to be as good
LENGTHS = (0.8, 1.25)  # so much shorter and longer they must not fit better
EQUAL = 0.01  # voxels: two conventions under which no point lies further apart are one


@dataclass(frozen=True, eq=False)
class Look:
    """One pair as it is looked at: its images, the points ``(3, n)`` where they are compared, and the field there.

    ``values`` are the stored numbers ``(3, n)`` at the points, by how the axes of the file may lie; ``known`` is
    what its format says of them, and ``half`` whether it has them at every second voxel alone.
    """

    fixed: Array
    moving: Array
    grid: Placement
    points: Array
    values: Mapping[str, Array]
    known: Asked
    levels: tuple[Array, Array]
    half: bool = False

    def displacement(self, convention: Convention) -> Array:
        """Return the displacement ``(3, n)`` at the points, in the convention's own sense."""
        return convention.displacement(self.values[convention.axes], self.points, self.grid)

    def likeness(self, convention: Convention | None, length: float = 1.0) -> float:
        """Return the mutual information of both images under a convention, or as they are.

        With a ``length`` the displacements are so much longer. A field from moving to fixed is given on the moving
        grid, where the fixed image is read through it.
        """
        still, moved, levels = self.fixed, self.moving, self.levels
        if convention and convention.sense == "push":
            still, moved, levels = moved, still, levels[::-1]
        places = self.points + (length * self.displacement(convention) if convention else 0)
        return _mutual_information(still[*self.points], sample(moved, places), levels)


@dataclass(frozen=True)
class Figure:
    """The mutual information of each pair under a convention, and how much it is more than before, in the mean."""

    convention: Convention
    likeness: Array = field(repr=False)
    gain: float

    def __str__(self) -> str:
        """Return the convention with its figure."""
        return f"{self.likeness.mean():.4f} under [{self.convention}]"


@dataclass(frozen=True)
class Found:
    """The convention of a set of fields, a line that says how it was found, and how the images speak against it."""

    convention: Convention
    told: str
    doubt: str = ""


def find_convention(data: Dataset, files: Mapping[Pair, Files], asked: Asked) -> Found:
    """Return the convention of a set of fields, and how it was found.

    Args:
        data: the pairs and their images.
        files: the field of each pair.
        asked: what is stated.

    Raises:
        DataError: a field cannot be read, no convention fits, or two do; the message has the best figures.
    """
    some = _some(list(files))
    looks = [look(data, pair, files[pair]) for pair in some]
    where = next(iter(files.values())).where
    choices = _choices(looks, asked, where)
    before = np.array([each.likeness(None) for each in looks])
    tried = sorted((_figure(looks, each, before) for each in choices), key=lambda each: -each.gain)
    others = [each for each in tried[1:] if not _equal(looks, tried[0].convention, each.convention)]
    # Of conventions that mean the same the most usual one is named.
    best = replace(tried[0], convention=next(each for each in choices if _equal(looks, tried[0].convention, each)))
    whole = f"mutual information in {len(looks)} of {len(files)} pairs: {before.mean():.4f} before, {best}"
    ruled_out = [each for each in _choices(looks, Asked(), where) if each not in choices]
    against = _against(looks, best, before, ruled_out, asked)
    if against and not asked.whole:
        raise DataError(
            f"the images contradict what is stated: {whole} as stated, {against} otherwise; correct under params "
            f"{', '.join(asked.slips(against.convention))}, or, if that is right, state all five options"
        )
    for pair, each in zip(some, looks, strict=True):
        if far := out_of_reach(each.displacement(best.convention), each.fixed.shape):
            raise DataError(f"{files[pair].where}: {far} under [{best.convention}]; correct the field, or its unit")
    if against:
        said = (
            f"convention stated: {whole}, but the images become more alike under another one, {against}; is it right?"
        )
        return Found(best.convention, said, f"the images speak for [{against.convention}]")
    if not others:
        doubt = "" if best.gain > 0 else "the images become no more alike"
        return Found(best.convention, f"convention stated: {whole}{doubt and f', but {doubt}; is it right?'}", doubt)
    said = f"{whole}, {others[0]} as the second best"
    _check(best, others[0], before, said)
    _check_length(looks, best, [each.convention for each in others], said)
    return Found(best.convention, f"convention found: {said}")


def look(data: Dataset, pair: Pair, files: Files) -> Look:
    """Read a pair with its field, and choose where they are compared: at random, the same at each call."""
    fixed, moving = data.image(pair.fixed), data.image(pair.moving)
    stored, size = read_field(files, fixed.placement), fixed.array.size
    flat = np.arange(size) if size <= POINTS else np.random.default_rng(0).integers(size, size=POINTS)
    points = np.stack(np.unravel_index(flat, fixed.array.shape))
    return Look(
        fixed=fixed.array,
        moving=moving.array,
        grid=fixed.placement,
        points=points,
        values={name: arranged(stored.values, name)[:, *points] for name in stored.axes},
        known=stored.known,
        levels=(_levels(fixed.array), _levels(moving.array)),
        half=stored.half,
    )


def _choices(looks: Sequence[Look], asked: Asked, where: str) -> list[Convention]:
    """Return what the numbers may mean, in all that is looked at."""
    axes = [name for name in looks[0].values if all(name in each.values for each in looks)]
    if found := list(candidates(asked.with_known(looks[0].known, where), axes, half=looks[0].half)):
        return found
    if asked.unit == HALF:
        raise DataError(f"{where}: params.unit says {HALF}, but displacements of half as many voxels are none here")
    raise DataError(
        f"{where}: the axes of its grid lie otherwise than in others, or than params.axes says; bring all to one form"
    )


def _some(pairs: Sequence[Pair]) -> list[Pair]:
    """Return some pairs, spread over all."""
    return [pairs[place] for place in np.unique(np.linspace(0, len(pairs) - 1, PAIRS).astype(int))]


def _figure(looks: Sequence[Look], convention: Convention, before: Array) -> Figure:
    found = np.array([each.likeness(convention) for each in looks])
    return Figure(convention, found, float((found - before).mean()))


def _equal(looks: Sequence[Look], one: Convention, other: Convention) -> bool:
    """Return whether two conventions mean one displacement of all that is looked at."""
    for each in looks:
        u, v = each.displacement(one), each.displacement(other)
        # A field and its inverse are equal where neither moves anything.
        far = np.abs(u - v).max() if one.sense == other.sense else max(np.abs(u).max(), np.abs(v).max())
        if far > EQUAL:
            return False
    return True


def _against(
    looks: Sequence[Look], best: Figure, before: Array, ruled_out: Sequence[Convention], asked: Asked
) -> Figure | None:
    """Return a convention that the statement rules out, if the images speak for it and not for the best as stated.

    Of several that fit about equally well it is one that takes the fewest corrections of what is stated.
    """
    least = max(OTHERWISE * best.gain, LEAST * before.mean())
    tried = [each for each in (_figure(looks, one, before) for one in ruled_out) if each.gain >= least]
    found = [
        each
        for each in tried
        if 2 * np.count_nonzero(each.likeness > best.likeness) > len(before)
        and not _equal(looks, best.convention, each.convention)
    ]
    most = max((each.gain for each in found), default=0.0)
    near = [each for each in found if each.gain >= NEARLY * most]
    return min(near, key=lambda each: (len(asked.slips(each.convention)), -each.gain), default=None)


def _check(best: Figure, second: Figure, before: Array, said: str) -> None:
    """Refuse a convention that makes nothing alike, or that another fits nearly as well."""
    if best.gain < LEAST * before.mean():
        raise DataError(
            f"no convention makes the images more alike: {said}; these may be fields of other pairs or of another "
            "grid; if they are right, state content, unit, order, sense and axes under params"
        )
    lead = np.count_nonzero(best.likeness > second.likeness)
    if second.gain > SECOND * best.gain or 2 * lead <= len(before):
        raise DataError(
            f"the convention is ambiguous: {said}, the best in {lead} of {len(before)} pairs; state under params "
            f"which one holds: {best.convention.difference(second.convention)}"
        )


def _check_length(looks: Sequence[Look], best: Figure, others: Sequence[Convention], said: str) -> None:
    """Refuse a convention that others match but for the length, where the images ask for another length."""
    rival = next((each for each in others if all(_along(look, best.convention, each) for look in looks)), None)
    if rival is None:
        return
    lengths = {length: np.mean([each.likeness(best.convention, length) for each in looks]) for length in LENGTHS}
    if max(lengths.values()) > best.likeness.mean():
        wanted = "longer" if lengths[LENGTHS[1]] > best.likeness.mean() else "shorter"
        raise DataError(
            f"the convention is ambiguous: {said}, but {wanted} displacements would fit better still, so that their "
            f"unit cannot be told; state under params which one holds: {best.convention.difference(rival)}"
        )


def _along(look: Look, one: Convention, other: Convention) -> bool:
    """Return whether two conventions move points in about the same directions."""
    u, v = look.displacement(one), look.displacement(other)
    return one.sense == other.sense and bool((u * v).sum() > ALONG * np.sqrt(np.square(u).sum() * np.square(v).sum()))


def _levels(image: Array) -> Array:
    """Return the bounds of levels of intensity that hold about as many voxels each; a uniform background is one."""
    some = image.ravel()[:: max(1, image.size // 100_000)]
    return np.unique(np.quantile(some, np.linspace(0, 1, LEVELS + 1)[1:-1]))


def _mutual_information(still: Array, moved: Array, levels: Sequence[Array]) -> float:
    """Return the mutual information in nats of two samples ``(n,)`` of intensities, by their levels."""
    rows, columns = (np.searchsorted(bounds, each) for bounds, each in zip(levels, (still, moved), strict=True))
    counts = np.zeros((len(levels[0]) + 1, len(levels[1]) + 1))
    np.add.at(counts, (rows, columns), 1)
    joint = counts / counts.sum()
    apart = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    there = joint > 0
    return float((joint[there] * np.log(joint[there] / apart[there])).sum())
