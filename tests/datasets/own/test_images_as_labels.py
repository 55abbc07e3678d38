"""An image that is named where a label map or a mask is expected is told from one; no real label map is refused."""

import numpy as np
import pytest

from datasets.own.examine import examine
from datasets.own.options import Params
from datasets.own.summary import summary
from datasets.values import image_fault
from tests.datasets.own.folders import image, labels, problems, save, scans, table

SHAPE = (24, 20, 28)
RNG = np.random.default_rng(0)


def cubes(side):
    """Label maps of cubes, each of a number of its own."""
    places = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij")) // side
    return (1 + np.ravel_multi_index(tuple(places), SHAPE)).astype(np.uint16)


@pytest.mark.parametrize("side", [2, 3, 5])
def test_hundreds_of_small_structures_are_labels(side):
    assert len(np.unique(cubes(side))) > 100
    assert image_fault(cubes(side)) == ""


def test_single_voxels_apart_are_labels():
    sparse = np.zeros(SHAPE, np.uint16)
    sparse[::2, ::2, ::2] = np.arange(1, 1 + sparse[::2, ::2, ::2].size).reshape(sparse[::2, ::2, ::2].shape)
    assert image_fault(sparse) == ""
    sparse[1, 0, 0] = 9999  # two that touch
    assert image_fault(sparse) == ""


def test_few_numbers_are_labels_however_they_lie():
    assert image_fault(RNG.integers(0, 100, SHAPE)) == ""
    assert image_fault(np.zeros(SHAPE, np.uint16)) == ""


@pytest.mark.parametrize("levels", [256, 4000])
def test_intensities_are_no_labels(levels):
    x, y, z = np.meshgrid(*map(np.arange, SHAPE), indexing="ij")
    smooth = np.sin(x / 5) + np.cos(y / 4) * np.sin(z / 6)
    found = image_fault(np.rint((smooth - smooth.min()) / np.ptp(smooth) * (levels - 1)).astype(np.int64))
    assert found.startswith("holds ")
    assert found.endswith("have the same: an image, and no label map or mask; name that")


@pytest.mark.parametrize("what", ["labels", "mask"])
def test_the_check_names_file_and_line(tmp_path, what):
    folder = scans(tmp_path / "in", *"ab")
    other = RNG.integers(1, 3000, labels().shape).astype(np.uint16)
    for name in "ab":
        save(folder / f"{name}-map.nii.gz", labels() if what == "labels" else (labels() > 0).astype(np.uint8))
    save(folder / "a-map.nii.gz", other)
    table(folder, f"fixed,moving,fixed_{what},moving_{what}", "a.nii.gz,b.nii.gz,a-map.nii.gz,b-map.nii.gz")
    assert any(
        each.startswith(f"{folder}/a-map.nii.gz (pairs.csv, line 2): holds ") and "an image" in each
        for each in problems(folder)
    )


def test_what_is_found_names_maps_and_masks_and_a_window_that_hardly_holds_anything(tmp_path):
    folder = scans(tmp_path / "in", *"ab")
    for name in "ab":
        save(folder / f"{name}-labels.nii.gz", labels())
    columns = "fixed,moving,fixed_labels,moving_labels,fixed_mask,moving_mask"
    files = "a-labels.nii.gz,b-labels.nii.gz"
    table(folder, columns, f"a.nii.gz,b.nii.gz,{files},{files}")
    held = len(set(np.unique(labels())) - {0})
    lines = list(summary(examine(Params(folder=folder))))
    assert f"labels that count: all that both images hold ({held} in a map)" in lines
    assert "masks: of 2 scans" in lines
    assert not any("the window" in each for each in lines)
    least = float(image(0).min())
    lines = list(summary(examine(Params(folder=folder, window=(least, least + 1e-4)))))
    assert any("leaves 0.0% of its voxels between black and white" in each for each in lines)
