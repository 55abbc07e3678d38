"""The liver phantom: a contrast-enhanced CT of the upper abdomen, cropped around the liver.

Coordinates are millimetres, axis 0 to the left, 1 to posterior, 2 to superior; axis 0 is zero in the midline and axis
2 about the middle of the liver. Intensities are Hounsfield units; the window is the one of the liver data of
Zhao et al. 2019 (DOI 10.1109/ICCV.2019.01070), in which fat and air are black.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np

from datasets.description import Window
from datasets.geometry import Array
from datasets.grid import Grid
from datasets.phantoms.fields import Deformation, correlated_noise, random_affine, random_field
from datasets.phantoms.shapes import (
    Canvas,
    Tubes,
    Waves,
    box,
    difference,
    ellipsoid,
    intersection,
    plane,
    rotation,
    union,
)

LABELS: dict[int, str] = {
    1: "liver", 2: "spleen", 3: "left kidney", 4: "right kidney", 5: "gallbladder", 6: "stomach", 7: "aorta",
    8: "inferior vena cava", 9: "spine", 10: "pancreas",
}  # fmt: skip
EVALUATED = (1,)
WINDOW = Window("HU", -25.0, 265.0)
EXTENT_MM = (300.0, 236.0, 224.0)
CENTRE_MM = (-12.0, 2.0, 0.0)
BACKGROUND = -1000.0
NOISE = 11.0

# Phases of contrast enhancement, HU; a subject lies somewhere between portal venous and one of the others.
PORTAL = {"liver": 112, "portal": 165, "hepatic": 160, "spleen": 122, "cortex": 185, "medulla": 165, "aorta": 150,
          "cava": 140, "pancreas": 100, "muscle": 62, "wall": 85}  # fmt: skip
OTHERS = (
    {"liver": 74, "portal": 120, "hepatic": 80, "spleen": 135, "cortex": 215, "medulla": 95, "aorta": 290,
     "cava": 85, "pancreas": 115, "muscle": 58, "wall": 95},
    {"liver": 60, "portal": 42, "hepatic": 41, "spleen": 49, "cortex": 34, "medulla": 32, "aorta": 42, "cava": 41,
     "pancreas": 42, "muscle": 56, "wall": 42},
    {"liver": 98, "portal": 125, "hepatic": 126, "spleen": 100, "cortex": 165, "medulla": 190, "aorta": 120,
     "cava": 122, "pancreas": 82, "muscle": 62, "wall": 75},
)  # fmt: skip

# Vessel centre lines: rows of x, y, z, radius in mm, from the trunk outwards.
PORTA = (-34, 4, -6)
PORTAL_VEIN = (
    [(-2, 24, -44, 6.5), (-14, 18, -28, 6.5), (*PORTA, 6.5), (-50, 6, 0, 6)],
    [(-2, 24, -44, 5), (26, 16, -18, 4.6), (62, 26, 6, 4), (90, 28, 22, 3)],
    [(-2, 24, -44, 5.5), (0, 0, -80, 5), (6, -12, -116, 4)],
    [(-50, 6, 0, 5.5), (-76, 2, 4, 4.5), (-100, -10, 2, 3.5), (-122, -26, -8, 2)],
    [(-64, 5, 2, 4.5), (-86, 24, 14, 3.8), (-108, 36, 24, 2.8), (-122, 34, 42, 1.6)],
    [(-76, 2, 4, 4), (-92, 14, -22, 3.2), (-108, 14, -48, 2)],
    [(-70, 2, 3, 4), (-78, -20, 20, 3.4), (-88, -40, 34, 2.4), (-96, -48, 48, 1.5)],
    [(*PORTA, 5.5), (-26, -22, 8, 5), (-16, -44, 18, 4.4), (6, -56, 26, 3.2), (36, -58, 34, 1.8)],
    [(-16, -44, 18, 3.4), (-26, -66, 8, 2.6), (-38, -76, -4, 1.6)],
    [(-10, -48, 20, 3.2), (0, -58, 8, 2.4), (8, -64, 2, 1.4)],
)
CONFLUENCE = (-22, 24, 62)
HEPATIC_VEINS = (
    [(*CONFLUENCE, 6), (-52, 22, 56, 5.2), (-86, 16, 42, 4), (-112, 4, 18, 2.6), (-124, -4, -8, 1.5)],
    [(*CONFLUENCE, 5.5), (-44, -2, 48, 4.8), (-58, -30, 26, 3.6), (-66, -52, -2, 2), (-70, -56, -18, 1.3)],
    [(*CONFLUENCE, 5), (-14, -8, 52, 4.2), (4, -38, 44, 3), (32, -56, 42, 1.6)],
    [(-86, 16, 42, 3), (-92, 40, 20, 2.2), (-96, 46, 0, 1.3)],
)
CAVA = ([(-24, 40, -130, 10), (-24, 40, -40, 10.5), (-24, 32, 20, 11.5), (-20, 22, 70, 12), (-12, 4, 100, 12)],)
AORTA = ([(8, 44, -130, 9), (8, 44, -40, 10), (8, 42, 20, 11), (12, 46, 130, 12)],)
PANCREAS = ([(-30, 14, -56, 13), (-16, 8, -44, 11), (8, -2, -28, 8.5), (38, 12, -12, 9), (72, 34, 4, 8)],)
BOWEL = (
    [(-112, 0, -112, 17), (-106, -34, -100, 18), (-62, -60, -106, 18), (0, -72, -100, 16), (60, -60, -84, 17),
     (98, -20, -56, 17), (110, 20, -52, 16), (112, 40, -110, 15)],
    [(-26, -24, -28, 12), (-46, -8, -44, 12), (-48, 8, -76, 12), (-20, 14, -98, 12), (30, 10, -92, 11)],
    [(30, -44, -74, 12), (70, -50, -50, 12), (96, -30, -20, 11), (84, 0, -28, 11), (92, 16, -66, 12)],
    [(-60, -30, -112, 12), (-30, -36, -90, 12), (0, -50, -78, 11)],
    [(40, -20, -70, 13), (70, 0, -80, 13), (50, -20, -104, 13), (20, -40, -110, 12)],
)  # fmt: skip
TEXTURE = Waves.draw(2, wavelength_mm=24.0, count=6)


def variability(rng: np.random.Generator, difficulty: float) -> Deformation:
    """Draw how a subject differs from the template: habitus, position in the crop, shape of the organs."""
    box_mm = {"centre": CENTRE_MM, "extent_mm": EXTENT_MM}
    matrix, shift = random_affine(rng, stretch=0.055 * difficulty, shift_mm=np.array([6, 6, 8]) * difficulty)
    coarse = random_field(rng, **box_mm, knot_mm=95, amplitude_mm=8.5 * difficulty, limit=0.42)
    fine = random_field(rng, **box_mm, knot_mm=42, amplitude_mm=3.0 * difficulty, limit=0.34)
    return Deformation((coarse, fine), matrix, shift)


def second_scan(rng: np.random.Generator, difficulty: float) -> Deformation:
    """Draw the movement between two scans of one subject: mostly cranio-caudal, with a little sliding and bulging."""
    box_mm = {"centre": CENTRE_MM, "extent_mm": EXTENT_MM}
    tide = random_field(rng, **box_mm, knot_mm=110, amplitude_mm=np.array([2.5, 3.5, 9]) * difficulty, limit=0.35)
    local = random_field(rng, **box_mm, knot_mm=50, amplitude_mm=np.array([1.2, 1.5, 2.5]) * difficulty, limit=0.25)
    return Deformation((tide, local), None, np.array([1.5, 2.0, 7.0]) * rng.standard_normal(3) * difficulty)


def contrast(rng: np.random.Generator) -> dict[str, float]:
    """Draw a scan's contrast phase: HU of every tissue that takes up contrast medium."""
    other = OTHERS[rng.choice(len(OTHERS), p=[0.4, 0.2, 0.4])]
    share = rng.uniform(0, 0.7)
    return {
        name: (1 - share) * value + share * other[name] + 3 * rng.standard_normal() for name, value in PORTAL.items()
    }


