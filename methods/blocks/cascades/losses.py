"""Training losses of the cascades, each the mean over the batch.

The released code of Recursive Cascaded Networks and LDR sums over the batch instead. Relative weights are the same, and
a mean makes curves of different batch sizes comparable. Adam feels the common factor only where gradients are near its
epsilon, as in the first steps of LDR, whose head starts next to zero.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from methods.blocks.cascades.cascade import Affine, Registration
from methods.blocks.spatial import compose

ComparedStages = Literal["last", "all"]
EPSILON = 1e-6
EPSILON_AFFINE = 1e-5


@dataclass(frozen=True)
class Weights:
    """Weights of the terms; ``stages`` puts the similarity on the last warped image or on every stage's."""

    similarity: float = 1.0
    regularisation: float = 1.0
    determinant: float = 0.1
    orthogonality: float = 0.1
    stages: ComparedStages = "last"


def total(terms: Iterable[Tensor]) -> Tensor:
    """Return the sum of one term or more."""
    first, *others = terms
    return sum(others, start=first)


def correlation_loss(fixed: Tensor, warped: Tensor) -> Tensor:
    """Return ``1 - r``, Pearson's r over all voxels of ``(n, c, *spatial)``, each variance plus 1e-6 (LDR eq. 9-11)."""
    a, b = fixed.flatten(1), warped.flatten(1)
    a, b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
    variances = (a.square().mean(1) + EPSILON) * (b.square().mean(1) + EPSILON)
    return (1 - (a * b).mean(1) / variances.sqrt()).mean()


def regularisation_loss(displacement: Tensor) -> Tensor:
    """Return half the sum of squared forward differences over three axes and components, over ``3 D H W``."""
    return _Smoothness.apply(displacement)  # pyright: ignore[reportReturnType]  torch has no type of its result


class _Smoothness(torch.autograd.Function):
    """The regularisation with its gradient found beside it, out of the same differences.

    Left to autograd, each difference is zero-filled, copied and passed over three times more on the way back, in all
    three times the work. No second derivatives.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, displacement: Tensor) -> Tensor:
        """Return the loss; keep its gradient for a factor of one."""
        force, squares = torch.zeros_like(displacement), displacement.new_zeros(())
        for axis in (2, 3, 4):
            steps = displacement.diff(dim=axis)
            force.narrow(axis, 1, steps.shape[axis]).add_(steps)
            force.narrow(axis, 0, steps.shape[axis]).sub_(steps)
            squares += steps.square_().sum()
        ctx.save_for_backward(force)
        return 0.5 * squares / displacement.numel()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the gradient by the displacement."""
        [force] = ctx.saved_tensors
        return force * (upstream / force.numel())


def determinant_loss(matrix: Tensor) -> Tensor:
    """Return ``0.5 (det(I + W) - 1)^2`` for ``W`` ``(n, 3, 3)``."""
    return (0.5 * (_determinant(_linear(matrix)) - 1).square()).mean()


def orthogonality_loss(matrix: Tensor) -> Tensor:
    """Return ``sum (k + e + (1 + e)^2 / (k + e)) - 6 (1 + e)``, zero for a rotation, where ``I + W`` is the linear map.

    The sum is over its squared singular values k, and e = 1e-5. It is written with the elementary symmetric polynomials
    of the eigenvalues, which need no eigenvalue decomposition: its gradient is undefined where two of them meet, as at
    the identity.
    """
    linear = _linear(matrix)
    gram = linear.mT @ linear + EPSILON_AFFINE * torch.eye(3, dtype=matrix.dtype, device=matrix.device)
    s1 = gram.diagonal(dim1=1, dim2=2).sum(1)
    s2 = (s1.square() - gram.square().sum((1, 2))) / 2
    one = 1 + EPSILON_AFFINE
    return (s1 + one**2 * s2 / _determinant(gram) - 6 * one).mean()


def invertibility_loss(there: Tensor, back: Tensor) -> Tensor:
    """Return the mean squared length (voxels) of both round trips of a pair's displacement and of the swapped pair's.

    VTN's optional loss (arXiv:1902.05020); its norm and weight were not at hand, so these are this project's reading.
    """
    trips = compose(back, there), compose(there, back)
    return total(trip.square().sum(1).mean() for trip in trips)


def cascade_losses(result: Registration, fixed: Tensor, weights: Weights) -> dict[str, Tensor]:
    """Return the weighted terms of a cascade and their sum ``total``; zero-dimensional tensors.

    The similarity is taken at the last stage (or all), the regularisation of every dense stage's own displacement, the
    determinant and orthogonality of every affine stage.
    """
    compared = result.stages if weights.stages == "all" else result.stages[-1:]
    dense = [stage.own for stage in result.stages if not isinstance(stage.own, Affine)]
    affine = [stage.own.matrix for stage in result.stages if isinstance(stage.own, Affine)]
    terms = {"similarity": weights.similarity * total(correlation_loss(fixed, stage.warped) for stage in compared)}
    if dense:
        terms["regularisation"] = weights.regularisation * total(map(regularisation_loss, dense))
    if affine:
        terms["determinant"] = weights.determinant * total(map(determinant_loss, affine))
        terms["orthogonality"] = weights.orthogonality * total(map(orthogonality_loss, affine))
    return {**terms, "total": total(terms.values())}


def _linear(matrix: Tensor) -> Tensor:
    return matrix + torch.eye(3, dtype=matrix.dtype, device=matrix.device)


def _determinant(matrix: Tensor) -> Tensor:
    (a, b, c), (d, e, f), (g, h, i) = (row.unbind(-1) for row in matrix.unbind(-2))
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
