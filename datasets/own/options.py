"""The options of a data set that is read from a folder of a user's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from datasets.own.words import GridRule, Judged, Unit


@dataclass(frozen=True)
class Params:
    """The options of the import."""

    # the folder: a Learn2Reg layout (*_dataset.json), or one with a CSV of pairs; or that JSON or CSV itself
    folder: Path | None = None
    collection: str = ""  # in place of `folder`: where it lies below the mirror or the cache
    obtain: str = ""  # how the files are obtained, for the message that they are missing
    title: str = ""  # for readers; else the name that a *_dataset.json gives, or the name of the entry
    licence: str = ""  # terms of use, for the report; else what a *_dataset.json says
    anatomy: str = ""  # such as lung
    modality: str = ""  # such as CT; else what a *_dataset.json says
    phantom: bool = False  # drawn and not scanned: the report says so wherever its numbers stand
    labels: dict[str, int] | None = None  # names of label values, such as liver: 1; else those of a *_dataset.json
    # the labels that count, by name or value; else all that have a name and are in a test image, or all without names
    evaluate: tuple[str | int, ...] | None = None
    # intensities that become 0 and 1, such as -1000 and 500 HU; else the 0.5th and 99.5th percentile of each image
    window: tuple[float, float] | None = None
    # header: the moving image is read on the grid of the fixed one, at the same places in mm; array: voxel on voxel,
    # as Learn2Reg has it, and images that differ in shape or voxel size are refused; auto: as the layout has it
    grid: GridRule | Literal["auto"] = "auto"
    spacing: float | None = None  # mm, voxels of this size over the fixed image's field of view, in place of its own
    shape: tuple[int, int, int] | None = (
        None  # so many voxels over the fixed image's field of view, in place of its own
    )
    # unit of the landmarks; auto: as the layout has it, or found, and refused where several units do as well
    landmark_unit: Unit | Literal["auto"] = "auto"
    landmarks: str = ""  # kind of Learn2Reg's landmarks, such as keypoints; else landmarks, or keypoints without these
    pairs: Judged = (
        "registration_val"  # which pairs of Learn2Reg are the test; with registration_test the others validate
    )
    training_only: bool = False  # no test pairs are expected: networks learn from these data
    learn2reg: bool = False  # also HD95 as that challenge has it, seconds a pair
    primary: str = ""  # the metric that figures and rankings go by; else the first that there is
