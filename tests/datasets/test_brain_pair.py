"""The real brain pair through its importer: checksums, orientation, and the published overlap before registration."""

import os
from pathlib import Path

import numpy as np
import pytest

from datasets import brain_pair
from datasets.case import Truth, open_dataset


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    mirror = os.environ.get("WARPBENCH_MIRROR", "")
    if not (Path(mirror) / brain_pair.SCAN.name).is_file():
        pytest.skip("set WARPBENCH_MIRROR to a folder that holds brain_pair/*.npz (see datasets/README.md)")
    folder = tmp_path_factory.mktemp("brain_pair")
    brain_pair.prepare(folder, brain_pair.Params(), name="brain-pair")
    return open_dataset(folder), Truth(folder)


def test_identity_dice_is_the_known_one(prepared):
    data, truth = prepared
    (pair,) = data.test_pairs
    fixed, moving = truth.labels(pair.fixed), truth.labels(pair.moving)
    labels = data.description.evaluated_labels
    dice = [2 * ((fixed == n) & (moving == n)).sum() / ((fixed == n).sum() + (moving == n).sum()) for n in labels]
    assert len(labels) == 30
    assert np.mean(dice) == pytest.approx(0.522, abs=0.001)


def test_axes_point_where_the_header_says(prepared):
    data, truth = prepared
    labels, image = truth.labels("scan"), data.image("scan")
    assert image.orientation == ("L", "I", "A")
    centre = {name: np.argwhere(labels == number).mean(axis=0) for number, name in brain_pair.NAMES.items()}
    assert centre["left hippocampus"][0] > centre["right hippocampus"][0]
    assert centre["brainstem"][1] > centre["left thalamus"][1]  # the brainstem is inferior
    assert centre["left caudate"][2] > centre["left cerebellum cortex"][2]  # the caudate is anterior


def test_prepared_files_are_complete_and_checked(prepared):
    data, _ = prepared
    data.check_files()
    assert data.image("scan").array.shape == (160, 192, 224)
    assert data.mask("scan").mean() == pytest.approx((data.image("scan").array > 0).mean())
