"""Two images that look as if of two modalities are told so, by the stated rule, and nothing else is."""

import json
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - the library's usual name

from datasets.own.scans import Scan, own_locale, read_scan
from tests.datasets.own.made import SHIFT, scene, write
from workflows.configuration import sources
from workflows.pair import ordering
from workflows.pair.__main__ import main
from workflows.pair.doubts import difference, scale_doubt, squeezed, warning
from workflows.planning.specs import MethodSpec

RNG = np.random.default_rng(0)
BRIGHT = RNG.uniform(0.2, 1, (12, 14, 16)).astype(np.float32)
BY = MethodSpec(method="demons", module="methods.demons", params={}, device="cpu", seed=0, libraries={})


def scan(path, offset=0.0, scale=1.0):
    return Scan(path / "x.nii", sitk.Cast(scene(kind=np.float32) * scale + offset, sitk.sitkFloat32))


def test_images_alike_are_not_doubted(tmp_path):
    noisy = np.clip(BRIGHT + 0.3 * RNG.standard_normal(BRIGHT.shape), 0, 1)
    assert difference((scan(tmp_path), scan(tmp_path)), (BRIGHT, noisy)) == ""
    assert difference((scan(tmp_path, -1024), scan(tmp_path, -1000)), (BRIGHT, BRIGHT)) == ""
    assert difference((scan(tmp_path), scan(tmp_path)), (BRIGHT, RNG.uniform(0.2, 1, BRIGHT.shape))) == ""


@pytest.mark.parametrize("first", [True, False])
def test_hounsfield_units_and_none(tmp_path, first):
    both = (scan(tmp_path, -1024), scan(tmp_path))
    found = difference(both if first else both[::-1], (BRIGHT, BRIGHT))
    assert (
        found == f"the {'fixed' if first else 'moving'} image has Hounsfield units, and the other one no voxel below 0"
    )


def test_normalised_intensities_below_zero_are_no_hounsfield_units(tmp_path):
    assert difference((scan(tmp_path, -1, 1 / 300), scan(tmp_path)), (BRIGHT, BRIGHT)) == ""


def test_opposed_contrast_is_seen_where_both_are_bright(tmp_path):
    assert "r = -1.00" in difference((scan(tmp_path), scan(tmp_path)), (BRIGHT, 1.2 - BRIGHT))
    few = np.where(np.arange(16) < 2, BRIGHT, 0)
    assert difference((scan(tmp_path), scan(tmp_path)), (few, 1.2 - BRIGHT)) == ""


def test_dicom_says_it_itself(tmp_path):
    fixed, moving = (write(scene(size=(12, 12, 9)), tmp_path / name) for name in ("fixed", "moving"))
    assert difference((read_scan(fixed), read_scan(moving)), (BRIGHT, BRIGHT)) == ""
    with own_locale():
        for path in moving.iterdir():
            image = sitk.ReadImage(str(path))
            image.SetMetaData("0008|0060", "MR")
            writer = sitk.ImageFileWriter()
            writer.KeepOriginalImageUIDOn()
            writer.SetFileName(str(path))
            writer.Execute(image)
    found = difference((read_scan(fixed), read_scan(moving)), (BRIGHT, BRIGHT))
    assert found == "their DICOM headers say CT and MR"


@pytest.mark.parametrize(
    ("module", "params", "refine", "able"),
    [
        ("demons", {}, {}, False),
        ("ants_syn", {"metric": "mattes"}, {}, True),
        ("ants_syn", {"metric": "cc"}, {}, False),
        ("elastix_bspline", {}, {}, False),
        ("elastix_bspline", {"preset": "brain"}, {}, True),
        ("convex_adam", {}, {}, True),
        ("convex_adam", {}, {"steps": 5}, True),
        ("convex_adam", {}, {"steps": 5, "similarity": "squares"}, False),
        ("greedy", {}, {}, False),
        ("identity", {}, {}, True),
    ],
)
def test_methods_know_whether_they_can(module, params, refine, able):
    by = replace(BY, method=module, module=f"methods.{module}", params=params, refine=refine)
    assert ordering._across(by, sources.file_of(by.module)) == able
    assert (warning("something", module, across=able) == "") == able
    assert warning("", module, across=able) == ""


def test_the_command_warns_and_keeps_the_warning(tmp_path, caplog):
    ct, mr = scene(kind=np.float64) - 1024, scene(shift=SHIFT, kind=np.float64)
    files = [str(write(image, tmp_path / name)) for image, name in ((ct, "ct.nii.gz"), (mr, "mr.nii.gz"))]
    main([*files, "--method", "demons", "--set", "iterations=[2]", "--threads", "1", "--out", str(tmp_path / "out")])
    (told,) = json.loads((tmp_path / "out" / "registration.json").read_text())["warnings"]
    assert told.startswith("the two images seem to be of two modalities: the fixed image has Hounsfield units")
    assert "demons compares them as if of one" in told
    assert f"warning: {told}" in caplog.messages


def image_of(path, values):
    return Scan(path / "x.nii", sitk.GetImageFromArray(np.asarray(values, np.float32)))


def head():
    """A third of the voxels are tissue, from 100 to 900, the others dark."""
    values = np.zeros((12, 30, 30))
    values[:, 5:25, 5:25] = RNG.uniform(100, 900, (12, 20, 20))
    return values


def test_padding_and_spikes_that_take_the_range_are_told(tmp_path):
    padded = np.where(head() == 0, -1000, head())
    assert "are -1000, and the next value is 1" in squeezed(image_of(tmp_path, padded))
    spiked = head()
    spiked.ravel()[:: spiked.size // 100] = 30_000  # a hundredth of the voxels
    assert "a few of its voxels reach 30000, and 98 % lie below" in squeezed(image_of(tmp_path, spiked))
    for line in map(squeezed, (image_of(tmp_path, padded), image_of(tmp_path, spiked))):
        assert line.endswith("--window LOW HIGH says which intensities become 0 and 1")


@pytest.mark.parametrize("shift", [0, -1024, 5000])
def test_an_ordinary_scale_is_not_doubted(tmp_path, shift):
    noisy = head() + RNG.normal(0, 20, (12, 30, 30))
    spiked = noisy.copy()
    spiked.ravel()[:3] = 1e6  # too few to count
    for values in (noisy, spiked, scene_values()):
        assert squeezed(image_of(tmp_path, values + shift)) == ""
    assert squeezed(image_of(tmp_path, np.full((4, 4, 4), 7.0))) == ""


def scene_values():
    return sitk.GetArrayFromImage(scene(kind=np.float32))


def test_padding_is_no_hounsfield_unit(tmp_path):
    padded = np.where(head() == 0, -1000, head())
    both = image_of(tmp_path, padded), image_of(tmp_path, head())
    assert difference(both, (BRIGHT, BRIGHT)) == ""


def test_a_window_in_other_units_than_the_file_is_told(tmp_path):
    held = scan(tmp_path)
    low, high = float(sitk.GetArrayViewFromImage(held.image).min()), float(sitk.GetArrayViewFromImage(held.image).max())
    assert scale_doubt(held, (low, high)) == ""
    assert scale_doubt(held, None) == squeezed(held)
    middle = (low + high) / 2
    line = scale_doubt(held, (middle, middle + 1e-6 * (high - low)))
    assert line.startswith(f"{held.path}: the window ")
    assert "leaves 0.0% of its voxels between black and white" in line
