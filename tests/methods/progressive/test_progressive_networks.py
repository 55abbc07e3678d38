"""The U-Net of the progressive paper and its progressive form: closed forms, and what is skipped."""

import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import ndimage

from methods.blocks.progressive.unet import Architecture, ProgressiveUNet, UNet
from tests.methods.progressive.networks import SHAPE, filled, pair, small

# ---- what they compute ----


@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("widths", ["early", "plain"])
def test_all_weight_on_the_last_level_is_the_baseline_bit_for_bit(mode, widths):
    baseline, progressive = filled(lambda: UNet(Architecture(2, levels=3, widths=widths))), small(1, widths=widths)
    progressive.load_state_dict(baseline.state_dict(), strict=False)
    getattr(baseline, mode)(), getattr(progressive, mode)()
    expected = baseline(*pair())
    assert expected.shape == (1, 3, *SHAPE)
    assert torch.equal(progressive(*pair(), alpha=[0, 0, 1]), expected)
    assert torch.equal(progressive(*pair()), expected)
    assert not torch.equal(progressive(*pair(), alpha=[0, 0.1, 0.9]), expected)


def hand_set(entry="block"):
    """Three levels that pass on one channel: each level's features are its input plus half of the level below."""
    network = ProgressiveUNet(Architecture(1, levels=3), entry=entry).eval()
    for name, tensor in network.state_dict().items():
        tensor.zero_()
        if name.endswith(("norm.weight", "running_var")):
            tensor.fill_(1)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            module.eps = 0.0
    for encoder in network.encoder:
        encoder[0].conv.weight.data[0, 0, 1, 1, 1] = encoder[1].conv.weight.data[0, 0, 1, 1, 1] = 1
    network.encoder[2][0].conv.weight.data[0, :, 1, 1, 1] = torch.tensor([1.0, 0.5])  # fixed + moving / 2
    for layer in network.entries:
        conv = layer.conv if entry == "block" else layer
        conv.weight.data[0, :, 1, 1, 1] = torch.tensor([1.0, 0.5])
    for up, decoder in zip(network.up, network.decoder, strict=True):
        up.weight.data[0, 0] = 0.5
        decoder[0].conv.weight.data[0, 0, 1, 1, 1] = 1  # what comes from below
        decoder[0].conv.weight.data[0, up.out_channels, 1, 1, 1] = 1  # the first channel of the skip
        decoder[1].conv.weight.data[0, 0, 1, 1, 1] = 1
    for level, head in enumerate([*network.outputs, network.displacement]):
        head.weight.data[:, 0, 0, 0, 0] = torch.tensor([1.0, -2.0, 3.0]) + level
        head.bias.data[:] = torch.tensor([0.1, 0.2, -0.3])
    return network


