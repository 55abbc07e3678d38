"""The importer of SLIVER07's own files, on small scans in the genuine form: MetaImage without orientation, zipped."""

import hashlib
import zipfile

import numpy as np
import pytest
from scipy import ndimage

from datasets import sliver07
from datasets.case import Truth, open_dataset
from datasets.files import DataError
from tests.datasets.sliver_inputs import OPTIONS, SPACING, files, put, scan
from workflows.running.options import build


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("WARPBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("WARPBENCH_MIRROR", raising=False)
    folder = tmp_path / "cache" / "sliver07"
    folder.mkdir(parents=True)
    return folder


def put_zipped(place, monkeypatch, *numbers):
    """Write the two archives, and take them for those that are known."""
    content = {name: data for number in numbers for name, data in files(number).items()}
    known = {}
    for archive, stem in (("training-scans.zip", "orig"), ("training-labels.zip", "seg")):
        with zipfile.ZipFile(place / archive, "w", zipfile.ZIP_DEFLATED) as packed:
            for name in content:
                if stem in name:
                    packed.writestr(f"{archive.partition('.')[0]}/{name}", content[name])
        known[archive] = hashlib.sha256((place / archive).read_bytes()).hexdigest()
    monkeypatch.setattr(sliver07, "ARCHIVES", known)


def imported(tmp_path, **options):
    sliver07.prepare(tmp_path / "prepared", build(sliver07.Params, OPTIONS | options), name="sliver07")
    return open_dataset(tmp_path / "prepared")


def expected(array, liver, order, outside):
    """SciPy's own words: the value at each voxel of the grid about the middle of the liver's box."""
    box = np.argwhere(liver)
    middle = (box.min(0) + box.max(0)) / 2
    steps = (np.indices((18, 14, 16)).reshape(3, -1) - np.array([[8.5], [6.5], [7.5]])) * 1.3
    voxels = steps / np.array(SPACING)[:, None] + middle[:, None]
    return ndimage.map_coordinates(array.astype(float), voxels, order=order, mode="grid-constant", cval=outside)


def check(data):
    assert len(data.test_pairs) == 6
    assert data.training_cases == []
    for number in (1, 2, 5):
        hu, liver = scan(number)
        found = data.image(sliver07.case_name(number))
        wanted = np.clip((expected(hu, liver, 1, -1024.0) + 25) / 290, 0, 1)
        np.testing.assert_allclose(found.array.ravel(), wanted, atol=1e-5)
        assert (found.orientation, found.spacing) == (("L", "P", "S"), pytest.approx((1.3,) * 3))
        labels = Truth(data.folder).labels(sliver07.case_name(number))
        np.testing.assert_array_equal(labels.ravel(), expected(liver, liver, 0, 0.0))


def test_scans_are_read_about_their_livers(tmp_path, place):
    put(place, 1, 2, 5)
    data = imported(tmp_path)
    check(data)
    assert data.description.notes == ()
    assert "liver segmentation" in data.description.licence


def test_archives_are_read_as_they_are(tmp_path, place, monkeypatch):
    put_zipped(place, monkeypatch, 1, 2, 5)
    data = imported(tmp_path)
    check(data)
    assert data.description.archives == sliver07.ARCHIVES


def test_an_archive_that_is_another_is_refused(tmp_path, place, monkeypatch):
    put_zipped(place, monkeypatch, 1, 2, 5)
    monkeypatch.setitem(sliver07.ARCHIVES, "training-labels.zip", "0" * 64)
    with pytest.raises(DataError, match=r"training-labels\.zip: wrong checksum .*download it again"):
        imported(tmp_path)


def test_scans_that_are_stored_upside_down_or_mirrored_are_turned(tmp_path, place):
    put(place, 1, 2, 5, n1=(2,), n5=(0,))
    data = imported(tmp_path)
    check(data)
    assert data.description.notes == (
        "liver001: turned upside down, as its picture shows",
        "liver005: turned from right to left, as its picture shows",
    )


def test_test_scans_of_the_same_names_are_none(place):
    put(place, 1)
    (place / "test-scans").mkdir()
    put(place / "test-scans", 2, 5)
    found = sliver07.supply(build(sliver07.Params, OPTIONS))
    assert [piece.name for piece in found.missing] == ["liver002", "liver005"]


def test_what_is_missing_is_named_with_what_to_ask_for(tmp_path, place):
    put(place, 1, 2)
    (place / "liver-seg002.raw").unlink()
    with pytest.raises(DataError, match=r"2 of 3 files missing: liver002, liver005 from .*zenodo.*permission"):
        imported(tmp_path)
    assert sliver07.supply(sliver07.Params()).extent.pairs == 380
    assert not any(piece.comes for piece in sliver07.supply(sliver07.Params()).pieces)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("liver-orig002.raw", b"\0\0", r"liver-orig002\.raw: 2 bytes, expected 31200"),
        ("liver-orig002.mhd", b"<html>", r"liver-orig002\.mhd: not a MetaImage header"),
        ("liver-seg002.raw", bytes(15600), r"liver-seg002\.raw: no voxel is labelled"),
    ],
)
def test_damaged_files_are_named(tmp_path, place, name, content, said):
    put(place, 1, 2, 5)
    (place / name).write_bytes(content)
    with pytest.raises(DataError, match=said):
        imported(tmp_path)


@pytest.mark.parametrize("options", [{"exclude": [21]}, {"exclude": list(range(1, 20))}, {"spacing": 0.0}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(DataError, match="expected"):
        build(sliver07.Params, options)
