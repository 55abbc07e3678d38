"""A synthetic training pair beside gryds, the generator of the paper it is from: quiet, and beside one busy process.

gryds has one thread. Its work is laid out in its favour: `T2` of the grid is computed once, for both the fixed image
and the truth. How ours fares beside a neighbour depends on how threads wait (``OMP_WAIT_POLICY``): steps run with
``passive``, and so does ``make bench``.
"""

import subprocess
import sys
from contextlib import contextmanager, nullcontext

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import ndimage

from benchmarks.speed.duel import Contestant, run
from benchmarks.speed.measurement import Subject
from tests.methods.progressive.bore import bore_mask

SHAPE = (96, 96, 96)  # gryds takes many seconds a pair

torch = pytest.importorskip("torch")
synthetic = pytest.importorskip("methods.blocks.progressive.synthesis")


@pytest.fixture(scope="module")
def case():
    """A smooth image, the control values of one pair, and a mask."""
    image = ndimage.gaussian_filter(np.random.default_rng(0).random(SHAPE, dtype=np.float32), 2) * 10
    values = synthetic.draw_bends(1, SHAPE, torch.Generator().manual_seed(0), synthetic.Recipe())
    return torch.as_tensor(image)[None, None], values, bore_mask(SHAPE)


def by_gryds(image, values, mask):
    """The same pair by gryds and SciPy: fixed, moving and displacement."""
    import gryds

    def call():
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

    return call


def close(pair, theirs):
    fixed, moving, u = theirs
    assert 5 < pair.displacement.square().sum(1).mean() < 100
    assert 0 < pair.moving_mask.mean() < 1
    assert_allclose(pair.displacement[0], u, atol=1e-4)
    inner = (slice(16, -16),) * 3
    for got, expected in ((pair.fixed, fixed), (pair.moving, moving)):
        # A voxel at the edge of the mask may be rounded to either side.
        assert np.mean(~np.isclose(got[0, 0].numpy(), expected, atol=1e-3)[inner]) < 1e-4


SPIN = "import os; parent = os.getppid()\nwhile os.getppid() == parent: pass"  # it goes when we do


@contextmanager
def busy_neighbour():
    """One process that computes all the time."""
    process = subprocess.Popen([sys.executable, "-c", SPIN])
    try:
        yield
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("name", "beside"),
    [("synthetic pair", nullcontext), ("synthetic pair, one busy process beside", busy_neighbour)],
    ids=["quiet", "beside one busy process"],
)
def test_synthetic_pair(benchmark, case, count, name, beside):
    image, values, mask = case

    def ours():
        return synthetic.pairs_of(image, values, mask=mask, shape=SHAPE, sigma=0.5)

    peers = [Contestant(lambda: by_gryds(*case), "gryds", threads=1)]
    with beside():
        run(benchmark, Subject(name, SHAPE, count), ours, others=peers, same=close)
