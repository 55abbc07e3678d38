"""The U-Net of Eppenhof et al. (doi:10.1109/TMI.2019.2953788) at full width, plainly."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class UNet(nn.Module):
    """Five levels, 32 to 512 channels; the lists go from the coarsest level to the finest."""

    def __init__(self) -> None:
        super().__init__()
        widths = [512, 256, 128, 64, 32]
        self.encoder = nn.ModuleList(
            double(before, after // 2, after) for before, after in zip([*widths[1:], 2], widths, strict=True)
        )
        self.up = nn.ModuleList(nn.ConvTranspose3d(w, w, 2, stride=2) for w in widths[:-1])
        self.decoder = nn.ModuleList(double(3 * w, w, w) for w in widths[1:])
        self.flow = nn.Conv3d(32, 3, 1)
        self.pool = nn.MaxPool3d(2)

    def forward(self, fixed: Tensor, moving: Tensor) -> Tensor:
        x, skips = torch.cat([fixed, moving], 1), []
        for level in (4, 3, 2, 1):
            x = self.encoder[level](x)
            skips.append(x)
            x = self.pool(x)
        x = self.encoder[0](x)
        for up, decoder, skip in zip(self.up, self.decoder, skips[::-1], strict=True):
            x = decoder(torch.cat([up(x), skip], 1))
        return self.flow(x)


def double(before: int, between: int, after: int) -> nn.Module:
    return nn.Sequential(*convolved(before, between), *convolved(between, after))


def convolved(before: int, after: int) -> list[nn.Module]:
    return [nn.Conv3d(before, after, 3, padding=1), nn.BatchNorm3d(after), nn.LeakyReLU(0.01)]