def cells(image, size):
    d, h, w = (n // size for n in image.shape)
    return image.reshape(d, size, h, size, w, size)


def enlarged(field, scale):
    """Voxel centres of the fine grid read linearly from the coarse one, clamped at the border."""
    axes = [(np.arange(n * scale) + 0.5) / scale - 0.5 for n in field.shape]
    return ndimage.map_coordinates(field, np.meshgrid(*axes, indexing="ij"), order=1, mode="nearest")


def by_hand(fixed, moving, alpha):
    """The displacements of the three levels of `hand_set`, by NumPy."""
    mixed, beta = fixed + moving / 2, np.cumsum(alpha)
    x, skips = mixed, [mixed]
    for level in (1, 0):
        pooled = cells(x, 2).max(axis=(1, 3, 5))
        own = cells(mixed, 2 ** (2 - level)).mean(axis=(1, 3, 5))
        x = beta[level] * own + (1 - beta[level]) * pooled
        skips.insert(0, x)
    features = [skips[0]]
    for skip in skips[1:]:
        features.append(skip + 0.5 * np.kron(features[-1], np.ones((2, 2, 2))))
    return [
        np.stack([enlarged((k + level) * x + b, 2 ** (2 - level)) for k, b in ((1, 0.1), (-2, 0.2), (3, -0.3))])
        for level, x in enumerate(features)
    ]


@pytest.mark.parametrize("entry", ["block", "bare"])
@pytest.mark.parametrize(
    "alpha", [(1, 0, 0), (0.25, 0.75, 0), (0, 1, 0), (0, 0.75, 0.25), (0, 0, 1), (0.25, 0.25, 0.5), (0.5, 0, 0.5)]
)
def test_output_is_the_weighted_sum_of_the_levels_computed_by_hand(alpha, entry):
    fixed, moving = pair()
    expected = by_hand(fixed[0, 0].numpy(), moving[0, 0].numpy(), alpha)
    network = hand_set(entry)
    levels = network.level_displacements(fixed, moving, alpha=alpha)
    for got, level in zip(levels, expected, strict=True):
        np.testing.assert_allclose(got[0].detach(), level, rtol=0, atol=2e-5)
    total = sum(weight * level for weight, level in zip(alpha, expected, strict=True))
    np.testing.assert_allclose(network(fixed, moving, alpha=alpha)[0].detach(), total, rtol=0, atol=2e-5)


def test_every_convolution_is_normalised_then_leaks():
    images = torch.randn(2, 2, 4, 6, 8, generator=torch.Generator().manual_seed(0))
    for network in (UNet(Architecture(3, levels=2)), small()):
        for block in [part for stage in (*network.encoder, *network.decoder) for part in stage]:
            assert block.conv.kernel_size == (3, 3, 3)
            x = block.conv(images[:, :1].expand(-1, block.conv.in_channels, -1, -1, -1))
            mean, var = x.mean((0, 2, 3, 4), keepdim=True), x.var((0, 2, 3, 4), keepdim=True, unbiased=False)
            y = (x - mean) / (var + 1e-5).sqrt()
            expected = torch.where(y > 0, y, 0.01 * y)
            got = block(images[:, :1].expand(-1, block.conv.in_channels, -1, -1, -1))
            torch.testing.assert_close(got, expected, rtol=0, atol=1e-4)


def test_a_1_wide_input_convolution_is_the_centre_of_a_3_wide_one():
    narrow, wide = small(entry="bare", entry_kernel=1), small(entry="bare")
    wide.load_state_dict({k: v for k, v in narrow.state_dict().items() if "entries" not in k}, strict=False)
    for a, b in zip(narrow.entries, wide.entries, strict=True):
        b.weight.data.zero_()[:, :, 1, 1, 1] = a.weight.data[:, :, 0, 0, 0]
        b.bias.data.copy_(a.bias.data)
    outputs = [network.eval()(*pair(), alpha=[0.5, 0.5, 0]) for network in (narrow, wide)]
    torch.testing.assert_close(*outputs, rtol=0, atol=1e-5)


# ---- what they leave alone ----

PARTS = ["encoder.0", "encoder.1", "encoder.2", "up.0", "up.1", "decoder.0", "decoder.1"]
PARTS += ["entries.0", "entries.1", "outputs.0", "outputs.1", "displacement"]


@pytest.mark.parametrize(
    ("alpha", "active"),
    [
        ([1, 0, 0], "encoder.0 entries.0 outputs.0"),
        ([0.5, 0.5, 0], "encoder.0 encoder.1 up.0 decoder.0 entries.0 entries.1 outputs.0 outputs.1"),
        ([0, 1, 0], "encoder.0 encoder.1 up.0 decoder.0 entries.1 outputs.1"),
        ([0, 0.3, 0.7], "encoder.0 encoder.1 encoder.2 up.0 up.1 decoder.0 decoder.1 entries.1 outputs.1 displacement"),
        ([0, 0, 1], "encoder.0 encoder.1 encoder.2 up.0 up.1 decoder.0 decoder.1 displacement"),
    ],
)
def test_only_active_levels_get_gradients_and_statistics(alpha, active):
    network = small()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    network(*pair(), alpha=alpha).square().sum().backward()
    for part in PARTS:
        module = network.get_submodule(part)
        used = part in active.split()
        gradients = [parameter.grad for name, parameter in module.named_parameters() if "conv.bias" not in name]
        assert all((g is not None and bool(g.any())) == used for g in gradients), part
        for name, buffer in module.named_buffers():
            changed = not torch.equal(buffer, before[f"{part}.{name}"])
            assert changed == used, f"{part}.{name}"
    counts = {int(tensor) for name, tensor in network.state_dict().items() if "num_batches" in name}
    assert counts <= {0, 1}


def test_rounding_of_the_weights_wakes_no_level():
    network = small()
    network(*pair(), alpha=[0.3, 0.7 - 1e-9, 0])
    assert [int(encoder[0].norm.num_batches_tracked) for encoder in network.encoder] == [1, 1, 0]
    network(*pair(), alpha=[0, 0.3, 0.7 - 1e-9])
    assert [int(entry.norm.num_batches_tracked) for entry in network.entries] == [1, 2]


def test_looking_at_all_levels_is_for_evaluation_and_changes_nothing():
    network = small()
    with pytest.raises(RuntimeError, match=r"call eval\(\) first"):
        network.level_displacements(*pair(), alpha=[1, 0, 0])
    before = {name: tensor.clone() for name, tensor in network.eval().state_dict().items()}
    assert len(network.level_displacements(*pair())) == 3
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


# ---- statistics at evaluation ----


def test_statistics_of_the_volume_are_those_of_training_at_batch_one():
    network = small(norm="volume")
    expected = network(*pair()).detach()
    network.eval()
    torch.testing.assert_close(network(*pair()).detach(), expected, rtol=0, atol=1e-5)
    for module in network.modules():  # what was accumulated does not matter
        if isinstance(module, torch.nn.BatchNorm3d):
            module.running_mean.fill_(5), module.running_var.fill_(9)
    torch.testing.assert_close(network(*pair()).detach(), expected, rtol=0, atol=1e-5)


def test_running_averages_are_accumulated_whatever_is_used_at_evaluation():
    networks = small(norm="running"), small(norm="volume")
    outputs = [network(*pair()) for network in networks]
    assert torch.equal(*outputs)
    first, second = (network.state_dict() for network in networks)
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())
    assert int(second["encoder.2.0.norm.num_batches_tracked"]) == 1


