"""The fused optimisers take the steps of torch's plain ones, whatever the layout of the weights, and resume exactly."""

import pytest
import torch

from methods.blocks.training.optimisers import adam, descent

PLAIN = {
    "adam": (lambda weights: adam(weights, rate=1e-2), lambda weights: torch.optim.Adam(weights, lr=1e-2)),
    "descent": (
        lambda weights: descent(weights, rate=1e-2, momentum=0.5),
        lambda weights: torch.optim.SGD(weights, lr=1e-2, momentum=0.5),
    ),
}


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    layers = torch.nn.Sequential(torch.nn.Conv3d(2, 5, 3, padding=1), torch.nn.Conv3d(5, 3, (1, 3, 2)))
    return layers.to(memory_format=torch.channels_last_3d)


def steps(model, optimiser, turns):
    """Take a step at each of ``turns``; the first layer rests at first, and at every third."""
    for turn in turns:
        image = torch.rand(2, 2, 5, 6, 7, generator=torch.Generator().manual_seed(turn))
        optimiser.zero_grad(set_to_none=True)
        model[0].requires_grad_(turn % 3 != 0)
        model(image).square().mean().backward()
        optimiser.step()


@pytest.mark.parametrize("name", PLAIN)
def test_a_fused_optimiser_moves_weights_as_the_plain_one_does(name):
    moved = []
    for make in PLAIN[name]:
        model = network()
        steps(model, make(list(model.parameters())), range(8))
        moved.append([weight.detach() for weight in model.parameters()])
    still = [weight.detach() for weight in network().parameters()]
    for fused, plain, before in zip(*moved, still, strict=True):
        assert (plain - before).abs().max() > 1e-4
        torch.testing.assert_close(fused, plain, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", PLAIN)
def test_a_fused_optimiser_goes_on_from_its_state_bit_for_bit(name, tmp_path):
    make, _ = PLAIN[name]
    whole = network()
    steps(whole, make(list(whole.parameters())), range(7))
    cut = network()
    before = make(list(cut.parameters()))
    steps(cut, before, range(4))
    torch.save(before.state_dict(), tmp_path / "state.pt")
    after = make(list(cut.parameters()))
    after.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    steps(cut, after, range(4, 7))
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), cut.parameters(), strict=True))


def test_the_factor_of_a_group_is_where_the_loop_looks_for_it():
    [group] = adam(network().parameters(), rate=0.5, factor=0.25).param_groups
    assert (group["rate"], group["lr"]) == (0.25, 0.125)
