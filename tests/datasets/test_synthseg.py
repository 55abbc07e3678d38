"""Real label maps with synthesised images: how they are aligned, drawn and split, and what is said of them."""

import os
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from datasets import brain_pair, synthseg
from datasets.case import Truth, open_dataset
from datasets.files import DataError
from datasets.synthesis import t1
from datasets.synthesis.alignment import LabelMap, align, centroids, moved, parts
from tests.datasets.head_inputs import LIA, SHAPE, VOXEL, head, pose, put_all
from workflows.running.options import build


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    monkeypatch.setenv("WARPBENCH_MIRROR", str(tmp_path / "mirror"))
    monkeypatch.setenv("WARPBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "mirror"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("heads")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WARPBENCH_MIRROR", str(folder / "mirror"))
        put_all(folder / "mirror", patch)
        return made(folder / "data")


def made(folder, **options):
    synthseg.prepare(folder, build(synthseg.Params, {"spacing": 4, **options}), name="heads")
    return open_dataset(folder)


def mean_dice(one, other, labels):
    found = [2 * ((one == n) & (other == n)).sum() / ((one == n).sum() + (other == n).sum()) for n in labels]
    return float(np.mean(found))


def posed(number):
    """A subject's map without a file, on voxels of 4 mm, and its affine."""
    affine = np.eye(4)
    affine[:3, :3] = LIA * VOXEL
    affine[:3, 3] = -affine[:3, :3] @ (np.asarray(SHAPE) - 1) / 2
    voxels = np.indices(SHAPE).reshape(3, -1)
    own = np.linalg.inv(pose(number)) @ affine
    labels = head(own[:3, :3] @ voxels + own[:3, 3:]).reshape(SHAPE)
    return LabelMap(f"subject {number}", labels.astype(np.int16), affine)


# Alignment


def test_alignment_undoes_how_subjects_lie():
    maps = [posed(number) for number in range(4)]
    fits, away = align(maps, [0, 1, 2])
    assert away < 1.0
    # The same head in the same place: fit after pose is one map for all.
    common = [fit @ pose(number) for number, fit in enumerate(fits)]
    corners = np.array(np.meshgrid(*[(-70.0, 70.0)] * 3)).reshape(3, -1).T
    reached = np.stack([moved(corners, affine) for affine in common])
    assert np.abs(reached - reached.mean(axis=0)).max() < 3.0  # voxels are 4 mm
    apart = np.stack([moved(corners, pose(number)) for number in range(4)])
    assert np.abs(apart - apart.mean(axis=0)).max() > 15


def test_marks_are_centroids_of_structures_and_of_their_eighths():
    found = posed(1)
    voxels = np.argwhere(found.labels == 16)
    expected = moved(voxels, found.affine).mean(axis=0)
    assert any(np.allclose(mark, expected) for mark in centroids(found))
    eighths = parts(found, np.linalg.inv(pose(1)))[:8]  # of the first of the large structures
    places = moved(np.argwhere(found.labels == 2), found.affine)
    mapped = moved(places, np.linalg.inv(pose(1)))
    upper = np.all(mapped > mapped.mean(axis=0), axis=1)
    assert np.allclose(eighths[7], places[upper].mean(axis=0))


def test_a_map_on_a_grid_is_the_map_at_the_nearest_voxel():
    found, affine = posed(2), synthseg.grid_affine(8)
    got = found.onto(affine, (20, 24, 28), pose(3))
    voxel = np.array([9, 12, 13])
    place = moved(voxel[None], affine)
    there = moved(moved(place, np.linalg.inv(pose(3))), np.linalg.inv(found.affine))[0]
    assert got[tuple(voxel)] == found.labels[tuple(np.rint(there).astype(int))]
    assert got.any()


def test_cropping_moves_nothing_and_keeps_the_brain():
    found = posed(0)
    brain = t1.brain_table()
    small = found.cropped(brain)
    assert small.labels.size < found.labels.size
    assert np.allclose(centroids(small), centroids(found))


