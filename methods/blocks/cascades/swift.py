"""The network of `methods.swift`: looks at a pair again and again, on small grids, and moves control points."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.blocks.cascades.cascade import Registration, Stage
from methods.blocks.cascades.control import field_of
from methods.blocks.layers import SLOPE, SameConv3d
from methods.blocks.options import not_negative, positive
from methods.blocks.precision import mixed_precision
from methods.blocks.spatial import warp

CALM = 1e-3  # squared grey values a voxel: keeps the force small where there is next to nothing to see


@dataclass(frozen=True)
class Design:
    """The network as its weights need it."""

    channels: int = 32  # width of all convolutions; multiples of 16 are what a CPU computes fast
    depth: int = 2  # convolutions between what is seen and the control points
    steps: tuple[int, ...] = (3, 3, 3)  # looks at the pair on each grid, the coarsest first; each is half of the next

    def __post_init__(self) -> None:
        positive("swift", channels=self.channels)
        not_negative("swift", depth=self.depth)
        if not self.steps or min(self.steps) < 1:
            raise ValueError(f"swift: steps must be one number or more, each at least 1, got {self.steps}")

    @property
    def multiple(self) -> int:
        """What the axes of the averaged images have to be multiples of."""
        return 2 ** len(self.steps)


class Look(nn.Module):
    """From what is seen of a pair on a grid to what its control points, half as fine, have to move besides."""

    def __init__(self, design: Design) -> None:
        super().__init__()
        self.see = SameConv3d(5, design.channels, 4, stride=2, slope=SLOPE)
        self.think = nn.ModuleList(
            SameConv3d(design.channels, design.channels, slope=SLOPE) for _ in range(design.depth)
        )
        self.move = SameConv3d(design.channels, 3, std=1e-5, exact=True)  # starts next to the identity

    def forward(self, seen: Tensor) -> Tensor:
        """Return ``(n, 3, D / 2, H / 2, W / 2)``, in voxels of what is seen of a pair, ``(n, 5, D, H, W)``."""
        x = self.see(seen)
        for conv in self.think:
            x = conv(x)
        return self.move(x)


class Swift(nn.Module):
    """Control points of a spline from two images ``(n, 1, D, H, W)`` whose averages over cubes it sees.

    Args:
        design: its layers; the averages' axes are multiples of ``design.multiple``.
        shrink: voxels a side of a cube. Weights fit any.
    """

    def __init__(self, design: Design, shrink: int) -> None:
        super().__init__()
        self.looks = nn.ModuleList(Look(design) for _ in design.steps)
        self.steps, self.shrink = design.steps, shrink

    def displacement(self, fixed: Tensor, moving: Tensor, *, mixed: bool = False) -> Tensor:
        """Return the displacement ``(n, 3, D, H, W)``."""
        return field_of(self.controls(fixed, moving, mixed=mixed), fixed.shape[2:])

    def controls(self, fixed: Tensor, moving: Tensor, *, mixed: bool = False) -> Tensor:
        """Return the control points ``(n, 3, A, B, C)`` of the displacement, in voxels of the images."""
        *_, controls = self._controls(fixed, moving, mixed=mixed)
        return self.shrink * controls

    def forward(self, fixed: Tensor, moving: Tensor, *, mixed: bool = False) -> Registration:
        """Register ``moving`` to ``fixed``; all steps together are one stage, for it is their sum that is smooth.

        ``mixed`` runs convolutions in bfloat16; control points, fields and warps stay in the images' own precision.
        """
        whole = self.displacement(fixed, moving, mixed=mixed)
        return Registration((Stage(whole, whole, warp(moving, whole)),))

    def predictions(self, fixed: Tensor, moving: Tensor) -> list[Tensor]:
        """Return what each look gives, for what all of them cost; it does not depend on what is seen."""
        grids = zip(self.looks, self.steps, self._pyramid(fixed, moving), strict=True)
        return [look(torch.cat([*pair, *[pair[0]] * 3], 1)) for look, steps, pair in grids for _ in range(steps)]

    def _controls(self, fixed: Tensor, moving: Tensor, *, mixed: bool) -> Iterator[Tensor]:
        """Yield the control points after each look, in voxels of the images that it saw."""
        controls: Tensor | None = None
        for look, steps, (still, moves) in zip(self.looks, self.steps, self._pyramid(fixed, moving), strict=True):
            shape = still.shape[2:]
            if controls is not None:
                controls = 2 * field_of(controls, [n // 2 for n in shape])
            for _ in range(steps):
                warped = moves if controls is None else warp(moves, field_of(controls, shape))
                with mixed_precision(fixed, on=mixed):
                    own: Tensor = look(seen(still, warped)).contiguous()
                controls = own if controls is None else controls + own
                yield controls

    def _pyramid(self, fixed: Tensor, moving: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Return the pair on each grid, the coarsest first."""
        pairs = [(_averaged(fixed, self.shrink), _averaged(moving, self.shrink))]
        for _ in self.looks[1:]:
            pairs.insert(0, (_averaged(pairs[0][0], 2), _averaged(pairs[0][1], 2)))
        return pairs


def seen(fixed: Tensor, warped: Tensor) -> Tensor:
    """Return both images and the `force` between them, ``(n, 5, D, H, W)``, channels last."""
    return torch.cat([fixed, warped, force(fixed, warped)], dim=1).contiguous(memory_format=torch.channels_last_3d)


def force(fixed: Tensor, warped: Tensor) -> Tensor:
    """Return the symmetric force of the demons ``(n, 3, D, H, W)``, in voxels: what would close the gap of grey values.

    ``g s / (|s|^2 + g^2 + 0.001)``, g the gap ``fixed - warped`` and s the slope of both images' mean; no longer than
    half a voxel. Thirion 1998, doi:10.1016/S1361-8415(98)80022-4, here with the slope of Vercauteren et al. 2009.
    """
    gap, slope = fixed - warped, _slopes((fixed + warped) / 2)
    return slope * (gap / (slope.square().sum(1, keepdim=True) + gap.square() + CALM))


def _slopes(image: Tensor) -> Tensor:
    """Return the central differences of ``(n, 1, D, H, W)`` along its axes; the image goes on beyond its border."""
    wide = F.pad(image, [1] * 6, mode="replicate")
    found: list[Tensor] = []
    for axis in (2, 3, 4):
        inner = [slice(1, -1)] * 3
        ahead, behind = list(inner), list(inner)
        ahead[axis - 2], behind[axis - 2] = slice(2, None), slice(None, -2)
        found.append(wide[(..., *ahead)] - wide[(..., *behind)])
    return torch.cat(found, dim=1) / 2


def _averaged(image: Tensor, size: int) -> Tensor:
    return F.avg_pool3d(image, size) if size > 1 else image
