"""A checked configuration, as the plan asks it: what is run, on what, and what holds for each method and data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.provenance import is_own
from benchmarks.records import Keep, Lacking, Options
from reports.reading.method import Method
from workflows.configuration import sources
from workflows.configuration.config import Config, DatasetConfig, MethodConfig


@dataclass(frozen=True)
class Layer:
    """One entry of a file that a method resolves to: its own, or the entry of a method that it is like."""

    file: str
    method: str
    entry: Options

    def value(self, *keys: str) -> Any:
        """Return the value under some keys; ``...`` where there is none."""
        found: Any = self.entry
        for key in keys:
            found = found[key] if isinstance(found, Mapping) and key in found else ...
        return found


@dataclass(frozen=True)
class Settings:
    """A checked configuration; ``layers`` are the entries that each method resolves to, the last on top.

    ``lacking`` are data sets that a run goes on without, and why: nothing is run on them, nor learned from them.
    """

    config: Config
    layers: Mapping[str, Sequence[Layer]]
    lacking: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def profile(self) -> str:
        """The name of the profile."""
        return self.config.profile

    @property
    def device(self) -> str:
        """The device of networks: cpu or cuda."""
        return self.config.device

    @property
    def datasets(self) -> list[str]:
        """The selected data sets that are there, in the order of display, as far as the stages of the run reach."""
        return [name for name in self._selected if name not in self.lacking]

    @property
    def _selected(self) -> list[str]:
        return self._reached(self.config.run.datasets, [stage.datasets for stage in self.config.stages])

    @property
    def methods(self) -> list[str]:
        """The selected methods, in the order of display, as far as the stages of the run reach."""
        return self._reached(self.config.run.methods, [stage.methods for stage in self.config.stages])

    @property
    def controls(self) -> list[str]:
        """The selected methods that neither learn nor optimise."""
        return [name for name in self.methods if self.method(name).kind == "control"]

    @property
    def prepared(self) -> list[str]:
        """The selected data sets and those that only serve for training."""
        return list(dict.fromkeys([*self.datasets, *(self.train_on(m, d) for m, d in self.runs if self.trains(m))]))

    @property
    def runs(self) -> list[tuple[str, str]]:
        """The (method, data set) combinations to run."""
        return [(m, d) for d in self.datasets for m in self.methods if self.runs_on(m, d) and self.seeds(m, d)]

    def up_to(self, stage: int) -> Settings:
        """Return the settings of the profile's stages up to one."""
        return replace(self, config=replace(self.config, stage=stage))

    def runs_on(self, method: str, dataset: str) -> bool:
        """Return whether a method is meant for a data set, and has the data that it learns from."""
        return self._meant_for(method, dataset) and self.lacked_by(method, dataset) not in self.lacking

    def _meant_for(self, method: str, dataset: str) -> bool:
        chosen = self.method(method).datasets
        return chosen is None or dataset in chosen

    def lacked_by(self, method: str, dataset: str) -> str:
        """Return the data set without whose files a method cannot run on another one: that, or what it learns from."""
        learns = self.trains(method) and dataset not in self.lacking
        return self.train_on(method, dataset) if learns else dataset

    @property
    def left_out(self) -> list[Lacking]:
        """The data sets that are lacking, each with the selected runs that are not made for it."""
        meant = [(d, m) for d in self._selected for m in self.methods if self._meant_for(m, d)]
        asked = [(dataset, method) for dataset, method in meant if self.seeds(method, dataset)]
        return [
            Lacking(
                dataset=name,
                reason=why,
                runs=[(dataset, method) for dataset, method in asked if self.lacked_by(method, dataset) == name],
                plays=[(p, role) for p, cast in self.config.papers.items() for role, d in cast.items() if d == name],
            )
            for name, why in self.lacking.items()
        ]

    def dataset(self, name: str) -> DatasetConfig:
        """Return the entry of a data set."""
        return self.config.datasets[name]

    def keep(self, dataset: str) -> Keep:
        """Return which displacements of a data set stay once they are judged."""
        return self.dataset(dataset).keep or self.config.keep

    def method(self, name: str) -> MethodConfig:
        """Return the entry of a method."""
        return self.config.methods[name]

    def module(self, method: str) -> str:
        """Return the dotted name of a method's module, or the file where it is a user's own."""
        module = self.method(method).module
        return module if is_own(module) else f"methods.{module}"

    def module_path(self, method: str) -> Path:
        """Return the file of a method's module."""
        return sources.method_file(self.method(method).module)

    def trains(self, method: str) -> bool:
        """Return whether a method learns."""
        return sources.has_function(self.module_path(method), "train")

    def needs(self, method: str) -> tuple[str, ...]:
        """Return the names of the inputs that a method takes beside the images."""
        return tuple(sources.constant_of(self.module_path(method), "NEEDS", ()))

    def given(self, method: str, dataset: str) -> list[Path]:
        """Return the files and folders that a method's options name, which it reads."""
        declared, said = sources.options_of(self.module_path(method), "Params"), self.params(method, dataset)
        return [Path(said[name]) for name, each in declared.items() if "Path" in each.annotation and said.get(name)]

    def is_clocked(self, method: str) -> bool:
        """Return whether a method's calls are timed: neither a control's nor where nothing is registered."""
        registers = sources.constant_of(self.module_path(method), "CLOCKED", True)
        return registers and self.method(method).kind != "control"

    def train_on(self, method: str, dataset: str) -> str:
        """Return the data set whose training split a method learns from before it runs on ``dataset``."""
        return self.method(method).on(dataset).train_on or self.dataset(dataset).train_on or dataset

    def learner(self, method: str, dataset: str) -> str:
        """Return the method whose training on a data set a method uses: what refines it asks for none of its own."""
        alike = (other for other in self.methods if not self.method(other).refines)
        same = (other for other in alike if self._learns(other, dataset) == self._learns(method, dataset))
        return next(same, method) if self.method(method).refines else method

    def _learns(self, method: str, dataset: str) -> tuple[object, ...]:
        """Return all of a method's entry that a training on a data set depends on."""
        entry, here = self.method(method), self.method(method).on(dataset)
        return entry.module, entry.teacher, entry.watch, here.params, here.training

    def teacher(self, method: str) -> str | None:
        """Return the method that a student learns from."""
        return self.method(method).teacher

    def seeds(self, method: str, dataset: str) -> list[int]:
        """Return the seeds with which a method runs on a data set, from the smallest, as far as the stages reach."""
        own = sorted(self.method(method).on(dataset).seeds or self.config.seeds)
        here = [each for each in self.config.stages[self._run] if method in each.methods and dataset in each.datasets]
        return [seed for seed in own if any(seed in each.seeds for each in here)] if self.config.stages else own

    @property
    def _run(self) -> slice:
        """Which of the stages the run has."""
        return slice(self.config.first_stage - 1, self.config.stage)

    def _reached(self, names: Sequence[str], by_stage: Sequence[Sequence[str]]) -> list[str]:
        """Return the names but for those that only stages have that are not of the run."""
        here, every = ({name for each in found for name in each} for found in (by_stage[self._run], by_stage))
        return [name for name in names if name in here or name not in every]

    def main_seed(self, method: str, dataset: str) -> int:
        """Return the seed of a method's main run on a data set, which is timed and drawn: its smallest one."""
        return self.seeds(method, dataset)[0]

    def watched(self, method: str) -> list[str]:
        """Return the selected data sets on whose landmarks a method's snapshots are judged while it trains."""
        return [name for name in self.method(method).watch if name in self.datasets]

    def params(self, method: str, dataset: str) -> Options:
        """Return the options of a method's registration on a data set."""
        return self.method(method).on(dataset).params

    def refine(self, method: str, dataset: str) -> Mapping[str, object]:
        """Return the options of what refines a method's displacements on a data set; empty where nothing does."""
        return self.method(method).on(dataset).refine

    def training(self, method: str, dataset: str) -> Options:
        """Return the options of a method's training on a data set."""
        return self.method(method).on(dataset).training

    @property
    def mixed(self) -> list[str]:
        """The places that ask for ``precision: mixed``, as ``method: params on data set``."""
        return [
            f"{method}: {place} on {dataset}"
            for method, dataset in self.runs
            for place, options in (("params", self.params), ("training", self.training))
            if options(method, dataset).get("precision") == "mixed"
        ]

    def shown(self, method: str) -> Method:
        """Return how a report names a method."""
        entry = self.method(method)
        adapted = [name for name in self.datasets if self._registers(method, name) != self._registers(method, "")]
        reported = str(entry.reported or "")
        return Method(label=entry.label, kind=entry.kind, cite=entry.cite, adapted=adapted, reported=reported)

    def _registers(self, method: str, dataset: str) -> tuple[object, object]:
        return self.params(method, dataset), self.refine(method, dataset)

    def cast(self, paper: str) -> dict[str, str]:
        """Return which selected data set plays each one of a paper's."""
        return {role: name for role, name in self.config.papers[paper].items() if name in self.datasets}

    def timed(self, dataset: str) -> Sequence[str]:
        """Return the methods that are timed on a data set, as far as they run there."""
        methods = self.config.timing.methods
        chosen = methods.get(dataset) if isinstance(methods, dict) else methods
        return self.methods if chosen is None else chosen

    def has_paper_size(self, method: str) -> bool:
        """Return whether a method says how its network looks at its paper's size."""
        return sources.has_function(self.module_path(method), "full")

    def time_limit(self, method: str, dataset: str) -> float:
        """Return the seconds that one pair may take in all."""
        return self.method(method).on(dataset).time_limit or self.config.time_limit

    def origin(self, method: str, dataset: str, *keys: str) -> str:
        """Return where a value comes from: the file and entry that have these keys; empty where none has them."""
        for part, place in ((("by_dataset", dataset), f", by_dataset {dataset}"), ((), "")):
            for layer in reversed(self.layers[method]):
                if layer.value(*part, *keys) is not ...:
                    like = "" if layer.method == method else f", like {layer.method}"
                    return f"{layer.file}{like}{place}"
        return ""
