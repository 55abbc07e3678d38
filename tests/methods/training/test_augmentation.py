"""Random displacements to augment with, against SciPy's splines and the published statistics."""

import numpy as np
import pytest
import torch
from scipy.interpolate import BSpline

from methods.blocks import spatial
from methods.blocks.training import augmentation


@pytest.mark.parametrize("size", [16, 24, 30])
def test_bspline_weights_are_scipys_and_sum_to_one(size):
    weights = augmentation.bspline_weights(size, dtype=torch.float64)
    torch.testing.assert_close(weights.sum(1), torch.ones(size, dtype=torch.float64))
    place = (np.arange(size) + 0.5) * 4 / size
    for column in range(7):
        knots = np.arange(column - 3.0, column + 2.0)
        expected = BSpline.basis_element(knots, extrapolate=False)(place)
        np.testing.assert_allclose(weights[:, column], np.nan_to_num(expected), atol=1e-12)


def test_random_displacement_has_the_published_statistics():
    shape = (32, 48, 64)
    u = augmentation.random_displacement(24, shape, torch.Generator().manual_seed(0))
    cells = u / torch.tensor([n / 128 for n in shape]).view(3, 1, 1, 1)  # voxels of a 128^3 grid
    assert cells.norm(dim=1).mean().item() == pytest.approx(2.55, rel=0.06)
    assert cells.norm(dim=1).quantile(0.95).item() == pytest.approx(4.6, rel=0.08)
    assert cells.square().mean().sqrt().item() == pytest.approx(1.61, rel=0.06)
    assert spatial.jacobian_determinant(u).min() > 0
    assert torch.equal(u, augmentation.random_displacement(24, shape, torch.Generator().manual_seed(0)))
    half = augmentation.random_displacement(24, shape, torch.Generator().manual_seed(0), strength=0.5)
    torch.testing.assert_close(half, u / 2)