def paint(points: Array, *, edge_mm: float, contrast: Mapping[str, float]) -> tuple[Array, Array, Array]:
    """Evaluate the template at ``points`` ``(3, n)`` mm: HU ``(n,)``, labels ``(n,)``, body mask ``(n,)``."""
    points = points.astype(np.float32)
    canvas = Canvas.blank(points.shape[1], value=BACKGROUND, edge_mm=edge_mm)
    skin, cavity = _paint_wall(points, canvas, contrast)
    _paint_thorax(points, canvas, cavity, contrast)
    _paint_spine(points, canvas)
    _paint_retroperitoneum(points, canvas, contrast)
    _paint_viscera(points, canvas, cavity, contrast)
    _paint_liver(points, canvas, cavity, contrast)
    return canvas.intensity, canvas.labels, skin < 0


def acquire(
    intensity: Array, mask: Array, *, grid: Grid, rng: np.random.Generator, contrast: Mapping[str, float]
) -> Array:
    """Add the scanner's noise to an image ``(D, H, W)`` in HU."""
    return intensity + NOISE * correlated_noise(rng, grid.shape, sigma=0.7)


def landmarks() -> Array:
    """Return points of the template, ``(n, 3)`` mm: vessel branchings and ends, tips and poles of organs."""
    vessels = [row[:3] for line in (*PORTAL_VEIN, *HEPATIC_VEINS) for row in (line[0], line[-1])]
    organs = [
        (-135, 2, -14), (70, -46, 26), (-108, -17, -98), (-74, -3, 85), (102, 41, -17), (109, 37, 81), (108, -1, 38),
        (65, 60, -80), (55, 52, 16), (-68, 60, -98), (-58, 52, -2), (-58, -75, -30), (62, 6, 79), (79, 34, 4),
        (0, 66, 18), (0, 66, -50), (0, 110, -4),
    ]  # fmt: skip
    return np.unique(np.asarray([*vessels, *organs], dtype=np.float64), axis=0)


