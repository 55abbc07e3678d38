"""The importer of LPBA40's own files, on small volumes in the genuine form: Analyze, four axes, data compressed."""

import gzip

import numpy as np
import pytest
from scipy import ndimage

from datasets import lpba40
from datasets.case import Truth, open_dataset
from datasets.files import DataError
from tests.datasets.analyze_inputs import OPTIONS, SHAPE, SPACING, put, scan, volume
from workflows.running.options import build


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("WARPBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("WARPBENCH_MIRROR", raising=False)
    folder = tmp_path / "cache" / "lpba40" / "LPBA40" / "delineation_space"
    folder.mkdir(parents=True)
    return folder


def imported(tmp_path, **options):
    folder = tmp_path / "prepared"
    lpba40.prepare(folder, build(lpba40.Params, OPTIONS | options), name="lpba40")
    return open_dataset(folder)


def test_scans_are_read_about_the_middle_of_their_brains(tmp_path, place):
    put(place, "S01", "S02", "S03")
    data = imported(tmp_path)
    assert [(pair.fixed, pair.moving) for pair in data.test_pairs] == [("S01", "S02"), ("S01", "S03")]
    assert data.training_cases == []
    for subject in OPTIONS["subjects"]:
        image, labels = scan(int(subject[1:]))
        brain = np.argwhere(image > 0)
        middle = (brain.min(0) + brain.max(0)) / 2
        grid = np.indices((20, 24, 18)).reshape(3, -1)
        places = (grid - np.array([[9.5], [11.5], [8.5]])) * 1.13 / np.array(SPACING)[:, None] + middle[:, None]
        expected = ndimage.map_coordinates(image.astype(float), places, order=1, mode="grid-constant")
        expected = np.clip(expected / np.percentile(image[image > 0], 99.9), 0, 1)
        found = data.image(subject)
        np.testing.assert_allclose(found.array.ravel(), expected, atol=2e-5)
        assert found.spacing == pytest.approx((1.13, 1.13, 1.13))
        assert found.orientation == ("L", "P", "S")
        index = np.rint(places).astype(int)
        inside = np.all((index >= 0) & (index < np.array(SHAPE)[:, None]), axis=0)
        expected_labels = np.zeros(len(inside))
        expected_labels[inside] = labels[tuple(index[:, inside])]
        np.testing.assert_array_equal(Truth(data.folder).labels(subject).ravel(), expected_labels)


def test_labels_without_tissue_are_kept_and_not_evaluated(tmp_path, place):
    put(place, "S01", "S02")
    about = imported(tmp_path, subjects=["S01", "S02"]).description
    assert len(about.labels) == 56
    assert len(about.evaluated_labels) == 54
    assert not {181, 182} & set(about.evaluated_labels)
    assert lpba40.Params(evaluated=56).evaluated == 56
    assert "LONI" in about.licence


def test_unpacked_data_are_read_too_and_a_brain_that_is_cut_is_said(tmp_path, place):
    put(place, "S01", "S02", packed=False)
    data = imported(tmp_path, subjects=["S01", "S02"], shape=[8, 24, 18])
    assert data.description.notes == ("S01: the grid cuts its brain", "S02: the grid cuts its brain")


def test_every_missing_subject_is_named_with_what_to_do(tmp_path, place):
    put(place, "S01")
    (place / "S02").mkdir()
    volume(place / "S02", "S02.delineation.skullstripped", scan(2)[0])  # whose labels are lost
    with pytest.raises(DataError, match=r"2 of 3 files missing: S02, S03 from LPBA40_.*accept the licence at"):
        imported(tmp_path)
    supply = lpba40.supply(build(lpba40.Params, {}))
    assert len(supply.pieces) == 40
    assert [piece.name for piece in supply.pieces if piece.place] == ["S01"]
    assert (supply.extent.images, supply.extent.pairs) == (40, 39)


def shorter(place):
    path = place / "S02" / "S02.delineation.skullstripped.img.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-2]))


def torn(place):
    path = place / "S02" / "S02.delineation.skullstripped.img.gz"
    path.write_bytes(path.read_bytes()[:-9])


def no_header(place):
    (place / "S02" / "S02.delineation.skullstripped.hdr").write_bytes(b"<html>" + bytes(342))


def other_labels(place):
    volume(place / "S02", "S02.delineation.structure.label", np.full(SHAPE, 7, np.uint8))


def other_grid(place):
    volume(place / "S02", "S02.delineation.structure.label", scan(2)[1][:-1])


def empty(place):
    volume(place / "S02", "S02.delineation.skullstripped", np.zeros(SHAPE, np.int16))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (shorter, r"skullstripped\.img\.gz: 14782 bytes do not fit \(24, 14, 22\) voxels"),
        (torn, r"skullstripped\.hdr: not a readable Analyze volume"),
        (no_header, r"skullstripped\.hdr: not a readable Analyze volume"),
        (other_labels, r"structure\.label\.img\.gz: holds values that are no LPBA40 labels"),
        (other_grid, r"structure\.label\.hdr: lies otherwise than the image of S02"),
        (empty, r"skullstripped\.img\.gz: no voxel above 0"),
    ],
)
def test_damaged_files_are_named(tmp_path, place, damage, said):
    put(place, "S01", "S02", "S03")
    damage(place)
    with pytest.raises(DataError, match=said):
        imported(tmp_path)
    assert not (tmp_path / "prepared" / "dataset.json").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"subjects": ["S01", "S41"]}, "S41: expected names from S01 to S40"),
        ({"subjects": ["S02", "S03"]}, "expected S01, the fixed image"),
        ({"spacing": 0.0}, "expected a spacing above 0"),
    ],
)
def test_options_out_of_range_are_refused(options, said):
    with pytest.raises(DataError, match=said):
        build(lpba40.Params, OPTIONS | options)
