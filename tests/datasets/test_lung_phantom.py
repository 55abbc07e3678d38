"""The lung phantom: its truth is exact, its lungs slide, thin and stay whole, and its bore stands still."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets import geometry
from datasets.case import Pair, Truth, Writer, open_dataset
from datasets.grid import Grid
from datasets.phantoms import tree
from datasets.phantoms.fields import mesh
from datasets.phantoms.lung import prepare as lung
from datasets.phantoms.lung.breathing import BORE_RADIUS, table_top
from datasets.phantoms.options import Params

SHAPE = (44, 40, 36)


def _grid(shape):
    return Grid(shape, tuple(extent / n for extent, n in zip(lung.EXTENT_MM, shape, strict=True)))


@pytest.fixture(scope="module")
def scans():
    return lung.draw_pair(np.random.default_rng(5), _grid(SHAPE), tre_mm=11.0)


def _inside_at_inhale(scans, count=4000, depth=3.0):
    """Random points, mm ``(3, n)``, that lie in a lung at inhale."""
    half = np.asarray(lung.EXTENT_MM)[:, None] / 2
    points = np.random.default_rng(0).uniform(-half, half, (3, count))
    return points[:, np.minimum(*scans.chest.lungs(scans.breathing(points))) < -depth]


def _ellipsoid(points):
    return (points[0] / 60) ** 2 + (points[1] / 35) ** 2 + (points[2] / 90) ** 2 < 1


def _grow(seed, tips=60):
    bounds = [(-60, -35, -90), (60, 35, 90)]
    options = {"inside": _ellipsoid, "bounds": bounds, "n_terminals": tips, "root_radius": 7.0}
    return tree.grow(np.random.default_rng(seed), root=(55, 0, 5), direction=(-2, 0, 0), **options)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.5, 6.0), st.floats(5.0, 60.0))
def test_distance_to_a_straight_tube_is_that_to_a_capsule(seed, radius, length):
    rng = np.random.default_rng(seed)
    axis = rng.standard_normal(3)
    axis /= np.linalg.norm(axis)
    start = rng.uniform(-20, 20, 3)
    side = np.cross(axis, rng.standard_normal(3))
    side /= np.linalg.norm(side)
    along, off = rng.uniform(-8, length + 8, 40), rng.uniform(0, radius + 9, 40)
    points = start[:, None] + np.outer(axis, along) + np.outer(side, off)
    beyond = np.maximum(np.maximum(-along, along - length), 0)
    expected = np.minimum(np.hypot(beyond, off) - radius, 10.0)
    capsule = tree.tube([start, start + length * axis], [radius, radius])
    np.testing.assert_allclose(tree.distance(capsule, points), expected, atol=1e-9)


def test_distance_agrees_with_looking_at_every_segment():
    grown = _grow(2)
    points = np.random.default_rng(1).uniform(-70, 70, (3, 5, 7, 9))
    flat = points.reshape(3, -1).T[:, None]
    axis = grown.ends - grown.starts
    t = np.clip(np.sum((flat - grown.starts) * axis, -1) / np.sum(axis**2, -1), 0, 1)[..., None]
    radius = grown.radii[:, 0] + t[..., 0] * (grown.radii[:, 1] - grown.radii[:, 0])
    every = (np.linalg.norm(flat - grown.starts - t * axis, axis=-1) - radius).min(axis=1)
    np.testing.assert_allclose(tree.distance(grown, points, reach=25.0), np.minimum(every, 25).reshape(5, 7, 9))


def test_trees_taper_by_murrays_law_and_hang_together():
    grown = _grow(3)
    assert len(grown.branchings) == 59
    assert np.all(grown.radii[:, 1] <= grown.radii[:, 0])
    for point in grown.branchings:
        into = np.flatnonzero(np.all(grown.ends == point, axis=1))
        out = np.flatnonzero(np.all(grown.starts == point, axis=1))
        assert (len(into), len(out)) == (1, 2)
        assert np.sum(grown.radii[out, 0] ** 3) == pytest.approx(grown.radii[into[0], 0] ** 3)


def test_trees_fill_their_region_and_follow_the_seed():
    grown = _grow(3)
    assert _ellipsoid(grown.ends.T).mean() > 0.98
    cloud = tree.fill(np.random.default_rng(0), inside=_ellipsoid, bounds=[(-60, -35, -90), (60, 35, 90)], n=400)
    assert np.mean(tree.distance(grown, cloud.T, reach=50.0)) < 9.0  # 60 tips in 790 ml: one in a cube of 24 mm
    np.testing.assert_array_equal(grown.ends, _grow(3).ends)
    assert not np.array_equal(grown.ends, _grow(4).ends)


def test_growth_refuses_an_empty_region():
    with pytest.raises(ValueError, match="fill: only 0 of"):
        tree.fill(np.random.default_rng(0), inside=lambda p: p[0] > 9, bounds=[(0, 0, 0), (1, 2, 3)], n=5)


def test_same_seed_same_pair():
    first, again, other = (
        lung.draw_pair(np.random.default_rng(seed), _grid((20, 18, 16)), tre_mm=8.0, tips=40) for seed in (1, 1, 2)
    )
    for part in ("fixed", "moving", "displacement", "fixed_landmarks", "moving_landmarks", "fixed_labels"):
        np.testing.assert_array_equal(getattr(first, part), getattr(again, part))
        assert not np.array_equal(getattr(first, part), getattr(other, part))


def test_truth_warps_exhale_onto_inhale(scans):
    warped = geometry.warp(scans.moving_labels, scans.displacement, order=0)
    for label in (*lung.LUNGS, 3, 4):
        after, before = (
            2
            * np.sum((a == label) & (scans.fixed_labels == label))
            / np.sum((a == label) * 1 + (scans.fixed_labels == label))
            for a in (warped, scans.moving_labels)
        )
        assert after > 0.92
        assert after > before + 0.04
    # What stays is interpolation of bones and skin on voxels of 6 to 8 mm; lungs differ by density.
    body = lung.field_of_view(scans.grid) & ~np.isin(scans.fixed_labels, lung.LUNGS)
    gap = np.abs(geometry.warp(scans.moving, scans.displacement) - scans.fixed)[body].mean()
    assert gap < 0.65 * np.abs(scans.moving - scans.fixed)[body].mean()


def test_fixed_image_is_the_moving_one_painted_at_displaced_points(scans):
    points = mesh(scans.grid.axes).reshape(3, -1)
    there = points + scans.displacement.reshape(3, -1) * np.asarray(scans.grid.spacing)[:, None]
    _, labels = scans.chest.paint(there, edge_mm=4.0)
    assert np.mean(labels == scans.fixed_labels.ravel()) > 0.9995  # float32 displacement flips a few at borders


def test_landmarks_lie_in_the_lungs_and_follow_the_truth(scans):
    fixed, moving = scans.fixed_landmarks, scans.moving_landmarks
    assert fixed.shape == moving.shape == (300, 3)
    # Read off the voxel grid, trilinearly, the field misses by its curvature alone: no landmark is near the pleura.
    assert np.abs(geometry.move_points(scans.displacement, fixed) - moving).max() < 0.1
    half, spacing = (np.asarray(SHAPE) - 1) / 2, np.asarray(scans.grid.spacing)
    at_inhale, at_exhale = (((p - half) * spacing).T for p in (fixed, moving))
    np.testing.assert_allclose(scans.breathing(at_inhale), at_exhale, atol=0.01 * spacing.min())
    assert np.minimum(*scans.chest.lungs(at_exhale)).max() < -2.9
    for labels, p in ((scans.fixed_labels, fixed), (scans.moving_labels, moving)):
        assert np.mean(np.isin(geometry.sample(labels, p.T, order=0), lung.LUNGS)) > 0.97
    gap = np.linalg.norm(at_exhale[:, :, None] - at_exhale[:, None], axis=0) + 1e3 * np.eye(300)
    assert gap.min() > 1.0  # spread out, none twice


def test_severities_cover_dirlab():
    tre = [
        lung.draw_pair(np.random.default_rng([0, 1, k]), _grid((18, 16, 14)), tre_mm=wanted, tips=60).tre_before
        for k, wanted in enumerate(lung.SEVERITY_MM)
    ]
    assert np.all((np.array(tre) > 3.8) & (np.array(tre) < 15.2))
    np.testing.assert_allclose(tre, lung.SEVERITY_MM, rtol=0.08)
    assert max(tre) > 3 * min(tre)


def test_bore_and_table_stand_still(scans):
    x, y, z = mesh(scans.grid.axes)
    outside = ~lung.field_of_view(scans.grid)
    table = (y - table_top(x) > -2) & ~outside
    for region in (outside, table):
        assert region.sum() > 500
        np.testing.assert_array_equal(scans.fixed[region], scans.moving[region])
        assert not np.any(scans.displacement[:, region])
    assert np.all(scans.fixed[np.hypot(x, y) > BORE_RADIUS + 5] == -1024)
    assert scans.fixed[outside].max() > 50  # the ring is bright
    assert scans.fixed[table & (np.abs(x) < 140)].max() > -400  # a thin sheet in thick voxels, in air
    assert np.abs(z).max() < 140


def test_expansion_has_its_closed_form(scans):
    # In the coordinates that the slide keeps, the volume element is the cross-section's area times the height.
    still = replace(scans.breathing, wall=0.0)
    points = _inside_at_inhale(scans)
    cavity, (x0, y0) = still.cavity, still.cavity.outline.centre
    before = cavity.narrowing(points[2])
    places = np.stack([(points[0] - x0) / before, (points[1] - y0) / before, points[2]])
    step = np.array([0.0, 0.0, 0.01])[:, None]
    stretch = 1 + (still.rise(places + step) - still.rise(places - step)) / 0.02
    ratio = cavity.narrowing(points[2] + still.rise(places)) / before
    np.testing.assert_allclose(still.expansion(points), stretch * ratio**2, atol=2e-3)


def test_lungs_change_density_as_mass_conservation_says(scans):
    points = _inside_at_inhale(scans, count=20_000, depth=5.0)
    determinant = scans.breathing.expansion(points)
    there = scans.breathing(points)
    exhale, _ = scans.chest.paint(there, edge_mm=1.5)
    inhale, _ = scans.chest.paint(there, edge_mm=1.5, expansion=lambda chosen: determinant[chosen])
    tubes = tree.join([scans.chest.lung_vessels, scans.chest.bronchi, scans.chest.airways])
    tissue = tree.distance(tubes, there) > 4
    assert tissue.sum() > 1000
    conserved = np.isclose((inhale + 1000)[tissue], (determinant * (exhale + 1000))[tissue], rtol=1e-3)
    assert conserved.mean() > 0.95  # all but the fissures, which are no lung tissue
    assert 0.7 < determinant.mean() < 0.95
    exhaled, inhaled = (
        np.median(image[np.isin(labels, lung.LUNGS)])
        for image, labels in ((scans.moving, scans.moving_labels), (scans.fixed, scans.fixed_labels))
    )
    assert (inhaled + 1000) / (exhaled + 1000) == pytest.approx(determinant.mean(), abs=0.03)


def test_volume_of_exhaled_lungs_is_the_integral_of_the_determinant(scans):
    inhaled = np.isin(scans.fixed_labels, lung.LUNGS)
    points = mesh(scans.grid.axes)[:, inhaled]
    exhaled = np.isin(scans.moving_labels, lung.LUNGS).sum()
    assert scans.breathing.expansion(points).sum() == pytest.approx(exhaled, rel=0.02)
    assert exhaled < 0.92 * inhaled.sum()


def test_lungs_slide_along_the_chest_wall_without_a_gap(scans):
    breathing, cavity = scans.breathing, scans.breathing.cavity
    angle = np.concatenate([np.linspace(-0.6, 0.6, 7), np.pi + np.linspace(-0.6, 0.6, 7)])
    x0, y0 = cavity.outline.centre
    radial = np.stack([np.cos(angle), np.sin(angle), 0 * angle])
    middle = np.array([x0, y0, -40.0])[:, None]
    wall = middle + radial * cavity.outline.polar(middle + radial)[2]
    steps = 0.1 * np.eye(3)[:, :, None]
    normal = np.stack([cavity.distance(wall + s) - cavity.distance(wall - s) for s in steps])
    normal /= np.linalg.norm(normal, axis=0)
    for _ in range(5):  # where the wall was at inhale
        wall = wall - (breathing.sink(wall) - middle - radial * cavity.outline.polar(middle + radial)[2])
    near = [wall + offset * normal for offset in np.linspace(-4, 4, 161)]
    inside = np.array([cavity.distance(breathing.sink(p)) < 0 for p in near])
    assert np.all(inside[0] & ~inside[-1])
    moved = np.array([breathing(p) - p for p in near])
    last = inside.sum(axis=0) - 1
    column = np.arange(len(angle))
    jump = moved[last, :, column] - moved[last + 1, :, column]
    assert np.abs(jump[:, 2]).min() > 8.0
    assert np.abs(np.sum(jump * normal.T, axis=1)).max() < 0.8
    points = mesh(scans.grid.axes).reshape(3, -1)
    before, after = cavity.distance(breathing.sink(points)), cavity.distance(breathing(points))
    clear = np.abs(before) > 1e-6
    np.testing.assert_array_equal(before[clear] < 0, after[clear] < 0)  # nothing passes through the pleura


def test_lungs_do_not_fold(scans):
    assert scans.breathing.expansion(_inside_at_inhale(scans)).min() > 0.3
    folded = geometry.jacobian_determinant(scans.displacement) <= 0
    assert folded[np.isin(scans.fixed_labels, lung.LUNGS)].mean() < 1e-3
    assert folded.mean() < 5e-3  # what there is lies at the sliding interface


def test_too_deep_a_breath_is_refused():
    with pytest.raises(ValueError, match=r"tre_mm 70 would squeeze"):
        lung.draw_pair(np.random.default_rng(0), _grid((18, 16, 14)), tre_mm=70.0, tips=40)


def test_coarse_grids_take_segment_middles_too_and_tiny_ones_are_refused():
    scans = lung.draw_pair(np.random.default_rng(1), _grid((16, 15, 14)), tre_mm=8.0, tips=100)
    assert len(scans.fixed_landmarks) == lung.LANDMARKS
    error = geometry.move_points(scans.displacement, scans.fixed_landmarks) - scans.moving_landmarks
    assert np.abs(error).max() < 0.1
    with pytest.raises(ValueError, match="no landmark lies within grid"):
        lung.draw_pair(np.random.default_rng(1), Grid((8, 7, 6), (3.0, 3.0, 3.0)), tre_mm=8.0, tips=40)


def test_prepared_data_set(tmp_path):
    writer, lines = Writer(tmp_path), []
    params = Params(anatomy="lung", shape=(24, 20, 18), training=1, test=2, seed=3)
    description = lung.prepare_pairs(writer, params, show=lines.append)
    writer.finish(replace(description, name="lungs"))
    data, truth = open_dataset(tmp_path), Truth(tmp_path)
    data.check_files()
    assert data.training_pairs == [Pair("train00_inhale", "train00_exhale"), Pair("train00_exhale", "train00_inhale")]
    assert data.test_pairs == [Pair(f"test0{k}_inhale", f"test0{k}_exhale") for k in range(2)]
    assert len(lines) == 3
    for pair in data.test_pairs:
        image = data.image(pair.fixed)
        assert image.orientation == ("L", "P", "S")
        assert image.array.shape == truth.labels(pair.moving).shape == data.mask(pair.fixed).shape == (24, 20, 18)
        np.testing.assert_allclose(image.spacing, np.array(lung.EXTENT_MM) / (24, 20, 18), rtol=1e-5)
        assert truth.displacement(pair).shape == (3, 24, 20, 18)
        fixed, moving = truth.landmarks(pair)
        tre = np.linalg.norm((fixed - moving) * image.spacing, axis=1).mean()
        assert description.severity[pair.name] == pytest.approx(tre, abs=0.01)
        assert set(lung.LUNGS) <= set(np.unique(truth.labels(pair.fixed)))
    assert truth.labels("train00_inhale") is None