@cache
def _tubes(name: str) -> Tubes:
    return Tubes.along(*globals()[name])


def _paint_wall(points: Array, canvas: Canvas, contrast: Mapping[str, float]) -> tuple[Array, Array]:
    """Skin, fat, the muscles of the trunk and the fat of the cavity; returns the distances to skin and cavity."""
    x, y, _ = points
    flat = np.stack([x, y, 0 * x])
    skin = ellipsoid(flat, (0, 2, 0), (166, 114, 1e4))
    front = np.clip(-y / 80, 0, 1)
    trunk = skin + 11 + 7 * front * (1 - np.clip(np.abs(x) / 150, 0, 1))
    canvas.add(skin, 30)
    canvas.add(skin + 2.2, -100)
    canvas.add(trunk, contrast["muscle"])
    back = np.minimum(np.hypot(np.abs(x) - 36, (y - 82) / 0.8) - 27, 60)
    cavity = difference(trunk + 15, union(back, ellipsoid(flat, (0, 78, 0), (26, 40, 1e4))), blend=20)
    canvas.add(cavity, -98)
    return skin, cavity


def _paint_thorax(points: Array, canvas: Canvas, cavity: Array, contrast: Mapping[str, float]) -> None:
    """Lungs above the two domes of the diaphragm, the heart between them, and the ribs in the wall."""
    x, y, z = points
    domes = union(
        ellipsoid(points, (-74, -2, -14), (78, 87, 103)), ellipsoid(points, (74, 4, -24), (78, 90, 100)), blend=30
    )
    lung = intersection(intersection(cavity + 1, -domes + 1, blend=6), 6 - z)
    heart = union(
        ellipsoid(points, (24, -40, 120), (58, 44, 42)), ellipsoid(points, (6, 40, 130), (26, 30, 60)), blend=12
    )
    canvas.add(intersection(lung, -heart), -840)
    canvas.add(intersection(heart, -domes + 2), 0.35 * contrast["aorta"] + 0.65 * contrast["cava"])
    canvas.add(intersection(intersection(np.abs(domes) - 1.6, cavity), 14 - z), contrast["muscle"])
    level = z + 0.34 * y + 0.05 * np.abs(x) + 6
    ring = np.hypot((np.mod(level, 27) - 13.5) * 0.75, cavity - 6)
    costal = np.maximum(ring - 5, -48 - z + 0.9 * np.abs(x) - 0.5 * y - 70)
    gap = np.maximum(costal, 22 - np.abs(x))
    canvas.add(gap, 320)
    canvas.add(gap + 2.2, 180)


