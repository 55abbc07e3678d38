"""Breathing of the lung phantom: a chest cavity, and the exact map from end-inhale to end-exhale that slides in it.

Points are ``(3, ...)`` in mm: axis 0 to the patient's left, 1 to posterior, 2 to superior.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
from scipy.interpolate import CubicSpline

from datasets.geometry import Array
from datasets.phantoms.fields import SmoothField, random_field

BORE_RADIUS = 172.0
_TABLE, _TABLE_CURVE = 119.0, 1 / 900  # mm, 1/mm: the table's top lies lowest in the middle


def table_top(x: Array) -> Array:
    """Return how far behind the centre the table's top lies at ``x`` mm to the left, in mm."""
    return _TABLE - _TABLE_CURVE * x**2


@dataclass(frozen=True)
class Outline:
    """A star-shaped contour in the axial plane: half axes ``half`` mm around ``centre`` mm, superellipse exponent.

    ``dent`` pushes it in by a fraction at its posterior middle, where the spine stands, ``dent_degrees`` wide;
    ``waves`` ``(k, 2)`` are the cosine and sine amplitudes, as fractions, of the harmonics 2, 3, ... of its radius.
    """

    centre: tuple[float, float]
    half: tuple[float, float]
    exponent: float
    dent: float = 0.0
    dent_degrees: float = 22.0
    waves: tuple[tuple[float, float], ...] = ()

    @cached_property
    def _spline(self) -> CubicSpline:
        angle = np.linspace(-np.pi, np.pi, 241)
        parts = [np.abs(f(angle) / h) ** self.exponent for f, h in zip((np.cos, np.sin), self.half, strict=True)]
        radius = np.sum(parts, axis=0) ** (-1 / self.exponent)
        radius *= 1 - self.dent * np.exp(-(((angle - np.pi / 2) / np.radians(self.dent_degrees)) ** 2))
        for k, (c, s) in enumerate(self.waves, start=2):
            radius *= 1 + c * np.cos(k * angle) + s * np.sin(k * angle)
        radius[-1] = radius[0]
        return CubicSpline(angle, radius, bc_type="periodic")

    def polar(self, points: Array) -> tuple[Array, Array, Array]:
        """Return distance from the axis, angle (0 is left, pi/2 posterior) and the contour's radius there."""
        x, y = points[0] - self.centre[0], points[1] - self.centre[1]
        angle = np.arctan2(y, x)
        return np.hypot(x, y), angle, self._spline(angle)


@dataclass(frozen=True)
class Cavity:
    """The inside of the rib cage: an outline that narrows above ``shoulder`` and closes at ``apex`` (z in mm)."""

    outline: Outline
    shoulder: float
    apex: float

    def narrowing(self, z: Array) -> Array:
        """Return the scale of the cross-section at height ``z``: 1 below the shoulder, 0 from the apex on."""
        s = np.clip((z - self.shoulder) / (self.apex - self.shoulder), 0, 1)
        return (1 - s**2.2) ** 0.625

    def distance(self, points: Array) -> Array:
        """Return the signed distance in mm to the pleura, to first order: negative inside of the cavity."""
        radius, _, outline = self.outline.polar(points)
        z = points[2]
        slope = outline * (self.narrowing(z + 1.0) - self.narrowing(z - 1.0)) / 2
        gap = radius - outline * self.narrowing(z)
        beside = np.maximum(gap / np.sqrt(1 + slope**2), 0.6 * gap - 6)  # far from the flat top the slope misleads
        return np.where(z > self.apex - 1, np.maximum(beside, z - self.apex + 1), beside)


