"""Images read by compiled loops, against torch's own operations in double precision, closed forms and SciPy."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from torch import Tensor

from benchmarks.provenance import ROOT
from methods.blocks import spatial

SIZES = st.tuples(*[st.integers(1, 19)] * 3)
MODES = st.sampled_from(["bilinear", "nearest"])
PADDINGS = st.sampled_from(["border", "zeros"])


def case(n, c, image, out, seed) -> tuple[Tensor, Tensor]:
    """An image and displacements by odd sixteenths of a voxel: exact in single precision and off all kinks."""
    rng = np.random.default_rng(seed)
    sixteenths = 2 * rng.integers(-24, 24, (n, 3, *out)) + 1
    return torch.as_tensor(rng.random((n, c, *image)), dtype=torch.float32), torch.as_tensor(sixteenths / 16).float()


def slopes(function, image, u, weights, dtype):
    """What a function of an image and a displacement gives, and its derivatives."""
    image, u = (tensor.detach().to(dtype).requires_grad_() for tensor in (image, u))
    value = function(image, u)
    return value, *torch.autograd.grad(value, (image, u), weights.to(dtype))


def compare(function, image, u, weights):
    assert spatial.compilable(image, u)
    assert not spatial.compilable(image.double(), u.double())
    ours, theirs = (slopes(function, image, u, weights, dtype) for dtype in (torch.float32, torch.float64))
    for got, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(got.double(), expected, rtol=1e-5, atol=2e-5)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 3), st.integers(1, 4), SIZES, SIZES, MODES, PADDINGS, st.integers(0, 99))
def test_a_warp_and_its_derivatives_are_those_of_torch_in_double_precision(n, c, size, out, mode, padding, seed):
    image, u = case(n, c, size, out, seed)
    weights = torch.rand(n, c, *out, generator=torch.Generator().manual_seed(seed))
    compare(lambda a, b: spatial.warp(a, b, mode=mode, padding=padding), image, u, weights)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 3), SIZES, st.integers(0, 99))
def test_a_composition_and_its_derivatives_are_those_of_torch_in_double_precision(n, size, seed):
    (_, first), (_, then) = (case(n, 1, size, size, seed + k) for k in (0, 100))
    weights = torch.rand(first.shape, generator=torch.Generator().manual_seed(seed))
    compare(spatial.compose, first, then, weights)


@settings(deadline=None, max_examples=30)
@given(SIZES, SIZES, MODES, st.integers(0, 99))
def test_points_fade_as_those_of_scipy(size, out, mode, seed):
    image, u = case(1, 1, size, out, seed)
    expected = ndimage.map_coordinates(
        image[0, 0].numpy(), u[0].numpy(), order=mode == "bilinear", mode="grid-constant", output=np.float64
    )
    got = spatial.sample(image, u, mode=mode, padding="zeros")[0, 0]
    np.testing.assert_allclose(got, expected, atol=1e-6 if mode == "bilinear" else 0)


@settings(deadline=None, max_examples=20)
@given(SIZES, st.integers(0, 9), MODES, PADDINGS)
def test_whole_steps_return_the_voxels_bit_for_bit(size, seed, mode, padding):
    image, _ = case(1, 2, size, size, seed)
    steps = np.random.default_rng(seed).integers(0, size, 3)
    u = torch.as_tensor(steps, dtype=torch.float32).view(1, 3, 1, 1, 1).expand(1, 3, *size)
    d, h, w = (n - k for n, k in zip(size, steps, strict=True))
    got = spatial.warp(image, u, mode=mode, padding=padding)
    assert torch.equal(got[..., :d, :h, :w], image[..., steps[0] :, steps[1] :, steps[2] :])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("function", [spatial.warp, spatial.sample])
def test_the_slope_at_a_voxel_is_the_one_behind_it_and_none_at_the_last(function, dtype):
    image = torch.rand(1, 1, 4, 5, 6).to(dtype)
    points = torch.zeros(1, 3, 4, 5, 6) if function is spatial.warp else spatial.identity_grid((4, 5, 6))[None]
    _, _, slope = slopes(function, image, points, torch.ones(1, 1, 4, 5, 6), dtype)
    for axis in range(3):
        last = image.select(axis + 2, -1).unsqueeze(axis + 2)
        torch.testing.assert_close(slope[:, axis, None], image.diff(dim=axis + 2, append=last))


@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_points_that_are_nowhere(mode):
    image = torch.rand(1, 1, 4, 5, 6) + 1
    far = torch.tensor([float("nan"), 1e30, -1e30, float("inf"), -float("inf")]).expand(1, 3, 1, 1, 5)
    first, last = image[0, 0, 0, 0, 0], image[0, 0, -1, -1, -1]
    border = spatial.sample(image, far, mode=mode).flatten()
    assert torch.equal(border, torch.stack([torch.zeros(()), last, first, last, first]))
    assert not spatial.sample(image, far, mode=mode, padding="zeros").any()
    for padding in ("border", "zeros"):
        _, of_image, of_points = slopes(
            lambda a, b, padding=padding: spatial.sample(a, b, mode=mode, padding=padding),
            image, far[..., :1], torch.ones(1, 1, 1, 1, 1), torch.float32,
        )  # fmt: skip
        assert not of_image.any()
        assert not of_points.any()
    mixed = torch.tensor([1.0, float("nan"), 2.0]).view(1, 3, 1, 1, 1)
    assert spatial.sample(image, mixed, mode=mode).item() == 0


def test_any_layout_of_memory_reads_the_same():
    image, u = case(2, 3, (9, 10, 11), (7, 8, 12), 0)
    weights = torch.rand(2, 3, 7, 8, 12)
    plain = slopes(spatial.warp, image, u, weights, torch.float32)

    def laid_out(tensor):
        last = tensor.contiguous(memory_format=torch.channels_last_3d)
        return last, tensor.mT.contiguous().mT, torch.cat([tensor, tensor], dim=-1)[..., : tensor.shape[-1]]

    for a, b, g in zip(laid_out(image), laid_out(u), laid_out(weights), strict=True):
        assert not a.is_contiguous()
        for got, expected in zip(slopes(spatial.warp, a, b, g, torch.float32), plain, strict=True):
            assert torch.equal(got, expected)
    one, everywhere = image[:1, :1].expand(2, 3, -1, -1, -1), image[:1, :1].repeat(2, 3, 1, 1, 1)
    assert torch.equal(spatial.warp(one, u), spatial.warp(everywhere, u))
    spatial.warp(image, u.requires_grad_()).sum().backward()  # its gradient is one number for all voxels
    ones = slopes(spatial.warp, image, u, torch.ones(2, 3, 7, 8, 12), torch.float32)
    assert torch.equal(u.grad, ones[2])


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize(("n", "c"), [(1, 1), (2, 3)])
def test_no_bit_depends_on_the_number_of_threads(n, c, threads):
    image, u = case(n, c, (35, 40, 44), (37, 42, 46), 0)
    weights, found = torch.rand(n, c, 37, 42, 46), []
    for number in (1, 2, 3, 5):
        threads(number)
        found.append(slopes(lambda a, b: spatial.warp(a, b * 1.3), image, u, weights, torch.float32))
    for other in found[1:]:
        assert all(map(torch.equal, found[0], other))


def test_gradients_only_where_they_are_asked_for():
    image, u = case(1, 1, (4, 5, 6), (4, 5, 6), 0)
    assert not spatial.warp(image, u).requires_grad
    with torch.no_grad():
        assert not spatial.warp(image, u.requires_grad_()).requires_grad
    with torch.inference_mode():
        spatial.warp(image, spatial.warp(u, u))
    spatial.warp(image.requires_grad_(), u.detach()).sum().backward()
    assert image.grad.sum() > 0
    with pytest.raises(RuntimeError, match="first derivatives only"):
        torch.autograd.grad(spatial.warp(image, u).sum(), u, create_graph=True)


def test_what_the_loops_do_not_take_is_left_to_torch(monkeypatch):
    image, u = case(1, 1, (4, 5, 6), (4, 5, 6), 0)
    expected = spatial.warp(image, u)
    with torch.device("meta"):
        assert spatial.warp(torch.empty(1, 1, 4, 5, 6), torch.empty(1, 3, 4, 5, 6)).shape == image.shape
    assert torch.equal(spatial.warp(image, u.double()), expected)
    assert not spatial.warp(image[:, :0], u).numel()
    monkeypatch.setattr(spatial, "_installed", lambda: False)
    assert not spatial.compilable(image, u)
    torch.testing.assert_close(spatial.warp(image, u), expected, rtol=0, atol=2e-6)


WITHOUT = """
import sys, torch
sys.modules["numba"] = None
from methods.blocks import spatial
u = torch.zeros(1, 3, 4, 5, 6)
assert torch.equal(spatial.compose(u, u + 1), u + 1)
"""

FORKED = """
import os, torch
from methods.blocks.spatial import sample
torch.set_num_threads(2)
image, points = torch.rand(1, 1, 50, 50, 50), torch.rand(1, 3, 50, 50, 50) * 50
first = sample(image, points)
child = os.fork()
if not child:
    os._exit(0 if sample(image, points).numpy().tobytes() == first.numpy().tobytes() else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""


@pytest.mark.parametrize("script", [WITHOUT, FORKED], ids=["without numba", "in a copy of the process"])
def test_in_a_process_of_its_own(script):
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120, env=variables)
