"""A change of a displacement, taken back where it would fold what was not folded.

Between voxel centres a map is taken as linear on tetrahedra: the eight at each voxel that are spanned by one neighbour
along each axis, and two of those between them that are spanned by neighbours along diagonals. All differences that a
determinant is commonly taken by are among these or means of these.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

LEAST = 0.01  # of the volume that a tetrahedron had on the grid: what may be left of it
PLANES = 4  # at a time, so that what is made of them stays in the processor's cache
WIDE, SMOOTH = 4, 3  # voxels around a fold in which the change is taken back, and over which that fades out
PART = 0.34  # of the change that is taken back in a round
ROUNDS = 30


def without_new_folds(start: Tensor, change: Tensor) -> Tensor:
    """Return ``start + share * change``, each ``(3, D, H, W)`` in voxels, with the largest smooth ``share`` it finds.

    No tetrahedron that ``start`` leaves more than `LEAST` of its volume is left less, and no other one loses any. Where
    nothing but ``start`` itself does that, it is what comes back.
    """
    share = torch.ones_like(change[0])
    for _ in range(ROUNDS):
        moved = start + share * change
        worse = _worse(start, moved)
        if not worse.any():
            return moved
        share = (share - PART * _around(worse)).relu()
    return start


def _worse(start: Tensor, moved: Tensor) -> Tensor:
    """Return at which voxels ``(D, H, W)`` a tetrahedron has come out worse."""
    before, after = (F.pad(u[None], (1,) * 6, mode="replicate")[0] for u in (start, moved))
    parts = []
    for low in range(0, start.shape[1], PLANES):
        part = slice(low, low + PLANES + 2)
        both = zip(_volumes(before[:, part]), _volumes(after[:, part]), strict=True)
        parts.append(reduce(torch.logical_or, (new < old.clamp(max=LEAST) for old, new in both)))
    return torch.cat(parts)


def _around(voxels: Tensor) -> Tensor:
    """Return a number from 0 to 1 a voxel ``(D, H, W)``: 1 at some voxels and near them, fading out around."""
    near = voxels.float()[None, None]
    for axis in range(3):
        near = F.max_pool3d(near, *_window(axis, WIDE))
    for axis in range(3):
        near = F.avg_pool3d(near, *_window(axis, SMOOTH), count_include_pad=False)
    return near[0, 0]


def _window(axis: int, radius: int) -> tuple[list[int], int, list[int]]:
    """Return size, stride and padding of a window along one axis."""
    along = [each == axis for each in range(3)]
    return [2 * radius + 1 if here else 1 for here in along], 1, [radius if here else 0 for here in along]


def _volumes(padded: Tensor) -> Iterator[Tensor]:
    """Yield ten volumes ``(D, H, W)``, each in parts of that on the grid, of ``u`` padded by a voxel around."""
    edges = {step: _edge(padded, step) for step in ((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1))}
    z, y, x = edges[1, 0, 0], edges[0, 1, 0], edges[0, 0, 1]
    for second, third in product((0, 1), repeat=2):
        normal = torch.linalg.cross(y[second], x[third], dim=0)
        yield from ((first * normal).sum(0) for first in z)
    for side in (0, 1):
        normal = torch.linalg.cross(edges[0, 1, 1][side], edges[1, 0, 1][side], dim=0)
        yield (edges[1, 1, 0][side] * normal).sum(0) / 2


def _edge(padded: Tensor, step: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
    """Return where the edges to a voxel from the one a step before, and from it to the one after, lead."""
    d, h, w = (n - 2 for n in padded.shape[1:])
    before, here, after = (
        padded[:, 1 + k * step[0] :, 1 + k * step[1] :, 1 + k * step[2] :][:, :d, :h, :w] for k in (-1, 0, 1)
    )
    on_grid = padded.new_tensor(step)[:, None, None, None]
    return here - before + on_grid, after - here + on_grid
