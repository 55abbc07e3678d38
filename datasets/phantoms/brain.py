"""The brain phantom: a skull-stripped T1-weighted template with folded cortex and the deep structures on both sides.

Coordinates are millimetres, axis 0 to the left, 1 to posterior, 2 to superior; the origin lies between the thalami.
Sizes follow an adult brain (about 140 x 175 x 140 mm); the folds are a drawn pattern, not anyone's sulci.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
from numpy.typing import NDArray

from datasets.description import Window
from datasets.geometry import Array
from datasets.grid import Grid
from datasets.phantoms.fields import Deformation, correlated_noise, random_affine, random_field
from datasets.phantoms.shapes import Canvas, Tubes, Waves, box, difference, ellipsoid, intersection, rotation, union

SIDES = ("white matter", "cortex", "lateral ventricle", "inferior lateral ventricle", "cerebellar white matter",
         "cerebellar cortex", "thalamus", "caudate", "putamen", "pallidum", "hippocampus", "amygdala", "accumbens",
         "ventral diencephalon", "choroid plexus")  # fmt: skip
MIDLINE = ("third ventricle", "fourth ventricle", "brain stem")
LABELS: dict[int, str] = {
    **{1 + k: f"left {name}" for k, name in enumerate(SIDES)},
    **{16 + k: f"right {name}" for k, name in enumerate(SIDES)},
    **{31 + k: name for k, name in enumerate(MIDLINE)},
}
EVALUATED = tuple(LABELS)
WINDOW = Window("arbitrary", 0.0, 1.0)
EXTENT_MM = (160.0, 196.0, 164.0)
CENTRE_MM = (0.0, -2.0, 1.0)
BACKGROUND = 0.0
NOISE = 0.022

FOLDS = Waves.draw(11, wavelength_mm=27.0, count=18)
DEPTH = Waves.draw(5, wavelength_mm=60.0, count=6)
FOLIA = Waves.draw(3, wavelength_mm=11.0, count=8)

# Centre lines on the left side, rows of x, y, z, radius in mm; the right side is their mirror image.
VENTRICLE = [(9, -34, 6, 2.5), (9, -29, 10, 5), (8, -16, 17, 5.5), (9, 0, 21, 4.8), (13, 16, 20, 5.2),
             (21, 28, 14, 6.5), (23, 38, 9, 5), (22, 52, 6, 2.2)]  # fmt: skip
TEMPORAL_HORN = [(24, 27, 9, 4.2), (31, 22, -4, 3.6), (34, 8, -13, 3.2), (33, -7, -18, 2.6)]
CHOROID = [(10, 6, 17, 1.2), (15, 18, 15, 1.7), (22, 27, 9, 2.6), (27, 25, 3, 1.6)]
CAUDATE = [(13.5, -27, 4, 5), (15, -20, 8, 7), (16, -6, 15, 5.5), (18, 8, 20, 4), (24, 19, 17, 3), (30, 22, 6, 2)]
HIPPOCAMPUS = [(25, -5, -20, 5.6), (28, 4, -18, 5), (29, 14, -13, 4.2), (26, 23, -5, 3.5), (20, 27, 2, 2.6)]
STEM = [(0, 9, -10, 16), (0, 13, -20, 12.5), (0, 12, -36, 14), (0, 16, -50, 9.5), (0, 20, -62, 7.5), (0, 23, -80, 6)]


def variability(rng: np.random.Generator, difficulty: float) -> Deformation:
    """Draw how a subject differs from the template: pose left by an affine alignment, lobes, gyri."""
    box_mm = {"centre": CENTRE_MM, "extent_mm": EXTENT_MM}
    matrix, shift = random_affine(rng, stretch=0.014 * difficulty, shift_mm=0.8 * difficulty)
    coarse = random_field(rng, **box_mm, knot_mm=48, amplitude_mm=1.8 * difficulty, limit=0.4)
    fine = random_field(rng, **box_mm, knot_mm=21, amplitude_mm=0.9 * difficulty, limit=0.36)
    return Deformation((coarse, fine), matrix, shift)


def contrast(rng: np.random.Generator) -> dict[str, float]:
    """Draw a subject's T1 tissue values, and the strength of its bias field."""
    typical = {"csf": 0.13, "grey": 0.50, "white": 0.78, "deep": 0.57, "bias": 0.08}
    return {name: value * (1 + 0.04 * rng.standard_normal()) for name, value in typical.items()}