@dataclass(frozen=True)
class Breathing:
    """The map from end-inhale to end-exhale, in two steps: the chest wall sinks, then the inside slides up in it.

    The wall's step is smooth and acts everywhere. The inside's step keeps the place of every point within the
    cavity's cross-section (relative to its size) and only lifts it, most at the diaphragm: the cavity goes onto
    itself, so that organs slide along the pleura without a gap and without passing through it.

    ``lift`` and ``wall`` are amplitudes in mm; ``uneven`` modulates the lift; ``sway`` is the random part of the wall.
    """

    cavity: Cavity
    skin: Outline
    lift: float
    wall: float
    diaphragm: float
    uneven: SmoothField
    sway: SmoothField

    def scaled(self, factor: float) -> Breathing:
        """Return the same breath, ``factor`` times as deep."""
        return replace(self, lift=self.lift * factor, wall=self.wall * factor)

    def __call__(self, points: Array) -> Array:
        """Where fixed (inhale) points ``(3, ...)`` lie in the moving (exhale) scan, in mm."""
        sunk = self.sink(points)
        return np.where(self.cavity.distance(sunk) < 0, self.slide(sunk), sunk)

    def inner(self, points: Array) -> Array:
        """Map points as if all lay inside of the cavity: smooth, for points known to lie there."""
        return self.slide(self.sink(points))

    def sink(self, points: Array) -> Array:
        """Take the chest wall's step: the front falls back, flanks come in; nothing outside the body moves."""
        x, y, z = points
        forward = np.clip((self.skin.centre[1] + self.skin.half[1] - y) / (2 * self.skin.half[1]), 0, 1)
        low = 1 / (1 + np.exp((z - 60) / 35))
        motion = np.stack([-0.35 * low * x / self.skin.half[0], forward**1.5 * (0.3 + 0.7 * low), 0.25 * forward * low])
        motion = self.wall * (motion + self.sway(points))
        return points + motion * self._body(points)

    def slide(self, points: Array) -> Array:
        """Take the inside's step, for points within the cavity."""
        x, y, z = points
        (x0, y0), before = self.cavity.outline.centre, np.maximum(self.cavity.narrowing(z), 1e-3)
        lifted = z + self.rise(np.stack([(x - x0) / before, (y - y0) / before, z]))
        ratio = self.cavity.narrowing(lifted) / before
        return np.stack([x0 + (x - x0) * ratio, y0 + (y - y0) * ratio, lifted])

    def rise(self, places: Array) -> Array:
        """Return how far a place rises, mm; ``(3, ...)`` are in-plane mm on the full cross-section, and z."""
        along, across, z = places
        half = self.cavity.outline.half
        t = np.clip((self.cavity.apex - z) / (self.cavity.apex - self.diaphragm), 0, None)
        profile = t**1.3 * (1 + (t / 1.15) ** 6) ** (-1.3 / 6)  # grows to the diaphragm, levels off below it
        middle = 1 - 0.5 * np.exp(-((along / (0.3 * half[0])) ** 2))  # heart and great vessels are held back
        return self.lift * profile * middle * (1 + 0.2 * np.clip(across / half[1], -1, 1)) * self._unevenness(places)

    def expansion(self, points: Array, *, step: float = 0.5) -> Array:
        """Return exhale volume over inhale volume at inhale points ``(3, n)``: how `inner` scales volume."""
        columns: list[Array] = []
        for axis in range(3):
            offset = np.zeros((3, 1))
            offset[axis] = step
            columns.append((self.inner(points + offset) - self.inner(points - offset)) / (2 * step))
        return np.linalg.det(np.moveaxis(np.stack(columns, axis=1), -1, 0))

    def inverse(self, points: Array, *, iterations: int = 60) -> tuple[Array, Array]:
        """Return where exhale points ``(3, n)`` of the cavity lie at inhale, and the error left, mm ``(n,)``.

        Solves ``inner(x) = p`` by fixed-point iteration, which converges where the motion stretches by less than one.
        """
        x = np.array(points, dtype=np.float64)
        for _ in range(iterations):
            x = x + points - self.inner(x)
        return x, np.linalg.norm(self.inner(x) - points, axis=0)

    def _unevenness(self, places: Array) -> Array:
        return 1 + np.clip(self.uneven(places)[0], -0.5, 0.5)

    def _body(self, points: Array) -> Array:
        # One in the body, zero from 15 mm off it and where it lies on the table: bore and table must not move.
        radius, _, outline = self.skin.polar(points)
        outside = np.clip((radius - outline) / 15.0, 0, 1)
        lifted = np.clip((table_top(points[0]) - 2 - points[1]) / 50.0, 0, 1)
        return (1 - outside**2 * (3 - 2 * outside)) * lifted**2 * (3 - 2 * lifted)


def draw_breathing(rng: np.random.Generator, cavity: Cavity, skin: Outline, *, diaphragm: float) -> Breathing:
    """Draw how a subject breathes, about 10 mm on average in the lungs; `scaled` then sets how deeply."""
    place = partial(random_field, rng, centre=(0.0, 0.0, 0.0), extent_mm=(330.0, 260.0, 300.0))
    uneven = place(knot_mm=75.0, amplitude_mm=0.13)
    return Breathing(
        cavity,
        skin,
        lift=22.0,
        wall=rng.uniform(4.0, 6.0),
        diaphragm=diaphragm,
        uneven=replace(uneven, coefficients=uneven.coefficients[:1]),  # one number: how much more or less it rises
        sway=place(knot_mm=60.0, amplitude_mm=0.18),
    )
