"""Surfaces of labels and the way from one to another, voxel by voxel (compiled, for `benchmarks.measures.surfaces`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from datasets.compiled import compiled
from datasets.files import Array

Ball = Any  # steps and their lengths


@compiled
def surfaces(labels: Array, wanted: Array, surface: Array) -> int:
    """Write to ``surface`` the label of each voxel that is on its label's surface, 0 elsewhere; return how many.

    On the surface are voxels that have a face in common with a voxel of another label or with the outside of the grid.
    ``wanted`` says of each label whether it counts.
    """
    depth, height, width = labels.shape
    found = 0
    for z in range(depth):
        for y in range(height):
            edge = z == 0 or y == 0 or z == depth - 1 or y == height - 1
            for x in range(width):
                label = labels[z, y, x]
                on = False
                if wanted[label]:
                    on = edge or x == 0 or x == width - 1
                    if not on:
                        on = (labels[z, y, x - 1] != label) | (labels[z, y, x + 1] != label)
                        on |= (labels[z, y - 1, x] != label) | (labels[z, y + 1, x] != label)
                        on |= (labels[z - 1, y, x] != label) | (labels[z + 1, y, x] != label)
                surface[z, y, x] = label if on else 0
                found += on
    return found


@compiled
def gather(surface: Array, points: Array) -> None:
    """Write to ``points`` ``(n, 4)`` the label and the three indices of each voxel of a surface, in C order."""
    n = 0
    for z in range(surface.shape[0]):
        for y in range(surface.shape[1]):
            for x in range(surface.shape[2]):
                if surface[z, y, x] != 0:
                    points[n, 0], points[n, 1], points[n, 2], points[n, 3] = surface[z, y, x], z, y, x
                    n += 1


@compiled
def nearest(points: Array, surface: Array, ball: Ball, distances: Array) -> None:
    """Write for each of ``points`` the length of the shortest step that leads to its label on another surface.

    ``ball`` holds steps ``(k, 3)`` and their lengths, in order of these; infinity where none leads there.
    """
    (steps, lengths), (depth, height, width) = ball, surface.shape
    for i in range(len(points)):
        label, z, y, x = points[i]
        distances[i] = np.inf
        for k in range(len(steps)):
            a, b, c = z + steps[k, 0], y + steps[k, 1], x + steps[k, 2]
            inside = 0 <= a < depth and 0 <= b < height and 0 <= c < width
            if inside and surface[a, b, c] == label:
                distances[i] = lengths[k]
                break
