"""The phantoms: the truth is exact and does not fold, the difficulty is as stated, the seed decides everything."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import BSpline

from datasets import geometry, phantom
from datasets.case import Truth, open_dataset
from datasets.grid import Grid
from datasets.phantoms import brain, liver
from datasets.phantoms.fields import Chain, Deformation, SmoothField, mesh, random_field, solve, true_displacement
from datasets.phantoms.shapes import Canvas, Tubes, Waves, box, difference, ellipsoid, intersection, rotation, union
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


# Fields


def test_field_is_the_tensor_product_of_cubic_b_splines():
    rng = np.random.default_rng(0)
    field = SmoothField(rng.standard_normal((3, 6, 7, 8)), np.array([-9.0, 4.0, 0.5]), np.array([5.0, 7.0, 3.0]))
    points = field.origin[:, None] + field.knot_spacing[:, None] * rng.uniform(1, np.array([[4], [5], [6]]), (3, 30))
    weights = [
        BSpline(o + h * np.arange(-2, n + 2), np.eye(n), 3)(p)
        for o, h, n, p in zip(field.origin, field.knot_spacing, (6, 7, 8), points, strict=True)
    ]
    np.testing.assert_allclose(field(points), np.einsum("cijk,pi,pj,pk->cp", field.coefficients, *weights), atol=1e-12)


def test_field_on_a_grid_is_the_field_at_its_points():
    rng = np.random.default_rng(1)
    field = random_field(rng, centre=(3, -4, 5), extent_mm=(90, 70, 80), knot_mm=30, amplitude_mm=2)
    grid = Grid((9, 7, 5), (14.0, 13.0, 21.0))  # reaches beyond the box, where the field is constant
    np.testing.assert_allclose(field.on_grid(grid.axes), field(mesh(grid.axes)), atol=1e-12)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31), st.floats(15, 60), st.floats(0.1, 40), st.floats(0.1, 0.9))
def test_random_field_stretches_no_more_than_its_limit(seed, knot, amplitude, limit):
    rng = np.random.default_rng(seed)
    box_mm = {"centre": rng.uniform(-9, 9, 3), "extent_mm": rng.uniform(80, 140, 3)}
    field = random_field(rng, **box_mm, knot_mm=knot, amplitude_mm=amplitude, limit=limit)
    a = rng.uniform(-60, 60, (3, 400))
    b = a + rng.standard_normal((3, 400)) * rng.choice([0.1, 5, 40], 400)
    change = np.linalg.norm(field(a) - field(b), axis=0)
    assert np.all(change <= 1.1 * limit * np.linalg.norm(a - b, axis=0))


def test_random_field_has_the_amplitude_asked_for():
    rng = np.random.default_rng(4)
    field = random_field(
        rng, centre=(9, 0, -5), extent_mm=(300, 260, 280), knot_mm=25, amplitude_mm=(1, 2, 0.5), limit=9
    )
    points = np.array([[9], [0], [-5]]) + rng.uniform(-125, 125, (3, 20000))
    np.testing.assert_allclose(np.sqrt(np.mean(field(points) ** 2, axis=1)), [1, 2, 0.5], rtol=0.12)


def test_solve_inverts_an_affine_map():
    rng = np.random.default_rng(5)
    matrix, shift = rng.standard_normal((3, 3)) * 0.12, rng.standard_normal(3) * 9
    wanted = rng.uniform(-50, 50, (3, 5, 7))
    expected = np.tensordot(np.linalg.inv(np.eye(3) + matrix), wanted - shift[:, None, None], 1)
    np.testing.assert_allclose(solve(Deformation((), matrix, shift), wanted, iterations=60), expected, atol=1e-9)


def test_true_displacement_between_affine_subjects():
    rng = np.random.default_rng(6)
    (a, s), (b, t) = ((rng.standard_normal((3, 3)) * 0.06, rng.standard_normal(3) * 5) for _ in range(2))
    grid, centre = Grid((17, 20, 38), (3.0, 2.0, 1.5)), np.array([-12.0, 2.0, 7.0])
    x = mesh(grid.axes) + centre[:, None, None, None]
    target = np.tensordot(np.eye(3) + a, x, 1) + (s - t)[:, None, None, None]
    y = np.tensordot(np.linalg.inv(np.eye(3) + b), target, 1)
    expected = (y - x) / np.array([3, 2, 1.5])[:, None, None, None]
    got = true_displacement(Chain((Deformation((), a, s),)), Chain((Deformation((), b, t),)), grid, centre=centre)
    np.testing.assert_allclose(got, expected, atol=1e-3)


@pytest.mark.parametrize("template", [liver, brain])
def test_hardest_subjects_still_map_onto_each_other_exactly_and_do_not_fold(template):
    grid = Grid((30, 34, 26), tuple(e / n for e, n in zip(template.EXTENT_MM, (30, 34, 26), strict=True)))
    centre = np.asarray(template.CENTRE_MM)[:, None, None, None]
    for seed in range(3):
        rngs = [np.random.default_rng([seed, k]) for k in range(3)]
        fixed, moving = (Chain((template.variability(rng, 1.5),)) for rng in rngs[:2])
        if template is liver:
            moving = Chain((liver.second_scan(rngs[2], 1.5), *moving.parts))
        u = true_displacement(fixed, moving, grid, centre=template.CENTRE_MM)
        x = mesh(grid.axes) + centre
        y = x + u * np.asarray(grid.spacing)[:, None, None, None]
        assert np.abs(moving(y) - fixed(x)).max() < 0.15
        options = {"edge_mm": 4.0, "contrast": template.contrast(rngs[0])}
        first, second = (template.paint(p.reshape(3, -1), **options)[1] for p in (fixed(x), moving(y)))
        assert np.mean(first != second) < 2e-3
        assert geometry.jacobian_determinant(u).min() > 0.1


def test_grid_is_centred_and_points_left_posterior_superior():
    grid = Grid((5, 7, 9), (2.0, 1.0, 3.0))
    assert nib.aff2axcodes(grid.affine) == ("L", "P", "S")
    np.testing.assert_allclose(grid.affine @ [2, 3, 4, 1], [0, 0, 0, 1])
    voxels = np.array([[0, 0, 0], [4, 6, 8], [1.5, 2, 7]])
    points = np.stack([np.interp(voxels[:, k], np.arange(n), grid.axes[k]) for k, n in enumerate(grid.shape)])
    np.testing.assert_allclose(grid.to_voxels(points.T), voxels)
    np.testing.assert_allclose(grid.to_mm(voxels), points.T)
    np.testing.assert_allclose(grid.origin, points[:, 0])


# Shapes


def test_distances_to_simple_solids():
    points = np.random.default_rng(7).uniform(-30, 30, (3, 500)).astype(np.float32)
    sphere = ellipsoid(points, (2, -3, 4), (9, 9, 9), rotation(x=20, z=50))
    np.testing.assert_allclose(sphere, np.linalg.norm(points.T - [2, -3, 4], axis=1) - 9, atol=1e-3)
    inside = np.abs(points.T - [1, 2, 3])
    np.testing.assert_array_equal(box(points, (1, 2, 3), (8, 9, 10), corner=0) < 0, np.all(inside < [8, 9, 10], axis=1))
    other = ellipsoid(points, (0, 0, 0), (20, 6, 12))
    np.testing.assert_array_equal(union(sphere, other) < 0, (sphere < 0) | (other < 0))
    np.testing.assert_array_equal(intersection(sphere, other) < 0, (sphere < 0) & (other < 0))
    np.testing.assert_array_equal(difference(other, sphere) < 0, (other < 0) & (sphere > 0))
    assert np.all(union(sphere, other, blend=5) <= union(sphere, other))


def test_rotated_ellipsoid_points_where_it_was_turned():
    turn = rotation(z=30)
    tip = turn @ np.array([20, 0, 0], np.float32)
    assert abs(float(ellipsoid(tip[:, None] + 1, (1, 1, 1), (20, 5, 5), turn)[0])) < 1e-3
    np.testing.assert_allclose(tip, [20 * np.cos(np.pi / 6), 20 * np.sin(np.pi / 6), 0], atol=1e-5)


def test_distance_to_a_straight_tube():
    tube = Tubes.along([(0, 0, 0, 3), (0, 0, 30, 3)])
    points = np.random.default_rng(8).uniform((-6, -6, 0), (6, 6, 30), (300, 3)).T
    np.testing.assert_allclose(tube.distance(points, reach=9), np.hypot(*points[:2]) - 3, atol=0.35)
    assert np.all(tube.distance(points + 40) > 100)


def test_partial_volume_keeps_the_volume_of_a_sphere():
    grid = Grid((15, 18, 21), (2.0, 2.2, 1.8))
    canvas = Canvas.blank(15 * 18 * 21, value=1.0, edge_mm=2.0)
    canvas.add(ellipsoid(mesh(grid.axes).reshape(3, -1), (0.4, -0.7, 0.2), (11, 11, 11)), 3.0, 5)
    volume = 4 / 3 * np.pi * 11**3
    assert (canvas.intensity - 1).sum() / 2 * np.prod(grid.spacing) == pytest.approx(volume, rel=0.01)
    assert np.sum(canvas.labels == 5) * np.prod(grid.spacing) == pytest.approx(volume, rel=0.05)


def test_sheets_of_waves_lie_where_the_pattern_changes_sign():
    waves = Waves.draw(3, wavelength_mm=20.0, count=12)
    points = np.random.default_rng(9).uniform(-200, 200, (3, 3000)).astype(np.float32)
    value, near = waves.value(points), waves.sheet_distance(points) < 0.1
    assert np.std(value) == pytest.approx(1, abs=0.1)
    assert np.abs(value[near]).max() < 0.12 < np.abs(value).mean()


# Prepared data


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
