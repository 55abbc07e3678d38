"""What is estimated from: numbers with their subjects and trainings; and the estimate with its interval."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from benchmarks.statistics.checks import finite
from datasets.files import Array

NAN = float("nan")


@dataclass(frozen=True, eq=False)
class Sample:
    """Numbers of registrations, or paired differences of two methods, and what each was drawn with.

    Args:
        values: ``(n,)``, in the unit of the metric.
        subjects: for each value the subjects of its pair, fixed and moving; one where both images are of one subject.
            A subject that all values share, such as an atlas, is taken as given.
        trainings: for each value the training (seed) it comes from; all None for a repeatable method, where nothing is
            drawn. Of a difference of two trained methods, the two seeds together.
        weights: ``(n,)``, how much each value counts in the mean, such as its number of landmarks; None for all alike.

    Raises:
        ValueError: lengths differ, a number is not finite, a weight is not positive, or only some trainings are None.
    """

    values: Array
    subjects: Sequence[Sequence[Hashable]]
    trainings: Sequence[Hashable | None]
    weights: Array | None = None

    def __post_init__(self) -> None:
        n = len(finite(self.values, "Sample"))
        if (n, n) != (len(self.subjects), len(self.trainings)):
            found = f"subjects of {len(self.subjects)} and trainings of {len(self.trainings)}"
            raise ValueError(f"Sample: {n} values, but {found}")
        if 0 < sum(training is None for training in self.trainings) < n:
            raise ValueError("Sample: some trainings are None and others are not; a method is repeatable or it is not")
        if self.weights is not None and (len(finite(self.weights, "Sample")) != n or not np.all(self.weights > 0)):
            raise ValueError(f"Sample: expected {n} weights above 0, got {self.weights}")

    def only(self, kept: Sequence[int]) -> Sample:
        """Return the values of these places alone."""
        return Sample(
            np.asarray(self.values)[kept],
            [self.subjects[at] for at in kept],
            [self.trainings[at] for at in kept],
            None if self.weights is None else np.asarray(self.weights)[kept],
        )

    @property
    def repeatable(self) -> bool:
        """Whether no training was drawn."""
        return self.trainings[0] is None

    @property
    def shares(self) -> Array:
        """The share ``(n,)`` of each value in the mean; the sum is 1."""
        weights = np.ones(len(self.values)) if self.weights is None else np.asarray(self.weights, dtype=np.float64)
        return weights / weights.sum()

    @property
    def mean(self) -> float:
        """The (weighted) mean of the values."""
        return float(self.shares @ self.values)

    @property
    def names(self) -> list[Hashable]:
        """The distinct subjects."""
        return list(dict.fromkeys(name for members in self.subjects for name in members))

    @property
    def seeds(self) -> list[Hashable]:
        """The distinct trainings; none where the method is repeatable."""
        return [] if self.repeatable else list(dict.fromkeys(self.trainings))

    @property
    def pairs(self) -> int:
        """The number of distinct pairs: of subjects, and, where a training has several of the same ones, of these."""
        return len(set(self.keys))

    @property
    def keys(self) -> tuple[Hashable, ...]:
        """What tells the pairs of one training apart, the same in each: its subjects, and its number among theirs."""
        return _keys(tuple(tuple(each) for each in self.subjects), tuple(self.trainings))


@lru_cache(maxsize=8)  # the cells of a table share their pairs
def _keys(subjects: tuple[tuple[Hashable, ...], ...], trainings: tuple[Hashable, ...]) -> tuple[Hashable, ...]:
    met: Counter[Hashable] = Counter()
    keys: list[Hashable] = []
    for each in zip(subjects, trainings, strict=True):
        met[each] += 1
        keys.append((each[0], met[each]))
    return tuple(keys)


@dataclass(frozen=True)
class Estimate:
    """A mean with its interval, ``value`` -+ t(df) ``se``, and how much it was drawn from.

    Attributes:
        value: mean, in the unit of the values.
        se: its standard error; 0 where nothing was drawn, NaN where it cannot be known.
        df: degrees of freedom of ``se``; infinite where nothing was drawn, 0 where there is no interval.
        low: lower end of the interval; NaN where there is none.
        high: upper end.
        level: coverage, such as 0.90.
        pairs: distinct pairs.
        subjects: distinct subjects.
        trainings: distinct trainings, 0 for a repeatable method.
        why: why there is no interval, or what it leaves out.
    """

    value: float
    se: float
    df: float
    low: float
    high: float
    level: float
    pairs: int
    subjects: int
    trainings: int
    why: str = ""

    @property
    def half_width(self) -> float:
        """Half of the interval's width; NaN where there is none."""
        return (self.high - self.low) / 2
