"""Layers give what torch's plain operations give: as they train, with gradients, and packed, as they register."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.profiler import profile

from methods.blocks.cascades.composition import Composition, build
from methods.blocks.convolutions.packed import same_padding
from methods.blocks.initial import create, glorot
from methods.blocks.layers import SameConv3d, SkipConv3d, UpConv3d
from methods.blocks.progressive.unet import Architecture, UNet
from methods.blocks.registration import prepared

AXES = st.tuples(*[st.integers(1, 9)] * 3)
SINGLE = {"rtol": 1e-4, "atol": 1e-4}
COMPOSITIONS = {
    "ldr": Composition(base="ldr", cascades=2, channels=8),
    "rcn": Composition(cascades=2, channels=4, scale=1.0),
    "voxelmorph": Composition(base="voxelmorph", channels=8),
    "unet": Composition(base="unet", channels=4, scale=1.0),
    "text": Composition(base="ldr_text", channels=4),
    "mobilenet": Composition(base="mobilenet", channels=8),
    "light stem": Composition(base="ldr", stem="affine_light", channels=8),
}


def volume(n, channels, shape, dtype=torch.float32):
    return torch.randn(n, channels, *shape, dtype=dtype)


def plain_same(layer, x):
    """The same convolution by `F.pad` and `F.conv3d`."""
    pads = [same_padding(*axis) for axis in zip(x.shape[2:], layer.kernel_size, layer.stride, strict=True)]
    y = F.conv3d(F.pad(x, [v for pad in pads[::-1] for v in pad]), layer.weight, layer.bias, layer.stride)
    return plain_activation(layer, y)


def plain_up(layer, x):
    pad = layer.kernel_size[0] // 2 - 1
    return plain_activation(layer, F.conv_transpose3d(x, layer.weight, layer.bias, 2, pad))


def plain_skip(layer, x, skip):
    doubled = F.interpolate(x, scale_factor=2, mode="nearest")
    return plain_same(layer, torch.cat([doubled, skip], dim=1))


def plain_activation(layer, y):
    return y if layer.slope is None else torch.where(y > 0, y, layer.slope * y)


def gradients(run, layer, *inputs):
    inputs = [x.clone().requires_grad_() for x in inputs]
    layer.zero_grad()
    y = run(*inputs)
    (y * torch.arange(y.numel(), dtype=y.dtype).view_as(y).sin()).sum().backward()
    return [y.detach(), *(x.grad for x in inputs), *(p.grad.clone() for p in layer.parameters())]


def agree(layer, plain, *inputs):
    """In double precision with gradients, and packed in single precision."""
    double = layer.double()
    doubles = [x.double() for x in inputs]
    for got, expected in zip(
        gradients(double, double, *doubles), gradients(partial(plain, double), double, *doubles), strict=True
    ):
        torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-9)
    single = double.float()
    with torch.inference_mode():
        packed = single.packed(torch.float32)
        for _ in range(2):  # packs, and takes what was packed
            torch.testing.assert_close(packed(*inputs), plain(single, *inputs), **SINGLE)
        larger = [torch.cat([x, x], 2) for x in inputs]  # weights packed for one shape serve every other
        torch.testing.assert_close(packed(*larger), plain(single, *larger), **SINGLE)


@settings(deadline=None, max_examples=30)
@given(
    n=st.integers(1, 3),
    channels=st.tuples(st.integers(1, 18), st.integers(1, 18)),
    shape=AXES,
    kernel=st.integers(1, 5),
    stride=st.integers(1, 3),
    slope=st.sampled_from([None, 0, 0.1]),
)
def test_same_convolution(n, channels, shape, kernel, stride, slope):
    layer = create(partial(SameConv3d, *channels, kernel, stride=stride, slope=slope), seed=0, device="cpu")
    torch.nn.init.normal_(layer.bias)
    agree(layer, plain_same, volume(n, channels[0], shape))


@settings(deadline=None, max_examples=20)
@given(
    n=st.integers(1, 2),
    features=st.integers(1, 17),
    skip=st.integers(1, 17),
    out=st.integers(1, 17),
    shape=st.tuples(*[st.integers(1, 5)] * 3),
)
def test_convolution_of_doubled_features_and_a_skip(n, features, skip, out, shape):
    layer = create(partial(SkipConv3d, features, skip, out, slope=0.1), seed=0, device="cpu")
    torch.nn.init.normal_(layer.bias)
    agree(layer, plain_skip, volume(n, features, shape), volume(n, skip, [2 * size for size in shape]))


@settings(deadline=None, max_examples=20)
@given(
    n=st.integers(1, 2),
    channels=st.tuples(st.integers(1, 35), st.integers(1, 18)),
    shape=st.tuples(*[st.integers(1, 6)] * 3),
    kernel=st.sampled_from([2, 4]),
    slope=st.sampled_from([None, 0, 0.1]),
)
def test_transposed_convolution(n, channels, shape, kernel, slope):
    layer = create(partial(UpConv3d, *channels, kernel, slope=slope), seed=0, device="cpu")
    agree(layer, plain_up, volume(n, channels[0], shape))


@pytest.mark.parametrize("kernel", [1, 3])
def test_the_progressive_networks_convolution(kernel):
    layer = create(partial(SameConv3d, 3, 4, kernel), seed=0, device="cpu")
    agree(layer, plain_same, volume(1, 3, (6, 5, 7)))


@pytest.mark.parametrize("name", COMPOSITIONS)
def test_prepared_cascades_register_as_they_train(name):
    pair = volume(1, 1, (32, 48, 16)), volume(1, 1, (32, 48, 16))
    model, other = (create(partial(build, COMPOSITIONS[name]), seed=1, device="cpu").eval() for _ in range(2))
    with torch.inference_mode():
        expected = model(*pair).displacement
        torch.testing.assert_close(model.displacement(*pair), expected, rtol=0, atol=0)
        got = prepared(other, "cpu").displacement(*pair)
    assert expected.abs().max() > 0
    torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))


@pytest.mark.parametrize("norm", ["running", "volume"])
def test_prepared_unets_register_as_they_train(norm):
    pair = volume(1, 1, (32, 24, 16)), volume(1, 1, (32, 24, 16))
    models = [create(partial(UNet, Architecture(4, 3), norm=norm), seed=1, device="cpu", fill=glorot) for _ in "ab"]
    for module in models[0].modules():
        if isinstance(module, torch.nn.BatchNorm3d):  # as after training
            for value, low, high in ((module.running_mean, -1, 1), (module.running_var, 0.5, 2)):
                torch.nn.init.uniform_(value, low, high)
            torch.nn.init.normal_(module.weight)
            torch.nn.init.normal_(module.bias)
    models[1].load_state_dict(models[0].state_dict())
    with torch.inference_mode():
        expected = models[0].eval()(*pair)
        got = prepared(models[1], "cpu")(*pair)
    torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))


@pytest.mark.parametrize("name", [*COMPOSITIONS, "progressive"])
def test_no_registration_falls_to_torchs_plain_kernel(name):
    """At the sizes of the mini profile, a batch of one."""
    pair = volume(1, 1, (32, 32, 16)), volume(1, 1, (32, 32, 16))
    if name == "progressive":
        call = prepared(create(partial(UNet, Architecture(8, 3)), seed=0, device="cpu", fill=glorot), "cpu")
    else:
        call = prepared(create(partial(build, COMPOSITIONS[name]), seed=0, device="cpu"), "cpu").displacement
    with torch.inference_mode():
        call(*pair)
        with profile() as record:
            call(*pair)
    operators = {event.key for event in record.key_averages()}
    assert any("mkldnn" in operator for operator in operators)
    assert not [operator for operator in operators if "slow_conv" in operator]
