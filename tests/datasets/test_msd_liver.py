"""The importer of the Decathlon's liver scans, on a small archive in the genuine form."""

import gzip
import hashlib
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from datasets import msd_liver
from datasets.case import Truth, open_dataset
from datasets.files import DataError
from tests.datasets.decathlon_inputs import OPTIONS, SHAPE, members, packed, scan, taped
from tests.datasets.serving import Answer, address, serving
from workflows.running.options import build


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Return a function that puts an archive of some content into the cache, as the one that is known."""
    monkeypatch.setenv("WARPBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("WARPBENCH_MIRROR", raising=False)

    def put(content):
        path = tmp_path / "cache" / msd_liver.TASK.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(tape := taped(content))
        known = replace(msd_liver.TASK, checksum=hashlib.md5(tape).hexdigest(), size=0)
        monkeypatch.setattr(msd_liver, "TASK", known)
        return path

    return put


def imported(tmp_path, **options):
    msd_liver.prepare(tmp_path / "prepared", build(msd_liver.Params, OPTIONS | options), name="msd-liver")
    return open_dataset(tmp_path / "prepared")


def expected(array, affine, labels, order, outside):
    """SciPy's own words: the value at each voxel of the grid about the middle of the liver, in the patient's axes."""
    box = np.argwhere(labels > 0)
    middle = (affine @ [*((box.min(0) + box.max(0)) / 2), 1])[:3]
    steps = (np.indices((14, 16, 12)).reshape(3, -1) - np.array([[6.5], [7.5], [5.5]])) * 1.43
    world = middle[:, None] + steps * np.array([[-1], [-1], [1]])
    voxels = np.linalg.solve(affine, np.vstack([world, np.ones(world.shape[1])]))[:3]
    return ndimage.map_coordinates(array.astype(float), voxels, order=order, mode="grid-constant", cval=outside)


def test_scans_of_any_orientation_are_read_about_their_livers(tmp_path, place):
    place(members())
    data = imported(tmp_path)
    assert [pair.name for pair in data.test_pairs] == ["liver-0__liver-2", "liver-2__liver-0"]
    assert data.training_cases == ["liver-10"]
    for case, seed, axes in (("liver-0", 0, "RAS"), ("liver-2", 2, "LPS"), ("liver-10", 3, "RPS")):
        hu, labels, affine = scan(seed, axes)
        found = data.image(case)
        wanted = np.clip((expected(hu, affine, labels, 1, -1024.0) + 25) / 290, 0, 1)
        np.testing.assert_allclose(found.array.ravel(), wanted, atol=1e-5)
        assert (found.orientation, found.spacing) == (("L", "P", "S"), pytest.approx((1.43, 1.43, 1.43)))
        if case != "liver-10":
            nearest = expected(labels, affine, labels, 0, 0.0) > 0
            np.testing.assert_array_equal(Truth(data.folder).labels(case).ravel(), nearest)
    assert data.description.subjects["liver-10"] == "liver-10"


def test_stored_values_are_scaled(tmp_path, place):
    content = members()
    hu, labels, affine = scan(0)
    shifted = (hu.astype(np.int32) + 1024).astype(np.uint16)
    content["Task03_Liver/imagesTr/liver_0.nii.gz"] = packed(shifted, affine, scaling=(1.0, -1024.0))
    place(content)
    wanted = np.clip((expected(hu, affine, labels, 1, -1024.0) + 25) / 290, 0, 1)
    np.testing.assert_allclose(imported(tmp_path).image("liver-0").array.ravel(), wanted, atol=1e-5)


def test_the_archive_is_downloaded(tmp_path, place, monkeypatch):
    path = place(members())
    tape = path.read_bytes()
    path.unlink()
    assert [piece.name for piece in msd_liver.supply(msd_liver.Params()).missing] == ["Task03_Liver.tar"]
    with serving(Answer(tape, cut=len(tape) // 2), Answer(tape)) as server:
        monkeypatch.setattr(msd_liver, "TASK", replace(msd_liver.TASK, url=address(server)))
        monkeypatch.setattr("datasets.transfer.time.sleep", lambda seconds: None)
        assert len(imported(tmp_path).test_pairs) == 2
        assert len(server.asked) == 2
    assert not msd_liver.supply(msd_liver.Params()).missing


def cut(data):
    return gzip.compress(gzip.decompress(data)[:-10], 1)


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("imagesTr/liver_0", cut, r"imagesTr/liver_0\.nii\.gz: not a readable volume \(\d+ bytes for \(26, 22, 12\)"),
        ("imagesTr/liver_2", lambda data: data[:-20], r"imagesTr/liver_2\.nii\.gz: not a readable volume"),
        ("labelsTr/liver_0", lambda data: b"<html>", r"labelsTr/liver_0\.nii\.gz: not a readable volume"),
        ("labelsTr/liver_0", lambda data: packed(np.zeros(SHAPE, np.uint8), np.eye(4)), "no voxel is labelled"),
        ("labelsTr/liver_0", lambda data: packed(np.ones((3, 4, 5), np.uint8), np.eye(4)), r"\(3, 4, 5\) voxels, its"),
        ("imagesTr/liver_0", lambda data: None, "labels without an image: liver_0"),
        ("labelsTr/liver_0", lambda data: None, "2 labelled scans, 3 wanted"),
    ],
)
def test_damaged_archives_are_refused_by_name(tmp_path, place, name, change, said):
    content = members()
    key = f"Task03_Liver/{name}.nii.gz"
    content[key] = change(content[key])
    place({name: data for name, data in content.items() if data is not None})
    with pytest.raises(DataError, match=said):
        imported(tmp_path)


def test_options_out_of_range_are_refused():
    for options in ({"test": 1}, {"test": 100, "training": 40}, {"spacing": 0.0}):
        with pytest.raises(DataError, match="expected"):
            build(msd_liver.Params, OPTIONS | options)
