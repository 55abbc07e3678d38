"""Displacements of B-splines on grids of few values, against SciPy and closed forms."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy import ndimage

from methods.blocks import spatial
from methods.blocks.progressive import bspline, synthesis
from tests.methods.progressive.synthetic_inputs import SHAPE, random

CONTROLS = [(2, 2, 2), (4, 4, 4), (8, 8, 8), (2, 3, 5)]


def at_points(values, points, shape):
    """The spline ``(n, c, *out)`` at points ``(n, 3, *out)``, part by part as the synthesis takes them."""
    evaluate, out = bspline.evaluator(values, shape), points.new_empty(*values.shape[:2], *points.shape[2:])
    for part, into in bspline.in_cache(points, out):
        into.copy_(evaluate(part))
    return out


@pytest.mark.parametrize("controls", CONTROLS)
def test_spline_at_points_agrees_with_scipy_inside_and_far_outside(controls):
    rng = np.random.default_rng(0)
    values, points = rng.standard_normal((2, 3, *controls)), rng.uniform(-30, 50, (2, 3, 7, 11))
    got = at_points(torch.from_numpy(values), torch.from_numpy(points), SHAPE)
    places = points * ((np.array(controls) - 1) / SHAPE)[:, None, None]
    for n in range(2):
        expected = [ndimage.map_coordinates(v, places[n], order=3, mode="mirror") for v in values[n]]
        assert_allclose(got[n], expected, atol=1e-11)


@pytest.mark.parametrize("controls", CONTROLS)
def test_spline_on_a_grid_is_that_at_its_voxels(controls):
    values = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 3, *controls)))
    x = spatial.identity_grid(SHAPE, dtype=torch.float64).expand(2, -1, -1, -1, -1)
    torch.testing.assert_close(bspline.on_grid(values, SHAPE), at_points(values, x, SHAPE), rtol=0, atol=1e-11)


def test_points_beyond_one_chunk_are_all_evaluated(monkeypatch):
    values, points = random(2, 3, 4, 4, 4), random(2, 3, 5, 9) * 12
    whole = at_points(values, points, SHAPE)
    monkeypatch.setattr(bspline, "CACHED", 7)
    torch.testing.assert_close(at_points(values, points, SHAPE), whole, rtol=0, atol=1e-6)


@pytest.mark.parametrize("controls", CONTROLS)
def test_single_precision_suffices(controls):
    values, points = random(1, 3, *controls) * 2 - 1, random(1, 3, 5000) * 60 - 20
    exact = at_points(values.double(), points.double(), SHAPE)
    assert_allclose(at_points(values, points, SHAPE), exact, atol=3e-5 if max(controls) > 5 else 4e-6)


@pytest.mark.parametrize("controls", CONTROLS)
@pytest.mark.parametrize("shape", [(5, 6, 7), (3, 2, 500), (4, 70, 9)], ids=str)
def test_bending_goes_on_from_where_a_displacement_leads(controls, shape):
    """In compiled loops, in single precision, beside the same in double precision by torch."""
    values, u = random(2, 3, *controls) * 2 - 1, random(2, 3, *shape, seed=1) * 60 - 30
    x = spatial.identity_grid(shape, dtype=torch.float64)
    exact = u + at_points(values.double(), x + u.double(), shape)
    got = synthesis.bend(values, u.transpose(3, 4).contiguous().transpose(3, 4))
    assert got.dtype == torch.float32
    assert_allclose(got, exact, atol=6e-5)
    torch.testing.assert_close(synthesis.bend(values.double(), u.double()), exact, rtol=0, atol=1e-10)


def test_bending_gives_the_same_on_any_number_of_threads():
    values, u = random(2, 3, 4, 4, 4), random(2, 3, 30, 40, 50)
    one = synthesis.bend(values, u)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        assert torch.equal(synthesis.bend(values, u), one)
    finally:
        torch.set_num_threads(before)


def test_spline_between_two_values_has_the_closed_form():
    weights = bspline.interpolation_weights(torch.tensor([0, 0.25, 0.5, 0.75, 1], dtype=torch.float64), 2)
    expected = torch.tensor([1, 0.6875, 0, -0.6875, -1], dtype=torch.float64)
    torch.testing.assert_close(weights[0] - weights[1], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("controls", "bound"), [(2, 1.0), (4, 1.5), (8, 1.549)])
def test_overshoot_is_that_of_the_interpolating_spline(controls, bound):
    weights = bspline.interpolation_weights(torch.linspace(0, controls - 1, 2001, dtype=torch.float64), controls)
    assert weights.abs().sum(0).max() == pytest.approx(bound, abs=1e-3)
    torch.testing.assert_close(weights.sum(0), torch.ones(2001, dtype=torch.float64))


def test_bad_arguments_of_splines_are_named():
    with pytest.raises(ValueError, match="on_grid"):
        bspline.on_grid(torch.zeros(1, 3, 1, 4, 4), SHAPE)
    with pytest.raises(ValueError, match="evaluator"):
        bspline.evaluator(torch.zeros(1, 3, 4, 1, 4), SHAPE)
    with pytest.raises(ValueError, match="evaluator"):
        synthesis.bend(torch.zeros(1, 3, 4, 1, 4), torch.zeros(1, 3, *SHAPE))
