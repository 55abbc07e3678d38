"""The least that a data set may be, as a module of `datasets`: two images of eight voxels, with one kind of truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from datasets.case import Pair, Writer
from datasets.description import Description, TrainingSplit

SHAPE, PLACE = (2, 2, 2), np.eye(4)


@dataclass(frozen=True)
class Params:
    """The options of the set."""

    truth: Literal["none", "labels", "other labels", "no labels", "landmark", "displacement"] = "none"


def prepare(folder: Path, params: Params, *, name: str) -> None:
    """Write the pair and its truth."""
    writer, pair, rng = Writer(folder), Pair("a", "b"), np.random.default_rng(0)
    labels = {
        "labels": [65535 * (rng.random(SHAPE) > 0.5) for _ in "ab"],
        "other labels": [np.full(SHAPE, 1), np.full(SHAPE, 2)],
        "no labels": [np.zeros(SHAPE), np.zeros(SHAPE)],
    }
    for number, case in enumerate("ab"):
        writer.image(case, rng.random(SHAPE), PLACE)
        if params.truth in labels:
            writer.labels(case, labels[params.truth][number], PLACE)
    if params.truth == "landmark":
        writer.landmarks(pair, np.zeros((1, 3)), np.ones((1, 3)))
    if params.truth == "displacement":
        writer.displacement(pair, np.zeros((3, *SHAPE), np.float32), PLACE)
    writer.finish(Description(name=name, training=TrainingSplit(()), test=(pair,)))