def _paint_spine(points: Array, canvas: Canvas) -> None:
    x, y, z = points
    unit = np.stack([x, y, np.mod(z + 16, 34) - 17])  # vertebrae repeat every 34 mm
    waist = 2.5 * (1 - (unit[2] / 13) ** 2)
    body = np.maximum(ellipsoid(np.stack([x, y, 0 * x]), (0, 66, 0), (22, 17, 1e4)) + waist, np.abs(unit[2]) - 13)
    disc = np.maximum(ellipsoid(np.stack([x, y, 0 * x]), (0, 66, 0), (21.5, 16.5, 1e4)), 13 - np.abs(unit[2]))
    arch = np.abs(np.hypot(x, y - 89) - 11) - 3.2
    arch = np.maximum(arch, np.abs(unit[2] + 2) - 10)
    spine = union(arch, box(unit, (0, 102, -5), (3, 8, 9), corner=2.5), blend=4)
    spine = union(spine, box(unit, (0, 88, 0), (38, 4, 5), corner=3.5), blend=4)
    canal = np.hypot(x, y - 89) - 8
    canvas.add(np.maximum(canal, 0), 20)
    canvas.add(disc, 85, 9)
    bone = difference(union(spine, body), canal)
    canvas.add(bone, 330, 9)
    canvas.add(bone + 2.0, 190, 9)
    canvas.add(canal, 22, 0)
    canvas.add(np.hypot(x, y - 89) - 4.5, 42)


def _paint_retroperitoneum(points: Array, canvas: Canvas, contrast: Mapping[str, float]) -> None:
    mirrored = np.concatenate([np.abs(points[:1]), points[1:]])
    psoas = ellipsoid(mirrored, (34, 66, -90), (14, 16, 62))
    crus = ellipsoid(mirrored, (17, 48, 0), (4, 11, 60), rotation(z=10))
    canvas.add(union(psoas, crus), contrast["muscle"])
    for x, z, lean, label in ((60, -32, 9, 3), (-63, -50, -9, 4)):
        _paint_kidney(points, canvas, (x, 56, z), rotation(y=lean, x=6), label, contrast)
    canvas.add(_tubes("AORTA").distance(points), contrast["aorta"], 7)
    canvas.add(_tubes("CAVA").distance(points), contrast["cava"], 8)


def _paint_kidney(
    points: Array, canvas: Canvas, centre: Sequence[float], turn: Array, label: int, contrast: Mapping[str, float]
) -> None:
    """A kidney with cortex, pyramids and a sinus of fat that opens towards the midline."""
    inward = -np.sign(centre[0])
    whole = ellipsoid(points, centre, (26, 24, 50), turn)
    hilum = (centre[0] + 24 * inward, centre[1] - 8, centre[2])
    whole = difference(whole, ellipsoid(points, hilum, (17, 10, 16)), blend=8)
    sinus = ellipsoid(points, (centre[0] + 9 * inward, centre[1] - 3, centre[2]), (11, 8, 26), turn)
    angle = np.arctan2(points[2] - centre[2], (points[0] - hilum[0]) * -inward + 12)
    canvas.add(whole, contrast["cortex"], label)
    canvas.add(np.maximum(whole + 6, 1.5 - 7 * np.abs(np.sin(4.5 * angle))), contrast["medulla"], label)
    canvas.add(sinus, -60, label)


