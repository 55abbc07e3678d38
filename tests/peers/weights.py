"""From our networks to those written apart."""

from __future__ import annotations

from torch import nn


def copy_weights(ours: nn.Module, peer: nn.Module) -> None:
    """Copy all weights in their order; torch refuses any of another shape."""
    state = peer.state_dict()
    peer.load_state_dict(dict(zip(state, ours.state_dict().values(), strict=True)))
