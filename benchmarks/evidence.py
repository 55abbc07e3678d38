"""The evidence that a metric is computed from, and the values that it gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike

from datasets.files import Array

Needs = Literal["labels", "landmarks", "displacement", "true_displacement", "opposite", "images", "none"]
NEEDS: Mapping[Needs, str] = {  # for readers
    "labels": "Computed from the labels of both images",
    "landmarks": "Computed from landmarks in both images",
    "displacement": "Computed from the displacement alone",
    "true_displacement": "Computed from the true displacement",
    "opposite": "Computed from the displacements of both directions of a pair, where both were registered",
    "images": "Computed from the intensities of both images, where nothing of the truth is known; no accuracy",
    "none": "Recorded from the method itself",
}
Result = TypeVar("Result")


class Value(NamedTuple):
    """One number of a metric: by which protocol, of which region."""

    protocol: str
    region: str
    value: float


@dataclass(frozen=True, eq=False)
class WarpedLabels:
    """A fixed label map and a moving one warped onto it by nearest neighbour, ``(D, H, W)`` of uint16.

    ``shared`` ``(n,)`` says which of the ``labels`` to score both images have, the moving one before it is warped.
    """

    labels: Sequence[int]
    shared: Array
    fixed: Array
    warped: Array

    @property
    def scored(self) -> list[int]:
        """The labels that can be scored, which both images have."""
        return [label for label, there in zip(self.labels, self.shared, strict=True) if there]

    def values(self, protocol: str, scores: Array) -> Iterator[Value]:
        """Yield the number of each label, their mean and their count; ``scores`` are those of `scored`, in its order.

        A label that is not scored has NaN; one NaN among the scores leaves no mean.
        """
        by_label = dict(zip(self.scored, scores.tolist(), strict=True))
        yield Value(protocol, "mean", float(np.mean(scores)) if len(scores) else float("nan"))
        yield Value(protocol, "count", float(len(scores)))
        for label in self.labels:
            yield Value(protocol, f"label_{label}", by_label.get(label, float("nan")))


@dataclass(frozen=True, eq=False)
class Evidence:
    """One displacement and the truth about its pair, as far as it is known.

    Args:
        displacement: ``(3, D, H, W)``, voxels of the fixed grid, pull-back.
        spacing: three voxel sizes in mm, array-axis order.
        fixed_labels: label map ``(D, H, W)`` of the fixed image; needs ``moving_labels`` too.
        moving_labels: label map of the moving image, on the same grid unless there is a ``reading``.
        labels: the labels to score; all but 0 that either map has when None.
        label_sets: by name, regions to average over beside these; each is one label or several that are taken as one.
        learn2reg: whether to compute what only that challenge's leaderboards need, and takes seconds.
        landmarks: fixed and moving landmarks, each ``(n, 3)`` in voxels.
        true_displacement: ``(3, D, H, W)``, same convention.
        opposite: the displacement of the pair with fixed and moving exchanged, same grid and convention.
        images: fixed and moving image ``(D, H, W)``.
        mask: boolean field of view ``(D, H, W)`` of the fixed image.
        reading: ``(3, D, H, W)`` float32, for ``moving_labels`` on a grid of their own: what a voxel of the fixed grid
            adds to its own index for the place there that it reads. The ``displacement`` where None.
    """

    displacement: Array
    spacing: Sequence[float]
    fixed_labels: ArrayLike | None = None
    moving_labels: ArrayLike | None = None
    labels: Sequence[int] | None = None
    label_sets: Mapping[str, Sequence[Sequence[int]]] = field(default_factory=dict[str, Sequence[Sequence[int]]])
    learn2reg: bool = False
    landmarks: tuple[ArrayLike, ArrayLike] | None = None
    true_displacement: ArrayLike | None = None
    opposite: ArrayLike | None = None
    images: tuple[ArrayLike, ArrayLike] | None = None
    mask: ArrayLike | None = None
    reading: Array | None = None
    _made: dict[object, object] = field(init=False, default_factory=dict[object, object], repr=False)

    def has(self, needs: Needs) -> bool:
        """Return whether the truth that a metric needs is here."""
        there: dict[Needs, object] = {
            "labels": self.fixed_labels,
            "landmarks": self.landmarks,
            "displacement": self.displacement,
            "true_displacement": self.true_displacement,
            "opposite": self.opposite,
            "images": self.images,
        }
        return there.get(needs) is not None

    def once(self, function: Callable[[Evidence], Result]) -> Result:
        """Return ``function(self)``, computed at the first call only: several metrics share a determinant."""
        if function not in self._made:
            self._made[function] = function(self)
        return cast(Result, self._made[function])


Compute = Callable[[Evidence], Iterator[Value]]
