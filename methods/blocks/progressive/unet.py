"""The 3-D U-Net of the progressive paper and its progressive form (doi:10.1109/TMI.2019.2953788, II-A and II-B).

The U-Net of Çiçek et al. (arXiv:1606.06650) with half of its channels and one level more: channels double before each
pooling, 3^3 convolutions with batch normalisation and a leaky ReLU, 2^3 max pooling, 2^3 transposed convolutions,
skips. Where the paper is silent: zero padding 1, so that the displacement has the images' grid, and a linear 1^3
output in voxels of that grid. Level 0 is the coarsest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.blocks.convolutions.packed import PackedConv3d
from methods.blocks.layers import SameConv3d, UpConv3d, stack_pair
from methods.blocks.options import positive
from methods.blocks.progressive.growth import final, input_weights

SLOPE = 0.01
Widths = Literal["early", "plain"]
NormMode = Literal["running", "volume"]
Entrance = Literal["block", "bare"]


@dataclass(frozen=True)
class Architecture:
    """A network as its weights need it."""

    channels: int = 16  # width of the first convolution; all others scale with it
    levels: int = 5  # number of resolutions; every axis must be a multiple of 2^(levels - 1)
    # early doubles the channels within a level, before pooling, and keeps them in the transposed convolutions (Çiçek et
    # al.); plain gives both convolutions of a level one width, and the transposed ones halve
    widths: Widths = "early"

    def __post_init__(self) -> None:
        positive("UNet", channels=self.channels, levels=self.levels)

    @property
    def multiple(self) -> int:
        """Every axis of the images must be a multiple of this."""
        return 2 ** (self.levels - 1)


PAPER = Architecture()


class UNet(nn.Module):
    """Displacement ``(n, 3, D, H, W)`` from two images ``(n, 1, D, H, W)``: the baseline, 19,258,931 parameters.

    Args:
        size: width, levels, and how the width grows.
        norm: statistics at evaluation, those accumulated in training (``running``) or each volume's own (``volume``).
            Training always uses those of the batch.
    """

    def __init__(self, size: Architecture = PAPER, *, norm: NormMode = "running") -> None:
        super().__init__()
        channels, levels, widths = size.channels, size.levels, size.widths
        first = [channels * 2**level for level in range(levels)][::-1]
        last = [2 * width for width in first] if widths == "early" else first
        carried = last[:-1] if widths == "early" else last[1:]
        self.levels, self.multiple, self.widths = levels, size.multiple, last
        self.encoder = nn.ModuleList(
            nn.Sequential(_block(before, a, norm), _block(a, b, norm))
            for before, a, b in zip([*last[1:], 2], first, last, strict=True)
        )
        self.up = nn.ModuleList(UpConv3d(a, b, 2) for a, b in zip(last[:-1], carried, strict=True))
        self.decoder = nn.ModuleList(
            nn.Sequential(_block(a + b, b, norm), _block(b, b, norm)) for a, b in zip(carried, last[1:], strict=True)
        )
        self.displacement = SameConv3d(last[-1], 3, 1, exact=True)

    def forward(self, fixed: Tensor, moving: Tensor) -> Tensor:
        """Return the displacement ``(n, 3, D, H, W)`` of two images ``(n, 1, D, H, W)``."""
        skips: list[Tensor] = []
        x = self._stack(fixed, moving)
        for encoder in reversed(self.encoder):
            x = encoder(F.max_pool3d(x, 2) if skips else x)
            skips.insert(0, x)
        return self.displacement(self._decode(skips)[-1])

    def _decode(self, skips: Sequence[Tensor]) -> list[Tensor]:
        """Return the last features of each level, from the coarsest as many levels up as there are ``skips``."""
        features = [skips[0]]
        for skip, up, decoder in zip(skips[1:], self.up, self.decoder, strict=False):
            features.append(decoder(torch.cat([up(features[-1]), skip], dim=1)))
        return features

    def _stack(self, fixed: Tensor, moving: Tensor) -> Tensor:
        name, multiple = type(self).__name__, self.multiple
        if fixed.ndim != 5 or fixed.shape[1] != 1 or fixed.shape != moving.shape:
            raise ValueError(
                f"{name}: expected two images (n, 1, D, H, W) of one shape, "
                f"got fixed {tuple(fixed.shape)} and moving {tuple(moving.shape)}"
            )
        if any(size % multiple for size in fixed.shape[2:]):
            raise ValueError(
                f"{name}: every axis must be a multiple of {multiple} for {self.levels} levels, "
                f"got fixed {tuple(fixed.shape)}; pad or resample the images"
            )
        return stack_pair(fixed, moving)


class ProgressiveUNet(UNet):
    """The same network with an input and an output convolution at each level but the last, for training alone.

    The shared layers come first in `glorot` and have the names they have in `UNet`: one seed gives both networks the
    same weights. With all weight on the last level (the default) the added layers are not computed, and the output is
    the baseline's bit for bit. 19,289,183 parameters in training, 19,288,223 with ``entry`` ``bare``.

    Args:
        entry: the input convolutions, with normalisation and activation as all others (``block``) or without
            (``bare``); the paper says "convolutional layer".
        entry_kernel: their size, 3 or 1.
    """

    def __init__(
        self,
        size: Architecture = PAPER,
        *,
        norm: NormMode = "running",
        entry: Entrance = "block",
        entry_kernel: Literal[1, 3] = 3,
    ) -> None:
        super().__init__(size, norm=norm)
        self.entries = nn.ModuleList(_entry(width, entry, entry_kernel, norm) for width in self.widths[1:])
        self.outputs = nn.ModuleList(SameConv3d(width, 3, 1, exact=True) for width in self.widths[:-1])

    def forward(self, fixed: Tensor, moving: Tensor, *, alpha: Sequence[float] | None = None) -> Tensor:
        """Return the displacement of Eq. 1, ``(n, 3, D, H, W)``, the sum of the levels' weighted by ``alpha``.

        Levels above the highest that counts, and inputs and outputs of weight zero, are not computed: they get no
        gradient, and their running averages stay. That is exact, since Eq. 3 weights what they would pass on with zero.
        """
        alpha = self._checked(alpha)
        top = max(level for level, weight in enumerate(alpha) if weight)
        images = self._stack(fixed, moving)
        features = self._decode(self._encode(images, alpha, top))
        parts = [weight * self._output(level, features[level]) for level, weight in enumerate(alpha) if weight]
        return sum(parts[1:], start=parts[0])

    def level_displacements(
        self, fixed: Tensor, moving: Tensor, *, alpha: Sequence[float] | None = None
    ) -> list[Tensor]:
        """Return each level's own displacement on the full grid, from the coarsest, all ``(n, 3, D, H, W)`` (Fig. 7).

        Levels that do not count yet are computed too, by the same formula. Only in evaluation mode: it would move the
        running averages of layers that are not in training.
        """
        if self.training:
            raise RuntimeError("ProgressiveUNet.level_displacements: in training mode; call eval() first")
        images, top = self._stack(fixed, moving), self.levels - 1
        features = self._decode(self._encode(images, self._checked(alpha), top))
        return [self._output(level, x) for level, x in enumerate(features)]

    def _encode(self, images: Tensor, alpha: Sequence[float], top: int) -> list[Tensor]:
        skips: list[Tensor] = []
        for level in range(top, -1, -1):
            x = images if level == self.levels - 1 else self._enter(level, images, skips, alpha)
            skips.insert(0, self.encoder[level](x))
        return skips

    def _enter(self, level: int, images: Tensor, skips: Sequence[Tensor], alpha: Sequence[float]) -> Tensor:
        """Return the input of a level's encoder, Eq. 3: images at its resolution and pooled features from above."""
        beta, gamma = (weights[level] for weights in input_weights(alpha))
        if not beta:
            return F.max_pool3d(skips[0], 2)
        own = self.entries[level](F.avg_pool3d(images, 2 ** (self.levels - 1 - level)))
        return beta * own + gamma * F.max_pool3d(skips[0], 2) if gamma else own

    def _output(self, level: int, features: Tensor) -> Tensor:
        if level == self.levels - 1:
            return self.displacement(features)
        # No factor for the resolution: every level predicts voxels of the full grid, as their sum needs one unit.
        scale = 2 ** (self.levels - 1 - level)
        return F.interpolate(self.outputs[level](features), scale_factor=scale, mode="trilinear")

    def _checked(self, alpha: Sequence[float] | None) -> Sequence[float]:
        if alpha is None:
            return final(self.levels)
        if len(alpha) != self.levels or min(alpha) < 0 or not abs(sum(alpha) - 1) < 1e-6:
            raise ValueError(
                f"ProgressiveUNet: alpha must be {self.levels} weights of 0 or more that sum to one, got {tuple(alpha)}"
            )
        return alpha