def paint(points: Array, *, edge_mm: float, contrast: Mapping[str, float]) -> tuple[Array, Array, Array]:
    """Evaluate the template at ``points`` ``(3, n)`` mm: intensity ``(n,)``, labels ``(n,)``, brain mask ``(n,)``."""
    canvas = Canvas.blank(points.shape[1], value=BACKGROUND, edge_mm=edge_mm)
    mask = np.zeros(points.shape[1], dtype=bool)
    inside = np.flatnonzero(ellipsoid(points, (0, 0, -5), (80, 100, 90)) < 0)
    part = Canvas.blank(len(inside), value=BACKGROUND, edge_mm=edge_mm)
    mask[inside] = _paint_brain(points[:, inside].astype(np.float32), part, contrast)
    canvas.intensity[inside], canvas.labels[inside] = part.intensity, part.labels
    return canvas.intensity, canvas.labels, mask


def acquire(
    intensity: Array, mask: Array, *, grid: Grid, rng: np.random.Generator, contrast: Mapping[str, float]
) -> Array:
    """Add the coil's bias field and noise to an image ``(D, H, W)``; outside of the brain it stays zero."""
    bias = random_field(rng, centre=(0, 0, 0), extent_mm=EXTENT_MM, knot_mm=90, amplitude_mm=1.0, limit=np.inf)
    gain = 1 + contrast["bias"] * np.tanh(bias.on_grid(grid.axes)[0])
    return mask * np.maximum(intensity * gain + NOISE * correlated_noise(rng, grid.shape), 0)


def landmarks() -> Array:
    """Return anatomical points of the template, ``(43, 3)`` mm: the ends of structures."""
    left = [
        (9, -35, 7), (22, 53, 6), (10, 5, 25), (33, -9, -18), (8, -5, 8), (12, 23, 8), (9.5, 8, 16), (13.5, -31, 4),
        (24, -20, 3), (28, 14, 3), (17.5, -11, 2), (21.5, 7, 2), (20, 27, 4), (25, -4, -25), (23, -18, -19),
        (12, -27, -3), (23, 43, -64), (23, 71, -41),
    ]  # fmt: skip
    right = [(-x, y, z) for x, y, z in left]
    midline = [(0, 5, 12), (0, -10, 3), (0, 29, -49), (0, 25, -27), (0, -7, -34), (0, -86, 9), (0, 86, 9)]
    return np.asarray([*left, *right, *midline], dtype=np.float64)


@cache
def _tubes(name: str) -> Tubes:
    return Tubes.along(np.asarray(globals()[name], dtype=np.float64))


def _paint_brain(points: Array, canvas: Canvas, contrast: Mapping[str, float]) -> NDArray[np.bool_]:
    side = np.where(points[0] >= 0, 0, 15).astype(np.uint16)
    mirrored = np.concatenate([np.abs(points[:1]), points[1:]])
    hull, pial = _cerebrum(points, mirrored)
    hind, leaves = _cerebellum(points, mirrored)
    stem = _tubes("STEM").distance(points, reach=12)
    stem = intersection(union(stem, ellipsoid(points, (0, 6, -37), (18, 14, 15)), blend=6), -76 - points[2])
    mask = union(union(hull, hind), stem) < 0.5
    csf, grey, white = contrast["csf"], contrast["grey"], contrast["white"]
    canvas.add(union(union(hull, hind), stem) - 0.5, csf)
    canvas.add(-leaves, grey, 6 + side)
    canvas.add(3.3 - leaves, white, 5 + side)
    canvas.add(hull, csf)
    canvas.add(-pial, grey, 2 + side)
    canvas.add(3.0 - pial, white, 1 + side)
    cistern = np.maximum(stem - 5, np.abs(points[2] + 19) - 7)  # ambient cistern, around the midbrain
    canvas.add(cistern, csf, 0)
    canvas.add(np.maximum(stem, points[2] + 9), 0.94 * white, 33)
    _paint_deep(mirrored, points, canvas, side, contrast)
    canvas.labels[~mask] = 0
    return mask


