"""A real scan bent by known maps: the truth is exact and free of folds, and what is synthetic is said."""

import os
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from datasets import geometry, totalsegmentator
from datasets.case import Truth, open_dataset
from datasets.files import DataError
from tests.datasets.bent_inputs import AFFINE, SHAPE, SPACING, anatomy, put_all
from workflows.running.options import build


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    monkeypatch.setenv("WARPBENCH_MIRROR", str(tmp_path / "mirror"))
    monkeypatch.setenv("WARPBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "mirror"


def made(folder, **options):
    totalsegmentator.prepare(folder, build(totalsegmentator.Params, options), name="ct")
    return open_dataset(folder), Truth(folder)


@pytest.fixture(scope="module")
def quiet(tmp_path_factory):
    """The data set without noise, so that images can be compared."""
    folder = tmp_path_factory.mktemp("bent")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WARPBENCH_MIRROR", str(folder / "mirror"))
        patch.setattr(totalsegmentator, "NOISE_HU", 0.0)
        put_all(folder / "mirror", patch)
        return made(folder / "data")


def test_all_pairs_are_of_one_subject(quiet):
    data, _ = quiet
    about = data.description
    assert len(data.test_pairs) == 6
    assert about.subjects_of(data.test_pairs) == ["TotalSegmentator example"]
    assert "real scan, synthetic deformations" in about.display_title
    assert "one real subject, bent by synthetic maps" in about.notes[0]
    assert (about.shape, about.spacing, about.orientation) == (SHAPE, SPACING, ("R", "A", "S"))
    assert np.allclose(data.image("bent01").affine, AFFINE)
    assert about.labels == {2: "kidney right", 5: "liver", 7: "label 7"}  # a name without its label is no label
    data.check_files()


def test_the_truth_brings_moving_onto_fixed_and_does_not_fold(quiet):
    data, truth = quiet
    for pair in data.test_pairs:
        u = truth.displacement(pair)
        inside = data.mask(pair.fixed) & (geometry.warp(data.mask(pair.moving).astype(float), u) > 0.99)
        assert inside.sum() > 3000
        fixed, moving = data.image(pair.fixed).array, data.image(pair.moving).array
        before, after = np.abs(fixed - moving)[inside].mean(), np.abs(fixed - geometry.warp(moving, u))[inside].mean()
        assert after < 0.25 * before  # what is left is interpolation
        still, moved = truth.labels(pair.fixed), truth.labels(pair.moving)
        # Nearest voxels are taken twice, so that labels agree but for voxels next to another label.
        deep = inside & (ndimage.minimum_filter(still, 3) == ndimage.maximum_filter(still, 3))
        before, after = (np.mean((still != other)[deep]) for other in (moved, geometry.warp(moved, u, order=0)))
        assert after < 0.005 < before
        assert geometry.jacobian_determinant(u).min() > 0.05
        assert 2 < np.linalg.norm(u * np.reshape(SPACING, (3, 1, 1, 1)), axis=0)[inside].mean() < 30


def test_there_and_back_is_where_one_was(quiet):
    data, truth = quiet
    for pair in data.test_pairs[:2]:
        points = np.argwhere(data.mask(pair.fixed))[::97]
        back = geometry.move_points(
            truth.displacement(pair.reversed), geometry.move_points(truth.displacement(pair), points)
        )
        assert np.median(np.linalg.norm(back - points, axis=1)) < 0.05


def test_landmarks_lie_deep_in_their_structures_and_follow_the_truth(quiet):
    data, truth = quiet
    for pair in data.test_pairs:
        fixed, moving = truth.landmarks(pair)
        assert len(fixed) == 3
        assert np.abs(geometry.move_points(truth.displacement(pair), fixed) - moving).max() < 0.2
        for case, points in ((pair.fixed, fixed), (pair.moving, moving)):
            found = truth.labels(case)[tuple(np.rint(points).astype(int).T)]
            assert found.tolist() == [2, 5, 7]


def test_the_mask_is_the_patient_without_the_table(quiet, mirror, monkeypatch):
    put_all(mirror, monkeypatch)
    body = totalsegmentator.read_anatomy().body
    scan, labels = anatomy()
    assert body[labels > 0].all()
    assert not body[:, 25:27].any()
    assert not body[scan < -500].any()
    data, _ = quiet
    assert 0.7 < data.mask("bent01").sum() / body.sum() < 1.3


def test_the_seed_draws_other_maps_and_more_images_leave_the_first(tmp_path, mirror, monkeypatch):
    put_all(mirror, monkeypatch)
    first = made(tmp_path / "two", images=2)[0].description.files
    more = made(tmp_path / "three", images=3)[0].description.files
    other = made(tmp_path / "other", images=2, seed=1)[0].description.files
    assert first.items() <= more.items()
    assert not {value for file, value in first.items() if file.startswith("images")} & set(other.values())


def test_noise_is_each_image_s_own(tmp_path, mirror, monkeypatch, quiet):
    put_all(mirror, monkeypatch)
    data, _ = made(tmp_path / "noisy")
    clean, _ = quiet
    noise = [data.image(case).array - clean.image(case).array for case in ("bent01", "bent02")]
    inside = (clean.image("bent01").array > 0.05) & (clean.image("bent02").array > 0.05)
    assert noise[0][inside].std() * 500 == pytest.approx(totalsegmentator.NOISE_HU, rel=0.1)
    assert abs(np.corrcoef(noise[0][inside], noise[1][inside])[0, 1]) < 0.05


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"affine": AFFINE @ np.diag([1, 1, 1.5, 1])}, "voxel sizes differ"),
        ({"labels": np.zeros(SHAPE, np.uint8)}, "holds no label"),
        ({"scan": np.full(SHAPE, -1000, np.int32)}, "is this a CT, in Hounsfield units"),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path, mirror, monkeypatch, changes, words):
    put_all(mirror, monkeypatch, **changes)
    with pytest.raises(DataError, match=words):
        made(tmp_path / "data")


def test_one_image_makes_no_pair():
    with pytest.raises(DataError, match="at least 2"):
        build(totalsegmentator.Params, {"images": 1})


@pytest.mark.slow
def test_the_genuine_scan(tmp_path):
    mirror = os.environ.get("WARPBENCH_MIRROR", "")
    if not (Path(mirror) / totalsegmentator.SCAN.name).is_file():
        pytest.skip("set WARPBENCH_MIRROR to a folder that holds totalsegmentator/*.nii.gz (see datasets/README.md)")
    anatomy = totalsegmentator.read_anatomy()
    assert len(anatomy.names) == 61
    assert anatomy.names[5] == "liver"
    assert (anatomy.labels == 5).sum() * 27 / 1000 == pytest.approx(1126, abs=1)  # cm3
    assert anatomy.body[anatomy.labels == 5].mean() > 0.99
    data, truth = made(tmp_path, images=2)
    for pair in data.test_pairs:
        u = truth.displacement(pair)
        assert geometry.jacobian_determinant(u).min() > 0
        assert np.abs(geometry.move_points(u, truth.landmarks(pair)[0]) - truth.landmarks(pair)[1]).max() < 0.2