def _paint_viscera(points: Array, canvas: Canvas, cavity: Array, contrast: Mapping[str, float]) -> None:
    bowel = intersection(_tubes("BOWEL").distance(points, reach=8), cavity + 3)
    canvas.add(bowel, contrast["wall"])
    lumen = bowel + 2.5
    canvas.add(lumen, 22 + 14 * TEXTURE.value(points))
    canvas.add(intersection(lumen, points[1] - 18 * TEXTURE.value(points[[1, 0, 2]]) + 52), -900)  # gas rises
    canvas.add(_tubes("PANCREAS").distance(points), contrast["pancreas"] + 5 * TEXTURE.value(points), 10)
    spleen = ellipsoid(points, (106, 40, 32), (30, 46, 50), rotation(z=-20, y=-8))
    spleen = intersection(
        difference(spleen, ellipsoid(points, (58, 4, 30), (46, 46, 60)), blend=8), cavity + 4, blend=8
    )
    canvas.add(spleen, contrast["spleen"], 2)
    stomach = union(
        ellipsoid(points, (62, 6, 44), (34, 36, 36)),
        ellipsoid(points, (46, -38, 2), (28, 26, 44), rotation(y=28)),
        blend=34,
    )
    antrum = ellipsoid(points, (12, -44, -34), (34, 16, 15), rotation(y=-14))
    stomach = intersection(union(stomach, antrum, blend=18), cavity + 5, blend=8)
    canvas.add(difference(stomach, spleen), contrast["wall"], 6)
    canvas.add(stomach + 4, 24 + 6 * TEXTURE.value(points), 6)
    canvas.add(intersection(stomach + 4, points[1] + 42), -900, 6)


def _liver_distance(points: Array, cavity: Array) -> Array:
    right = ellipsoid(points, (-74, -2, -14), (76, 84, 100))
    left = ellipsoid(points, (-2, -46, 36), (74, 40, 36), rotation(y=-10))
    liver = union(right, left, blend=34)
    under = np.array([0.50, 0.22, -0.84])  # the visceral surface looks down, to the left and back
    through = np.array([-34, 0, -34])
    bowl = ellipsoid(points, through + under * 236, (240, 240, 240))
    liver = difference(liver, bowl, blend=10)
    kidney = ellipsoid(points, (-58, 60, -50), (32, 32, 56))
    spine = ellipsoid(points, (6, 62, 20), (48, 46, 300))
    liver = difference(difference(liver, kidney, blend=8), spine, blend=16)
    caudate = ellipsoid(points, (-18, 12, 24), (16, 13, 26))
    fissure = np.maximum(np.hypot(points[0] + 16, 0.35 * (points[1] + 62)) - 3.5, points[2] - 10)
    liver = difference(union(liver, caudate, blend=6), fissure, blend=8)
    return intersection(intersection(liver, cavity + 4, blend=10), plane(points, (0, 0, 92), (0, 0, 1)))


def _paint_liver(points: Array, canvas: Canvas, cavity: Array, contrast: Mapping[str, float]) -> None:
    liver = _liver_distance(points, cavity)
    bladder = union(
        ellipsoid(points, (-58, -54, -38), (14, 26, 14), rotation(x=-30)),
        ellipsoid(points, (-46, -32, -24), (6, 12, 7)),
        blend=8,
    )
    liver = difference(liver, bladder, blend=6)
    cava = _tubes("CAVA").distance(points)
    liver = difference(liver, cava)
    canvas.add(liver, contrast["liver"] + 1.5 * TEXTURE.value(points), 1)
    inside = liver < 0
    portal = _tubes("PORTAL_VEIN").distance(points)
    canvas.add(
        np.where(inside | (points[0] > -50), portal, 1e3), contrast["portal"], np.where(inside, 1, canvas.labels)
    )
    canvas.add(_tubes("HEPATIC_VEINS").distance(points, where=inside), contrast["hepatic"], 1)
    canvas.add(bladder, 28)
    canvas.add(bladder + 1.8, 8, 5)
