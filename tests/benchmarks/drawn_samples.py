"""Samples whose true mean is known: skewed Dice and distances, to which subjects, pairs and trainings all add."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from benchmarks.statistics import Sample
from datasets.files import Array

SCORES = np.linspace(-7, 7, 20_001)


@dataclass(frozen=True)
class Metric:
    """A skewed distribution with its declared margin: Dice in points is a beta, a distance in mm a gamma."""

    name: str
    mean: float
    sd: float

    @property
    def margin(self) -> float:
        """The margin that papers' YAML declares."""
        return 1.0 if self.name == "dice" else 0.2

    def quantiles(self) -> Array:
        """Return the values at the standard normal `SCORES`."""
        chance = special.ndtr(SCORES)
        if self.name == "distance":
            return special.gammaincinv((self.mean / self.sd) ** 2, chance) * self.sd**2 / self.mean
        mean = self.mean / 100
        size = mean * (1 - mean) / (self.sd / 100) ** 2 - 1
        return 100 * special.betaincinv(mean * size, (1 - mean) * size, chance)


@dataclass(frozen=True)
class Shares:
    """How much of the variance (of standard normal scores) each source has; the rest is of single values."""

    subjects: float
    trainings: float = 0.0
    together: float = 0.0  # a training that suits some subjects better
    pairs: float = 0.0


@dataclass(frozen=True)
class Design:
    """Which pairs of which subjects, and how many trainings (0: a repeatable method); ``missing`` values at random."""

    kind: str
    subjects: int
    trainings: int
    missing: float = 0.0

    def pairs(self) -> list[tuple[int, ...]]:
        """Return the subjects of each pair; ``atlas`` has subject -1 in all of them."""
        numbers = range(self.subjects)
        if self.kind == "ordered":
            return list(itertools.permutations(numbers, 2))
        return [(-1, n) if self.kind == "atlas" else (n,) for n in numbers]


def draw(design: Design, metric: Metric, shares: Shares, rng: np.random.Generator, number: int) -> Iterator[Sample]:
    """Yield ``number`` samples whose values have the metric's distribution, and so exactly its mean."""
    pairs, quantiles = design.pairs(), metric.quantiles()
    places = [(pair, seed) for pair in range(len(pairs)) for seed in range(max(design.trainings, 1))]
    members = [pairs[pair] for pair, _ in places]
    trainings = [seed if design.trainings else None for _, seed in places]
    for scores in _scores(members, np.array(places), shares, rng, number):
        whole = Sample(np.interp(scores, SCORES, quantiles), members, trainings)
        yield whole.only(np.flatnonzero(rng.random(len(places)) >= design.missing)) if design.missing else whole


def _scores(
    members: Sequence[tuple[int, ...]], places: Array, shares: Shares, rng: np.random.Generator, number: int
) -> Array:
    """Return standard normal scores ``(number, n)`` of values whose subjects, pairs and trainings have effects."""
    free = np.array([[name for name in each if name >= 0] for each in members]).T
    pair, training = places.T
    people, seeds, root = free.max() + 1, training.max() + 1, np.sqrt(len(free))

    def effects(size: int, *where: Array) -> Array:
        drawn = rng.normal(size=(number, size))
        return np.sum([drawn[:, each] for each in where], axis=0)

    rest = 1 - shares.subjects - shares.trainings - shares.together - shares.pairs
    return (
        np.sqrt(shares.subjects) * effects(people, *free) / root
        + np.sqrt(shares.trainings) * effects(seeds, training)
        + np.sqrt(shares.together) * effects(people * seeds, *(each * seeds + training for each in free)) / root
        + np.sqrt(shares.pairs) * effects(pair.max() + 1, pair)
        + np.sqrt(rest) * rng.normal(size=(number, len(places)))
    )