def test_statistics_of_a_volume_do_not_depend_on_its_neighbour_in_the_batch():
    fixed, moving = pair(n=2)
    network = small(norm="volume").eval()
    both = network(fixed, moving).detach()
    torch.testing.assert_close(both[1:], network(fixed[1:], moving[1:]).detach(), rtol=0, atol=1e-5)


def test_running_averages_are_used_at_evaluation_with_momentum_a_tenth():
    network = small()
    network(*pair())
    block, images = network.encoder[2][0], torch.cat(pair(), dim=1)
    x = block.conv(images).detach()
    torch.testing.assert_close(block.norm.running_mean, 0.1 * x.mean((0, 2, 3, 4)))
    torch.testing.assert_close(block.norm.running_var, 0.9 + 0.1 * x.var((0, 2, 3, 4)))
    network.eval()
    mean, var = (value.view(1, -1, 1, 1, 1) for value in (block.norm.running_mean, block.norm.running_var))
    expected = F.leaky_relu((x - mean) / (var + 1e-5).sqrt(), 0.01)
    torch.testing.assert_close(block(images).detach(), expected, rtol=0, atol=1e-5)


# ---- what they refuse ----


@pytest.mark.parametrize("shape", [(8, 12, 14), (8, 10, 16), (6, 12, 16)])
@pytest.mark.parametrize("kind", [UNet, ProgressiveUNet])
def test_grids_that_do_not_halve_are_refused_by_name(kind, shape):
    text = f"{kind.__name__}: every axis must be a multiple of 4 for 3 levels, got fixed {(1, 1, *shape)}"
    with pytest.raises(ValueError, match=re.escape(text)):
        kind(Architecture(1, levels=3))(*pair(shape))


def test_images_that_do_not_match_are_refused():
    (fixed, _), (_, moving) = pair(), pair((8, 12, 8))
    for images in [(fixed, moving), (fixed[0], fixed[0]), (fixed.expand(-1, 2, -1, -1, -1),) * 2]:
        with pytest.raises(ValueError, match="UNet: expected two images"):
            UNet(Architecture(1, levels=3))(*images)


@pytest.mark.parametrize("alpha", [[1, 0], [0.5, 0.4, 0], [1.5, -0.5, 0], [float("nan"), 0, 1]])
def test_weights_that_are_none_are_refused(alpha):
    for call in (small(), small().eval().level_displacements):
        with pytest.raises(ValueError, match="alpha must be 3 weights of 0 or more that sum to one"):
            call(*pair(), alpha=alpha)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"channels": 0}, "channels"),
        ({"levels": 0}, "levels"),
    ],
)
def test_options_that_cannot_be_are_refused(options, word):
    with pytest.raises(ValueError, match=f"UNet: {word} must be"):
        ProgressiveUNet(Architecture(**options))
