"""Warps and compositions of the methods beside `F.grid_sample` as it is usually called, and SciPy."""

from functools import cache

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import ndimage

from benchmarks.speed.duel import Contestant, run
from benchmarks.speed.measurement import Subject
from datasets import geometry

torch = pytest.importorskip("torch")
spatial = pytest.importorskip("methods.blocks.spatial")
warping = pytest.importorskip("tests.peers.warping")

WARPED, COMPOSED = (128, 128, 128), (160, 192, 224)
BEND = 6  # voxels


@cache
def smooth(shape, seed):
    """A smooth random array within -1 and 1."""
    coarse = np.random.default_rng(seed).uniform(-1, 1, (6, 7, 5)).astype(np.float32)
    return ndimage.zoom(coarse, np.divide(shape, coarse.shape), order=1, grid_mode=True, mode="nearest")


def displacement(shape, seed=1):
    return BEND * np.stack([smooth(shape, seed + axis) for axis in range(3)])


def tensors(*arrays):
    return [torch.from_numpy(np.ascontiguousarray(array))[None] for array in arrays]


def by_scipy(image, u):
    """The same by one call of SciPy a component."""
    points = geometry.identity_grid(u.shape[1:]) + u
    return np.stack([ndimage.map_coordinates(each, points, order=1, mode="nearest") for each in image])


def close(ours, theirs):
    assert_allclose(np.asarray(theirs).reshape(ours.shape), ours.numpy(), atol=1e-3 * float(ours.abs().max()))


@pytest.mark.gate
def test_warp(benchmark, count):
    image, u = smooth(WARPED, 0)[None], displacement(WARPED)
    moving, moves = tensors(image, u)
    peers = [
        Contestant(lambda: lambda: warping.warp(moving, moves), "F.grid_sample"),
        Contestant(lambda: lambda: by_scipy(image, u), "SciPy", threads=1),
    ]
    run(benchmark, Subject("warp", WARPED, count), lambda: spatial.warp(moving, moves), others=peers, same=close)


@pytest.mark.gate
def test_compose(benchmark, count):
    first, then = displacement(COMPOSED, 1), displacement(COMPOSED, 4)
    a, b = tensors(first, then)
    peers = [
        Contestant(lambda: lambda: warping.compose(a, b), "F.grid_sample"),
        Contestant(lambda: lambda: then + by_scipy(first, then), "SciPy", threads=1),
    ]
    run(benchmark, Subject("compose", COMPOSED, count), lambda: spatial.compose(a, b), others=peers, same=close)
