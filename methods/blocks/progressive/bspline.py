"""Displacements by cubic B-splines that pass through their control values, on a regular grid or at any points.

The convention is that of gryds (https://github.com/tueimage/gryds) and of SciPy's ``map_coordinates`` with ``mirror``:
of ``G`` control values along an axis of ``n`` voxels the k-th lies at voxel ``k n / (G - 1)``, the last one voxel
beyond the last sample; outside, the field is reflected about its end values. The control values are interpolated (the
spline's coefficients are found from them), so a field may overshoot them: by a factor of up to 1.5 an axis for ``G`` 4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

CACHED = 1 << 15  # points at a time, of a thread on a CPU: all that is made of them stays in its cache


def interpolation_weights(places: Tensor, controls: int) -> Tensor:
    """Return weights ``(..., controls, m)`` of control values at ``places`` ``(..., m)`` in cells.

    At place k the weight of value k is one and those of the others are zero; a place's weights sum to one.
    """
    return _weights(
        _mirror(places / (2 * (controls - 1)), controls - 1), axis_of(controls, places.dtype, places.device)
    )


def on_grid(values: Tensor, shape: Sequence[int]) -> Tensor:
    """Evaluate control values ``(n, c, A, B, C)`` at the voxels of a grid ``(D, H, W)``: ``(n, c, D, H, W)``.

    One small matrix product an axis.
    """
    controls = _controls(values, "on_grid")
    d, h, w = (_grid_weights(n, g, values.dtype, values.device) for n, g in zip(shape, controls, strict=True))
    return torch.einsum("ncijk,id,jh,kw->ncdhw", values, d, h, w).contiguous()  # whatever order einsum chose


@lru_cache(maxsize=64)
@torch.inference_mode(False)  # what is kept serves training too
def _grid_weights(size: int, controls: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    places = torch.arange(size, dtype=torch.float64, device=device) * (controls - 1) / size
    return interpolation_weights(places, controls).to(dtype)


def evaluator(values: Tensor, shape: Sequence[int]) -> Callable[[Tensor], Tensor]:
    """Return a function that evaluates control values ``(n, c, A, B, C)`` at points ``(n, 3, m)``: ``(n, c, m)``.

    Points are in voxels of a grid ``shape``, over which the control values are spread. Every value takes part at every
    point, in products of matrices, instead of the 64 around it being gathered: meant for the small control grids of
    random transforms (2 to 8 an axis), since the work grows with the number of control values. No gradients.
    """
    controls = _controls(values, "evaluator")
    axes = [axis_of(g, values.dtype, values.device) for g in controls]
    turns = values.new_tensor([1 / (2 * n) for n in shape])[:, None]
    last = values.new_tensor([g - 1 for g in controls])[:, None]
    return lambda points: _tensor_product(values, _mirror(points * turns, last), axes)


def in_cache(*fields: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Yield views ``(n, c, m)`` of fields ``(n, c, *out)``, of as many points as their device best works on at a time.

    On a CPU, steps that each pass over whole fields wait for memory: fresh, and cleared by the system. What is made of
    a part is still in the cache at the next step, and its memory is used again for the next part.
    """
    flat = [field.view(*field.shape[:2], -1) for field in fields]  # what is written to a part must reach the field
    points, images = flat[0].shape[2], max(len(field) for field in flat)
    part = CACHED * torch.get_num_threads() // images if flat[0].device.type == "cpu" else points
    return zip(*(field.split(max(part, 1), dim=2) for field in flat), strict=True)


class Axis(NamedTuple):
    """An axis' ``weights`` in terms of its `_powers` ``(controls, controls + 2)``, and its inner knots ``(.., 1)``.

    ``knots`` are their distances from the middle, ``sides`` their directions, 1 or -1.
    """

    weights: Tensor
    knots: Tensor
    sides: Tensor


