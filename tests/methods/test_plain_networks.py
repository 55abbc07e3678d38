"""The cascades, their losses and the U-Net beside networks written apart from ours, plainly: the same numbers."""

from functools import partial

import pytest
import torch

from methods import progressive, recursive
from methods.blocks.cascades.composition import build
from methods.blocks.cascades.losses import Weights, cascade_losses
from methods.blocks.initial import create, glorot
from methods.blocks.progressive.unet import UNet
from tests.peers import cascade, unet, warping
from tests.peers.weights import copy_weights

SHAPE = (64, 128, 64)  # the plain networks take multiples of 64
NETWORKS = {
    "rcn": (recursive.Params(cascades=2), partial(cascade.rcn, 2)),
    "ldr": (recursive.Params(base="ldr", cascades=1), partial(cascade.ldr, 1)),
}


@pytest.fixture(scope="module")
def pair():
    """Two smooth images ``(1, 1, D, H, W)`` in [0, 1]."""
    coarse = torch.rand(2, 1, 5, 6, 4, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.interpolate(coarse, SHAPE, mode="trilinear")[:, None].unbind(0)


def moving_something(network):
    """Heads that start next to zero are scaled, so that what they predict is seen."""
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if name.endswith("displacement.weight") and weight.std() < 1e-4:
                weight.mul_(3e4)
    return network


@pytest.mark.parametrize("name", NETWORKS)
def test_a_cascade_gives_the_displacement_and_the_loss_of_the_plain_one(name, pair):
    params, plain = NETWORKS[name]
    network = moving_something(create(partial(build, params), seed=3, device="cpu"))
    peer = plain()
    copy_weights(network, peer)
    with torch.no_grad():
        ours, theirs = network(*pair), peer(*pair)
        assert ours.displacement.abs().max() > 0.5
        torch.testing.assert_close(
            theirs[0], ours.displacement, rtol=0, atol=2e-3 * float(ours.displacement.abs().max())
        )
        torch.testing.assert_close(theirs[1], ours.warped, rtol=0, atol=2e-3)
        loss = cascade_losses(ours, pair[0], Weights())["total"]
        torch.testing.assert_close(cascade.loss(peer, *pair), loss, rtol=1e-4, atol=1e-5)


def test_the_unet_gives_the_displacement_of_the_plain_one(pair):
    network = create(partial(UNet, progressive.Params()), seed=3, device="cpu", fill=glorot).eval()
    peer = unet.UNet().eval()
    copy_weights(network, peer)
    with torch.inference_mode():
        images = [image[..., :64, :32] for image in pair]
        ours, theirs = network(*images), peer(*images)
    assert ours.abs().max() > 0.1
    torch.testing.assert_close(theirs, ours, rtol=0, atol=1e-3 * float(ours.abs().max()))


def test_weights_of_another_network_are_not_taken():
    with pytest.raises((RuntimeError, ValueError)):
        copy_weights(cascade.ldr(1), cascade.ldr(2))


def test_the_plain_warp_reads_where_it_says():
    image = torch.arange(4.0 * 5 * 6).reshape(1, 1, 4, 5, 6)
    shift = torch.tensor([1.0, -2.0, 0.5]).view(1, 3, 1, 1, 1).expand(1, 3, 4, 5, 6)
    warped = warping.warp(image, shift)
    assert float(warped[0, 0, 1, 3, 2]) == pytest.approx(float(image[0, 0, 2, 1, 2:4].mean()), rel=1e-4)
