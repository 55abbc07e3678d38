"""Displacements by cubic B-splines that pass through their control values, on a regular grid or at any points.

The convention is that of gryds (https://github.com/tueimage/gryds) and of SciPy's ``map_coordinates`` with ``mirror``:
of ``G`` control values along an axis of ``n`` voxels the k-th lies at voxel ``k n / (G - 1)``, the last one voxel
beyond the last sample; outside, the field is reflected about its end values. The control values are interpolated (the
spline's coefficients are found from them), so a field may overshoot them: by a factor of up to 1.5 an axis for ``G`` 4.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

CACHED = 1 << 15  # points at a time on a CPU: all that is made of them stays in its cache


def interpolation_weights(places: Tensor, controls: int) -> Tensor:
    """Weights of ``controls`` control values at ``places`` ``(..., m)`` in cells; gives ``(..., controls, m)``.

    At place k the weight of value k is one and those of the others are zero; a place's weights sum to one.
    """
    return _from_powers(controls).to(places) @ _powers(_mirror(places, controls - 1), controls)


def on_grid(values: Tensor, shape: Sequence[int]) -> Tensor:
    """Evaluate control values ``(n, c, A, B, C)`` at the voxels of a grid ``(D, H, W)``: ``(n, c, D, H, W)``.

    One small matrix product an axis.
    """
    controls = _controls(values, "on_grid")
    d, h, w = (
        interpolation_weights(
            torch.arange(n, dtype=torch.float64, device=values.device) * (g - 1) / n, g
        ).to(values.dtype)
        for n, g in zip(shape, controls, strict=True)
    )  # fmt: skip
    return torch.einsum("ncijk,id,jh,kw->ncdhw", values, d, h, w)


def at_points(values: Tensor, points: Tensor, shape: Sequence[int]) -> Tensor:
    """Evaluate control values ``(n, c, A, B, C)`` at points ``(n, 3, *out)``: ``(n, c, *out)``.

    Points are in voxels of a grid ``shape``, over which the control values are spread. Every value takes part at every
    point, in products of matrices, instead of the 64 around it being gathered: meant for the small control grids of
    random transforms (2 to 8 an axis), since the work grows with the number of control values.
    """
    cells = [(g - 1) / n for n, g in zip(shape, _controls(values, "at_points"), strict=True)]
    if points.ndim < 3 or points.shape[:2] != (values.shape[0], 3):
        raise ValueError(f"at_points: expected points ({values.shape[0]}, 3, ...), got shape {tuple(points.shape)}")
    scale = points.new_tensor(cells)[:, None]
    weights = [_from_powers(g).to(points) for g in values.shape[2:]]
    out = points.new_empty(*values.shape[:2], *points.shape[2:])
    for part, into in zip(in_cache(points), in_cache(out), strict=True):
        into.copy_(_tensor_product(values, part * scale, weights))
    return out


def in_cache(points: Tensor) -> Sequence[Tensor]:
    """Views ``(n, c, m)`` of ``(n, c, *out)``, of as many points as are best worked on at a time on their device."""
    flat = points.flatten(2)
    return flat.split(CACHED if flat.device.type == "cpu" else max(flat.shape[2], 1), dim=2)


def _tensor_product(values: Tensor, places: Tensor, weights: Sequence[Tensor]) -> Tensor:
    """``sum_ijk values_ijk w_i w_j w_k`` at places ``(n, 3, m)`` in cells; ``(n, c, m)``."""
    n, c, *controls = values.shape
    bases = (_powers(_mirror(place, g - 1), g) for place, g in zip(places.unbind(1), controls, strict=True))
    d, h, w = (weight @ basis for weight, basis in zip(weights, bases, strict=True))
    across = (h[:, :, None] * w[:, None]).flatten(1, 2)
    rows = (values.reshape(n, c * controls[0], -1) @ across).unflatten(1, (c, controls[0]))
    return rows.mul_(d[:, None]).sum(2)


def _mirror(places: Tensor, last: int) -> Tensor:
    """Reflect places about 0 and ``last``, as often as it takes to bring them between the two."""
    turns = (places / (2 * last)).floor_()
    return last - (places - turns.mul_(2 * last)).sub_(last).abs_()


def _powers(places: Tensor, controls: int) -> Tensor:
    """A basis of the cubic splines between 0 and ``controls - 1``: ``(..., controls + 2, m)`` at places ``(..., m)``.

    Powers about the middle, and cubes of the distance beyond each inner knot, outwards: so they stay small, and single
    precision suffices. B-splines, which have to be found at every knot, took `at_points` twice the time.
    """
    middle = (controls - 1) / 2
    x = places - middle
    square = x * x
    knots = torch.arange(1, controls - 1, dtype=places.dtype, device=places.device)[:, None] - middle
    beyond = (torch.where(knots < 0, -1, 1) * (x.unsqueeze(-2) - knots)).relu_()
    return torch.cat([torch.stack([torch.ones_like(x), x, square, square * x], -2), beyond * beyond * beyond], -2)


def _from_powers(controls: int) -> Tensor:
    """The weights of the control values in terms of `_powers`: ``(controls, controls + 2)``, float64.

    Two splines that agree at four times as many places as they have terms are the same.
    """
    places = torch.linspace(0, controls - 1, 4 * controls + 8, dtype=torch.float64)
    knots = torch.arange(-1, controls + 1, dtype=torch.float64)
    distance = (places - knots[:, None]).abs()
    cubic = ((2 - distance).relu() ** 3 - 4 * (1 - distance).relu() ** 3) / 6
    exact = _from_values(controls).T @ cubic
    return torch.linalg.lstsq(_powers(places, controls).T, exact.T).solution.T


def _from_values(controls: int) -> Tensor:
    """The matrix from control values to coefficients, one more at each end: ``(controls + 2, controls)``, float64."""
    ring = torch.arange(-1, controls + 1).abs()
    mirrored = torch.eye(controls, dtype=torch.float64)[torch.where(ring < controls, ring, 2 * (controls - 1) - ring)]
    through = (mirrored[:-2] + 4 * mirrored[1:-1] + mirrored[2:]) / 6
    return mirrored @ torch.linalg.inv(through)


def _controls(values: Tensor, where: str) -> Sequence[int]:
    if values.ndim != 5 or min(values.shape[2:]) < 2:
        raise ValueError(f"{where}: expected values (n, c, A, B, C), 2 or more an axis, got {tuple(values.shape)}")
    return values.shape[2:]