def _cerebrum(points: Array, mirrored: Array) -> tuple[Array, Array]:
    """Distances to the smooth hull of the hemispheres, and of depth below the folded pial surface (positive inside)."""
    x, y, z = mirrored
    narrow = np.stack([x * (1.0 + 0.0014 * (20 - y)), y, z])  # narrower in front than behind
    upper = ellipsoid(narrow, (0, 0, 9), (69, 87, 63))
    base = -25 + 0.0016 * (y - 10) ** 2 * (y < 10) + 0.10 * np.maximum(y, 0)
    upper = intersection(upper, base - z, blend=14)
    temporal = ellipsoid(narrow, (44, -4, -22), (23, 44, 22), rotation(x=-10))
    hull = union(upper, temporal, blend=4)
    arch = ellipsoid(np.stack([0 * x, y, z]), (0, 2, 6), (1e3, 45, 24))  # below it the callosum joins the two sides
    fissure = np.sqrt(x**2 + np.maximum(-arch, 0) ** 2) - 0.8
    lateral = np.sqrt((0.5 * (upper - temporal)) ** 2 + np.maximum(33 - x, 0) ** 2) - 0.9
    exposed = np.minimum(np.minimum(-hull - 0.3, fissure), lateral)
    fold, depth = _sulci(points, mirrored)
    pial = np.minimum(exposed, np.sqrt(fold**2 + np.maximum(exposed - depth, 0) ** 2) - 0.7)
    core = ellipsoid(mirrored, (0, 0, 9), (36, 40, 22))  # around the deep nuclei: no folds
    return hull, np.minimum(np.maximum(pial, -core), fissure)


def _sulci(points: Array, mirrored: Array) -> tuple[Array, Array]:
    """Distance to sulcal sheets, drawn on a shell and carried radially inwards, and their local depth."""
    centre = np.asarray([26, 2, 6], dtype=np.float32)[:, None]
    radii = np.asarray([42, 82, 62], dtype=np.float32)[:, None]
    ray = mirrored - centre
    length = np.sqrt(np.sum((ray / radii) ** 2, axis=0)) + 1e-3
    shell = centre + ray / length**0.7  # not quite radial: the sheets lean and bend
    shell[0] = np.where(points[0] >= 0, shell[0], -shell[0])  # the two sides fold differently
    return FOLDS.sheet_distance(shell) * np.minimum(length, 1.2) ** 0.7, 16 + 4 * DEPTH.value(shell)


def _cerebellum(points: Array, mirrored: Array) -> tuple[Array, Array]:
    """Distances to the hull of the cerebellum, and of depth below its foliated surface (positive inside)."""
    lobe = ellipsoid(mirrored, (23, 46, -43), (29, 27, 22), rotation(x=15))
    hind = union(lobe, ellipsoid(points, (0, 44, -40), (12, 24, 21)), blend=10)
    hind = difference(hind, ellipsoid(points, (0, 16, -45), (16, 13, 26)), blend=4)
    layers = np.abs(np.mod(points[2] + 0.35 * points[1] + 1.6 * FOLIA.value(points), 8.0) - 4.0)
    groove = np.sqrt(layers**2 + np.maximum(-hind - 9, 0) ** 2) - 0.4
    return hind, np.minimum(groove, -hind - 0.3)


def _paint_deep(m: Array, points: Array, canvas: Canvas, side: Array, contrast: Mapping[str, float]) -> None:
    near = ellipsoid(m, (10, 10, 0), (40, 62, 40)) < 0
    csf, grey, deep, white = (contrast[name] for name in ("csf", "grey", "deep", "white"))
    canvas.add(ellipsoid(m, (9, 4, -7), (9, 9, 6)), 0.9 * white, 14 + side)
    canvas.add(ellipsoid(m, (10, 9, 8), (9, 15, 9), rotation(z=-12)), 1.08 * deep, 7 + side)
    canvas.add(ellipsoid(m, (26, -3, 3), (5.5, 18, 11), rotation(z=-8, y=8)), 1.02 * deep, 9 + side)
    canvas.add(ellipsoid(m, (19.5, -2, 2), (4.2, 10, 7), rotation(z=-16)), 0.5 * (deep + white), 10 + side)
    canvas.add(ellipsoid(m, (12, -22, -3), (5, 6, 4.5)), deep, 13 + side)
    canvas.add(_tubes("CAUDATE").distance(m, where=near), deep, 8 + side)
    canvas.add(_tubes("HIPPOCAMPUS").distance(m, where=near), 1.04 * grey, 11 + side)
    canvas.add(ellipsoid(m, (23, -13, -19), (7, 6.5, 7)), grey, 12 + side)
    canvas.add(_tubes("TEMPORAL_HORN").distance(m, where=near), csf, 4 + side)
    ventricle = _tubes("VENTRICLE").distance(m, where=near)
    canvas.add(np.maximum(ventricle, 0.8 - m[0]), csf, 3 + side)  # the septum keeps the two sides apart
    canvas.add(_tubes("CHOROID").distance(m, where=near), 0.7 * grey, 15 + side)
    canvas.add(ellipsoid(m, (0, 5, 3), (2.2, 16, 10)), csf, 31)
    canvas.add(box(m, (0, 22, -14), (1.3, 1.5, 12), corner=1.2), csf)
    canvas.add(ellipsoid(m, (0, 27, -38), (8, 4.5, 12), rotation(x=10)), csf, 32)
