"""A single small volume laid out for oneDNN, beside torch's own convolution in double precision."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from methods.blocks.convolutions import single
from methods.blocks.convolutions.single import convolution, is_better_laid_out
from methods.blocks.layers import SameConv3d, SkipConv3d

cpu_only = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this build of torch has no oneDNN")
small = st.tuples(*[st.integers(1, 12)] * 3)
kernels = st.tuples(*[st.sampled_from([1, 2, 3, 4])] * 3)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def derived(run, *inputs):
    """The value of ``run``, and the gradients of its sum of squares."""
    leaves = [each.detach().clone().requires_grad_() for each in inputs]
    value = run(*leaves)
    return value, *torch.autograd.grad(value.square().sum(), leaves)


@cpu_only
@given(
    n=st.integers(1, 2),
    channels=st.tuples(*[st.sampled_from([1, 3, 8, 16])] * 2),
    shape=small,
    kernel=kernels,
    stride=st.integers(1, 2),
    before=st.integers(0, 1),
)
def test_values_and_gradients_are_those_of_torch(n, channels, shape, kernel, stride, before):
    shape = tuple(max(size, k) for size, k in zip(shape, kernel, strict=True))
    inputs = (
        random(n, channels[0], *shape),
        random(channels[1], channels[0], *kernel, seed=1),
        random(channels[1], seed=2),
    )
    pads, steps = [before] * 3, [stride] * 3
    ours = derived(lambda *given: convolution(*given, stride=steps, pads=pads), *inputs)
    torchs = derived(lambda *given: F.conv3d(*given, steps, pads), *(each.double() for each in inputs))
    for got, expected in zip(ours, torchs, strict=True):
        assert got.dtype == torch.float32
        assert got.layout == torch.strided
        torch.testing.assert_close(
            got.double(), expected, rtol=1e-4, atol=1e-4 * float(expected.detach().abs().max() + 1)
        )


@cpu_only
@given(
    n=st.sampled_from([1, 1, 2]),
    channels=st.sampled_from([1, 2, 16, 200]),
    shape=st.tuples(*[st.sampled_from([1, 3, 8, 40, 102])] * 3),
    kernel=kernels,
    stride=st.integers(1, 2),
)
def test_it_is_for_what_torch_itself_leaves_to_its_plain_kernel(n, channels, shape, kernel, stride):
    """Beside the choice that torch says it would make; it depends on its release."""
    x = torch.empty(1, 1, 1, 1, 1).expand(n, channels, *shape)
    weight, pads = torch.empty(4, channels, *kernel), [max(kernel)] * 3
    chosen = torch._C._select_conv_backend(x, weight, None, [stride] * 3, pads, [1] * 3, False, [0] * 3, 1)
    plain = chosen == torch._C._ConvBackend.Slow3d
    worth = max(kernel) > 1 and stride == 1 and np.prod(shape) >= single.WORTH
    assert is_better_laid_out(x, weight, [stride] * 3) == (plain and worth)


@pytest.mark.parametrize(
    ("x", "weight", "stride"),
    [
        (random(2, 3, 8, 9, 10), random(2, 3, 3, 3, 3), 1),
        (random(1, 3, 8, 9, 10), random(2, 3, 3, 3, 3), 2),
        (random(1, 3, 8, 9, 10).double(), random(2, 3, 3, 3, 3).double(), 1),
        (random(1, 3, 8, 9, 10), random(2, 3, 1, 1, 1), 1),
        (random(1, 3, 7, 8, 9), random(2, 3, 3, 3, 3), 1),
        (torch.empty(1, 2, single.SMALL // 16 + 2, 8, 1), random(2, 2, 3, 3, 3), 1),
        (torch.empty(1, 3, 8, 9, 10, device="meta"), torch.empty(2, 3, 3, 3, 3, device="meta"), 1),
    ],
    ids=["batch", "stride", "double", "kernel 1", "tiny", "large", "no values"],
)
def test_everything_else_is_torchs_own(x, weight, stride):
    assert not is_better_laid_out(x, weight, [stride] * 3)


def test_in_mixed_precision_it_is_torchs_own():
    x, weight = random(1, 3, 8, 9, 10), random(2, 3, 3, 3, 3)
    assert is_better_laid_out(x, weight, [1] * 3)
    with torch.autocast("cpu", torch.bfloat16):
        assert not is_better_laid_out(x, weight, [1] * 3)


@cpu_only
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 4, 1), (1, 32, 32), (6, 5, 7), (8, 9, 10)])
def test_layers_of_a_single_volume_give_the_same_each_time(shape):
    """Also where memory holds something else each time, and on grids with an axis of one voxel."""
    same, skip = SameConv3d(3, 4), SkipConv3d(3, 5, 4, slope=0.1)
    found = []
    for value in (float("nan"), 1e30, 0.0):
        blocks = [torch.full((size,), value) for size in (16, 64, 256, 1024, 4096, 20_000)]
        del blocks
        x, more = random(1, 3, *shape), random(1, 5, *(2 * size for size in shape), seed=1)
        found.append([*derived(same, x), *derived(skip, x, more)])
    for other in found[1:]:
        for one, again in zip(found[0], other, strict=True):
            assert torch.equal(one, again)
