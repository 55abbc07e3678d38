"""The networks of the progressive paper: what they cost, and the weights they begin with."""

import numpy as np
import pytest
import torch

from methods.blocks.cost import count_macs, count_parameters, registration_cost
from methods.blocks.initial import glorot
from methods.blocks.progressive.unet import Architecture, ProgressiveUNet, UNet
from tests.methods.progressive.networks import filled, small

FULL_SIZE = (128, 128, 128)


# ---- what the networks cost ----


@pytest.mark.parametrize(
    ("options", "parameters", "gmac"),
    [
        ({}, 19_258_931, 522.74),
        ({"levels": 4}, 4_771_123, 489.96),
        ({"channels": 8}, 4_817_051, 131.19),
        ({"widths": "plain"}, 5_648_323, 120.34),
        ({"channels": 32, "widths": "plain"}, 22_582_147, 477.55),
    ],
)
def test_cost_of_the_baseline(options, parameters, gmac):
    cost = registration_cost(lambda: UNet(Architecture(**options)), FULL_SIZE)
    assert cost["parameters"] == parameters
    assert round(cost["macs"] / 1e9, 2) == gmac


@pytest.mark.parametrize(
    ("options", "added"),
    [({}, 30_252), ({"entry": "bare"}, 29_292), ({"entry": "bare", "entry_kernel": 1}, 4_332)],
)
def test_parameters_that_progressive_training_adds(options, added):
    with torch.device("meta"):
        assert count_parameters(ProgressiveUNet(**options)) == 19_258_931 + added


def test_cost_grows_with_the_levels():
    with torch.device("meta"):
        network, images = ProgressiveUNet(), torch.empty(2, 1, 1, *FULL_SIZE)
        macs = [count_macs(lambda a=a: network(*images, alpha=a)) for a in np.eye(5).tolist()]
    for level, (width, published) in enumerate(zip((256, 128, 64, 32), (2.72, 38.22, 109.22, 251.22), strict=True)):
        added = (27 * 2 * width + 2 * width * 3) * (8 * 2**level) ** 3
        assert (macs[level] - added) / 1e9 == pytest.approx(published, abs=0.006)
    assert macs[4] == registration_cost(UNet, FULL_SIZE)["macs"]


# ---- the weights they begin with ----


def test_one_seed_gives_both_networks_the_same_weights():
    baseline, progressive = filled(lambda: UNet(Architecture(2, levels=3))).state_dict(), small().state_dict()
    assert all(torch.equal(tensor, progressive[name]) for name, tensor in baseline.items())
    assert {name.split(".")[0] for name in progressive.keys() - baseline.keys()} == {"entries", "outputs"}
    assert not torch.equal(baseline["encoder.0.0.conv.weight"], small(1).state_dict()["encoder.0.0.conv.weight"])


def test_initial_kernels_are_glorot_normal():
    network = filled(lambda: UNet(Architecture(16, levels=3)))
    for layer, fans in [
        (network.encoder[0][1].conv, 27 * (64 + 128)),
        (network.decoder[0][0].conv, 27 * (128 + 64 + 64)),
        (network.up[0], 8 * (128 + 128)),
    ]:
        drawn = layer.weight.detach() / (2 / fans) ** 0.5
        assert drawn.std().item() == pytest.approx(1, abs=0.02)
        assert drawn.abs().max() > 3.5  # a uniform one ends at 1.73
        assert not layer.bias.any()


def test_weights_depend_on_the_seed_alone_and_leave_the_global_generator():
    state = torch.get_rng_state()
    with torch.device("meta"):
        network = UNet(Architecture(2, levels=3))
    network = network.to_empty(device="cpu").to(memory_format=torch.channels_last_3d)
    for tensor in network.state_dict().values():
        tensor.fill_(7)
    glorot(network, torch.Generator().manual_seed(0))
    assert torch.equal(torch.get_rng_state(), state)
    expected = filled(lambda: UNet(Architecture(2, levels=3))).state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in network.state_dict().items())


def test_glorot_refuses_layers_it_does_not_know():
    with pytest.raises(TypeError, match="no rule for the parameters of Linear"):
        glorot(torch.nn.Linear(2, 2), torch.Generator())
