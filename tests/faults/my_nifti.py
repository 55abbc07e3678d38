"""A user's own data set, as a module of `datasets`: NIfTI files, ``<case>.nii.gz`` and ``<case>_seg.nii.gz``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from datasets.case import Pair, Writer
from datasets.description import Description, TrainingSplit, cases_of
from datasets.files import read_volume


@dataclass(frozen=True)
class Params:
    """The options of the import."""

    source: str = ""  # the folder
    pairs: tuple[tuple[str, str], ...] = ()  # names of fixed and moving cases


def prepare(folder: Path, params: Params, *, name: str) -> None:
    """Read the images and label maps of all pairs."""
    writer, pairs = Writer(folder), [Pair(*pair) for pair in params.pairs]
    for case in cases_of(pairs):
        image = read_volume(Path(params.source) / f"{case}.nii.gz")
        labels = read_volume(Path(params.source) / f"{case}_seg.nii.gz")
        low, high = image.array.min(), image.array.max()
        writer.image(case, (image.array - low) / max(high - low, 1e-6), image.affine)
        writer.labels(case, labels.array, labels.affine)
    writer.finish(
        Description(
            name=name,
            title="Scans of mine",
            labels={1: "liver & more_50 %", 2: "Gefäß <b>"},
            evaluated_labels=(1, 2),
            training=TrainingSplit(()),
            test=tuple(pairs),
        )
    )
