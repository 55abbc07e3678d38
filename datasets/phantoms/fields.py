"""Smooth coordinate maps in millimetres: random B-spline displacements, their sum with an affine part, their inverse.

Points are arrays ``(3, ...)`` in millimetres, components in array-axis order, the centre of the grid at zero. A
phantom's subject is a template seen through such a map, ``I(x) = T(x + d(x))``; two subjects of one template are
therefore related by ``y + d_moving(y) = x + d_fixed(x)``, which `true_displacement` solves for ``y`` (a `Chain` is a
map of several such steps).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import ndimage

from datasets.geometry import Array
from datasets.grid import Grid

Displacement = Callable[[Array], Array]


@dataclass(frozen=True)
class SmoothField:
    """A displacement in mm: a uniform cubic B-spline with ``coefficients`` ``(3, gx, gy, gz)``, constant outside.

    Knot 0 lies at ``origin`` ``(3,)`` mm, its neighbours ``knot_spacing`` ``(3,)`` mm further.
    """

    coefficients: Array
    origin: Array
    knot_spacing: Array

    def __call__(self, points: Array) -> Array:
        """The displacement at any ``points`` ``(3, ...)``, in mm and of the same shape."""
        where = np.stack([self._knots(points[axis], axis) for axis in range(3)])
        return np.stack([ndimage.map_coordinates(c, where, order=3, prefilter=False) for c in self.coefficients])

    def on_grid(self, axes: Sequence[Array], *, slope_along: int | None = None) -> Array:
        """Return the displacement ``(3, D, H, W)`` at the points of three coordinate ``axes``; much faster than a call.

        With ``slope_along`` its derivative, per mm, along that axis.
        """
        values = self.coefficients
        for axis in range(3):
            basis = _basis(self._knots(axes[axis], axis), values.shape[axis + 1], slope=axis == slope_along)
            values = np.moveaxis(np.tensordot(basis, values, (1, axis + 1)), 0, axis + 1)
        return values if slope_along is None else values / self.knot_spacing[slope_along]

    def lipschitz(self) -> float:
        """Return the largest spectral norm of the gradient, sampled three times a knot: how much it stretches."""
        grid = [np.arange(1, n - 1.9, 1 / 3) for n in self.coefficients.shape[1:]]
        axes = [o + h * g for o, h, g in zip(self.origin, self.knot_spacing, grid, strict=True)]
        gradient = np.stack([self.on_grid(axes, slope_along=axis) for axis in range(3)], axis=1)
        gradient = np.moveaxis(gradient.reshape(3, 3, -1), -1, 0)
        bound = np.abs(gradient).sum(1).max(1) * np.abs(gradient).sum(2).max(1)  # |A|_2^2 <= |A|_1 |A|_inf
        candidates = gradient[np.argsort(bound)[-512:]]
        return float(np.linalg.norm(candidates, 2, axis=(1, 2)).max())

    def scaled(self, factor: float) -> SmoothField:
        """Return the field with all displacements times ``factor``."""
        return SmoothField(self.coefficients * factor, self.origin, self.knot_spacing)

    def _knots(self, coordinates: Array, axis: int) -> Array:
        knots = (coordinates - self.origin[axis]) / self.knot_spacing[axis]
        return np.clip(knots, 1, self.coefficients.shape[axis + 1] - 2)


@dataclass(frozen=True)
class Deformation:
    """``d(x) = matrix x + shift + sum of fields``, in mm: a small affine part and smooth fields."""

    fields: tuple[SmoothField, ...] = ()
    matrix: Array | None = None
    shift: Array | None = None

    def __call__(self, points: Array) -> Array:
        """The displacement at ``points`` ``(3, ...)``, in mm."""
        total = np.zeros_like(points) if self.matrix is None else np.tensordot(self.matrix, points, 1)
        for part in self.fields:
            total += part(points)
        return total if self.shift is None else total + self.shift.reshape(3, *[1] * (points.ndim - 1))

    def on_grid(self, axes: Sequence[Array]) -> Array:
        """Return the displacement ``(3, D, H, W)`` at the grid points of three coordinate ``axes``, in mm."""
        points = mesh(axes)
        total = Deformation((), self.matrix, self.shift)(points)
        for part in self.fields:
            total += part.on_grid(axes)
        return total


def mesh(axes: Sequence[Array]) -> Array:
    """Return the points ``(3, D, H, W)`` of a grid with three coordinate axes."""
    return np.stack(np.meshgrid(*axes, indexing="ij"))


def random_field(
    rng: np.random.Generator,
    *,
    centre: Sequence[float],
    extent_mm: Sequence[float],
    knot_mm: ArrayLike,
    amplitude_mm: ArrayLike,
    limit: float = 0.45,
) -> SmoothField:
    """Draw a smooth displacement over the box ``centre`` ± ``extent_mm`` / 2, knots about ``knot_mm`` apart.

    ``amplitude_mm`` is the root mean square of each component over the box (one number or three); where that would
    stretch by more than ``limit`` (`SmoothField.lipschitz`), the field is scaled down to it, so that it cannot fold.
    """
    knots = np.broadcast_to(np.asarray(knot_mm, dtype=np.float64), (3,))
    count = np.ceil(np.asarray(extent_mm) / knots).astype(int) + 3
    origin = np.asarray(centre, dtype=np.float64) - (count - 1) / 2 * knots
    field = SmoothField(rng.standard_normal((3, *count)), origin, knots)
    axes = [o + h * np.arange(1, n - 1.5, 0.5) for o, h, n in zip(origin, knots, count, strict=True)]
    rms = np.sqrt(np.mean(field.on_grid(axes) ** 2, axis=(1, 2, 3)))
    scale = np.broadcast_to(np.asarray(amplitude_mm, dtype=np.float64), (3,)) / rms
    field = SmoothField(field.coefficients * scale[:, None, None, None], origin, knots)
    return field.scaled(min(1.0, limit / max(field.lipschitz(), 1e-12)))


def random_affine(rng: np.random.Generator, *, stretch: float, shift_mm: ArrayLike) -> tuple[Array, Array]:
    """Draw the affine part of a `Deformation`: a matrix of standard deviation ``stretch`` and a shift in mm."""
    matrix = rng.standard_normal((3, 3)) * stretch * (0.5 + 0.5 * np.eye(3))
    return matrix, rng.standard_normal(3) * np.asarray(shift_mm)


def solve(displacement: Displacement, wanted: Array, *, start: Array | None = None, iterations: int = 30) -> Array:
    """Find ``y`` with ``y + d(y) = wanted`` by fixed-point iteration; it converges for a Lipschitz constant below 1.

    ``wanted`` and the result are points ``(3, ...)`` in mm; ``start`` is a first guess (default ``wanted``).
    """
    y = wanted if start is None else start
    for _ in range(iterations):
        y = wanted - displacement(y)
    return y


@dataclass(frozen=True)
class Chain:
    """A coordinate map ``phi(x)`` from a subject to its template: the ``parts`` applied one after the other, in order.

    Each part maps ``x`` to ``x + d(x)``. A second scan of a subject has its movement as first part.
    """

    parts: tuple[Deformation, ...]

    def __call__(self, points: Array) -> Array:
        """Template points of subject ``points`` ``(3, ...)``, in mm."""
        for part in self.parts:
            points = points + part(points)
        return points

    def on_grid(self, axes: Sequence[Array]) -> Array:
        """Return template points ``(3, D, H, W)`` of the subject's grid with coordinate ``axes``."""
        return Chain(self.parts[1:])(mesh(axes) + self.parts[0].on_grid(axes))

    def inverse(self, wanted: Array, *, starts: Sequence[Array | None] = (), iterations: int = 30) -> list[Array]:
        """Undo the parts, last one first: the points after each step, of which the last lie in the subject."""
        steps: list[Array] = []
        for part, start in zip(self.parts[::-1], starts or [None] * len(self.parts), strict=True):
            steps.append(solve(part, steps[-1] if steps else wanted, start=start, iterations=iterations))
        return steps