class Norm(nn.BatchNorm3d):
    """Batch normalisation that can use each volume's own statistics at evaluation."""

    def __init__(self, width: int, mode: NormMode) -> None:
        super().__init__(width)
        self.mode = mode

    def forward(self, x: Tensor) -> Tensor:
        """Return features ``(n, c, D, H, W)`` normalised."""
        if self.training or self.mode == "running":
            return super().forward(x)
        return F.instance_norm(x, weight=self.weight, bias=self.bias, eps=self.eps)

    def folded(self, conv: nn.Conv3d) -> tuple[Tensor, Tensor]:
        """Return the weight and bias of the convolution that does what ``conv`` and then the running averages do."""
        mean, variance, bias = self.running_mean, self.running_var, conv.bias
        assert mean is not None
        assert variance is not None
        assert bias is not None
        factor = self.weight / (variance + self.eps).sqrt()
        return conv.weight * factor.view(-1, 1, 1, 1, 1), self.bias + (bias - mean) * factor


class Block(nn.Module):
    """Convolution with zero padding, batch normalisation and leaky ReLU of slope 0.01; keeps the grid."""

    def __init__(self, channels_in: int, width: int, kernel: int, norm: NormMode) -> None:
        super().__init__()
        self.width = width
        self.conv = SameConv3d(channels_in, width, kernel)
        self.norm = Norm(width, norm)

    def forward(self, x: Tensor) -> Tensor:
        """Return features ``(n, width, D, H, W)``."""
        return F.leaky_relu(self.norm(self.conv(x)), SLOPE)

    def packed(self, dtype: torch.dtype) -> nn.Module:
        """Return the block as it registers on the CPU, averages of training folded into its convolution."""
        if self.norm.mode == "volume":
            return nn.Sequential(self.conv.packed(dtype), self.norm, nn.LeakyReLU(SLOPE))
        weight, bias = self.norm.folded(self.conv)
        return PackedConv3d(weight, bias, self.conv.stride, slope=SLOPE, dtype=dtype)


def _block(channels_in: int, width: int, norm: NormMode) -> Block:
    return Block(channels_in, width, 3, norm)


def _entry(width: int, entry: Entrance, kernel: int, norm: NormMode) -> nn.Module:
    return Block(2, width, kernel, norm) if entry == "block" else SameConv3d(2, width, kernel)
