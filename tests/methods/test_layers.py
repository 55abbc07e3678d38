"""The convolution that lays a volume out as two gives what torch's own gives, and the same gradients."""

import pytest
import torch

from methods.blocks.layers import SMALL, Conv3d


@pytest.mark.parametrize(
    "shape", [(1, 3, 6, 5, 7), (1, 3, 2, 4, 4), (1, 3, 5, 4, 4), (2, 3, 6, 5, 7), (1, 3, 100, 72, 2)]
)
@pytest.mark.parametrize("kernel", [1, 3])
def test_values_and_gradients_are_those_of_torch(shape, kernel):
    torch.manual_seed(0)
    ours = Conv3d(3, 4, kernel).double()
    torchs = torch.nn.Conv3d(3, 4, kernel, padding=kernel // 2).double()
    torchs.load_state_dict(ours.state_dict())
    x = torch.randn(shape, dtype=torch.float64)
    results = []
    for layer in (ours, torchs):
        inputs = x.clone().requires_grad_()
        y = layer(inputs)
        (y * torch.arange(y.numel(), dtype=y.dtype).view_as(y).sin()).sum().backward()
        results.append((y.detach(), inputs.grad, layer.weight.grad, layer.bias.grad))
    for got, expected in zip(*results, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-10, atol=1e-10)


def test_a_small_single_volume_is_laid_out_as_two(monkeypatch):
    batches = []
    plain = torch.nn.functional.conv3d
    monkeypatch.setattr(
        torch.nn.functional, "conv3d", lambda x, *rest, **more: batches.append(len(x)) or plain(x, *rest, **more)
    )
    layer = Conv3d(2, 2, 3)
    layer(torch.zeros(1, 2, 8, 8, 8))
    layer(torch.zeros(1, 2, 7, 8, 8))  # no two halves
    layer(torch.zeros(1, 2, SMALL // 16 + 2, 8, 1))  # large: torch's own choice is the fast one
    assert batches == [2, 1, 1]
