"""brain_pair: one real pair of T1 brain scans, 160 x 192 x 224 at 1 mm, with 46 FreeSurfer labels.

Two subjects in one space, skull-stripped and affinely aligned; Dice is evaluated on the 30 labels that the VoxelMorph
project lists. Before registration their mean Dice is 0.522.

Source: ``voxelmorph/voxelmorph`` (data/, repository under Apache-2.0, the subject's source set is not stated) and
``learn2reg/tutorials2019`` (unsupervised/data/3D/, no licence stated). The files are downloaded, never redistributed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from datasets.case import Writer
from datasets.description import Description, Pair, TrainingSplit, Window
from datasets.download import Remote, fetch_all, supply_of
from datasets.files import Array, DataError
from datasets.supply import Extent, Supply

_VOXELMORPH = "https://raw.githubusercontent.com/voxelmorph/voxelmorph/860b4887354d2ebe5e6e70f62c5aaecf11945a1e/data"
_TUTORIAL = (
    "https://raw.githubusercontent.com/learn2reg/tutorials2019/ba5e5cdf3e7f4e175b8f6f3a33a1442328379770"
    "/unsupervised/data/3D"
)
SCAN = Remote(
    "brain_pair/test_scan.npz",
    f"{_VOXELMORPH}/test_scan.npz",
    "32b14f2d7027518d9b3689ca0bdb908a1ed402db1a61ff2eb4c8184a475b12e0",
    size=3616674,
)
LABELS = Remote(
    "brain_pair/labels.npz",
    f"{_VOXELMORPH}/labels.npz",
    "23d42ff4572fbd87d9d3bb08c36cf5996e49a76a148a3729b765313b3e024beb",
    size=261,
)
SUBJECT_IMAGE = Remote(
    "brain_pair/subject_1_vol.npz",
    f"{_TUTORIAL}/subject_1_vol.npz",
    "c3c96290b88385042192906ceac855ee39ed47190211a6f1f3758579e765d534",
    size=3129245,
)
SUBJECT_LABELS = Remote(
    "brain_pair/subject_1_seg.npz",
    f"{_TUTORIAL}/subject_1_seg.npz",
    "d3c0e720cc22abf7363075a04ec871230253efabdd2fea355090dbb7cf99b717",
    size=419353,
)
FILES = (LABELS, SCAN, SUBJECT_IMAGE, SUBJECT_LABELS)
LICENCE = "voxelmorph repository: Apache-2.0 (the subject's source set is not stated); tutorial: none stated"

# The files store no affine. Read off the pictures and the label positions: axis 0 grows to the patient's left, axis 1
# to inferior, axis 2 to anterior.
AFFINE = np.array([[-1.0, 0, 0, 80], [0, 0, 1, -112], [0, -1, 0, 96], [0, 0, 0, 1]])

# FreeSurfer's names of the evaluated structures.
NAMES = {
    2: "left cerebral white matter", 3: "left cerebral cortex", 4: "left lateral ventricle",
    7: "left cerebellum white matter", 8: "left cerebellum cortex", 10: "left thalamus", 11: "left caudate",
    12: "left putamen", 13: "left pallidum", 14: "3rd ventricle", 15: "4th ventricle", 16: "brainstem",
    17: "left hippocampus", 18: "left amygdala", 24: "CSF", 28: "left ventral DC", 31: "left choroid plexus",
    41: "right cerebral white matter", 42: "right cerebral cortex", 43: "right lateral ventricle",
    46: "right cerebellum white matter", 47: "right cerebellum cortex", 49: "right thalamus", 50: "right caudate",
    51: "right putamen", 52: "right pallidum", 53: "right hippocampus", 54: "right amygdala", 60: "right ventral DC",
    63: "right choroid plexus",
}  # fmt: skip


@dataclass(frozen=True)
class Params:
    """The options of the import."""

    # which image is fixed: scan is voxelmorph's test scan, subject the tutorial's
    directions: Literal["scan_fixed", "subject_fixed", "both"] = "scan_fixed"


def supply(params: Params) -> Supply:
    """Return which files the pair is made of, and which of them are there."""
    return supply_of(LICENCE, FILES, Extent(2, 1 + (params.directions == "both"), 160 * 192 * 224))


def prepare(folder: Path, params: Params, *, name: str) -> None:
    """Download both scans and write the pair in prepared form."""
    labels, scan, subject_image, subject_labels = fetch_all(FILES)
    evaluated = [int(label) for label in _load(labels, "labels")]
    volumes = {
        "scan": (_load(scan, "vol"), _load(scan, "seg")),
        "subject": (_load(subject_image, "vol_data"), _load(subject_labels, "vol_data")),
    }
    writer = Writer(folder)
    for case, (image, labels) in volumes.items():
        writer.image(case, image, AFFINE)
        writer.mask(case, image > 0, AFFINE)  # skull-stripped: outside the head is exactly zero
        writer.labels(case, labels, AFFINE)
    there, back = Pair("scan", "subject"), Pair("subject", "scan")
    pairs = {"scan_fixed": [there], "subject_fixed": [back], "both": [there, back]}[params.directions]
    writer.finish(_describe(name, evaluated, pairs, volumes["scan"][0].shape))


def _load(path: Path, key: str) -> Array:
    with np.load(path, allow_pickle=False) as archive:
        if key not in archive:
            raise DataError(f"{path}: no array {key!r}, found {sorted(archive)}")
        return archive[key]


def _describe(name: str, evaluated: list[int], pairs: list[Pair], shape: tuple[int, ...]) -> Description:
    return Description(
        name=name,
        module="brain_pair",
        title="Real T1 brain pair",
        anatomy="brain",
        modality="T1 MR",
        licence=LICENCE,
        source="github.com/voxelmorph/voxelmorph data/ and github.com/learn2reg/tutorials2019 unsupervised/data/3D",
        preprocessing=("as distributed: skull-stripped, affinely aligned, 1 mm, intensities in [0, 1]",),
        intensity=Window("normalised T1", 0.0, 1.0),
        shape=shape,
        spacing=(1.0, 1.0, 1.0),
        orientation=("L", "I", "A"),
        labels={label: NAMES.get(label, f"label {label}") for label in evaluated},
        evaluated_labels=tuple(evaluated),
        subjects={"scan": "voxelmorph test scan", "subject": "learn2reg tutorial subject 1"},
        training=TrainingSplit(()),
        test=tuple(pairs),
    )
