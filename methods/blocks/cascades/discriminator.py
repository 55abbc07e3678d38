"""The discriminators of ALDK, one number from a displacement: by the LDR paper's text, and as released."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.blocks.layers import SameConv3d

Design = Literal["paper_text", "released"]
Output = Literal["mean_sigmoid", "mean_linear", "logit"]


class TextDiscriminator(nn.Module):
    """Five 4^3 convolutions at stride 2, ReLU between them, and the mean of the last features: 2,788,848 parameters.

    The text counts six layers; the first is read as the input, since 16 channels doubled to 256 make five (Sec. III-D).
    ``sigmoid`` acts on the last features before the mean, as the text says; without it their plain mean is taken.
    """

    def __init__(self, channels: int = 16, *, sigmoid: bool = True) -> None:
        super().__init__()
        widths = [channels * 2**level for level in range(5)]
        self.layers = nn.ModuleList(SameConv3d(a, b, 4, stride=2) for a, b in zip([3, *widths], widths, strict=False))
        self.sigmoid = sigmoid

    def forward(self, displacement: Tensor) -> Tensor:
        """Return a number ``(n,)`` for each displacement ``(n, 3, D, H, W)``."""
        x = displacement
        for number, conv in enumerate(self.layers):
            x = conv(x.relu() if number else x)
        return (x.sigmoid() if self.sigmoid else x).flatten(1).mean(1)


class ReleasedDiscriminator(nn.Module):
    """Five 5^3 convolutions at stride 2, leaky ReLU 0.2, and a linear layer: 5,462,881 parameters at 128^3.

    The linear layer takes 4^3 voxels, what remains of 128^3; other remainders are averaged or repeated to that size.
    """

    def __init__(self, channels: int = 16) -> None:
        super().__init__()
        widths = [channels * 2**level for level in range(5)]
        self.layers = nn.ModuleList(
            SameConv3d(a, b, 5, stride=2, std=0.02, truncated=True) for a, b in zip([3, *widths], widths, strict=False)
        )
        self.linear = nn.Linear(4**3 * widths[-1], 1)

    def forward(self, displacement: Tensor) -> Tensor:
        """Return a number ``(n,)`` for each displacement ``(n, 3, D, H, W)``."""
        x = displacement
        for conv in self.layers:
            x = F.leaky_relu(conv(x), 0.2)
        return self.linear(F.adaptive_avg_pool3d(x, 4).flatten(1))[:, 0]


def build_discriminator(design: Design, output: Output, channels: int = 16) -> nn.Module:
    """Return a network from ``(n, 3, D, H, W)`` to ``(n,)``; see `check_output` for what goes together."""
    check_output(design, output)
    if design == "released":
        return ReleasedDiscriminator(channels)
    return TextDiscriminator(channels, sigmoid=output == "mean_sigmoid")


def check_output(design: Design, output: Output) -> None:
    """Refuse what does not go together: ``logit`` is the released design's output, the two means are the text's."""
    if output not in {"released": ("logit",), "paper_text": ("mean_sigmoid", "mean_linear")}.get(design, ()):
        raise ValueError(f"aldk: disc {design!r} does not go with disc_output {output!r}")


def gradient_penalty(discriminator: nn.Module, displacement: Tensor, *, per_channel: bool = False) -> Tensor:
    """Return ``(|grad D| - 1)^2``, mean over the batch; differentiable to second order.

    The norm is over a whole displacement (eq. 7), or over space alone for each component (the released code).
    """
    point = displacement if displacement.requires_grad else displacement.detach().requires_grad_()
    [gradient] = torch.autograd.grad(discriminator(point).sum(), point, create_graph=True)
    squares = gradient.square().flatten(2).sum(2)
    norms = (squares if per_channel else squares.sum(1, keepdim=True)).clamp(min=1e-24).sqrt()
    return (norms - 1).square().mean()
