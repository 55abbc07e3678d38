"""From a configuration to files and specifications: the input and parameter functions of the Snakemake rules."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflows import sources
from workflows.settings import Settings

# Snakemake hands wildcards, input and output to these functions as objects of its own, with named attributes.
Wildcards = Any
Files = Any


def code(*modules: str) -> list[str]:
    """The project's source files that some modules depend on: an edited file reruns what it touches."""
    return [os.path.relpath(path) for path in sources.sources_of(modules)]


def as_json(**values: Any) -> str:
    """The specification of a step, as one argument."""
    return json.dumps(values, sort_keys=True)


@dataclass(frozen=True)
class Plan:
    """What one configuration makes, below ``results/<profile>``."""

    settings: Settings

    @property
    def results(self) -> str:
        return f"results/{self.settings.profile}"

    def all_chunks(self, name: str) -> list[str]:
        """A file of every chunk of every selected run."""
        return [
            f"{self.results}/runs/{dataset}/{method}/seed{seed}/chunk{chunk}/{name}"
            for method, dataset in self.settings.runs
            for seed in self.settings.seeds
            for chunk in range(self._chunks(dataset))
        ]

    def all_trainings(self) -> list[str]:
        """The outcome of every training that a selected run needs."""
        found = (self._trainings(m, d, seed) for m, d in self.settings.runs for seed in self.settings.seeds)
        return sorted({path for paths in found for path in paths})

    def dataset_code(self, wildcards: Wildcards) -> list[str]:
        return code(f"datasets.{self.settings.dataset(wildcards.dataset)['module']}", "workflows.prepare")

    def training_code(self, wildcards: Wildcards) -> list[str]:
        return code(self.settings.module(wildcards.method))

    def method_code(self, wildcards: Wildcards) -> list[str]:
        return code(self.settings.module(wildcards.method), "workflows.worker")

    def training(self, wildcards: Wildcards) -> list[str]:
        """The training that a run waits for, if its method learns."""
        return self._trainings(wildcards.method, wildcards.dataset, wildcards.seed)

    def truth(self, wildcards: Wildcards) -> list[str]:
        """The truth, for the positive control alone."""
        wanted = "true_displacement" in self.settings.needs(wildcards.method)
        return [f"{self.results}/data/{wildcards.dataset}/truth"] if wanted else []

    def prepare(self, wildcards: Wildcards, output: Files) -> str:
        entry = self.settings.dataset(wildcards.dataset)
        return as_json(
            name=wildcards.dataset,
            module=entry["module"],
            params=entry.get("params", {}),
            folder=os.path.dirname(output.about),
        )

    def train(self, wildcards: Wildcards, input: Files, output: Files, threads: int) -> str:  # noqa: A002
        return as_json(
            **self._method(wildcards.method, wildcards.dataset, wildcards.seed),
            training=self.settings.training(wildcards.method, wildcards.dataset),
            threads=threads,
            dataset=os.path.dirname(input.about),
            folder=os.path.dirname(output[0]),
            sources=list(input.code),
        )

    def register(self, wildcards: Wildcards, input: Files, output: Files, threads: int) -> str:  # noqa: A002
        return as_json(
            **self._method(wildcards.method, wildcards.dataset, wildcards.seed),
            **self._run(wildcards.method, wildcards.dataset, wildcards.seed),
            threads=threads,
            chunk=int(wildcards.chunk),
            chunks=self._chunks(wildcards.dataset),
            truth=bool(input.truth),
            sources=list(input.code),
            folder=os.path.dirname(output[0]),
        )

    def evaluate(self, wildcards: Wildcards, input: Files, output: Files) -> str:  # noqa: A002
        return as_json(
            registrations=str(input.registrations),
            data=os.path.dirname(input.about),
            dataset=wildcards.dataset,
            method=wildcards.method,
            seed=int(wildcards.seed),
            chunk=int(wildcards.chunk),
            out=str(output[0]),
        )

    def collect(self, wildcards: Wildcards, input: Files) -> str:  # noqa: A002
        return as_json(metrics=list(input.metrics), registrations=list(input.registrations), folder=self.results)

    def timing(self, wildcards: Wildcards, output: Files, threads: int) -> str:
        return as_json(
            runs=list(self._timed_runs()),
            threads=sorted({1, threads}),
            pairs=self.settings.config["timing"]["pairs"],
            rounds=self.settings.config["timing"]["rounds"],
            log=f"{self.results}/logs",
            out=str(output[0]),
        )

    def report(self, wildcards: Wildcards, input: Files, output: Files) -> str:  # noqa: A002
        settings = self.settings
        about = {m: {k: settings.method(m).get(k, "") for k in ("label", "kind", "cite")} for m in settings.methods}
        return as_json(
            profile=settings.profile,
            metrics=str(input.metrics),
            runs=str(input.runs),
            timing=str(input.timing),
            trainings=list(input.trainings),
            datasets={name: f"{self.results}/data/{name}" for name in settings.datasets},
            chunks={name: self._chunks(name) for name in settings.datasets},
            methods=about,
            results=self.results,
            folder=os.path.dirname(output.page),
        )

    def _chunks(self, dataset: str) -> int:
        return self.settings.dataset(dataset).get("chunks", 1)

    def _trainings(self, method: str, dataset: str, seed: int | str) -> list[str]:
        if not self.settings.trains(method):
            return []
        learnt = self.settings.train_on(method, dataset)
        return [f"{self.results}/models/{learnt}/{method}/seed{seed}/training.json"]

    def _method(self, method: str, dataset: str, seed: int | str) -> dict[str, Any]:
        return {
            "method": method,
            "module": self.settings.module(method),
            "params": self.settings.params(method, dataset),
            "device": self.settings.device,
            "seed": int(seed),
            "libraries": sources.libraries_of([self.settings.module(method)]),
        }

    def _run(self, method: str, dataset: str, seed: int | str) -> dict[str, Any]:
        return {
            "dataset": dataset,
            "data": f"{self.results}/data/{dataset}",
            "training": next(iter(self._trainings(method, dataset, seed)), None),
            "time_limit": self.settings.time_limit(method, dataset),
        }

    def _timed_runs(self) -> Iterator[dict[str, Any]]:
        timing, seed = self.settings.config["timing"], self.settings.seeds[0]
        methods: Sequence[str] = timing.get("methods", self.settings.methods)
        for dataset in timing["datasets"]:
            for method in methods:
                if (method, dataset) in self.settings.runs and self.settings.method(method)["kind"] != "control":
                    yield {**self._method(method, dataset, seed), **self._run(method, dataset, seed)}


def templates() -> list[str]:
    """The page's templates, which no import leads to."""
    folder = sources.ROOT / "reports" / "templates"
    return sorted(os.path.relpath(path) for path in Path(folder).iterdir())
