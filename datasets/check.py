"""What a prepared data set has to be, checked over all of it at once: `find_problems`. The rules: docs/datasets.md.

Everything that evaluation and report read later is looked at here, so that a data set that passes does not stop them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import combinations
from pathlib import Path
from typing import TypeVar
from unicodedata import normalize

import numpy as np

from datasets import geometry
from datasets.description import LABELS, Description, Pair, cases_of, image_file, labels_file, mask_file
from datasets.files import DataError, Volume, read_displacement, read_landmarks, read_volume
from datasets.placement import SPACING_TOLERANCE, Placement
from datasets.problem import Problem
from datasets.values import LARGEST_LABEL, intensity_fault, landmark_fault, name_fault, whole_numbers

GRIDS = "grids differ: {}; resample one image onto the other's grid (datasets.geometry.resample_to_grid)"
NOTHING_NAMED = Problem("test", "neither test pairs nor training cases are named; describe at least one of them")
T = TypeVar("T")


def find_problems(folder: Path, about: Description, *, refused: Collection[str] = ()) -> list[Problem]:
    """Return everything that is wrong with the data set in a folder that is described so, but for checksums.

    The files in ``refused`` are not there because they are bad, which is known: nothing is said of them again.
    """
    contents = _Contents(folder, about)
    found = [*described_problems(about), *contents.problems()]
    if not any(file.startswith(LABELS) for file in refused):
        found += contents.label_problems()
    return [problem for problem in found if problem.where not in refused]


def described_problems(about: Description) -> list[Problem]:
    """Return what is wrong with names, pairs and splits, which can be told without the files."""
    return [*_naming(about), *_splits(about)]


def _naming(about: Description) -> Iterator[Problem]:
    """Yield names that no file can have, that are not told apart, and pairs that are named twice or share a file."""
    cases = sorted(_cases(about))
    for case in cases:
        if fault := name_fault(case):
            yield Problem(f"case {case!r}", fault)
    for twins in _alike(cases, _folded):
        names = " and ".join(map(repr, twins))
        yield Problem(f"cases {names}", "some disks do not tell these names apart; rename one")
    for split, pairs in (("test", about.test), ("validation", about.validation), ("training", about.training.list)):
        for pair, count in Counter(pairs).items():
            of = pair.fixed, pair.moving
            if pair.fixed == pair.moving:
                yield Problem(f"{split} pair {pair.name}", "registers an image with itself; take it out", of)
            if count > 1:
                yield Problem(f"{split} pair {pair.name}", f"is listed {count} times; keep one", of)
    judged = list(dict.fromkeys((*about.test, *about.validation)))
    for twins in _alike(judged, lambda pair: _folded(pair.displacement_file)):
        names = " and ".join(pair.name for pair in twins)
        yield Problem(f"pairs {names}", f"would share the file {twins[0].displacement_file}; rename a case")


def _splits(about: Description) -> Iterator[Problem]:
    """Yield what is wrong with the lists of cases and labels."""
    training = about.training
    if not about.test and not training.cases:
        yield NOTHING_NAMED
    for case, count in Counter(training.cases).items():
        if count > 1:
            yield Problem(f"training case {case}", f"is listed {count} times; keep one")
    for case in cases_of(training.list):
        if case not in training.cases:
            yield Problem(f"training case {case}", "is in a training pair but not in training.cases; add it there")
    if training.pairs == "atlas" and not training.atlas:
        yield Problem("training", "the rule atlas needs a case to be the atlas; name it in atlas")
    yield from _shared_subjects(about)
    for label, count in Counter(about.evaluated_labels).items():
        if count > 1 or not 1 <= label <= LARGEST_LABEL:
            rule = f"labels are numbers from 1 (0 is background) to {LARGEST_LABEL}, each once; correct the list"
            yield Problem(f"evaluated label {label}", rule)
    for name, regions in about.label_sets.items():
        for label, count in Counter(label for region in regions for label in region).items():
            if count > 1 or not 1 <= label <= LARGEST_LABEL:
                rule = f"its labels are numbers from 1 to {LARGEST_LABEL}, each once; correct the list"
                yield Problem(f"label set {name!r}, label {label}", rule)


def _shared_subjects(about: Description) -> Iterator[Problem]:
    """Yield each subject that is in two of training, validation and test.

    The atlas, by its name, is left out: it is the fixed image of all three, by the protocol of atlas registration.
    """
    splits = {"training": [*about.training.cases, *cases_of(about.training.list)]}
    splits |= {"validation": cases_of(about.validation), "test": cases_of(about.test)}
    subjects = {split: _by_subject(about, cases) for split, cases in splits.items()}
    for one, other in combinations(subjects, 2):
        for key in sorted(subjects[one].keys() & subjects[other].keys()):
            found = {**subjects[one][key], **subjects[other][key]}
            names = " and ".join(dict.fromkeys(found.values()))  # Bob and bob are one
            yield Problem(
                f"subject {names}", f"in both {one} and {other}; take it out of one of them", cases=tuple(found)
            )


def _by_subject(about: Description, cases: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return the cases of each subject, with its name as each has it; names that differ in case alone are one."""
    found = dict[str, dict[str, str]]()
    for case in cases:
        if case != about.atlas:
            name = about.subjects.get(case, case)
            found.setdefault(_folded(name), {})[case] = name
    return found


