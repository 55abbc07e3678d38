"""The numbers of one registration of a user's pair, on the fixed image's own grid, beside those of no registration."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# SimpleITK is not typed.

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.evidence import Evidence
from benchmarks.metrics import Row, evaluate
from datasets.files import Array, DataError, one_line
from datasets.own.scans import Scan, array_of
from workflows.pair.about import Number
from workflows.pair.fields import Field

Key = tuple[str, str, str]


@dataclass(frozen=True, eq=False)
class Truth:
    """What is known of a pair: label maps (ITK images) and landmarks ``(n, 3)`` (mm, LPS) of fixed and moving image."""

    labels: tuple[Any, Any] | None = None
    landmarks: tuple[Array, Array] | None = None


def numbers(found: Field, before: Field, fixed: Scan, truth: Truth, *, offset: Sequence[float]) -> list[Number]:
    """Return every metric that the truth allows.

    ``before`` is the displacement of no registration, and ``offset`` (mm, LPS) what of both displacements laid the
    images onto each other.
    """
    after, none = (_measured(each, fixed, truth, np.asarray(offset)) for each in (found, before))
    return [
        Number(
            metric=key[0],
            protocol=key[1],
            region=key[2],
            unit=row["unit"],
            value=_finite(row["value"]),
            before=_finite(none[key]["value"]) if key in none else None,
        )
        for key, row in after.items()
    ]


def _measured(field: Field, fixed: Scan, truth: Truth, offset: Array) -> Mapping[Key, Row]:
    """Measure a displacement with the moving image laid where the registration began, so that its labels are there."""
    voxels = field.voxels
    maps = truth.labels and _maps(voxels, fixed, truth.labels, offset)
    points = truth.landmarks and (truth.landmarks[0], truth.landmarks[1] - offset)
    along = np.linalg.solve(fixed.directions @ np.diag(fixed.spacing), offset).reshape(3, 1, 1, 1)
    evidence = Evidence(
        voxels - along.astype(np.float32) if offset.any() else voxels,
        spacing=fixed.spacing,
        fixed_labels=maps.fixed if maps else None,
        moving_labels=maps.moving if maps else None,
        reading=maps.reading if maps else None,
        landmarks=points and (fixed.to_voxels(points[0]), fixed.to_voxels(points[1])),
    )
    try:
        rows = evaluate(evidence)
    except ValueError as error:
        raise DataError(f"{fixed.path}: the registration cannot be judged ({one_line(error)})") from error
    return {(row["metric"], row["protocol"], row["region"]): row for row in rows}


@dataclass(frozen=True, eq=False)
class Maps:
    """The label maps of a pair, and how the moving one is read where it keeps a grid of its own (`Evidence`)."""

    fixed: Array
    moving: Array
    reading: Array | None


def _maps(voxels: Array, fixed: Scan, labels: tuple[Any, Any], offset: Array) -> Maps:
    """Return the moving map on its own grid, where it is read once, as the transform reads it.

    Two readings in a row would blur what is a few voxels wide. What the map does not reach has no label; a label
    that is nowhere in the fixed image before registration is left out.
    """
    there, moving = array_of(labels[0]), Scan(fixed.path, labels[1])
    if not offset.any() and moving.shape == fixed.shape and np.allclose(moving.affine, fixed.affine, atol=1e-4):
        return Maps(there, array_of(labels[1]), None)
    own = array_of(labels[1])
    kept = np.where(np.isin(own, np.unique(own[_reached(moving, fixed, offset)])), own, 0)
    return Maps(there, np.pad(kept, 1), _reading(voxels, fixed, moving))


def _reading(voxels: Array, fixed: Scan, moving: Scan) -> Array:
    """Return how far each voxel's place in the moving grid, which has a margin of one voxel, is from its own index."""
    start, turn = _between(fixed, moving, np.zeros(3))
    reading = np.empty(voxels.shape, np.float32)
    for axis in range(3):
        place = _along(start[axis] + 1, turn[axis] - np.eye(3)[axis], voxels.shape[1:])
        for along in range(3):
            place += turn[axis, along] * voxels[along]
        reading[axis] = place
    return reading


def _reached(moving: Scan, fixed: Scan, offset: Array) -> Array:
    """Return which voxels of the moving grid lie in the fixed image before registration."""
    start, turn = _between(moving, fixed, -offset)
    inside = np.ones(moving.shape, np.bool_)
    for axis, count in enumerate(fixed.shape):
        place = _along(start[axis], turn[axis], moving.shape)
        inside &= (place >= -0.5) & (place <= count - 0.5)
    return inside


def _between(first: Scan, second: Scan, offset: Array) -> tuple[Array, Array]:
    """Return where voxel (0, 0, 0) of one grid lies in another, ``offset`` mm away, and what steps along its axes add.

    Both are in voxels of the second grid; the steps are the columns ``(3, 3)``.
    """
    ends = second.to_voxels(first.to_millimetres(np.vstack([np.zeros(3), np.eye(3)])) + offset)
    return ends[0], (ends[1:] - ends[0]).T


def _along(start: float, steps: Array, shape: Sequence[int]) -> Array:
    """Return ``start`` and each index times its step, at every voxel of a grid."""
    place = np.full(tuple(shape), start)
    for along, count in enumerate(shape):
        place += steps[along] * np.arange(count).reshape([-1 if each == along else 1 for each in range(3)])
    return place


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
