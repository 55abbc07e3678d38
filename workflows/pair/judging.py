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
from datasets.own.resampling import nearest_on
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
    there, found = array_of(labels[0]), nearest_on(fixed.image, labels[1], offset.tolist())
    moving = Scan(fixed.path, labels[1])
    if not offset.any() and moving.shape == fixed.shape and np.allclose(moving.affine, fixed.affine, atol=1e-4):
        return Maps(there, found, None)
    own = array_of(labels[1])
    kept = np.where(np.isin(own, np.unique(found)), own, 0)
    return Maps(there, np.pad(kept, 1), _reading(voxels, fixed, moving))


def _reading(voxels: Array, fixed: Scan, moving: Scan) -> Array:
    """Return how far each voxel's place in the moving grid, which has a margin of one voxel, is from its own index."""
    ends = moving.to_voxels(fixed.to_millimetres(np.vstack([np.zeros(3), np.eye(3)])))
    start, turn = ends[0] + 1, (ends[1:] - ends[0]).T
    reading = np.empty(voxels.shape, np.float32)
    for axis in range(3):
        place = np.full(voxels.shape[1:], start[axis])
        for along, count in enumerate(voxels.shape[1:]):
            index = np.arange(count, dtype=float).reshape([-1 if each == along else 1 for each in range(3)])
            place += turn[axis, along] * voxels[along] + (turn[axis, along] - (axis == along)) * index
        reading[axis] = place
    return reading


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