def true_displacement(fixed: Chain, moving: Chain, grid: Grid, *, centre: Sequence[float]) -> Array:
    """Return the displacement ``(3, D, H, W)``, voxels, pull-back, of the fixed onto the moving subject.

    ``centre`` ``(3,)`` is where the grid's centre lies in the subjects' coordinates, in mm. Solves
    ``phi_moving(y) = phi_fixed(x)``: many iterations on a coarse grid, fewer on finer ones that start from there.
    """
    axes = [a + c for a, c in zip(grid.axes, centre, strict=True)]
    result = np.empty((3, *grid.shape), dtype=np.float32)
    guesses: list[SmoothField] = []
    for points, iterations in ((16, 25), (32, 3)):
        level = [_padded(a, points) for a in axes]
        guesses = [_through(values, level) for values in _undo(fixed, moving, level, guesses, iterations)]
    for low in range(0, grid.shape[0], 16):  # in slabs: memory
        slab = [axes[0][low : low + 16], *axes[1:]]
        result[:, low : low + 16] = _undo(fixed, moving, slab, guesses, 1)[-1]
    return result / np.asarray(grid.spacing, dtype=np.float32)[:, None, None, None]


def _undo(
    fixed: Chain, moving: Chain, axes: Sequence[Array], guesses: Sequence[SmoothField], iterations: int
) -> list[Array]:
    """Displacements in mm after each step of the moving map's inverse, from guesses at them, if any."""
    x = mesh(axes)
    starts = [x + guess.on_grid(axes) for guess in guesses]
    return [step - x for step in moving.inverse(fixed.on_grid(axes), starts=starts, iterations=iterations)]


def _padded(axis: Array, points: int) -> Array:
    """At most ``points`` regular coordinates over an axis, and three more on each side for the spline's border."""
    count = min(points, len(axis))
    step = (axis[-1] - axis[0]) / (count - 1)
    return axis[0] + step * np.arange(-3, count + 3)


def _through(values: Array, axes: Sequence[Array]) -> SmoothField:
    """The cubic spline through ``values`` ``(3, D, H, W)`` given at regular ``axes``."""
    coefficients = np.stack([ndimage.spline_filter(component, order=3) for component in values])
    return SmoothField(coefficients, np.array([a[0] for a in axes]), np.array([a[1] - a[0] for a in axes]))


def correlated_noise(rng: np.random.Generator, shape: Sequence[int], *, sigma: float = 0.6) -> Array:
    """Draw float32 noise ``(D, H, W)`` of unit variance, smoothed over ``sigma`` voxels as scanners do."""
    noise = ndimage.gaussian_filter(rng.standard_normal(shape, dtype=np.float32), sigma)
    return noise / noise.std()


def _basis(knots: Array, count: int, *, slope: bool = False) -> Array:
    """Cubic B-spline weights ``(n, count)`` of every knot at fractional knot positions ``(n,)``, or their slopes."""
    t = knots[:, None] - np.arange(count)
    far = np.abs(t)
    if slope:
        inner, outer = np.sign(t) * (1.5 * far**2 - 2 * far), -np.sign(t) * (2 - far) ** 2 / 2
    else:
        inner, outer = 2 / 3 - far**2 + far**3 / 2, (2 - far) ** 3 / 6
    return np.where(far < 1, inner, np.where(far < 2, outer, 0.0))
