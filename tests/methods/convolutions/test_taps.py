"""Convolutions by the part of their kernels that meets voxels, beside whole kernels on padded features."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from methods.blocks.convolutions.packed import same_padding
from methods.blocks.convolutions.taps import doubling_reach, reaching
from methods.blocks.layers import SameConv3d, UpConv3d

shapes = st.tuples(*[st.integers(1, 4)] * 3)


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def derived(run, *inputs):
    """The value of ``run``, and the gradients of its sum of squares."""
    leaves = [each.detach().clone().requires_grad_() for each in inputs]
    value = run(*leaves)
    return value, torch.autograd.grad(value.square().sum(), leaves)


def by_whole_kernels(x, weight, stride):
    pads = [same_padding(*axis) for axis in zip(x.shape[2:], weight.shape[2:], stride, strict=True)]
    return F.conv3d(F.pad(x, [v for pad in reversed(pads) for v in pad]), weight, None, list(stride))


@given(shape=shapes, stride=st.tuples(*[st.integers(1, 3)] * 3), kernel=st.integers(1, 5))
def test_convolutions_and_their_gradients_are_those_of_whole_kernels(shape, stride, kernel):
    layer = SameConv3d(2, 3, kernel).double()
    layer.stride = stride
    x, weight = random(2, 2, *shape), layer.weight.detach()
    layer.bias.data.zero_()

    def ours(x, weight):
        return torch.func.functional_call(layer, {"weight": weight}, (x,))

    got, gradients = derived(ours, x, weight)
    expected, theirs = derived(lambda x, weight: by_whole_kernels(x, weight, stride), x, weight)
    torch.testing.assert_close(got, expected)
    torch.testing.assert_close(gradients, theirs)


@given(shape=shapes, kernel=st.sampled_from([2, 4]))
def test_doublings_and_their_gradients_are_those_of_whole_kernels(shape, kernel):
    layer = UpConv3d(2, 3, kernel).double()
    x, weight = random(2, 2, *shape), layer.weight.detach()

    def ours(x, weight):
        return torch.func.functional_call(layer, {"weight": weight}, (x,))

    got, gradients = derived(ours, x, weight)
    bias, pad = layer.bias, kernel // 2 - 1
    expected, theirs = derived(lambda x, weight: F.conv_transpose3d(x, weight, bias, 2, pad), x, weight)
    torch.testing.assert_close(got, expected)
    torch.testing.assert_close(gradients, theirs)


def test_one_voxel_keeps_one_value_of_27():
    weight, pads = reaching(random(4, 2, 3, 3, 3), [(1, 1)] * 3, (1, 1, 1), (1, 1, 1))
    assert (weight.shape[2:], pads) == ((1, 1, 1), [(0, 0)] * 3)
    weight, pads = reaching(random(4, 2, 3, 3, 3), [(0, 1)] * 3, (2, 2, 2), (2, 2, 2))
    assert (weight.shape[2:], pads) == ((2, 2, 2), [(0, 0)] * 3)
    weight, pads = doubling_reach(random(2, 4, 4, 4, 4), 1, (1, 5, 1))
    assert (weight.shape[2:], pads) == ((2, 4, 2), [0, 1, 0])


def test_larger_grids_see_the_very_kernel():
    weight = random(4, 2, 3, 3, 3)
    assert reaching(weight, [(1, 1)] * 3, (2, 3, 9), (1, 1, 1))[0] is weight
    assert doubling_reach(weight, 1, (2, 3, 9))[0] is weight


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d])
@pytest.mark.parametrize("layer", [SameConv3d(8, 4, 3), UpConv3d(8, 4)])
def test_gradients_lie_in_memory_as_the_weights_do(layer, layout):
    """As the fused optimisers take for granted: they read both in the order of memory."""
    layer.zero_grad()
    layer = layer.to(memory_format=layout)
    layer(torch.randn(1, 8, 1, 1, 1)).square().sum().backward()
    assert layer.weight.grad.stride() == layer.weight.stride()


def test_second_derivatives_exist():
    """A penalty on gradients needs them."""
    weight = random(2, 2, 3, 3, 3).requires_grad_()
    x = random(1, 2, 1, 2, 1).requires_grad_()

    def run(x, weight):
        kernel, pads = reaching(weight, [(1, 1)] * 3, x.shape[2:], (1, 1, 1))
        return F.conv3d(x, kernel, None, 1, [before for before, _ in pads]).sin()

    assert torch.autograd.gradgradcheck(run, (x, weight))
