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
    labels = truth.labels and (array_of(truth.labels[0]), nearest_on(fixed.image, truth.labels[1], offset.tolist()))
    points = truth.landmarks and (truth.landmarks[0], truth.landmarks[1] - offset)
    along = np.linalg.solve(fixed.directions @ np.diag(fixed.spacing), offset).reshape(3, 1, 1, 1)
    evidence = Evidence(
        field.voxels - along.astype(np.float32) if offset.any() else field.voxels,
        spacing=fixed.spacing,
        fixed_labels=labels[0] if labels else None,
        moving_labels=labels[1] if labels else None,
        landmarks=points and (fixed.to_voxels(points[0]), fixed.to_voxels(points[1])),
    )
    try:
        rows = evaluate(evidence)
    except ValueError as error:
        raise DataError(f"{fixed.path}: the registration cannot be judged ({one_line(error)})") from error
    return {(row["metric"], row["protocol"], row["region"]): row for row in rows}


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