@pytest.mark.parametrize("spacing", [1, 2, 4, 8])
def test_the_grid_covers_what_that_of_the_brain_pair_does(spacing):
    shape = np.asarray(synthseg.Params(spacing=spacing).shape)
    for corner in (-0.5 * np.ones(3), shape - 0.5):
        fine = (corner + 0.5) * spacing - 0.5
        got, expected = (moved(at[None], affine) for at, affine in
                         ((corner, synthseg.grid_affine(spacing)), (fine, brain_pair.AFFINE)))  # fmt: skip
        assert np.allclose(got, expected)


# Intensities


@pytest.mark.parametrize("label", [2, 42, 43, 24])
def test_a_structure_has_its_mean_and_spread(label):
    tissue = next(each for each in t1.TISSUES if label in each.labels)
    image = t1.draw(np.full((40, 36, 44), label), 1.0, np.random.default_rng(label))
    assert image.mean() == pytest.approx(tissue.mean, rel=4 * np.hypot(t1.GAIN, t1.JITTER))
    assert image.std() == pytest.approx(np.sqrt(tissue.spread**2 - t1.NOISE**2), rel=0.12)


def test_contrast_is_that_of_t1():
    labels = np.repeat([2, 3, 24], 20)[:, None, None] * np.ones((1, 30, 30), int)
    white, cortex, fluid = (t1.draw(labels, 1.0, np.random.default_rng(0))[k : k + 12].mean() for k in (4, 24, 44))
    assert white > 1.3 * cortex > 1.9 * fluid


def test_larger_voxels_hold_the_mean_of_what_lies_in_them():
    image = np.random.default_rng(0).random((6, 8, 4))
    got = t1.block_mean(image, 2)
    assert got.shape == (3, 4, 2)
    assert got[1, 2, 1] == pytest.approx(image[2:4, 4:6, 2:4].mean(), abs=1e-6)


def test_noise_without_signal_is_rician():
    noise = t1.acquire(np.zeros((40, 40, 40), np.float32), 1.0, np.random.default_rng(1))
    assert noise.mean() == pytest.approx(t1.NOISE * np.sqrt(np.pi / 2), rel=0.02)  # Rayleigh
    signal = t1.acquire(np.full((40, 40, 40), 0.4, np.float32), 2.0, np.random.default_rng(1))
    smooth = ndimage.gaussian_filter(signal, 4)
    assert 0.01 < smooth.std() / 0.4 < 0.2  # the bias field


def test_the_mask_is_the_brain_and_narrow_grooves():
    labels = np.full((30, 30, 30), 24)
    labels[5:25, 5:25, 5:25] = 3
    labels[14:16, 5:25, 10:25] = 24  # a groove of 2 mm
    mask = t1.brain_mask(labels, 1.0)
    assert mask[labels == 3].all()
    assert mask[14, 15, 16]
    assert not mask[2].any()


# The data set


def test_subjects_are_split_and_registered_both_ways(prepared):
    about = prepared.description
    assert prepared.training_cases == [f"s{n:02d}" for n in range(1, 11)]
    assert {pair.fixed for pair in prepared.validation_pairs} == {"s11", "s12"}
    assert {pair.moving for pair in prepared.test_pairs} == {f"s{n:02d}" for n in range(13, 21)}
    assert (len(prepared.training_pairs), len(prepared.validation_pairs), len(prepared.test_pairs)) == (90, 2, 56)
    assert len(set(about.subjects.values())) == 20
    assert about.orientation == ("L", "I", "A")
    assert about.shape == (40, 48, 56)
    prepared.check_files()


def test_what_is_synthetic_is_said_wherever_numbers_stand(prepared):
    about = prepared.description
    assert "synthetic" in about.display_title
    assert "synthesised" in about.modality
    assert not about.phantom  # the anatomy is real
    assert any("synthesised" in note for note in about.notes)
    assert set(about.evaluated_labels) | {24, 31, 63} == set(brain_pair.NAMES)