class _Contents:
    """The files of a data set, each read once."""

    def __init__(self, folder: Path, about: Description) -> None:
        self.folder, self.about = folder, about
        self.cases = [case for case in _cases(about) if not name_fault(case)]
        self.images: dict[str, Placement] = {}
        self.held = dict[str, set[int]]()  # labels, by case

    def problems(self) -> Iterator[Problem]:
        """Yield what is wrong with images, masks, labels, and with what belongs to pairs."""
        for case in self.cases:
            yield from self._image(case)
            yield from self._map(case, mask_file(case), largest=1)
            yield from self._map(case, labels_file(case), largest=LARGEST_LABEL)
        yield from self._training_masks()
        for split, pairs in (("test", self._test), ("validation", self._there(self.about.validation))):
            for pair in pairs:
                yield from self._judged_pair(pair, f"{split} pair {pair.name}")
        for pair, place in self._training:
            if pair.fixed in self.images and pair.moving in self.images:
                yield from self._grids(pair, f"training pair {pair.name}", place=place)
        yield from self._described()

    @property
    def _test(self) -> list[Pair]:
        return self._there(self.about.test)

    def _there(self, pairs: Iterable[Pair]) -> list[Pair]:
        return [pair for pair in pairs if pair.fixed in self.images and pair.moving in self.images]

    @property
    def _training(self) -> Iterator[tuple[Pair, bool]]:
        """Pairs to compare, and whether their millimetres have to agree.

        Every case of an ``ordered`` split meets every other. They are scans of different people resized to one shape,
        and networks, which get arrays, never see that their voxels differ in size.
        """
        split = self.about.training
        if split.pairs == "ordered":  # one case against all others stands for all pairs
            return ((Pair(split.cases[0], case), False) for case in split.cases[1:])
        return ((pair, True) for pair in split.every_pair)

    def _read(self, file: str) -> tuple[Volume | None, list[Problem]]:
        try:
            return read_volume(self.folder / file), []
        except DataError as error:
            return None, [Problem(file, str(error).removeprefix(f"{self.folder / file}: "))]

    def _image(self, case: str) -> Iterator[Problem]:
        if not (self.folder / image_file(case)).exists():
            yield Problem(image_file(case), "pairs name images that were not written: write it, or take the case out")
            return
        volume, faults = self._read(image_file(case))
        yield from faults
        if volume is not None:
            self.images[case] = volume.placement
            if fault := intensity_fault(volume.array):
                yield Problem(image_file(case), fault)

    def _map(self, case: str, file: str, *, largest: int) -> Iterator[Problem]:
        """Check a mask or a label map of whole numbers, which lies as its image does."""
        if not (self.folder / file).exists():
            return
        volume, faults = self._read(file)
        yield from faults
        if volume is None:
            return
        try:
            values, _ = whole_numbers(volume.array, largest)
        except DataError as error:
            yield Problem(file, str(error))
            return
        if largest > 1:
            self.held[case] = set(np.flatnonzero(np.bincount(values.ravel())).tolist())
        elif not values.any():
            yield Problem(file, "the mask is empty; leave it out, or correct it")
        if case in self.images and (fault := self.images[case].difference(volume.placement)):
            yield Problem(file, f"does not lie as its image: {fault}; resample it onto the image's grid, nearest")

    def _grids(self, pair: Pair, where: str, *, place: bool = True) -> Iterator[Problem]:
        if fault := self.images[pair.fixed].difference(self.images[pair.moving], place=place):
            yield Problem(where, GRIDS.format(fault))

    def _judged_pair(self, pair: Pair, where: str) -> Iterator[Problem]:
        yield from self._grids(pair, where)
        files = labels_file(pair.fixed), labels_file(pair.moving)
        lacking = [file for file in files if not (self.folder / file).exists()]
        if len(lacking) == 1:
            yield Problem(lacking[0], "missing, and the other image of the pair has one; write both, or none")
        yield from self._landmarks(pair, where)
        path = self.folder / pair.truth_file
        if path.exists():
            yield from self._truth(pair, path)

    def _landmarks(self, pair: Pair, where: str) -> Iterator[Problem]:
        paths = [self.folder / file for file in pair.landmark_files]
        if not any(path.exists() for path in paths):
            return
        try:
            points = [read_landmarks(path) for path in paths]
        except (OSError, ValueError) as error:
            yield Problem(where, f"landmarks: {error}; write those of both images")
            return
        if len(points[0]) != len(points[1]):
            yield Problem(
                where,
                f"{len(points[0])} landmarks of the fixed, {len(points[1])} of the moving image; write them in pairs",
            )
        for file, inside, case in zip(pair.landmark_files, points, (pair.fixed, pair.moving), strict=True):
            if fault := landmark_fault(inside, self.images[case].shape):
                yield Problem(file, fault)

    def _truth(self, pair: Pair, path: Path) -> Iterator[Problem]:
        try:
            u = read_displacement(path)
            geometry.check_displacement(u, self.images[pair.fixed].shape, where="true displacement")
        except ValueError as error:
            yield Problem(pair.truth_file, str(error).removeprefix(f"{path}: "))

    def _training_masks(self) -> Iterator[Problem]:
        """Networks that draw synthetic pairs within masks want one of every image, or none."""
        files = [mask_file(case) for case in self.about.training.cases if case in self.images]
        lacking = [file for file in files if not (self.folder / file).exists()]
        if len(lacking) < len(files):
            yield from (
                Problem(file, "missing, and other training cases have a mask; write it, or none") for file in lacking
            )

    def _described(self) -> Iterator[Problem]:
        """Compare with the images what the report prints of them."""
        about, pairs = self.about, self._test
        shown = cases_of(pairs) or [case for case in about.training.cases if case in self.images]
        for case in shown:
            placed = self.images[case]
            if about.shape and placed.shape != tuple(about.shape):
                yield Problem("shape", f"{about.shape} is described, but {case} has {placed.shape}; correct or omit it")
            if about.spacing and not np.allclose(placed.spacing, about.spacing, rtol=SPACING_TOLERANCE, atol=0):
                yield Problem("spacing", f"{about.spacing} is described, but {case} has {placed.spacing}; correct it")
            if about.orientation and placed.orientation != tuple(about.orientation):
                axes = f"{about.orientation} is described, but {case} has {placed.orientation}"
                yield Problem("orientation", f"{axes}; correct or omit it")

    def label_problems(self) -> Iterator[Problem]:
        """Yield evaluated labels that no test image has; call it after `problems`, which has read the label maps."""
        there = set[int]().union(*(self.held.get(case, set()) for case in cases_of(self._test)))
        for label in self.about.evaluated_labels if self._test else ():
            if label not in there:
                yield Problem(f"evaluated label {label}", "no label map of a test pair holds it; take it out")


def _cases(about: Description) -> list[str]:
    """Return each case that a description names, once."""
    training, atlas = about.training, [about.atlas] if about.atlas else []
    judged = cases_of((*about.test, *about.validation))
    return list(dict.fromkeys([*judged, *training.cases, *cases_of(training.list), *atlas]))


def _folded(name: str) -> str:
    return normalize("NFC", name).casefold()


def _alike(values: Iterable[T], key: Callable[[T], str]) -> list[list[T]]:
    """Return groups of values that have the same key."""
    groups: dict[str, list[T]] = {}
    for value in values:
        groups.setdefault(key(value), []).append(value)
    return [group for group in groups.values() if len(group) > 1]
