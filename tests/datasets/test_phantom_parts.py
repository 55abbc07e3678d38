"""What phantoms are drawn with: smooth fields and their inverses, solids, tubes and waves, against closed forms."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import BSpline

from datasets import geometry
from datasets.grid import Grid
from datasets.phantoms import brain, liver
from datasets.phantoms.fields import Chain, Deformation, SmoothField, mesh, random_field, solve, true_displacement
from datasets.phantoms.shapes import Canvas, Tubes, Waves, box, difference, ellipsoid, intersection, rotation, union


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
