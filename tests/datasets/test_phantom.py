"""The phantoms: the truth is exact and does not fold, the difficulty is as stated, the seed decides everything."""

from __future__ import annotations

import numpy as np
import pytest

from datasets import geometry, phantom
from datasets.case import Truth, open_dataset
from datasets.grid import Grid
from datasets.phantoms import liver
from datasets.phantoms.fields import Chain, Deformation
from workflows.running.options import build

SHAPE = [44, 48, 40]
DESIGNS = {
    "liver": {"anatomy": "liver", "design": "inter_subject", "shape": SHAPE, "training": 1, "test": 3, "seed": 1},
    "paired": {"anatomy": "liver", "design": "intra_subject", "shape": SHAPE, "training": 1, "test": 1, "seed": 2},
    "brain": {"anatomy": "brain", "design": "atlas", "shape": SHAPE, "training": 1, "test": 4, "seed": 3},
}
TINY = {"anatomy": "liver", "shape": [20, 18, 16], "training": 1, "test": 2}
LARGE = {"liver": (1, 2, 4, 6), "paired": (1, 2, 3, 4), "brain": (33, 1, 5, 7, 9, 16, 22, 24)}  # the largest first


@pytest.fixture(scope="module", params=list(DESIGNS))
def prepared(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    phantom.prepare(folder, build(phantom.Params, DESIGNS[request.param]), name=f"phantom-{request.param}")
    return request.param, open_dataset(folder), Truth(folder)


def _dice(a, b, label):
    return 2 * np.sum((a == label) & (b == label)) / (np.sum(a == label) + np.sum(b == label))


def test_files_are_complete_and_match_their_description(prepared):
    name, data, truth = prepared
    options, about = DESIGNS[name], data.description
    data.check_files()
    assert {str(p.relative_to(data.folder)) for p in data.folder.rglob("*.*z")} <= set(about.files)
    assert (about.shape, about.name, about.phantom) == (tuple(options["shape"]), f"phantom-{name}", True)
    assert set(about.evaluated_labels) <= set(about.labels)
    assert about.intensity.low < about.intensity.high
    for key in ("title", "modality", "licence", "source", "parameters", "preprocessing", "orientation"):
        assert getattr(about, key)
    for case in about.subjects:
        volume, mask, labels = data.image(case), data.mask(case), truth.labels(case)
        assert volume.array.shape == mask.shape == labels.shape == tuple(options["shape"])
        np.testing.assert_allclose(volume.spacing, about.spacing, rtol=1e-5)
        assert volume.orientation == tuple(about.orientation) == ("L", "P", "S")
        assert 0 <= volume.array.min() < 0.05 < 0.75 < volume.array.max() <= 1
        assert not np.any(labels[~mask])
        assert set(np.unique(labels)) - {0} == set(about.labels)


def test_pairs_follow_the_design_and_training_subjects_are_not_tested(prepared):
    name, data, _ = prepared
    of = data.description.subjects
    pairs = [(pair.fixed, pair.moving) for pair in data.test_pairs]
    tested = {of[case] for pair in pairs for case in pair} - {"atlas"}
    assert tested.isdisjoint({of[case] for case in data.training_cases})
    if name == "liver":
        assert len(set(pairs)) == 3 * 2
    elif name == "brain":
        assert {fixed for fixed, _ in pairs} == {"atlas"} == {pair.fixed for pair in data.training_pairs}
        assert len(data.training_pairs) == 1
    else:
        assert pairs == [("test000_a", "test000_b"), ("test000_b", "test000_a")]
        assert len(data.training_pairs) == 2
        assert all(of[pair.fixed] == of[pair.moving] for pair in data.training_pairs)


def test_true_displacement_brings_labels_landmarks_and_images_together(prepared):
    name, data, truth = prepared
    for pair in data.test_pairs:
        u, fixed = truth.displacement(pair), truth.labels(pair.fixed)
        end = geometry.identity_grid(SHAPE) + u
        seen = np.all((end >= 0) & (end <= np.reshape(SHAPE, (3, 1, 1, 1)) - 1), axis=0)  # not beyond the moving image
        warped = geometry.warp(truth.labels(pair.moving), u, order=0)
        scores = [_dice(fixed[seen], warped[seen], label) for label in LARGE[name]]
        # What is lost is the nearest voxel's: at 4 mm the leaves of the cerebellum are one voxel thick.
        assert min(scores) > (0.7 if name == "brain" else 0.84)
        assert scores[0] > (0.85 if name == "brain" else 0.95)
        a, b = truth.landmarks(pair)
        assert len(a) >= 30
        assert np.abs(a - b).max() > 1
        assert np.abs(geometry.move_points(u, a) - b).max() < 0.1
        assert geometry.jacobian_determinant(u).min() > 0.1
        images = [data.image(case).array for case in (pair.fixed, pair.moving)]
        before, after = (
            np.corrcoef(images[0].ravel(), x.ravel())[0, 1] for x in (images[1], geometry.warp(images[1], u))
        )
        assert 1 - after < min(0.2, 0.5 * (1 - before))


def test_difficulty_is_that_of_the_real_sets(prepared):
    name, data, truth = prepared
    evaluated = data.description.evaluated_labels
    scores = [
        np.mean([_dice(truth.labels(pair.fixed), truth.labels(pair.moving), k) for k in evaluated])
        for pair in data.test_pairs
    ]
    low, high = {"liver": (0.6, 0.8), "paired": (0.7, 0.92), "brain": (0.5, 0.65)}[name]
    assert low < np.mean(scores) < high


def test_same_seed_same_files_and_more_subjects_leave_the_others(tmp_path):
    files, more = {}, {"training": 2, "test": 3}
    for name, options in (("first", {}), ("again", {}), ("more", more), ("other", {"seed": 2})):
        phantom.prepare(tmp_path / name, build(phantom.Params, {**TINY, "seed": 1, **options}), name=name)
        files[name] = open_dataset(tmp_path / name).description.files
    assert files["first"] == files["again"]
    assert files["first"].items() < files["more"].items()
    assert files["first"].keys() == files["other"].keys()
    changed = {path for path, digest in files["first"].items() if files["other"][path] != digest}
    assert changed == set(files["first"])


def test_without_difficulty_all_subjects_are_one(tmp_path):
    phantom.prepare(tmp_path, build(phantom.Params, {**TINY, "difficulty": 0.0}), name="same")
    data, truth = open_dataset(tmp_path), Truth(tmp_path)
    for pair in data.test_pairs:
        np.testing.assert_array_equal(truth.labels(pair.fixed), truth.labels(pair.moving))
        np.testing.assert_allclose(truth.displacement(pair), 0, atol=1e-5)
        assert not np.array_equal(data.image(pair.fixed).array, data.image(pair.moving).array)  # contrast and noise


def test_spacing_decides_the_field_of_view():
    template = Chain((Deformation((), np.zeros((3, 3)), np.zeros(3)),))
    coarse = phantom.draw(liver, template, Grid((20, 16, 18), (12.0, 13.0, 11.0)), rng=np.random.default_rng(0))
    part = phantom.draw(liver, template, Grid((40, 32, 36), (3.0, 6.5, 5.5)), rng=np.random.default_rng(0))
    voxels = [np.sum(labels == 1) * v for (_, labels, _), v in ((coarse, 12 * 13 * 11), (part, 3 * 6.5 * 5.5))]
    assert voxels[0] == pytest.approx(1.9e6, rel=0.06)
    assert 0.3 < voxels[1] / voxels[0] < 0.7  # 120 of its 210 mm from right to left


def test_lung_phantoms_come_from_the_same_door(tmp_path):
    params = phantom.Params(anatomy="lung", shape=(24, 20, 22), training=1, test=1)
    phantom.prepare(tmp_path, params, name="lungs")
    data = open_dataset(tmp_path)
    assert (data.name, data.description.parameters["design"]) == ("lungs", "intra_subject")
    assert Truth(tmp_path).displacement(data.test_pairs[0]).shape == (3, 24, 20, 22)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"anatomy": "heart"}, "option anatomy: .*'heart'"),
        ({"design": "pairs"}, "option design: .*'pairs'"),
        ({"anatomy": "brain", "design": "intra_subject"}, "the brain has no second scan"),
        ({"shape": [64, 64, 8]}, r"at least 16, got \[64, 64, 8\]"),
        ({"spacing": [1.0, 0.0, 1.0]}, "three positive numbers"),
        ({"test": 1}, "test >= 2, got 1 and 1"),
        ({"difficulty": 3.0}, "difficulty must lie in .* got 3.0"),
    ],
)
def test_wrong_options_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        build(phantom.Params, {**TINY, **wrong})
