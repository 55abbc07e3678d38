"""Folders of a user's own: a Learn2Reg layout made from prepared data, and what docs/own-data.md describes."""

import json
import shutil
from pathlib import Path

from datasets.case import Dataset, Truth
from tests.datasets.own.folders import plain
from tests.workflows.documents import block

TASK = "Phantom"


def lay_out(data: Dataset, folder: Path) -> Path:
    """Write a data set whose cases are called ``<subject>_a`` and ``<subject>_b`` in Learn2Reg's layout."""
    truth = Truth(data.folder)
    names = _names(data)
    for case, name in names.items():
        for kind, path in (
            ("images", data.image_path(case)),
            ("masks", data.mask_path(case)),
            ("labels", data.folder / "truth" / "labels" / f"{case}.nii.gz"),
        ):
            (folder / f"{kind}Tr").mkdir(parents=True, exist_ok=True)
            shutil.copy(path, folder / f"{kind}Tr" / f"{name}.nii.gz")
    (folder / "landmarksTr").mkdir()
    for pair in data.test_pairs:
        assert truth.landmarks(pair) is not None
        for case, file in zip((pair.fixed, pair.moving), pair.landmark_files, strict=True):
            shutil.copy(data.folder / file, folder / "landmarksTr" / f"{names[case]}.csv")
    about = {
        "name": TASK,
        "licence": "drawn",
        "modality": {"0": "CT"},
        "labels": {"0": {str(value): name for value, name in data.description.labels.items()}},
        "training": [{"image": f"./imagesTr/{names[case]}.nii.gz"} for case in names],
        "training_paired_images": _pairs(data.training_pairs, names),
        "registration_val": _pairs(data.test_pairs, names),
        "registration_test": [],
    }
    (folder / f"{TASK}_dataset.json").write_text(json.dumps(about))
    return folder


def mine_of_the_page(folder: Path) -> Path:
    """Write the scans, the table and the configuration of docs/own-data.md, word by word."""
    scans = plain(folder / "scans", size=2)
    (scans / "pairs.csv").write_text(block("own-data.md", "csv"))
    (folder / "bench.yaml").write_text(block("own-data.md", "yaml"))
    return folder


def _pairs(pairs, names) -> list[dict[str, str]]:
    return [{side: f"./imagesTr/{names[getattr(pair, side)]}.nii.gz" for side in ("fixed", "moving")} for pair in pairs]


def _names(data: Dataset) -> dict[str, str]:
    cases = [*data.training_cases, *(case for pair in data.test_pairs for case in (pair.fixed, pair.moving))]
    subjects = list(dict.fromkeys(case[:-2] for case in cases))
    return {case: f"{TASK}_{subjects.index(case[:-2]) + 1:04d}_{'ab'.index(case[-1]):04d}" for case in cases}
