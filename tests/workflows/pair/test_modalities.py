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
from workflows.pair.modalities import difference, warning
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
