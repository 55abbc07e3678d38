"""Small label maps in the form of SynthSeg's: one drawn head, turned, stretched and moved for each subject."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy.spatial.transform import Rotation

from datasets import synthseg
from datasets.files import sha256
from datasets.synthesis.alignment import LARGE, SMALL

SHAPE, VOXEL = (52, 48, 56), 4.0
# Left, posterior and superior middles in mm, and radii, of left and midline structures; the right ones mirror them.
ELLIPSOIDS = {
    3: ((34, 8, 14), (34, 78, 58)), 2: ((32, 8, 14), (25, 66, 46)), 8: ((26, 54, -44), (26, 28, 24)),
    7: ((24, 52, -44), (12, 14, 12)), 16: ((0, 20, -42), (13, 14, 30)), 4: ((14, -4, 20), (9, 30, 11)),
    14: ((0, 8, 2), (4, 14, 12)), 15: ((0, 36, -38), (7, 7, 14)), 10: ((16, 14, 6), (10, 15, 11)),
    11: ((20, -16, 12), (8, 16, 12)), 12: ((32, -6, 4), (8, 18, 13)), 13: ((24, -2, 0), (6, 12, 9)),
    17: ((32, 18, -16), (8, 20, 8)), 18: ((28, -6, -18), (9, 10, 9)), 28: ((12, 12, -10), (8, 10, 8)),
}  # fmt: skip
RIGHT = {2: 41, 3: 42, 4: 43, 7: 46, 8: 47, 10: 49, 11: 50, 12: 51, 13: 52, 17: 53, 18: 54, 28: 60}
LIA = np.array([[-1.0, 0, 0], [0, 0, 1], [0, -1, 0]])


def head(points: np.ndarray) -> np.ndarray:
    """Return the labels at RAS places ``(3, ...)``, mm, of the head that all subjects have: a skull, fluid, a brain."""
    x, y, z = points * np.reshape([-1, -1, 1], (3, *[1] * (points.ndim - 1)))  # to the left and to posterior
    radius = np.sqrt((x / 84) ** 2 + ((y - 8) / 98) ** 2 + ((z + 4) / 88) ** 2)
    labels = np.where(radius < 1, 24, np.where(radius < 1.08, 515, 0))
    for label, ((a, b, c), (r, s, t)) in ELLIPSOIDS.items():
        for side, number in ((1, label), (-1, RIGHT.get(label, label))):
            there = ((x - side * a) / r) ** 2 + ((y - b) / s) ** 2 + ((z - c) / t) ** 2 < 1
            labels[there & ((side * x > 0) | (a == 0))] = number
    return labels


def pose(number: int) -> np.ndarray:
    """Return how a subject lies: the affine map from the head that all have, RAS millimetres."""
    rng = np.random.default_rng(number)
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", rng.uniform(-15, 15, 3), degrees=True).as_matrix()
    affine[:3, :3] = affine[:3, :3] @ np.diag(rng.uniform(0.94, 1.06, 3))
    affine[:3, 3] = rng.uniform(-15, 15, 3)
    return affine


def put(path: Path, number: int, *, change=None) -> Path:
    """Write one map: axes to left, inferior, anterior; odd ones float32, even ones int32, as genuine ones are."""
    affine = np.eye(4)
    affine[:3, :3] = LIA * VOXEL
    affine[:3, 3] = -affine[:3, :3] @ (np.asarray(SHAPE) - 1) / 2
    voxels = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij")).reshape(3, -1)
    world = affine[:3, :3] @ voxels + affine[:3, 3:]
    own = np.linalg.inv(pose(number))
    labels = head(own[:3, :3] @ world + own[:3, 3:]).reshape(SHAPE).astype(np.float32 if number % 2 else np.int32)
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(change(labels) if change else labels, affine), path)
    return path


def put_all(mirror: Path, monkeypatch, **changes) -> None:
    """Write the twenty maps below a mirror, pin their checksums; ``changes`` map ``s03`` to a change of its labels."""
    remotes = []
    for number, remote in enumerate(synthseg.MAPS):
        path = put(mirror / remote.name, number, change=changes.get(synthseg.case(number)))
        remotes.append(replace(remote, checksum=sha256(path)))
    monkeypatch.setattr(synthseg, "MAPS", tuple(remotes))


assert {*ELLIPSOIDS, *RIGHT.values()} == {*LARGE, *SMALL}
