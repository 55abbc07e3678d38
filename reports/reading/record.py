"""What a run has on record of the networks whose numbers count: their seeds, weights and trainings."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.ranking import Quote
from benchmarks.results import RUN_LEVEL
from datasets.case import Pair
from reports.reading.run import Run
from reports.reading.trainings import Training

Place = tuple[str, str]  # a data set and a method
ALIKE = 1e-9  # relative difference below which two trainings gave the same number


class OnRecord:
    """What a run has on record of the networks whose numbers count; gathered once, when it is first asked for.

    Seeds and pairs are those of the numbers themselves: a training that has numbers is asked for whether or not a run
    or a training of that seed was ever written down.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._copies: dict[tuple[str, ...], bool] = {}

    def trainings(self, dataset: str, method: str, seed: int | None) -> list[tuple[int, Training | None]]:
        """Return the trainings behind a network's numbers, with their seeds; None for one that is not on record.

        A training that did not come to its end left no weights: it is named by its seed, if that has no number.
        """
        counted = self._seeds.get((dataset, method), [])
        known = self.weights(dataset, method)
        found = [(drawn, self._left(sha, method)) for drawn, sha in known]
        found += [(drawn, None) for drawn in counted if drawn not in dict(known)]
        found += [
            (each.seed, each) for each in self._run.trainings
            if each.method == method and each.status != "ok" and each.seed not in counted
        ]  # fmt: skip
        return [(drawn, each) for drawn, each in found if seed in (None, drawn)]

    def weights(self, dataset: str, method: str) -> list[tuple[int, str]]:
        """Return the seed and the digest of the weights of each run of a network on a data set."""
        return self._weights.get((dataset, method), [])

    def teacher(self, sha: str) -> Training | None:
        """Return the training that left these weights, whosever it was."""
        return self._by_weights.get(sha)

    def foreign(self, dataset: str, method: str) -> int:
        """Return of how many pairs a method has numbers that the data set does not have."""
        return self._foreign.get((dataset, method), 0)

    def copied(self, dataset: str, method: str, wanted: Quote) -> bool:
        """Return whether two trainings of a network have the same number on every pair: no two ever learn the same.

        Numbers that are all zero, as of folded voxels, are nobody's copy.
        """
        if len(self._seeds.get((dataset, method), [])) < 2:
            return False
        place = (dataset, method, wanted.metric, wanted.protocol, wanted.region)
        if place not in self._copies:
            self._copies[place] = self._same(place)
        return self._copies[place]

    def _same(self, place: tuple[str, ...]) -> bool:
        rows = self._networks.iloc[self._places.get(place, [])]
        by_seed = [
            rows[rows.seed == seed].drop_duplicates("pair").set_index("pair").value for seed in rows.seed.unique()
        ]
        return any(_alike(*one.align(other, join="inner")) for one, other in combinations(by_seed, 2))

    def _left(self, sha: str, method: str) -> Training | None:
        """Return the training of a method that left these weights, that of another method where only that did."""
        return self._own_weights.get((method, sha)) or self._by_weights.get(sha)

    @cached_property
    def _by_weights(self) -> Mapping[str, Training]:
        return {each.sha256: each for each in self._run.trainings if each.sha256}

    @cached_property
    def _own_weights(self) -> Mapping[tuple[str, str], Training]:
        return {(each.method, each.sha256): each for each in self._run.trainings if each.sha256}

    @cached_property
    def _weights(self) -> Mapping[Place, list[tuple[int, str]]]:
        found: dict[Place, list[tuple[int, str]]] = {}
        rows = self._run.runs
        if rows.empty:
            return found
        columns = rows[["dataset", "method", "seed", "checkpoint_sha"]].itertuples(index=False, name=None)
        for dataset, method, seed, sha in columns:
            if isinstance(sha, str) and sha:
                found.setdefault((dataset, method), []).append((int(seed), sha))
        return found

    @cached_property
    def _numbers(self) -> pd.DataFrame:
        """The rows of numbers of registrations."""
        rows = self._run.metrics
        return rows[(rows.status == "ok") & (rows.pair != RUN_LEVEL)]

    @cached_property
    def _networks(self) -> pd.DataFrame:
        """Of these the rows of networks that have a value."""
        networks = [name for name, about in self._run.methods.items() if about.kind == "learned"]
        rows = self._numbers[self._numbers.method.isin(networks)]
        return rows.astype({"value": float}).dropna(subset="value")

    @cached_property
    def _places(self) -> Mapping[Hashable, Any]:
        return self._networks.groupby(["dataset", "method", "metric", "protocol", "region"]).indices

    @cached_property
    def _seeds(self) -> Mapping[Place, list[int]]:
        """The seeds that have numbers."""
        found: dict[Place, list[int]] = {}
        places = self._networks[["dataset", "method", "seed"]].drop_duplicates()
        for dataset, method, seed in places.itertuples(index=False, name=None):
            found.setdefault((dataset, method), []).append(int(seed))
        return found

    @cached_property
    def _foreign(self) -> Mapping[Place, int]:
        found: dict[Place, int] = {}
        had = {name: set(data.description.test) for name, data in self._run.datasets.items()}
        places = self._numbers[["dataset", "method", "pair"]].drop_duplicates()
        for dataset, method, pair in places.itertuples(index=False, name=None):
            if dataset in had and Pair.from_name(pair) not in had[dataset]:
                found[dataset, method] = found.get((dataset, method), 0) + 1
        return found


def _alike(one: pd.Series, other: pd.Series) -> bool:
    """Return whether two trainings gave the same numbers on the pairs that both have."""
    return len(one) > 0 and bool(one.any()) and np.allclose(one, other, rtol=ALIKE, atol=0)
