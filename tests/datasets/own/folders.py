"""Folders as users have them: Learn2Reg layouts in the genuine form, plain folders with a table, and faults in both."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np

from datasets.own.examine import examine
from datasets.own.options import Params

SHAPE = (14, 12, 10)
SPACING = (1.5, 2.0, 2.5)
AFFINE = np.array([[-1.5, 0, 0, 7], [0, -2.0, 0, 9], [0, 0, 2.5, -300], [0, 0, 0, 1]])
RNG = np.random.default_rng(0)
# No landmark at an edge, so that counting from 1 leaves all inside.
POINTS = np.array([[3, 4, 5], [10, 7, 6.5], [6.25, 3, 4], [8, 9, 7]])


def image(seed=0, shape=SHAPE):
    return (np.random.default_rng(seed).random(shape) * 1000 - 500).astype(np.float32)


def labels(shift=0, shape=SHAPE):
    found = np.zeros(shape, np.uint8)
    found[3 + shift : 8 + shift, 3:8, 3:7] = 1
    found[9 + shift : 11 + shift, 4:7, 4:6] = 2
    return found


def save(path: Path, array, affine=AFFINE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, affine), path)
    return path


def points(path: Path, values) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savetxt(path, values, fmt="%.3f", delimiter=",")
    return path


@dataclass
class Layout:
    """A Learn2Reg layout: its folder, its task, and its JSON, with the keys that the challenge's own have."""

    folder: Path
    task: str
    about: dict = field(default_factory=dict)

    def name(self, patient: int, scan: int) -> str:
        return f"{self.task}_{patient:04d}_{scan:04d}"

    def path(self, patient: int, scan: int, kind="images", end="Tr", ending=".nii.gz") -> Path:
        return self.folder / f"{kind}{end}" / f"{self.name(patient, scan)}{ending}"

    def pairs(self, *cases, end="Tr") -> list[dict]:
        return [
            {
                side: f"./images{end}/{self.name(*case)}.nii.gz"
                for side, case in zip(("fixed", "moving"), pair, strict=True)
            }
            for pair in cases
        ]

    def write(self) -> Path:
        path = self.folder / f"{self.task}_dataset.json"
        path.write_text(json.dumps(self.about, indent=4))
        return self.folder


def layout(folder: Path, task: str, modality="CT", names=None) -> Layout:
    about = {
        "name": task,
        "release": "1.1",
        "description": f"{task} of Learn2Reg Dataset. Please see https://learn2reg.grand-challenge.org/",
        "licence": "a licence\nof two lines",
        "reference": "",
        "pairings": "unpaired",
        "provided_data": {"0": ["image", "label"]},
        "registration_direction": {"fixed": 0, "moving": 0},
        "modality": {"0": modality},
        "labels": {"0": {"0": "background", **(names or {})}} if names else {},
        "tensorImageSize": {"0": "3D"},
        "tensorImageShape": {"0": list(SHAPE)},
        "numTraining": 0,
        "numTest": 0,
        "training": [],
        "test": [],
        "numPairedTraining": 0,
        "training_paired_images": [],
        "numPairedTest": 0,
        "test_paired_images": [],
        "registration_test": [],
        "registration_val": [],
    }
    folder.mkdir(parents=True, exist_ok=True)
    return Layout(folder, task, about)


def unpaired(folder: Path, task="AbdomenCTCT", train=(2, 3, 5), val=((1, 4), (1, 7), (4, 7))) -> Layout:
    """Scans of different patients with labels, as OASIS and AbdomenCTCT: every scan is listed for training."""
    made = layout(folder, task, names={"1": "spleen", "2": "right kidney", "3": "left kidney"})
    patients = sorted({*train, *(case for pair in val for case in pair)})
    for patient in patients:
        save(made.path(patient, 0), image(patient), shifted(patient))
        save(made.path(patient, 0, "labels"), labels(patient % 2), shifted(patient))
    made.about["training"] = [
        {
            "image": f"./imagesTr/{made.name(patient, 0)}.nii.gz",
            "label": f"./labelsTr/{made.name(patient, 0)}.nii.gz",
        }
        for patient in patients
    ]
    made.about["registration_val"] = made.pairs(*(((f, 0), (m, 0)) for f, m in val))
    return made


def paired(folder: Path, task="NLST", kind="keypoints", train=(1, 2), val=(101, 102)) -> Layout:
    """Two scans of each patient with masks and points, as NLST and LungCT."""
    made = layout(folder, task)
    made.about["pairings"] = "paired"
    made.about["registration_direction"] = {"fixed": 0, "moving": 1}
    for patient in (*train, *val):
        for scan in (0, 1):
            save(made.path(patient, scan), image(10 * patient + scan))
            save(made.path(patient, scan, "masks"), (labels(scan) > 0).astype(np.uint8))
            points(made.path(patient, scan, kind, ending=".csv"), POINTS + scan)
            # as the genuine files have it: points end in .nii.gz in the JSON, and in .csv on the disk
            entry = {part: f"./{part}sTr/{made.name(patient, scan)}.nii.gz" for part in ("image", "mask")}
            made.about["training"].append({**entry, kind: f"./{kind}Tr/{made.name(patient, scan)}.nii.gz"})
    made.about["training_paired_images"] = made.pairs(*(((p, 0), (p, 1)) for p in (*train, *val)))
    made.about["registration_val"] = made.pairs(*(((p, 0), (p, 1)) for p in val))
    return made


def shifted(number: int):
    """Return an affine of another origin: the challenge's headers need not agree on one."""
    affine = AFFINE.copy()
    affine[:3, 3] += 13.0 * number
    return affine


TABLE = "fixed,moving,fixed_labels,moving_labels,split,subject"


def plain(folder: Path, patients=("ann", "bob", "eve", "dan"), size=1) -> Path:
    """A folder for each patient with two scans and their labels, and a table; the last two are to be trained on."""
    larger = np.ones((size,) * 3)
    rows = [TABLE]
    for number, patient in enumerate(patients):
        for scan, shift in (("in", 0), ("out", 1)):
            save(folder / patient / f"{scan}.nii.gz", np.kron(image(2 * number + shift), larger))
            save(folder / patient / f"{scan}-seg.nii.gz", np.kron(labels(shift), larger.astype(np.uint8)))
        split = "test" if number < 2 else "train"
        files = ",".join(f"{patient}/{name}.nii.gz" for name in ("out", "in", "out-seg", "in-seg"))
        rows.append(f"{files},{split},{patient}")
    (folder / "pairs.csv").write_text("\n".join(rows) + "\n")
    return folder


def table(folder, *lines) -> None:
    """Write a table of pairs, line by line."""
    (folder / "pairs.csv").write_text("\n".join(lines) + "\n")


def problems(folder, **options) -> list[str]:
    """Return all that is wrong with a folder."""
    return [str(problem) for problem in examine(Params(folder=folder, **options)).problems]


def scans(folder, *names):
    """Write a scan of each name, each of other intensities; return the folder."""
    for number, name in enumerate(names):
        save(folder / f"{name}.nii.gz", image(number))
    return folder
