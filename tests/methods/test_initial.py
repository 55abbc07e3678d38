"""Convolutions that pad as TensorFlow does, against gradients of each other, and weights that a seed alone decides."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from methods.blocks.initial import create, initialise
from methods.blocks.layers import SameConv3d, UpConv3d, end_padding, same_padding
from tests.methods.drawn import random


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "expected"),
    [
        (128, 3, 2, (0, 1)),
        (128, 5, 2, (1, 2)),
        (64, 4, 2, (1, 1)),
        (64, 3, 3, (1, 1)),
        (8, 3, 3, (0, 1)),
        (9, 3, 2, (1, 1)),
    ],
)
def test_same_padding_is_tensorflows(size, kernel, stride, expected):
    assert same_padding(size, kernel, stride) == expected


def test_strided_convolution_pads_nothing_before_and_one_after():
    conv = SameConv3d(1, 27, stride=2)
    image = random(1, 1, 6, 7, 8)
    with torch.no_grad():
        conv.weight.copy_(torch.eye(27).view(27, 1, 3, 3, 3))  # output channel = one tap
        conv.bias.zero_()
        got = conv(image).view(3, 3, 3, 3, 4, 4)
    # even axes: tap k of output i reads voxel 2i + k; the odd axis is symmetric and reads 2i + k - 1
    padded = F.pad(image[0, 0], (0, 1, 1, 1, 0, 1))
    for i, j, k in np.ndindex(3, 3, 3):
        assert torch.equal(got[i, j, k], padded[i : i + 5 : 2, j : j + 7 : 2, k : k + 7 : 2])


def test_transposed_convolution_is_the_gradient_of_the_strided_one():
    up, down = UpConv3d(2, 3).double(), SameConv3d(3, 2, 4, stride=2).double()
    with torch.no_grad():
        down.weight.copy_(up.weight)
        down.bias.zero_()
    small, large = random(1, 2, 3, 4, 5, dtype=torch.float64), random(1, 3, 6, 8, 10, seed=1, dtype=torch.float64)
    torch.testing.assert_close((up(small) * large).sum(), (small * down(large)).sum())


def test_initialisation_is_uniform_scaling_from_the_seed():
    conv = create(lambda: SameConv3d(8, 16), seed=3, device="cpu")
    limit = math.sqrt(3 / (27 * 8))
    assert 0.98 * limit < conv.weight.abs().max() <= limit
    assert conv.weight.std().item() == pytest.approx(limit / math.sqrt(3), rel=0.05)
    assert torch.equal(conv.bias, torch.zeros(16))
    assert torch.equal(conv.weight, create(lambda: SameConv3d(8, 16), seed=3, device="cpu").weight)
    up = create(lambda: UpConv3d(40, 6), seed=3, device="cpu")
    assert up.weight.abs().max().item() == pytest.approx(math.sqrt(3 / (64 * 6)), rel=0.01)
    head = create(lambda: SameConv3d(16, 3, std=1e-5), seed=3, device="cpu")
    assert head.weight.std().item() == pytest.approx(1e-5, rel=0.1)
    clipped = create(lambda: SameConv3d(16, 3, std=0.02, truncated=True), seed=3, device="cpu")
    assert 0.035 < clipped.weight.abs().max() <= 0.04
    linear = initialise(torch.nn.Linear(40, 20), torch.Generator().manual_seed(0))
    assert linear.weight.abs().max().item() == pytest.approx(math.sqrt(6 / 60), rel=0.02)
    with pytest.raises(TypeError, match="BatchNorm3d"):
        initialise(torch.nn.BatchNorm3d(2), torch.Generator())


def test_creating_a_network_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    create(lambda: SameConv3d(2, 2), seed=0, device="cpu")
    assert torch.equal(torch.get_rng_state(), before)


def test_end_padding_reaches_the_multiple_at_the_end_of_each_axis():
    padded = F.pad(random(5, 16, 33), end_padding((5, 16, 33), 16))
    assert padded.shape == (16, 16, 48)
    assert torch.equal(padded[:5, :16, :33], random(5, 16, 33))
