"""What a run left that claims are decided by, looked up once: values of registrations, trainings and their curves."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.metrics import METRICS
from benchmarks.results import RUN_LEVEL
from datasets.case import Pair
from reports.claims.contents import Claim, Measure
from reports.paper.cast import PaperRun
from reports.reading import summary
from reports.reading.record import OnRecord
from reports.reading.trainings import Training

Subjects = tuple[tuple[str, str], ...]  # data set and subject of the fixed and of the moving image
KEY = ["dataset", "method", "metric", "protocol", "region"]


class Sources:
    """A run as claims of one paper read it."""

    def __init__(self, paper_run: PaperRun) -> None:
        self.paper_run, self.run = paper_run, paper_run.run
        self._record = OnRecord(self.run)
        self._curves: dict[tuple[str, str, int], pd.DataFrame | None] = {}

    def why_missing(self, claim: Claim) -> str:
        """Return why a claim over registrations cannot be measured at all; empty where it may be."""
        if absent := [method for method in claim.methods if method not in self.run.methods]:
            return f"not in this profile: {', '.join(absent)}"
        players = [self.paper_run.players[key] for key in claim.datasets]
        if absent := [player.absent for player in players if player.absent]:
            return absent[0]
        for name in self.names(claim) if claim.kind != "roughness" else ():  # its snapshots are no registrations
            for method in claim.methods:
                if why := self._why_none(name, method):
                    return why
        return ""

    def names(self, claim: Claim) -> list[str]:
        """Return the names of the prepared data sets that play those of a claim."""
        return [self.paper_run.cast[key] for key in claim.datasets if key in self.paper_run.cast]

    def data(self, claim: Claim) -> str:
        """Say what a claim is measured on: phantoms are said, and for which data of the paper others stand in."""
        parts = []
        for key in claim.datasets:
            player = self.paper_run.players[key]
            if player.dataset:
                about = player.dataset.description
                made = " (phantoms)" if about.phantom else " (partly synthetic)" if about.synthetic else ""
                parts.append(f"{player.dataset.name}{made}{f' for {player.title}' if player.stand_in else ''}")
        return ", ".join(parts)

    def repeatable(self, method: str) -> bool:
        """Return whether a method is not trained, so that nothing was drawn for it."""
        return self.run.methods[method].kind != "learned"

    def values(self, dataset: str, method: str, measure: Measure) -> pd.Series:
        """Return a number of each registration, by pair and seed; of a repeatable method by pair alone."""
        about = METRICS[measure.metric]
        place = (dataset, method, measure.metric, measure.protocol or next(iter(about.protocols)))
        rows = self._good.iloc[self._places.get((*place, measure.region or about.region), [])]
        keys = ["pair"] if self.repeatable(method) else ["pair", "seed"]
        return rows.groupby(keys).value.mean() * measure.factor

    def subjects(self, dataset: str, pair: str) -> Subjects:
        """Return the subjects of a pair: pairs that share one are not independent."""
        named, known = self.run.datasets[dataset].description.subjects, Pair.from_name(pair)
        return tuple((dataset, named.get(case, case)) for case in (known.fixed, known.moving))

    def pairs(self, dataset: str) -> int:
        """Return how many test pairs a data set has."""
        return len(self.run.datasets[dataset].test_pairs)

    def trainings(self, method: str, seeds: Sequence[int], datasets: Sequence[str] = ()) -> list[Training]:
        """Return the trainings of a method with these seeds, of those its registrations on ``datasets`` come from.

        They are told by the checksum of the weights; where that is not on record, all with the seed are meant.
        """
        found = [each for each in self.run.trainings if each.method == method and each.seed in seeds]
        used = {sha for seed in seeds for sha in self.weights(method, seed, datasets)}
        return [each for each in found if each.sha256 in used] or found

    def weights(self, method: str, seed: int, datasets: Sequence[str]) -> set[str]:
        """Return the checksums of the weights by which a method registered on data sets; "" for one not on record."""
        known = [dict(self._record.weights(name, method)) for name in datasets]
        return {each.get(seed, "") for each in known}

    def traced(self, method: str, seed: int, weights: Collection[str]) -> bool:
        """Return whether a training of the method with this seed left each of some weights."""
        left = {each.sha256 for each in self.run.trainings if (each.method, each.seed) == (method, seed)}
        return bool(weights) and set(weights) <= left - {""}

    def curve(self, training: Training) -> pd.DataFrame | None:
        """Return the curve of a training; None where it left none."""
        key = training.method, training.dataset, training.seed
        if key not in self._curves:
            self._curves[key] = training.rows("curve.jsonl")
        return self._curves[key]

    @cached_property
    def _good(self) -> pd.DataFrame:
        metrics = self.run.metrics
        good = metrics[(metrics.status == "ok") & (metrics.pair != RUN_LEVEL)]
        return good.astype({"value": float}).dropna(subset="value")

    @cached_property
    def _places(self) -> dict[tuple[str, ...], NDArray[np.intp]]:
        return cast("dict[tuple[str, ...], NDArray[np.intp]]", self._good.groupby(KEY).indices)

    @cached_property
    def _registrations(self) -> dict[tuple[str, str], pd.DataFrame]:
        rows = summary.registrations(self.run.metrics)
        return {(str(dataset), str(method)): group for (dataset, method), group in rows.groupby(["dataset", "method"])}

    def _why_none(self, dataset: str, method: str) -> str:
        """Return why a method has no registration on a data set; empty where it has one."""
        title = self.run.titles[dataset]
        if (dataset, method) in self.run.unavailable:
            return f"{method} was not available: {self.run.unavailable[dataset, method]}"
        if why := self.run.why_not_measured(dataset, method):
            return why
        rows = self._registrations.get((dataset, method))
        if rows is None:
            return f"{method} is not run on {title}"
        if not (rows.status == "ok").any():
            return f"no registration of {method} on {title} finished: {summary.first_reason(rows)}"
        return ""
