"""There and back: closed forms, SciPy's reading of the way back, and voxels that leave the grid."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from benchmarks.evidence import Evidence
from benchmarks.measures import consistency
from benchmarks.metrics import evaluate
from datasets import geometry
from tests.benchmarks.judge_inputs import SHAPE, SPACING, smooth_displacement, values


def shift(*step):
    return np.ones((3, *SHAPE), np.float32) * np.reshape(np.float32(step), (3, 1, 1, 1))


def test_a_shift_back_undoes_a_shift():
    assert consistency.inverse_consistency(shift(2, -1.5, 3), shift(-2, 1.5, -3), SPACING) == (0, 0)


def test_what_is_left_of_two_shifts_is_a_length_in_mm():
    expected = np.linalg.norm(np.multiply((0.5, -1, 2), SPACING))
    got = consistency.inverse_consistency(shift(2, -1.5, 3), shift(-1.5, 0.5, -1), SPACING)
    assert_allclose(got, expected, rtol=1e-6)


def test_the_inverse_of_a_linear_map_undoes_it():
    matrix = np.array([[1.1, 0.1, 0], [-0.05, 0.95, 0.1], [0, 0, 1.05]])
    middle = (np.array(SHAPE) - 1) / 2
    grid = geometry.identity_grid(SHAPE, np.float64)
    from_middle = grid - np.reshape(middle, (3, 1, 1, 1))

    def of(linear):
        return np.einsum("ij,jdhw->idhw", linear - np.eye(3), from_middle)

    assert_allclose(consistency.inverse_consistency(of(matrix), of(np.linalg.inv(matrix)), SPACING), 0, atol=1e-9)
    assert consistency.inverse_consistency(of(matrix), of(matrix), SPACING)[1] > 1


def test_the_way_back_is_read_between_voxels_and_only_inside_the_grid():
    rng = np.random.default_rng(0)
    u, v, mask = smooth_displacement(rng), smooth_displacement(rng), rng.random(SHAPE) > 0.5
    points = geometry.identity_grid(SHAPE, np.float64) + u
    inside = np.all((points >= 0) & (points <= np.reshape(SHAPE, (3, 1, 1, 1)) - 1), axis=0)
    left = u.astype(np.float64) + np.stack([geometry.sample(part.astype(np.float64), points) for part in v])
    lengths = np.linalg.norm(left * np.reshape(SPACING, (3, 1, 1, 1)), axis=0)
    assert 0.3 < inside.mean() < 0.9
    expected = lengths[inside & mask].mean(), lengths[inside].mean()
    assert_allclose(consistency.inverse_consistency(u, v, SPACING, mask), expected, rtol=1e-9)


def test_where_every_voxel_leaves_there_is_no_number():
    assert np.isnan(consistency.inverse_consistency(shift(40, 0, 0), shift(-40, 0, 0), SPACING)).all()


def test_rows_are_those_of_pairs_with_both_directions():
    u, mask = shift(1, 0, 0), np.ones(SHAPE, bool)
    assert not values(evaluate(Evidence(u, SPACING, mask=mask)), "inverse_consistency", "mask")
    rows = evaluate(Evidence(u, SPACING, mask=mask, opposite=shift(0, 0, 0)))
    for protocol in ("mask", "grid"):
        assert values(rows, "inverse_consistency", protocol) == pytest.approx({"mean": SPACING[0]})
