"""Speed of a synthetic training pair of 128^3 voxels, beside gryds, the generator of the paper it is from.

As in `benchmarks.speed`, nothing is asserted about time. gryds runs on one thread; ours on as many as torch has
(``OMP_NUM_THREADS``). Its work is laid out in its favour: `T2` of the grid is computed once, for both the fixed image
and the truth.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import ndimage

from tests.methods.progressive.bore import bore_mask

SHAPE = (128, 128, 128)

torch = pytest.importorskip("torch")
gryds = pytest.importorskip("gryds")
synthetic = pytest.importorskip("methods.blocks.progressive.synthesis")


@pytest.fixture(scope="module")
def case():
    """A smooth image, a mask and the control values of one pair."""
    image = ndimage.gaussian_filter(np.random.default_rng(0).random(SHAPE, dtype=np.float32), 2) * 10
    values = synthetic.draw_bends(1, SHAPE, torch.Generator().manual_seed(0), synthetic.Recipe())
    return torch.as_tensor(image)[None, None], values, bore_mask(SHAPE)


def timed(benchmark, who, threads, function):
    benchmark.group = f"synthetic pair {SHAPE}"
    benchmark.extra_info.update(
        name="synthetic pair", who=who, voxels=int(np.prod(SHAPE)), threads=threads, device="cpu"
    )
    return benchmark.pedantic(function, rounds=5 if who == "ours" else 2, warmup_rounds=1 if who == "ours" else 0)


def ours(image, values, mask):
    return synthetic.pairs_of(image, values, mask=mask, shape=SHAPE, sigma=0.5)


def theirs(image, values, mask):
    """The same pair by gryds and SciPy: fixed, moving and displacement."""
    size = np.reshape(SHAPE, (3, 1, 1, 1)).astype(np.float32)
    initial, coarse, fine = (gryds.BSplineTransformation(value[0].numpy() / size) for value in values)
    images = gryds.BSplineInterpolator(image[0, 0].numpy(), order=1)
    masks = gryds.BSplineInterpolator(mask[0, 0].numpy(), order=0)
    bent = images.grid.transform(fine, coarse)
    pair = []
    for points in (bent.transform(initial), images.grid.transform(initial)):
        magnitude = ndimage.gaussian_gradient_magnitude(images.resample(points), 0.5)
        pair.append(magnitude * masks.resample(points))
    return *pair, (bent.grid - images.grid.grid) * size


def test_synthetic_pair_ours(benchmark, case):
    pair = timed(benchmark, "ours", torch.get_num_threads(), lambda: ours(*case))
    assert pair.displacement.shape == (1, 3, *SHAPE)
    assert 20 < pair.displacement.square().sum(1).mean() < 100
    assert 0 < pair.moving_mask.mean() < 1


def test_synthetic_pair_gryds(benchmark, case):
    fixed, moving, u = timed(benchmark, "gryds", 1, lambda: theirs(*case))
    pair, inner = ours(*case), (slice(16, -16),) * 3
    assert_allclose(pair.displacement[0], u, atol=1e-4)
    for got, expected in ((pair.fixed, fixed), (pair.moving, moving)):
        # A voxel at the edge of the mask may be rounded to either side.
        assert np.mean(~np.isclose(got[0, 0].numpy(), expected, atol=1e-3)[inner]) < 1e-4
