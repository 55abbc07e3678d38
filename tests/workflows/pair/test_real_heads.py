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


# swift comes to the same on either scale; the other is given the one that it has learnt from (docs/weights.md).
@pytest.mark.parametrize(("method", "scale"), [("swift", []), ("ldr-3-text", ["--window", "0", "1"])])
def test_two_real_heads_are_registered_out_of_the_box(method, scale, heads, tmp_path):
    images = [str(heads / f"{case}.nii.gz") for case in ("scan", "subject")]
    labels = [str(heads / f"{case}_labels.nii.gz") for case in ("scan", "subject")]
    main([*images, "--labels", *labels, "--method", method, *scale, "--out", str(tmp_path / "out")])
    (row,) = csv.DictReader((tmp_path / "out" / "methods.csv").open())
    assert float(row["dice (linear_thr128)"]) > 0.62  # 0.522 before
    folded = float(row["folding_count (forward)"])
    assert folded < 1e-3 * 160 * 192 * 224
    done = json.loads((tmp_path / "out" / "registration.json").read_text())
    assert done["weights_sha256"] == card_of(shipped(method)).sha256
    assert done["seen_spacing"] == pytest.approx([4.0, 4.0, 4.0])
