"""A finished run as reports read it. It knows nothing of papers."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd

from benchmarks.records import Declared, Lacking, PaperNetwork
from benchmarks.results import RUN_LEVEL
from datasets.case import Described
from reports.reading.method import Methods
from reports.reading.pictures import Pictures, Stored
from reports.reading.timed import Timed
from reports.reading.trainings import Training

# Why a method could not run on a data set for want of a library or a device, by data set and method.
WhyUnavailable = Mapping[tuple[str, str], str]
NOT_MEASURED = "not measured: data missing"
Work = tuple[str, float, float]  # of a network on a data set: module, parameters, multiply-accumulates


@dataclass(frozen=True)
class Run:
    """Everything that a report is made of: what one run of a profile left, or its archive."""

    metrics: pd.DataFrame  # result rows (`benchmarks.results`)
    timing: pd.DataFrame | None  # rows of the timing stage, or None when it was not run
    runs: pd.DataFrame  # provenance rows, one per run
    datasets: Mapping[str, Described]  # prepared data sets by name, in display order
    methods: Methods  # by name, in display order
    pictures: Pictures = field(default_factory=Stored)  # what is drawn of images; one that is not there is left out
    trainings: Sequence[Training] = ()
    profile: str = ""  # its name
    about: str = ""  # what the profile is for and what it cuts
    unavailable: WhyUnavailable = field(default_factory=dict)
    networks: Mapping[str, PaperNetwork] = field(default_factory=dict)  # at the papers' size, by method
    declared: Sequence[Declared] = ()  # when it began, and each time that it was declared otherwise
    lacking: Sequence[Lacking] = ()  # data sets that the run went on without

    def label(self, method: str) -> str:
        """Return the label of a method, its name where the run does not have it."""
        return self.methods[method].label if method in self.methods else method

    def unavailable_notes(self, dataset: str = "") -> list[str]:
        """Return a sentence for each method that could not run, on one data set or anywhere."""
        reasons: dict[tuple[str, str], list[str]] = {}
        for (name, method), why in self.unavailable.items():
            if dataset in ("", name):
                reasons.setdefault((method, why), []).append(self.titles[name])
        return [
            f"{self.label(method)} was not available, so nothing is measured of it on {', '.join(where)}: {why}."
            for (method, why), where in reasons.items()
        ]

    @cached_property
    def not_measured(self) -> Mapping[tuple[str, str], str]:
        """The data set without whose files a run was not made, by data set and method of the run."""
        return {place: each.dataset for each in self.lacking for place in each.runs}

    def why_not_measured(self, dataset: str, method: str) -> str:
        """Return what a run lacked; empty for one that was made, or not asked for."""
        lacked = self.not_measured.get((dataset, method), "")
        return f"{NOT_MEASURED} ({lacked})" if lacked else ""

    def lacking_notes(self, dataset: str = "") -> list[str]:
        """Return a sentence for each data set that runs lacked, on one data set or anywhere."""
        return [
            f"{each.dataset}: {NOT_MEASURED} ({each.reason})."
            for each in self.lacking
            if not dataset or any(name == dataset for name, _ in each.runs)
        ]

    def rows_of(self, dataset: str) -> pd.DataFrame:
        """Return the rows of one data set: what is asked of it time and again is looked for in fewer rows."""
        return self._by_dataset.get(dataset, self.metrics.iloc[:0])

    @cached_property
    def _by_dataset(self) -> Mapping[str, pd.DataFrame]:
        return {str(name): rows for name, rows in self.metrics.groupby("dataset", sort=False)}

    @cached_property
    def titles(self) -> Mapping[str, str]:
        """The titles of the data sets for readers, by name."""
        return {name: data.description.display_title for name, data in self.datasets.items()}

    @cached_property
    def timed(self) -> Timed:
        """The timed calls, with what says whose networks are the same."""
        timed = {name: network.timed_as for name, network in self.networks.items()}
        themselves = {name: name for name in timed.values()}
        return Timed(self.timing, {**self._works(), RUN_LEVEL: {**themselves, **timed}}, self.titles)

    def _works(self) -> Mapping[str, Mapping[str, Work]]:
        """Return what tells networks apart on each data set, by method: equal ones take the same time there."""
        modules = {row.method: f"{row.module}{_refinement(str(row.params))}" for row in self.runs.itertuples()}
        sizes: dict[tuple[str, str], dict[str, float]] = {}
        rows = self.metrics[self.metrics.metric.isin(["parameters", "macs"]) & (self.metrics.status == "ok")]
        for dataset, method, metric, value in rows[["dataset", "method", "metric", "value"]].itertuples(index=False):
            sizes.setdefault((dataset, method), {})[metric] = float(value)
        found: dict[str, dict[str, Work]] = {}
        for (dataset, method), size in sizes.items():
            if method in modules and len(size) == 2:
                found.setdefault(dataset, {})[method] = (modules[method], size["parameters"], size["macs"])
        return found

    @property
    def ordered(self) -> list[str]:
        """The methods in display order: identity first, truth last, the others as given."""
        middle = [name for name in self.methods if name not in ("identity", "truth")]
        return [name for name in ("identity", *middle, "truth") if name in self.methods]

    @property
    def contestants(self) -> list[str]:
        """The methods that are no control, in display order."""
        return [name for name in self.ordered if self.methods[name].kind != "control"]


def _refinement(params: str) -> str:
    """Return what refines a run's displacements, by its options; no count of a network has the time of that."""
    found = json.loads(params).get("refine") if '"refine"' in params else None
    return f" {json.dumps(found, sort_keys=True)}" if found else ""


def found_of(runs: pd.DataFrame, datasets: Collection[str], method: str) -> str:
    """Return what a method has found out as it was loaded and a run has on record, in words; empty for nothing."""
    mine = runs[(runs.method == method) & runs.dataset.isin(list(datasets))]
    found = [json.loads(text or "{}").get("found", {}) for text in mine.params]
    return "; or as ".join(dict.fromkeys(", ".join(f"{k} {v}" for k, v in each.items()) for each in found if each))
