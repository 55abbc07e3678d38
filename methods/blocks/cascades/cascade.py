"""Recursive cascades: each network registers the fixed image to the moving image as warped so far.

Composition and gradients follow the released code of Recursive Cascaded Networks (Zhao et al., ICCV 2019,
doi:10.1109/ICCV.2019.01070): every warped image is sampled once, from the original moving image, with the total
displacement; gradients reach earlier networks through it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from methods.blocks.precision import mixed_precision
from methods.blocks.spatial import affine_displacement, compose, warp


@dataclass(frozen=True)
class Affine:
    """``x -> x + W r + b``, r counted from the centre: ``matrix`` W is ``(n, 3, 3)``, ``translation`` b ``(n, 3)``."""

    matrix: Tensor
    translation: Tensor

    def displacement(self, shape: Sequence[int]) -> Tensor:
        """Return the displacement ``(n, 3, *shape)`` in voxels."""
        return affine_displacement(self.matrix, self.translation, shape)


@dataclass(frozen=True)
class Stage:
    """The step of one network: ``own``, its prediction times its multiplier, and the ``displacement`` up to here."""

    own: Tensor | Affine
    displacement: Tensor
    warped: Tensor


@dataclass(frozen=True)
class Registration:
    """The stages of a cascade; the last one holds the total displacement and the final warped image."""

    stages: tuple[Stage, ...]

    @property
    def displacement(self) -> Tensor:
        """The total displacement ``(n, 3, D, H, W)``."""
        return self.stages[-1].displacement

    @property
    def warped(self) -> Tensor:
        """The final warped image."""
        return self.stages[-1].warped


def extend(
    so_far: Tensor | Affine | None, own: Tensor | Affine, shape: Sequence[int], *, dense: Tensor | None = None
) -> Tensor | Affine:
    """Append ``own`` to the transform so far: pull back by ``own``, then by what was there before.

    Exact, without interpolation, while what was there before is affine; otherwise the earlier field is resampled
    trilinearly with border clamp. ``dense`` is the displacement of ``so_far``, where it is known.
    """
    if so_far is None:
        return own
    if isinstance(so_far, Affine):
        return _after_affine(so_far, own, so_far.displacement(shape) if dense is None else dense)
    return compose(so_far, own.displacement(shape) if isinstance(own, Affine) else own)


def _after_affine(so_far: Affine, own: Tensor | Affine, dense: Tensor) -> Tensor | Affine:
    w, b = so_far.matrix, so_far.translation
    if isinstance(own, Affine):
        shift = own.translation + b + torch.einsum("nij,nj->ni", w, own.translation)
        return Affine(w + own.matrix + w @ own.matrix, shift)
    turn = w + torch.eye(3, dtype=w.dtype, device=w.device)
    return torch.baddbmm(dense.flatten(2), turn, own.contiguous().flatten(2)).view_as(own)


class Cascade(nn.Module):
    """Networks run in sequence. Each takes (fixed, warped moving) and returns a dense displacement or an `Affine`.

    ``multipliers`` scale the dense predictions, one a network; an affine prediction is left as it is. ``repeat`` runs
    each dense network so often in sequence with the same weights (the shared-weight cascades of RCN, for testing).
    """

    def __init__(self, networks: Sequence[nn.Module], multipliers: Sequence[float], *, repeat: int = 1) -> None:
        super().__init__()
        if not networks or len(networks) != len(multipliers):
            raise ValueError(f"Cascade: {len(networks)} networks need as many multipliers, got {len(multipliers)}")
        self.networks = nn.ModuleList(networks)
        self.multipliers = tuple(multipliers)
        self.repeat = repeat

    def displacement(self, fixed: Tensor, moving: Tensor, *, mixed: bool = False) -> Tensor:
        """Return the total displacement ``(n, 3, D, H, W)`` alone."""
        *_, (_, dense, _) = self._steps(fixed, moving, mixed)
        return dense

    def predictions(self, fixed: Tensor, moving: Tensor) -> list[Tensor | Affine]:
        """Return what each network predicts for the images as they are, called as often as in a registration.

        For what the networks cost, which is the same for all images of a grid.
        """
        found: list[Tensor | Affine] = []
        for network in self.networks:
            for _ in range(self.repeat):
                found.append(network(fixed, moving))
                if isinstance(found[-1], Affine):
                    break
        return found

    def forward(self, fixed: Tensor, moving: Tensor, *, mixed: bool = False) -> Registration:
        """Register ``moving`` to ``fixed``, both ``(n, 1, D, H, W)`` in [0, 1].

        ``mixed`` runs the networks' convolutions in bfloat16; displacements, compositions and warps stay in the images'
        own precision.
        """
        steps = list(self._steps(fixed, moving, mixed))
        warped = [*(seen for _, _, seen in steps[1:]), warp(moving, steps[-1][1])]
        return Registration(tuple(Stage(own, dense, w) for (own, dense, _), w in zip(steps, warped, strict=True)))

    def _steps(self, fixed: Tensor, moving: Tensor, mixed: bool) -> Iterator[tuple[Tensor | Affine, Tensor, Tensor]]:
        """Yield what each network predicts, the total displacement after it, and the warped image that it saw."""
        if fixed.ndim != 5 or fixed.shape != moving.shape:
            raise ValueError(
                f"Cascade: expected two images (n, 1, D, H, W), got {tuple(fixed.shape)} and {tuple(moving.shape)}"
            )
        shape, total, dense = fixed.shape[2:], None, None
        for network, multiplier in zip(self.networks, self.multipliers, strict=True):
            for _ in range(self.repeat):
                warped = moving if dense is None else warp(moving, dense)
                with mixed_precision(fixed, on=mixed):
                    own = network(fixed, warped)
                own = own if isinstance(own, Affine) else own * multiplier
                total = extend(total, own, shape, dense=dense)
                dense = total.displacement(shape) if isinstance(total, Affine) else total
                yield own, dense, warped
                if isinstance(own, Affine):
                    break
