"""The weights that come with the project register two real heads, of which no training saw anything."""

import csv
import json
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from datasets import brain_pair
from datasets.case import Truth, open_dataset
from workflows.archive.card import card_of, shipped
from workflows.pair.__main__ import main


@pytest.fixture(scope="module")
def heads(tmp_path_factory):
    """Files as a user has them: two scans and their 30 labels."""
    if not (Path(os.environ.get("WARPBENCH_MIRROR", "")) / brain_pair.SCAN.name).is_file():
        pytest.skip("set WARPBENCH_MIRROR to a folder that holds brain_pair/*.npz (see datasets/README.md)")
    folder = tmp_path_factory.mktemp("heads")
    brain_pair.prepare(folder / "prepared", brain_pair.Params(), name="brain-pair")
    data, truth = open_dataset(folder / "prepared"), Truth(folder / "prepared")
    for case in ("scan", "subject"):
        image, labels = nib.load(data.image_path(case)), truth.labels(case)
        kept = np.where(np.isin(labels, data.description.evaluated_labels), labels, 0)
        nib.save(image, folder / f"{case}.nii.gz")
        nib.save(nib.Nifti1Image(kept.astype(np.int16), image.affine), folder / f"{case}_labels.nii.gz")
    return folder


@pytest.mark.parametrize(
    ("method", "unit"), [("swift", "prepared"), ("ldr-3-text", "prepared"), ("ldr-3-text", "scanner")]
)
def test_two_real_heads_are_registered_out_of_the_box(method, unit, heads, tmp_path):
    """Whatever the unit of their intensities: the weights record the scale that they know."""
    images = [str(heads / f"{case}.nii.gz") for case in ("scan", "subject")]
    labels = [str(heads / f"{case}_labels.nii.gz") for case in ("scan", "subject")]
    if unit == "scanner":
        images = [in_scanner_units(Path(image), tmp_path) for image in images]
    main([*images, "--labels", *labels, "--method", method, "--out", str(tmp_path / "out")])
    (row,) = csv.DictReader((tmp_path / "out" / "methods.csv").open())
    assert float(row["dice (linear_thr128)"]) > 0.62  # 0.522 before
    folded = float(row["folding_count (forward)"])
    assert folded < 1e-3 * 160 * 192 * 224
    done = json.loads((tmp_path / "out" / "registration.json").read_text())
    assert done["weights_sha256"] == card_of(shipped(method)).sha256
    assert done["seen_spacing"] == pytest.approx([4.0, 4.0, 4.0])
    assert done["intensities"].startswith("percentiles 0.5 and 99.5 of each image became 0 and 0.45")


def in_scanner_units(path, folder):
    image = nib.load(path)
    nib.save(
        nib.Nifti1Image(np.round(np.asarray(image.dataobj) * 3700 + 12).astype(np.int16), image.affine),
        folder / path.name,
    )
    return str(folder / path.name)