def test_heads_overlap_after_alignment_and_not_before(prepared):
    truth = Truth(prepared.folder)
    aligned = [truth.labels(case) for case in ("s13", "s14", "s20")]
    labels = prepared.description.evaluated_labels
    stored = [posed(number).labels for number in (12, 13, 19)]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert mean_dice(aligned[one], aligned[other], labels) > 0.7
        assert mean_dice(stored[one], stored[other], labels) < 0.5


def test_images_are_skull_stripped_and_show_their_labels(prepared):
    truth = Truth(prepared.folder)
    for case in ("s01", "s13"):
        image, mask, labels = prepared.image(case).array, prepared.mask(case), truth.labels(case)
        assert not image[~mask].any()
        assert not labels[~mask].any()
        assert labels.max() < 500
        assert image[labels == 2].mean() > image[labels == 3].mean() > image[labels == 4].mean()
        assert 0.3 < image[labels == 2].mean() < 0.5


def test_each_subject_draws_from_its_own_stream(tmp_path, mirror, monkeypatch, prepared):
    put_all(mirror, monkeypatch)
    few = made(tmp_path / "few", training=1, validation=0, test=2)
    assert few.training_cases == ["s01"]
    assert len(few.test_pairs) == 2
    everything = prepared.description.files
    assert few.description.files.items() <= everything.items()
    other = made(tmp_path / "other", training=1, validation=0, test=2, seed=1).description.files
    changed = {file for file, known in few.description.files.items() if other[file] != known}
    assert changed == {f"images/{case}.nii.gz" for case in ("s01", "s13", "s14")}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda labels: labels * 0, "no label of a brain in this map"),
        (lambda labels: labels + np.float32(0.5), "no whole numbers"),
        (lambda labels: np.where(labels == 3, 3, 0).astype(np.int32), "marks to align the map by"),
    ],
)
def test_a_file_that_is_no_label_map_of_a_brain_is_refused(tmp_path, mirror, monkeypatch, change, words):
    put_all(mirror, monkeypatch, s03=change)
    with pytest.raises(DataError, match=rf"training_seg_03\.nii\.gz: .*{words}"):
        made(tmp_path / "data")


def test_a_file_that_cannot_be_had_is_named_with_what_to_do(tmp_path, mirror, monkeypatch):
    put_all(mirror, monkeypatch)
    (mirror / synthseg.MAPS[4].name).write_bytes(b"another file")
    with pytest.raises(DataError, match=r"training_seg_05\.nii\.gz: wrong checksum .*replace this copy in the mirror"):
        made(tmp_path / "data")


@pytest.mark.parametrize(
    ("options", "words"),
    [({"spacing": 3}, "1, 2, 4 or 8 mm, got 3"), ({"test": 9}, "test must be 0 to 8"), ({"validation": 1}, "no pair")],
)
def test_options_that_cannot_be_are_refused(options, words):
    with pytest.raises(DataError, match=words):
        build(synthseg.Params, options)


# The genuine maps


@pytest.fixture(scope="module")
def genuine(tmp_path_factory):
    mirror = os.environ.get("WARPBENCH_MIRROR", "")
    if not (Path(mirror) / synthseg.MAPS[0].name).is_file():
        pytest.skip("set WARPBENCH_MIRROR to a folder that holds synthseg/*.nii.gz (see datasets/README.md)")
    return made(tmp_path_factory.mktemp("synthseg"), spacing=2, training=1, test=3)


@pytest.mark.slow
def test_genuine_maps_overlap_about_as_the_real_pair_does(genuine):
    truth, labels = Truth(genuine.folder), genuine.description.evaluated_labels
    dice = [mean_dice(truth.labels(pair.fixed), truth.labels(pair.moving), labels) for pair in genuine.test_pairs]
    assert len(labels) == 27
    assert 0.4 < np.mean(dice) < 0.6
    assert min(dice) > 0.3


@pytest.mark.slow
def test_genuine_brains_lie_whole_in_the_field_of_view(genuine):
    for case in [*genuine.training_cases, "s13", "s14", "s15"]:
        mask = genuine.mask(case)
        volume = mask.sum() * 8 / 1e6
        assert 0.9 < volume < 2.0  # litres
        assert not any(mask.take(end, axis=axis).any() for axis in range(3) for end in (0, -1))
