"""The importer of ABIDE and ADHD-200, on small volumes in the genuine form: FreeSurfer's MGZ, NIfTI in two layouts."""

import shutil

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from datasets import indi
from datasets.case import Truth, open_dataset
from datasets.files import DataError
from tests.datasets.indi_inputs import (
    AFFINE,
    NAMES,
    OPTIONS,
    RAW_AFFINE,
    RAW_FILES,
    SHAPE,
    brain,
    put,
    put_raw,
    put_table,
)
from workflows.running.options import build


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("WARPBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("WARPBENCH_MIRROR", raising=False)
    return tmp_path / "cache" / "indi"


@pytest.fixture
def four(cache):
    for seed, name in enumerate(NAMES):
        put(cache / "abide1", name, seed)
    return cache / "abide1"


def imported(tmp_path, **options):
    indi.prepare(tmp_path / "prepared", build(indi.Params, OPTIONS | options), name="abide")
    return open_dataset(tmp_path / "prepared")


def test_brains_are_read_about_their_middle_and_subjects_divided(tmp_path, four):
    data = imported(tmp_path)
    about = data.description
    tested = {case for pair in data.test_pairs for case in (pair.fixed, pair.moving)}
    assert (len(data.training_cases), len(data.test_pairs), len(tested)) == (2, 2, 2)
    assert not tested & set(data.training_cases)
    assert set(about.subjects) == {name.replace("_", "-") for name in NAMES}
    for seed, name in enumerate(NAMES):
        image, labels = brain(seed)
        box = np.argwhere(image > 0)
        middle = (AFFINE @ [*((box.min(0) + box.max(0)) / 2), 1])[:3]
        steps = (np.indices((20, 22, 18)).reshape(3, -1) - np.array([[9.5], [10.5], [8.5]])) * 1.2
        world = middle[:, None] + steps * np.array([[-1], [-1], [1]])
        voxels = np.linalg.solve(AFFINE, np.vstack([world, np.ones(world.shape[1])]))[:3]
        read = ndimage.map_coordinates(image.astype(float), voxels, order=1, mode="grid-constant")
        case = name.replace("_", "-")
        found = data.image(case)
        wanted = np.clip(read / np.percentile(image[image > 0], 99.9), 0, 1)
        np.testing.assert_allclose(found.array.ravel(), wanted, atol=1e-5)
        assert found.orientation == ("L", "P", "S")
        if case in tested:
            nearest = ndimage.map_coordinates(np.where(labels == 77, 0, labels), voxels, order=0, mode="grid-constant")
            np.testing.assert_array_equal(Truth(data.folder).labels(case).ravel(), nearest)


def test_a_brain_that_the_grid_cuts_is_said(tmp_path, four):
    notes = imported(tmp_path, shape=[8, 22, 18]).description.notes
    assert len(notes) == 4
    assert all(note.endswith("the grid cuts its brain") for note in notes)


def test_subjects_are_those_of_the_table_and_come_one_by_one(tmp_path, four, monkeypatch):
    """What is not there is fetched under the bucket's own key; here a mirror stands for it."""
    mirror = tmp_path / "mirror"
    shutil.move(str(four.parent), mirror / "indi")
    put_table(mirror)
    shutil.rmtree(mirror / "indi" / "abide1" / NAMES[0])
    monkeypatch.setenv("WARPBENCH_MIRROR", str(mirror))
    wanted = indi.supply(build(indi.Params, OPTIONS))
    assert [piece.name for piece in wanted.missing] == [f"{NAMES[0]}/mri/{kind}.mgz" for kind in ("brain", "aseg")]
    assert all(piece.comes for piece in wanted.missing)
    assert wanted.lack() == ""
    bucket = "https://s3.amazonaws.com/fcp-indi/data/Projects/ABIDE_Initiative/Outputs/freesurfer/5.1"
    assert wanted.missing[0].source == f"{bucket}/Caltech_0051456/mri/brain.mgz"
    put(tmp_path / "cache" / "indi" / "abide1", NAMES[0], 0)
    assert len(imported(tmp_path).description.subjects) == 4
    with pytest.raises(DataError, match="9 subjects wanted, FreeSurfer's output is there of 4"):
        imported(tmp_path, training=7)


def test_without_the_table_it_is_named_first(cache):
    first, rest = indi.supply(build(indi.Params, OPTIONS)).pieces
    assert first.name == "Phenotypic_V1_0b_preprocessed1.csv"
    assert (first.comes, rest.name) == (True, "brain.mgz and aseg.mgz of 4 subjects")


@pytest.mark.parametrize("collection", RAW_FILES)
def test_raw_scans_are_read_in_their_own_layout_to_learn_from_alone(collection, tmp_path, cache):
    case = RAW_FILES[collection][1]
    put_raw(cache, collection)
    data = imported(tmp_path, collection=collection)
    assert case in data.training_cases
    assert (len(data.training_cases), data.test_pairs) == (2, [])
    assert not data.description.labels
    middle = (RAW_AFFINE @ [*((np.array(SHAPE) - 1) / 2), 1])[:3]
    steps = (np.indices((20, 22, 18)).reshape(3, -1) - np.array([[9.5], [10.5], [8.5]])) * 1.2
    voxels = np.linalg.solve(RAW_AFFINE[:3, :3], middle[:, None] + steps * np.array([[-1], [-1], [1]]))
    read = ndimage.map_coordinates(brain(0)[0].astype(float), voxels, order=1, mode="grid-constant")
    wanted = np.clip(read / np.percentile(brain(0)[0][brain(0)[0] > 0], 99.9), 0, 1)
    np.testing.assert_allclose(data.image(case).array.ravel(), wanted, atol=1e-5)


@pytest.mark.parametrize("collection", RAW_FILES)
def test_what_is_missing_of_raw_scans_comes_with_the_command_that_fetches_it(collection, cache):
    lack = indi.supply(build(indi.Params, {"collection": collection, "training": 3})).lack()
    assert f"3 more T1 scans of {collection}" in lack
    assert (
        f"aws s3 sync --no-sign-request s3://fcp-indi/data/Projects/{'ABIDE2' if '2' in collection[-1] else 'ADHD200'}"
        in lack
    )


def test_damaged_volumes_are_named(tmp_path, four):
    path = four / NAMES[1] / "mri" / "brain.mgz"
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(DataError, match=r"CMU_a_0050642/mri/brain\.mgz: not a readable MGH volume"):
        imported(tmp_path)
    nib.save(nib.MGHImage(np.zeros(SHAPE, np.uint8), AFFINE), path)
    with pytest.raises(DataError, match=r"brain\.mgz: no voxel above 0"):
        imported(tmp_path)
    nib.save(nib.MGHImage(brain(0)[0][:-1], AFFINE), path)
    with pytest.raises(DataError, match=r"aseg\.mgz: lies otherwise than"):
        imported(tmp_path)


@pytest.mark.parametrize("options", [{"test": 1}, {"training": -1}, {"training": 0, "validation": 0, "test": 0}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(DataError, match="expected"):
        build(indi.Params, options)
