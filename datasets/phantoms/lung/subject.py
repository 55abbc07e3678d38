"""Subjects of the lung phantom: how one chest differs from another, its great vessels, and its grown vessel trees.

Points are in mm: axis 0 to the patient's left, 1 to posterior, 2 to superior; centre lines are rows of x, y, z, radius.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RegularGridInterpolator

from datasets.geometry import Array
from datasets.phantoms.fields import mesh
from datasets.phantoms.lung.anatomy import RIB_STEP, Chest
from datasets.phantoms.lung.breathing import Cavity, Outline
from datasets.phantoms.shapes import Waves, curve
from datasets.phantoms.tree import Tree, grow, join, tube

Mask = NDArray[np.bool_]

_TREE_BOX = ((-130.0, -95.0, -125.0), (130.0, 85.0, 118.0))  # mm, around both lungs


def draw_chest(rng: np.random.Generator, *, tips: int = 140) -> Chest:
    """Draw a subject; each lung gets an arterial and a venous tree of ``tips`` tips."""
    waves = tuple((float(c), float(s)) for c, s in rng.normal(0, 0.006, (3, 2)))
    half = (126 + rng.uniform(-5, 3), 84 + rng.uniform(-4, 2))
    outline = Outline((rng.uniform(-1.5, 1.5), -6.0), half, 2.35, dent=0.44, dent_degrees=25.0, waves=waves)
    cavity = Cavity(outline, shoulder=-10.0 + rng.uniform(-8, 8), apex=121 + rng.uniform(-4, 4))
    right, left = -27 + rng.uniform(-7, 7), -41 + rng.uniform(-7, 7)
    body = Outline((0.0, 4.0), (half[0] + rng.uniform(21, 25), half[1] + 27), 2.5)
    empty = join([tube(np.zeros((2, 3)), (1e-3, 1e-3))])
    chest = Chest(
        cavity,
        body,
        domes=np.array([(-60, -14, right), (62, -12, left)]) + rng.uniform(-4, 4, (2, 3)),
        heart=tuple(np.array([20.0, -30.0, -24.0]) + rng.uniform(-4, 4, 3)),
        heart_size=rng.uniform(0.92, 1.06),
        rib_phase=106 + rng.uniform(0, RIB_STEP),
        vertebra_phase=rng.uniform(0, RIB_STEP),
        aorta=_aorta(rng),
        vessels=_great_vessels(rng),
        airways=_airways(rng),
        bronchi=empty,
        lung_vessels=empty,
        texture=(_texture(rng, 46.0), _texture(rng, 19.0)),
    )
    return _with_trees(rng, chest, tips)


def _texture(rng: np.random.Generator, length: float) -> Waves:
    return Waves.draw(int(rng.integers(2**31)), wavelength_mm=length)


def _with_trees(rng: np.random.Generator, chest: Chest, tips: int) -> Chest:
    # Growth asks a thousand times for a few points, so it reads the lungs off a table drawn once.
    axes = [np.arange(low, high, 4.0) for low, high in zip(*_TREE_BOX, strict=True)]
    box = mesh(axes)
    vessels: list[Tree] = []
    bronchi: list[Tree] = []
    for side, table in zip((1, -1), chest.lungs(box.reshape(3, -1)), strict=True):
        lung = RegularGridInterpolator(axes, table.reshape(box.shape[1:]), bounds_error=False, fill_value=99.0)

        def inside(points: Array, lung: RegularGridInterpolator = lung) -> Mask:
            return lung(points.T) < -4.0  # vessels stay clear of the pleura

        bounds = np.sort([(0, *_TREE_BOX[0][1:]), (130 * side, *_TREE_BOX[1][1:])], axis=0)
        for grown, root, heading, radius, count in (
            (vessels, (31, 7, 14), (1, 0.2, -0.2), 7.0, tips),
            (vessels, (27, -4, 0), (1, 0.3, -0.3), 6.5, tips),
            (bronchi, (38, 14, 7), (1, 0.1, -0.5), 4.5, 14),
        ):
            place, way = np.multiply(root, (side, 1, 1)), np.multiply(heading, (side, 1, 1))
            region = partial(grow, rng, inside=inside, bounds=bounds)
            grown.append(region(root=place, direction=way, n_terminals=count, root_radius=radius))
    return replace(chest, lung_vessels=join(vessels), bronchi=join(bronchi))


def _smooth_tube(rng: np.random.Generator, knots: Sequence[tuple[float, ...]], *, shift: float = 2.0) -> Tree:
    rows = np.array(knots, dtype=np.float64)
    rows[:, :3] += rng.uniform(-shift, shift, 3)
    line = curve(rows, step=6.0)
    return tube(line[:, :3], line[:, 3])


def _aorta(rng: np.random.Generator) -> Tree:
    return _smooth_tube(
        rng,
        [(4, -22, 8, 14.5), (-9, -22, 30, 14.5), (-10, -20, 48, 14), (0, -13, 64, 13.5), (14, 2, 71, 13),
         (23, 18, 66, 12.5), (25, 31, 50, 12), (25, 35, 20, 11.5), (21, 36, -40, 11), (12, 35, -110, 10.5),
         (8, 34, -170, 10)],
    )  # fmt: skip


def _great_vessels(rng: np.random.Generator) -> Tree:
    lines = [
        [(-26, -10, 0, 11), (-25, -12, 40, 9.5), (-22, -14, 70, 9)],  # superior vena cava
        [(-22, -14, 70, 8), (-40, -14, 100, 6.5), (-52, -16, 150, 6)],
        [(-22, -14, 70, 7), (4, -28, 82, 7), (38, -20, 104, 6.5), (54, -16, 150, 6)],  # brachiocephalic veins
        [(-2, -14, 68, 6.5), (-18, -4, 92, 6), (-30, 0, 150, 5)],
        [(8, -4, 72, 5), (20, 0, 100, 4.5), (26, 2, 150, 4.5)],
        [(18, 6, 72, 5.5), (32, 8, 104, 5.5), (44, 6, 150, 5)],  # arteries of head and arms
        [(14, -38, 14, 13), (14, -24, 32, 13), (12, -8, 32, 11)],  # pulmonary trunk
        [(12, -8, 32, 10), (-12, 0, 22, 9.5), (-31, 7, 14, 7.5)],
        [(12, -8, 32, 9.5), (24, 4, 26, 9), (31, 7, 14, 7.5)],
        [(2, -8, 2, 15), (0, -2, -6, 15)],  # left atrium and the stems of its veins
        [(6, -4, 0, 9), (27, -4, 0, 7)],
        [(-6, -4, 0, 9), (-27, -4, 0, 7)],
        [(-20, -8, -20, 11), (-22, 0, -60, 11), (-20, 10, -110, 11), (-14, 24, -170, 11)],  # inferior vena cava
        [(2, 26, 150, 6), (4, 29, 40, 6.5), (8, 24, -30, 7), (16, 16, -62, 7)],  # oesophagus
    ]
    return join([_smooth_tube(rng, line, shift=0.8) for line in lines])


def _airways(rng: np.random.Generator) -> Tree:
    carina = 41 + rng.uniform(-3, 3)
    lines = [
        [(0, -2, 160, 8.5), (0, 6, 100, 8.5), (-1, 13, carina, 8.5)],
        [(-1, 13, carina, 6.8), (-16, 15, carina - 13, 6.6), (-38, 14, 7, 5.0)],
        [(-1, 13, carina, 6.2), (17, 15, carina - 14, 6), (38, 14, 7, 5.0)],
    ]
    return join([_smooth_tube(rng, line, shift=0.0) for line in lines])
