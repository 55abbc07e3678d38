"""Recursive cascades of VTN (RCN) and of LDR, with their losses: Zhao et al. 2019 and Tran et al. 2021, plainly."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.peers.warping import compose, voxel_grid, warp


class Conv(nn.Module):
    """A convolution with TensorFlow's 'SAME' padding, then a leaky ReLU of slope 0.1 unless it is ``linear``."""

    def __init__(self, before: int, after: int, *, stride: int = 1, linear: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv3d(before, after, 3, stride)
        self.stride, self.linear = stride, linear

    def forward(self, x: Tensor) -> Tensor:
        pads = []
        for size in reversed(x.shape[2:]):
            missing = max((math.ceil(size / self.stride) - 1) * self.stride + 3 - size, 0)
            pads += [missing // 2, missing - missing // 2]
        x = self.conv(F.pad(x, pads))
        return x if self.linear else F.leaky_relu(x, 0.1)


def deconv(before: int, after: int) -> nn.Module:
    return nn.ConvTranspose3d(before, after, 4, stride=2, padding=1, bias=False)


class AffineStem(nn.Module):
    """VTN's affine network: matrix W ``(n, 3, 3)`` and translation b ``(n, 3)`` of ``u = W r + b``."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            Conv(2, 16, stride=2),
            Conv(16, 32, stride=2),
            Conv(32, 64, stride=2),
            Conv(64, 64),
            Conv(64, 128, stride=2),
            Conv(128, 128),
            Conv(128, 256, stride=2),
            Conv(256, 256),
            Conv(256, 512, stride=2),
            Conv(512, 512),
        )
        self.matrix = nn.Conv3d(512, 9, 2, bias=False)
        self.translation = nn.Conv3d(512, 3, 2, bias=False)

    def forward(self, fixed: Tensor, moving: Tensor) -> tuple[Tensor, Tensor]:
        x = F.adaptive_avg_pool3d(self.layers(torch.cat([fixed, moving], 1)), 2)
        return self.matrix(x).reshape(-1, 3, 3), self.translation(x).reshape(-1, 3)


class VTN(nn.Module):
    """VTN's dense network; axes are multiples of 64."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList([Conv(2, 16, stride=2), *(Conv(2**k, 2 ** (k + 1), stride=2) for k in range(4, 9))])
        self.same = nn.ModuleList(Conv(2**k, 2**k) for k in range(6, 10))
        features = [512, 2 * 256 + 3, 2 * 128 + 3, 2 * 64 + 3, 2 * 32 + 3]
        self.predict = nn.ModuleList(Conv(n, 3, linear=True) for n in features)
        self.carry = nn.ModuleList(deconv(3, 3) for _ in features)
        self.up = nn.ModuleList(deconv(n, width) for n, width in zip(features, (256, 128, 64, 32, 16), strict=True))
        self.flow = deconv(2 * 16 + 3, 3)

    def forward(self, fixed: Tensor, moving: Tensor) -> Tensor:
        x, skips = torch.cat([fixed, moving], 1), []
        for level, conv in enumerate(self.down):
            x = conv(x)
            if level >= 2:
                x = self.same[level - 2](x)
            skips.append(x)
        for level in range(5):
            up = F.leaky_relu(self.up[level](x), 0.1)
            x = torch.cat([skips[4 - level], up, self.carry[level](self.predict[level](x))], 1)
        return self.flow(x)


class LDR(nn.Module):
    """The released LDR network at its full width; axes are multiples of 16."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList(Conv(a, b, stride=2) for a, b in ((2, 32), (32, 32), (32, 32), (32, 16)))
        self.bottom = Conv(16, 32)
        self.up = nn.ModuleList([Conv(64, 32), Conv(64, 32), Conv(64, 32)])
        self.narrow = Conv(32, 16)
        self.full = nn.Sequential(Conv(18, 16), Conv(16, 16))
        self.flow = Conv(16, 3, linear=True)
        self.enlarge = nn.Upsample(scale_factor=2)

    def forward(self, fixed: Tensor, moving: Tensor) -> Tensor:
        images = torch.cat([fixed, moving], 1)
        x, skips = images, []
        for conv in self.down:
            x = conv(x)
            skips.append(x)
        x = self.bottom(x)
        for conv, skip in zip(self.up, skips[2::-1], strict=True):
            x = conv(torch.cat([self.enlarge(x), skip], 1))
        return self.flow(self.full(torch.cat([self.enlarge(self.narrow(x)), images], 1)))


class Cascade(nn.Module):
    """Networks in sequence, each seeing the image as warped so far; ``share`` scales each dense flow."""

    def __init__(self, networks: list[nn.Module], share: float) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.share = share

    def forward(self, fixed: Tensor, moving: Tensor) -> tuple[Tensor, Tensor, list[Tensor], Tensor | None]:
        """Return the total flow, the warped image, the dense flows of the networks and the affine matrix, if any."""
        total, matrix, warped, flows = None, None, moving, []
        for network in self.networks:
            if isinstance(network, AffineStem):
                matrix, shift = network(fixed, warped)
                total = affine_flow(matrix, shift, fixed.shape[2:])
            else:
                flow = self.share * network(fixed, warped)
                if total is None:
                    total = flow
                elif not flows:  # after an affine stem: exactly, without interpolation
                    total = total + flow + torch.einsum("nij,njdhw->nidhw", matrix, flow)
                else:
                    total = compose(total, flow)
                flows.append(flow)
            warped = warp(moving, total)
        return total, warped, flows, matrix


def affine_flow(matrix: Tensor, shift: Tensor, shape: torch.Size) -> Tensor:
    """Return ``W r + b``, r counted from the centre of the grid."""
    centre = torch.tensor([(n - 1) / 2 for n in shape]).view(1, 3, 1, 1, 1)
    away = (voxel_grid(shape) - centre).expand(len(matrix), -1, -1, -1, -1)
    return torch.einsum("nij,njdhw->nidhw", matrix, away) + shift[:, :, None, None, None]


def rcn(cascades: int) -> Cascade:
    return Cascade([AffineStem(), *(VTN() for _ in range(cascades))], 20 / cascades)


def ldr(cascades: int) -> Cascade:
    return Cascade([LDR() for _ in range(cascades + 1)], 1 / (cascades + 1))


def loss(model: Cascade, fixed: Tensor, moving: Tensor) -> Tensor:
    """Return the loss of RCN's training: correlation, smooth flows, and an affine map close to a rotation."""
    _, warped, flows, matrix = model(fixed, moving)
    a, b = ((image - image.mean((1, 2, 3, 4), keepdim=True)).flatten(1) for image in (fixed, warped))
    correlation = (a * b).mean(1) / torch.sqrt((a.pow(2).mean(1) + 1e-6) * (b.pow(2).mean(1) + 1e-6))
    value = (1 - correlation).mean()
    for flow in flows:
        squares = sum(((flow.narrow(d, 1, n - 1) - flow.narrow(d, 0, n - 1)) ** 2).sum() for d, n in axes(flow))
        value = value + squares / 2 / flow.numel()
    if matrix is not None:
        linear = matrix + torch.eye(3)
        value = value + 0.1 * (torch.linalg.det(linear) - 1).pow(2).mean() / 2
        gram = linear.transpose(1, 2) @ linear + 1e-5 * torch.eye(3)
        both = gram + (1 + 1e-5) ** 2 * torch.linalg.inv(gram)
        value = value + 0.1 * (both.diagonal(dim1=1, dim2=2).sum(1) - 6 * (1 + 1e-5)).mean()
    return value


def axes(flow: Tensor) -> list[tuple[int, int]]:
    return [(axis, flow.shape[axis]) for axis in (2, 3, 4)]
