"""A small data set that has everything, and the ways to make it wrong."""

from __future__ import annotations

import numpy as np
import pytest

from datasets.case import Dataset, Pair, Writer, open_dataset
from datasets.description import Description, TrainingSplit
from datasets.problem import UnfitError

SHAPE = (6, 7, 8)
AFFINE = np.array([[-1.5, 0, 0, 4], [0, -1.0, 0, 5], [0, 0, 2.5, -6], [0, 0, 0, 1]])
PAIR = Pair("f", "m")
RNG = np.random.default_rng(0)
IMAGE, LABELS = RNG.random(SHAPE), RNG.integers(0, 3, SHAPE)
POINTS = RNG.random((5, 3)) * 5
ABOUT = Description(
    name="mine", shape=SHAPE, labels={1: "a", 2: "b"}, evaluated_labels=(1, 2), training=TrainingSplit(()), test=(PAIR,)
)


def moved(*shift):
    affine = AFFINE.copy()
    affine[:3, 3] += shift
    return affine


def flipped(axis=0):
    turn = np.eye(4)
    turn[axis, axis], turn[axis, 3] = -1, SHAPE[axis] - 1
    return AFFINE @ turn


def tilted(degrees):
    turn, angle = np.eye(4), np.deg2rad(degrees)
    turn[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return turn @ AFFINE


def sheared(cosine):
    affine = AFFINE.copy()
    affine[:3, 2] += cosine * 2.5 * np.array([0, -1, 0])
    return affine


def prepare(folder, about=ABOUT, **changes) -> Dataset:
    """Write a small data set, parts of which are replaced: ``f=(image, affine)``, ``f_labels``, ``f_mask`` ..."""
    writer = Writer(folder)
    for case in ("f", "m"):
        writer.image(case, *changes.get(case, (IMAGE, AFFINE)))
        writer.labels(case, *changes.get(f"{case}_labels", (LABELS, AFFINE)))
        writer.mask(case, *changes.get(f"{case}_mask", (LABELS > 0, AFFINE)))
    writer.landmarks(PAIR, *changes.get("landmarks", (POINTS, POINTS)))
    writer.displacement(PAIR, *changes.get("truth", (np.zeros((3, *SHAPE), np.float32), AFFINE)))
    writer.finish(about)
    return open_dataset(folder)


def problems(folder, about=ABOUT, **changes) -> list[str]:
    """Return why a small data set is refused (see `prepare`), a line each."""
    with pytest.raises(UnfitError) as caught:
        prepare(folder, about, **changes)
    assert not (folder / "dataset.json").exists()
    assert "\n" not in str(caught.value)
    return [str(problem) for problem in caught.value.problems]


def at(array, value, place=(1, 2, 3)):
    array = np.array(array, np.float64)
    array[place] = value
    return array
