"""Labels of a moving image that lies on another grid are read once, as the written transform reads them."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - the library's usual name

from benchmarks.evidence import Evidence
from benchmarks.metrics import evaluate
from datasets.own.scans import Scan, array_of
from tests.datasets.own.made import SHIFT, TURNS, labelled, scene, smoothly
from workflows.pair.grids import working_grid
from workflows.pair.judging import Truth, numbers
from workflows.pair.rule import Rule

GRIDS = {
    "finer": {"size": (60, 50, 52), "spacing": (1.0, 1.2, 1.1)},
    "coarser": {"size": (20, 22, 14), "spacing": (3.0, 2.6, 4.0)},
    "cropped": {"size": (28, 25, 21), "spacing": (1.5, 1.6, 2.0)},  # structures end at its border
}


def dice(found, protocol, region="mean"):
    (one,) = [each for each in found if (each.metric, each.protocol, each.region) == ("dice", protocol, region)]
    return one


def by_itk(fixed, moving, transform):
    """Dice of the fixed labels and the moving mask read linearly, once, at the places that a transform leads to."""
    mask = sitk.Cast(moving, sitk.sitkFloat32)
    there = sitk.GetArrayFromImage(sitk.Resample(mask, fixed, transform, sitk.sitkLinear, 0.0)) * 255 > 128
    here = sitk.GetArrayFromImage(fixed) > 0
    return 2 * np.sum(here & there) / (here.sum() + there.sum())


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("grid", GRIDS)
def test_the_score_is_that_of_masks_read_by_the_written_transform(grid, turn):
    fixed, moving = scene(), scene(**GRIDS[grid], turn=turn, shift=SHIFT)
    scans = Scan(Path("fixed"), fixed), Scan(Path("moving"), moving)
    truth = Truth((labelled(fixed), labelled(moving)))
    working = working_grid(*scans, Rule())
    u = smoothly((40, 36, 30), seed=4)
    field, still = (working.back(each, scans[0]) for each in (u, 0 * u))
    found = dice(numbers(field, still, scans[0], truth, offset=working.offset), "linear_thr128")
    assert found.value == pytest.approx(by_itk(*truth.labels, field.transform), abs=2e-3)
    assert found.before == pytest.approx(by_itk(*truth.labels, sitk.Transform(3, sitk.sitkIdentity)), abs=2e-3)


def test_on_one_grid_the_numbers_are_the_suites_own():
    fixed, moving = scene(), scene(shift=SHIFT)
    scans = Scan(Path("fixed"), fixed), Scan(Path("moving"), moving)
    maps, u = (labelled(fixed), labelled(moving)), smoothly((40, 36, 30), seed=4)
    field = working_grid(*scans, Rule()).back(u, scans[0])
    found = numbers(field, field, scans[0], Truth(maps), offset=(0, 0, 0))
    rows = evaluate(
        Evidence(field.voxels, scans[0].spacing, fixed_labels=array_of(maps[0]), moving_labels=array_of(maps[1]))
    )
    expected = {(row["metric"], row["protocol"], row["region"]): row["value"] for row in rows}
    assert {(each.metric, each.protocol, each.region): each.value for each in found} == pytest.approx(expected)


def test_a_label_that_is_nowhere_in_the_fixed_image_is_not_scored():
    fixed = scene(size=(20, 18, 15))
    moving = scene(size=(60, 54, 45), spacing=(1.4, 1.5, 1.9))
    array = sitk.GetArrayFromImage(labelled(moving))
    array[:3] = 2
    far = sitk.GetImageFromArray(array)
    far.CopyInformation(moving)
    scans = Scan(Path("fixed"), fixed), Scan(Path("moving"), moving)
    both = sitk.GetArrayFromImage(labelled(fixed))
    both[:3] = 2
    here = sitk.GetImageFromArray(both)
    here.CopyInformation(fixed)
    still = working_grid(*scans, Rule()).back(np.zeros((3, 20, 18, 15), np.float32), scans[0])
    found = numbers(still, still, scans[0], Truth((here, far)), offset=(0, 0, 0))
    assert dice(found, "nearest", "label_2").value is None
    assert dice(found, "nearest", "label_1").value > 0.8


def test_a_label_smaller_than_a_fixed_voxel_is_scored():
    fixed, moving = scene(spacing=(1.5, 1.6, 2.0)), scene(size=(200, 190, 200), spacing=(0.3, 0.3, 0.3))
    labels = sitk.GetArrayFromImage(labelled(fixed)), sitk.GetArrayFromImage(labelled(moving))
    labels[0][15, 18, 20] = 7
    labels[1][101, 96, 101] = 7  # no centre of a fixed voxel is nearest to it
    maps = []
    for array, image in zip(labels, (fixed, moving), strict=True):
        made = sitk.GetImageFromArray(array)
        made.CopyInformation(image)
        maps.append(made)
    scans = Scan(Path("fixed"), fixed), Scan(Path("moving"), moving)
    resampled = sitk.Resample(maps[1], fixed, sitk.Transform(3, sitk.sitkIdentity), sitk.sitkNearestNeighbor, 0)
    assert not (sitk.GetArrayFromImage(resampled) == 7).any()
    still = working_grid(*scans, Rule()).back(np.zeros((3, 40, 36, 30), np.float32), scans[0])
    found = numbers(still, still, scans[0], Truth((maps[0], maps[1])), offset=(0, 0, 0))
    assert dice(found, "nearest", "label_7").value == 0


def test_a_reading_of_another_size_than_the_displacement_is_refused():
    u, maps = np.zeros((3, 6, 7, 8), np.float32), np.ones((6, 7, 8), np.uint8)
    for reading in (None, np.zeros((3, 5, 7, 8), np.float32)):
        moving = np.ones((9, 9, 9), np.uint8)
        with pytest.raises(ValueError, match="overlap: grids differ"):
            evaluate(Evidence(u, (1, 1, 1), fixed_labels=maps, moving_labels=moving, reading=reading))
