"""The chest of the lung phantom at end-exhale: organs as signed distances, painted in Hounsfield units.

Points are ``(3, n)`` in mm: axis 0 to the patient's left, 1 to posterior, 2 to superior. Sizes are those of an adult
as anatomy atlases give them, rounded, and vary between subjects.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets.geometry import Array
from datasets.phantoms.lung.breathing import Cavity, Outline
from datasets.phantoms.shapes import Canvas, Waves, box, difference, ellipsoid, intersection, rotation, union
from datasets.phantoms.tree import Tree, distance

Mask = NDArray[np.bool_]

NAMES = {
    1: "left lung", 2: "right lung", 3: "heart", 4: "liver", 5: "spine", 6: "trachea and bronchi", 7: "aorta",
    8: "ribs and sternum",
}  # fmt: skip
LEFT, RIGHT, HEART, LIVER, SPINE, AIRWAY, AORTA, RIBS = NAMES
AIR, PARENCHYMA, FAT, MUSCLE, BLOOD = -1000.0, -820.0, -95.0, 48.0, 42.0
RIB_STEP = 25.0


@dataclass(frozen=True)
class Chest:
    """One subject at end-exhale. Lengths in mm; ``domes`` are rows of x, y and z of the diaphragm's two tops."""

    cavity: Cavity
    skin: Outline
    domes: Array
    heart: tuple[float, float, float]
    heart_size: float
    rib_phase: float
    vertebra_phase: float
    aorta: Tree
    vessels: Tree  # great vessels of the mediastinum without the aorta
    airways: Tree  # trachea and main bronchi
    bronchi: Tree  # the airways within the lungs
    lung_vessels: Tree
    texture: tuple[Waves, Waves]

    def paint(
        self, points: Array, *, edge_mm: float, expansion: Callable[[Mask], Array] | None = None
    ) -> tuple[Array, NDArray[np.uint16]]:
        """Return Hounsfield units and labels ``(n,)`` of the exhale scan, its edges blurred over ``edge_mm``.

        ``expansion`` gives, for the masked points, exhale volume over inhale volume: lung tissue thins by it, since
        its mass stays. Without it the lungs are as dense as at exhale.
        """
        points = np.asarray(points, dtype=np.float32)
        canvas = Canvas.blank(points.shape[1], value=AIR, edge_mm=edge_mm)
        pleura = self.cavity.distance(points).astype(np.float32)
        self._wall(canvas, points, pleura)
        self._abdomen(canvas, points, pleura)
        self._bones(canvas, points, pleura)
        self._lungs(canvas, points, pleura, expansion)
        self._mediastinum(canvas, points)
        return canvas.intensity, canvas.labels

    def lungs(self, points: Array, pleura: Array | None = None) -> tuple[Array, Array]:
        """Return the signed distances to the left and to the right lung, at most 10 mm deep.

        ``pleura`` is the distance to the cavity, where it is known already.
        """
        x, y, z = points
        pleura = self.cavity.distance(points) if pleura is None else pleura
        organs = np.minimum(self._heart(points) - 3, distance(self.aorta, points, reach=12) - 2)
        shared = np.maximum(np.maximum(pleura + 1.5, 2.0 - self.above_diaphragm(points)), -organs)
        middle = 7 + 19 * np.exp(-(((y - 2) / 36) ** 2)) + 3 * np.cos((z - 20) / 27)
        sides: list[Array] = []
        for lateral in (x, -x):
            # The lung's tip stands above its middle third, not at the neck.
            tip = z - (self.cavity.apex - 14 - 34 * (np.clip(44 - lateral, 0, 44) / 44) ** 2)
            sides.append(np.maximum(shared, np.maximum(middle - lateral, tip)))
        return sides[0], sides[1]

    def above_diaphragm(self, points: Array) -> Array:
        """Return the signed distance in mm to the diaphragm, to first order: positive above it."""
        heights: list[Array] = []
        slopes: list[Array] = []
        for x, y, top in self.domes:
            q = np.hypot((points[0] - x) / 68, (points[1] - y) / 80)
            heights.append(top - 20 * q**2 - 36 * np.minimum(q, 1.25) ** 6)
            slopes.append((40 * q + 216 * np.minimum(q, 1.1) ** 5) / 74)
        height = 6 * np.logaddexp(heights[0] / 6, heights[1] / 6)
        slope = np.where(heights[0] > heights[1], slopes[0], slopes[1])
        return (points[2] - height) / np.sqrt(1 + slope**2)

    def _heart(self, points: Array) -> Array:
        radii = np.array([50.0, 37.0, 40.0]) * self.heart_size
        heart = ellipsoid(points, self.heart, radii, rotation(x=20, y=28, z=24))
        base = ellipsoid(points, np.add(self.heart, (-14, 8, 26)), (30, 26, 30))
        return intersection(union(heart, base, blend=14), 1.0 - self.above_diaphragm(points))

    def _wall(self, canvas: Canvas, points: Array, pleura: Array) -> None:
        x, _, z = points
        radius, angle, outline = self.skin.polar(points)
        skin = (radius - outline) * np.float32(0.95)
        canvas.add(skin, 10.0)
        canvas.add(skin + 2, FAT)
        back, front = np.clip(np.sin(angle), 0, 1), np.clip(-np.sin(angle), 0, 1)
        upper = 1 / (1 + np.exp(-(z - 20) / 16))
        chest = np.exp(-(((np.abs(x) - 62) / 34) ** 2)) * front * upper  # pectorals
        thick = 15 + 7 * back * upper + 13 * chest - 3 * (1 - upper) * front
        muscle = np.maximum(pleura - thick, skin + 5 + 3 * (1 - upper))
        erector = np.minimum(*(ellipsoid(points, (s * 29, 84, 0), (27, 19, 900)) for s in (1, -1)))
        canvas.add(union(muscle, np.maximum(erector, skin + 5), blend=4), MUSCLE)
        marbling = self.texture[1].sheet_distance(points) - 0.7
        canvas.add(np.maximum(marbling, np.maximum(pleura - thick + 1, 9 - pleura)), 0.0)  # fat between the muscles
        canvas.add(pleura + 0.5, FAT)

    def _abdomen(self, canvas: Canvas, points: Array, pleura: Array) -> None:
        x, y, z = points
        above = self.above_diaphragm(points)
        canvas.add(np.maximum(pleura, above), MUSCLE)  # the diaphragm: what is not covered below stays
        below = np.maximum(pleura + 3, above + 3)
        canvas.add(below, FAT)
        edge = (x - 34 + 0.55 * (z + 60) + 0.25 * (y + 20)) * 0.8
        liver = np.maximum(np.maximum(below + 1, edge), y - 62 - 0.15 * z)
        stomach = np.maximum(ellipsoid(points, (66, -8, -92), (44, 48, 40), rotation(y=-20)), below + 2)
        canvas.add(stomach, 35.0)
        canvas.add(np.maximum(stomach + 4, y + 26), -960.0)  # gas gathers in front of a patient on the back
        canvas.add(np.maximum(ellipsoid(points, (88, 44, -88), (27, 33, 46)), below + 2), 52.0)  # spleen
        canvas.add(liver, 62 + 4 * self.texture[1].value(points), LIVER)
        for s in (1, -1):
            canvas.add(np.maximum(ellipsoid(points, (s * 56, 54, -150), (26, 22, 46)), below + 3), 34.0)  # kidneys

    def _bones(self, canvas: Canvas, points: Array, pleura: Array) -> None:
        x, y, z = points
        canvas.add(self._scapulae(points, pleura), 300.0)
        ribs, front = self._ribs(points, pleura)
        canvas.add(ribs, np.where(front > 0.86, 120.0, 420.0), RIBS)  # cartilage in front
        sternum = np.maximum(np.abs(pleura - 7) - 5.5, np.maximum(np.abs(x) - 17, np.abs(z - 30) - 75))
        canvas.add(np.where(y < 0, sternum, 100.0), 210.0, RIBS)
        spine, disc, canal = self._spine(points)
        canvas.add(spine, np.where(disc, 85.0, 260.0), SPINE)
        canvas.add(canal, 22.0, SPINE)

    def _ribs(self, points: Array, pleura: Array) -> tuple[Array, Array]:
        # A rib starts at the spine and falls on its way to the front; `front` runs from 0 (back) to 1 (sternum).
        _, angle, _ = self.cavity.outline.polar(points)
        front = np.abs(np.arctan2(np.sin(angle - np.pi / 2), np.cos(angle - np.pi / 2))) / np.pi
        height = points[2] + 58 * (1 - np.cos(np.pi * front)) / 2 - self.rib_phase
        number = np.clip(np.rint(height / RIB_STEP), -11, 0)
        off = (height - number * RIB_STEP) * np.float32(0.85)
        ribs = (np.hypot(off / 6.0, (pleura - 6.5) / 3.6) - 1) * 4.4
        margin = (-150 + 104 * front - points[2]) * 0.7  # below the costal margin there are none
        return np.maximum(ribs, np.where(front > 0.35, margin, -10.0)), front

    def _scapulae(self, points: Array, pleura: Array) -> Array:
        x, y, z = np.abs(points[0]), points[1], points[2]
        triangle = np.maximum(
            np.maximum(z - 112, (62 - x) * 0.9), np.maximum(x - 118, 0.45 * (18 + 0.9 * (x - 80) - z))
        )
        return np.maximum(np.maximum(np.abs(pleura - 17.5) - 2.0, triangle), 15 - y)

    def _spine(self, points: Array) -> tuple[Array, Mask, Array]:
        x, y, z = points
        body = (np.hypot(x / 18.5, (y - 57) / 15.5) - 1) * 16.5
        level = np.abs((z - self.vertebra_phase + 12) % 25.0 - 12)  # 0 is the middle of a vertebra
        arch = difference(np.hypot(x, y - 81) - 13.5, np.hypot(x, y - 80) - 8.5)
        arch = np.maximum(arch, level - 10)
        wings = box(np.stack([x, y, level]), (0, 80, 0), (38, 5.0, 6.0), corner=4)
        process = box(np.stack([x, y - 0.35 * (12 - level), level]), (0, 99, 0), (3.5, 13, 8), corner=3)
        canal = np.hypot(x, y - 80) - 8.5
        bone = np.minimum(np.minimum(body, arch), np.minimum(process, difference(wings, canal)))
        return bone, (level > 10.2) & (body < 0.5), canal

    def _lungs(self, canvas: Canvas, points: Array, pleura: Array, expansion: Callable[[Mask], Array] | None) -> None:
        near = np.flatnonzero((pleura < 3) & (self.above_diaphragm(points) > -6) & (points[2] < self.cavity.apex))
        inside, pleura, local = points[:, near], pleura[near], Canvas.blank(len(near), value=0, edge_mm=canvas.edge_mm)
        local.intensity, local.labels = canvas.intensity[near], canvas.labels[near]
        sides = dict(zip((LEFT, RIGHT), self.lungs(inside, pleura), strict=True))
        lungs = np.minimum(*sides.values())
        tissue = PARENCHYMA + 0.25 * inside[1] + 14 * self.texture[0].value(inside) + 9 * self.texture[1].value(inside)
        if expansion is not None:
            wanted = np.zeros(points.shape[1], dtype=bool)
            wanted[near] = lungs < canvas.edge_mm
            thinner = np.ones(len(near), dtype=np.float32)
            thinner[lungs < canvas.edge_mm] = expansion(wanted)
            tissue = AIR + (tissue - AIR) * thinner
        for label, shape in sides.items():
            local.add(shape, tissue, label)
            self._fissures(local, inside, shape, label)
        local.add(np.maximum(distance(self.lung_vessels, inside), pleura + 2), BLOOD)
        bronchi = distance(self.bronchi, inside)
        local.add(bronchi - 0.8, -250.0)
        local.add(bronchi, -985.0)
        canvas.intensity[near], canvas.labels[near] = local.intensity, local.labels

    def _fissures(self, canvas: Canvas, points: Array, lung: Array, label: int) -> None:
        x, y, z = points
        oblique = (z - 4 - 0.95 * y + 0.002 * x * x + 3 * np.sin(x / 20)) * 0.72
        sheets = [np.abs(oblique)]
        if label == RIGHT:
            sheets.append(np.maximum(np.abs(z - 2 - 4 * np.sin(x / 24) - 0.12 * y), y - 0))
        for sheet in sheets:
            canvas.add(np.maximum(sheet - 0.5, lung), -640.0)

    def _mediastinum(self, canvas: Canvas, points: Array) -> None:
        heart = self._heart(points)
        canvas.add(heart, 40.0, HEART)
        canvas.add(distance(self.vessels, points), BLOOD)
        canvas.add(distance(self.aorta, points), BLOOD + 2, AORTA)
        airway = distance(self.airways, points)
        canvas.add(airway - 1.6, 20.0)
        canvas.add(airway, -990.0, AIRWAY)