@lru_cache(maxsize=64)
@torch.inference_mode(False)
def axis_of(controls: int, dtype: torch.dtype, device: torch.device) -> Axis:
    """Return an axis' weights, fitted at four times as many places as the spline has terms."""
    inner = torch.arange(1, controls - 1, dtype=torch.float64)[:, None] - (controls - 1) / 2
    knots, sides = inner.abs(), torch.where(inner < 0, -1.0, 1.0).double()
    places = torch.linspace(0, controls - 1, 4 * controls + 8, dtype=torch.float64)
    distance = (places - torch.arange(-1, controls + 1)[:, None]).abs()
    cubic = ((2 - distance).relu() ** 3 - 4 * (1 - distance).relu() ** 3) / 6
    exact = _from_values(controls).T @ cubic
    powers = _powers(places - (controls - 1) / 2, knots, sides)
    weights = torch.linalg.lstsq(powers.T, exact.T).solution.T
    return Axis(*(part.to(device, dtype) for part in (weights, knots, sides)))


def _tensor_product(values: Tensor, places: Tensor, axes: Sequence[Axis]) -> Tensor:
    """``sum_ijk values_ijk w_i w_j w_k`` at places ``(n, 3, m)`` of `_mirror`; ``(n, c, m)``."""
    n, c, *controls = values.shape
    d, h, w = (_weights(x, axis) for x, axis in zip(places.unbind(1), axes, strict=True))
    across = (h[:, :, None] * w[:, None]).flatten(1, 2)
    rows = (values.reshape(n, c * controls[0], -1) @ across).unflatten(1, (c, controls[0]))
    out = rows[:, :, 0] * d[:, None, 0]
    for i in range(1, controls[0]):
        out.addcmul_(rows[:, :, i], d[:, None, i])
    return out


def _mirror(turns: Tensor, last: Tensor | int) -> Tensor:
    """Reflect places about both ends of an axis, as often as it takes, and count them in cells from its middle.

    They come in turns, of which one goes along the axis, ``last`` cells, and back again: whole turns do not matter.
    In cells the knots are exact in single precision; in turns rounding errors were half as large again.
    """
    return (turns - turns.round()).abs_().mul_(2 * last).sub_(last / 2)


def _weights(x: Tensor, axis: Axis) -> Tensor:
    return axis.weights @ _powers(x, axis.knots, axis.sides)


def _powers(x: Tensor, knots: Tensor, sides: Tensor) -> Tensor:
    """Return a basis of an axis' cubic splines, ``(..., controls + 2, m)``, at places ``(..., m)`` of `_mirror`.

    Powers about the middle, and cubes of the distance beyond each inner knot, outwards: so they stay small, and single
    precision suffices. B-splines, which have to be found at every knot, took `evaluator` twice the time. The basis is
    written in place, since to put it together of its rows took as long as the rows themselves.
    """
    basis = x.new_empty(*x.shape[:-1], 4 + len(knots), x.shape[-1])
    one, first, second, third = basis[..., :4, :].unbind(-2)
    one.fill_(1)
    first.copy_(x)
    torch.mul(x, x, out=second)
    torch.mul(x, second, out=third)
    beyond = torch.mul(x.unsqueeze(-2), sides, out=basis[..., 4:, :])
    beyond.sub_(knots).relu_().pow_(3)
    return basis


def _from_values(controls: int) -> Tensor:
    """Return the matrix from control values to coefficients, one more an end: ``(controls + 2, controls)``, float64."""
    ring = torch.arange(-1, controls + 1).abs()
    mirrored = torch.eye(controls, dtype=torch.float64)[torch.where(ring < controls, ring, 2 * (controls - 1) - ring)]
    through = (mirrored[:-2] + 4 * mirrored[1:-1] + mirrored[2:]) / 6
    return mirrored @ torch.linalg.inv(through)


def _controls(values: Tensor, where: str) -> Sequence[int]:
    if values.ndim != 5 or min(values.shape[2:]) < 2:
        raise ValueError(f"{where}: expected values (n, c, A, B, C), 2 or more an axis, got {tuple(values.shape)}")
    return values.shape[2:]
