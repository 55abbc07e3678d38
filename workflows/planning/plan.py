"""From a configuration to files and specifications: the input and parameter functions of the Snakemake rules."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from workflows.configuration import sources
from workflows.configuration.settings import Settings

# Snakemake hands the wildcards of a job to these functions as an object of its own, with named attributes.
Wildcards = Any


def code(*modules: str) -> list[str]:
    """The project's source files that some modules depend on: an edited file reruns what it touches."""
    return [os.path.relpath(path) for path in _sources(*modules)]


@cache  # thousands of jobs ask for the same few
def _sources(*modules: str) -> tuple[Path, ...]:
    return tuple(sources.sources_of(modules))


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

    def gpus(self, method: str) -> int:
        """How many GPUs a job of a method takes: one for a network where the configuration says cuda, else none."""
        return int(self.settings.device == "cuda" and self.settings.trains(method))

    def training_gpus(self, wildcards: Wildcards) -> int:
        """How many GPUs a training takes: one for each of its processes."""
        processes = self.settings.training(wildcards.method, wildcards.dataset).get("processes", 1)
        return processes * self.gpus(wildcards.method)

    def all_chunks(self, name: str) -> list[str]:
        """A file of every chunk of every selected run."""
        return [
            f"{self.results}/runs/{dataset}/{method}/seed{seed}/chunk{chunk}/{name}"
            for method, dataset in self.settings.runs
            for seed in self.settings.seeds(method)
            for chunk in range(self._chunks(dataset))
        ]

    def all_trainings(self) -> list[str]:
        """The outcome of every training that a selected run needs."""
        found = (self._trainings(m, d, seed) for m, d in self.settings.runs for seed in self.settings.seeds(m))
        return sorted({path for paths in found for path in paths})

    def dataset_code(self, wildcards: Wildcards) -> list[str]:
        return code(f"datasets.{self.settings.dataset(wildcards.dataset)['module']}", "workflows.prepare")

    def training_code(self, wildcards: Wildcards) -> list[str]:
        return code(self.settings.module(wildcards.method))

    def watched(self, wildcards: Wildcards) -> list[str]:
        """The truth of the data sets that a training's snapshots are judged on."""
        return [f"{self.results}/data/{dataset}/truth" for dataset in self.settings.watched(wildcards.method)]

    def method_code(self, wildcards: Wildcards) -> list[str]:
        return code(self.settings.module(wildcards.method), "workflows.running.worker")

    def training(self, wildcards: Wildcards) -> list[str]:
        """The training that a run waits for, if its method learns."""
        return self._trainings(wildcards.method, wildcards.dataset, wildcards.seed)

    def teacher(self, wildcards: Wildcards) -> list[str]:
        """The training of a student's teacher, on the same data."""
        teacher = self.settings.teacher(wildcards.method)
        return [self._training(teacher, wildcards.dataset, wildcards.seed)] if teacher else []

    def truth(self, wildcards: Wildcards) -> list[str]:
        """The truth, for the positive control alone."""
        wanted = "true_displacement" in self.settings.needs(wildcards.method)
        return [f"{self.results}/data/{wildcards.dataset}/truth"] if wanted else []

    # The specifications depend on the wildcards alone: Snakemake reruns a job whose parameters have changed only as
    # long as they are not derived from input, output or threads.

    def prepare(self, wildcards: Wildcards) -> str:
        entry = self.settings.dataset(wildcards.dataset)
        return as_json(
            name=wildcards.dataset,
            module=entry["module"],
            params=entry.get("params", {}),
            folder=f"{self.results}/data/{wildcards.dataset}",
        )

    def train(self, wildcards: Wildcards) -> str:
        method, dataset, seed = wildcards.method, wildcards.dataset, wildcards.seed
        return as_json(
            **self._method(method, dataset, seed),
            training=self.settings.training(method, dataset),
            teacher=next(iter(self.teacher(wildcards)), None),
            watch=[os.path.dirname(path) for path in self.watched(wildcards)],
            dataset=f"{self.results}/data/{dataset}",
            folder=f"{self.results}/models/{dataset}/{method}/seed{seed}",
            sources=self.training_code(wildcards),
        )

    def register(self, wildcards: Wildcards) -> str:
        method, dataset, seed = wildcards.method, wildcards.dataset, wildcards.seed
        return as_json(
            **self._method(method, dataset, seed),
            **self._run(method, dataset, seed),
            chunk=int(wildcards.chunk),
            chunks=self._chunks(dataset),
            truth=bool(self.truth(wildcards)),
            sources=self.method_code(wildcards),
            folder=self._chunk_folder(wildcards),
        )

    def evaluate(self, wildcards: Wildcards) -> str:
        judging = [os.path.relpath(sources.ROOT / "workflows" / "evaluate.py")]
        return as_json(
            registrations=f"{self._chunk_folder(wildcards)}/registrations.json",
            data=f"{self.results}/data/{wildcards.dataset}",
            dataset=wildcards.dataset,
            method=wildcards.method,
            seed=int(wildcards.seed),
            chunk=int(wildcards.chunk),
            out=f"{self._chunk_folder(wildcards)}/metrics.parquet",
            keep=self.settings.dataset(wildcards.dataset).get("keep", self.settings.config["keep"]),
            judge=[*code("benchmarks.metrics", "datasets.case"), *judging],
        )

    def collect(self, wildcards: Wildcards) -> str:
        # Not the paths one by one: thousands of chunks would be more than one argument may hold.
        seeds = {method: self.settings.seeds(method) for method in self.settings.methods}
        chunks = {name: self._chunks(name) for name in self.settings.datasets}
        return as_json(runs=self.settings.runs, seeds=seeds, chunks=chunks, folder=self.results)

    def timing(self, wildcards: Wildcards) -> str:
        return as_json(
            runs=list(self._timed_runs()),
            pairs=self.settings.config["timing"]["pairs"],
            rounds=self.settings.config["timing"]["rounds"],
            log=f"{self.results}/logs",
            out=f"{self.results}/timing.parquet",
        )

    def report(self, wildcards: Wildcards) -> str:
        settings = self.settings
        about = {m: {k: settings.method(m).get(k, "") for k in ("label", "kind", "cite")} for m in settings.methods}
        return as_json(
            profile=settings.profile,
            about=settings.config.get("about", ""),
            results=self.results,
            trainings=self.all_trainings(),
            datasets=[(name, f"{self.results}/data/{name}") for name in settings.datasets],
            chunks={name: self._chunks(name) for name in settings.datasets},
            papers={paper: self._cast(paper) for paper in settings.config.get("papers", {})},
            methods=list(about.items()),
            folder=f"{self.results}/report",
        )

    def _cast(self, paper: str) -> dict[str, str]:
        """Which selected data set plays each one of a paper's."""
        cast = self.settings.config["papers"][paper]
        return {role: name for role, name in cast.items() if name in self.settings.datasets}

    def _chunk_folder(self, wildcards: Wildcards) -> str:
        run = f"{self.results}/runs/{wildcards.dataset}/{wildcards.method}/seed{wildcards.seed}"
        return f"{run}/chunk{wildcards.chunk}"

    def _chunks(self, dataset: str) -> int:
        return self.settings.dataset(dataset).get("chunks", 1)

    def _trainings(self, method: str, dataset: str, seed: int | str) -> list[str]:
        if not self.settings.trains(method):
            return []
        return [self._training(method, self.settings.train_on(method, dataset), seed)]

    def _training(self, method: str, learnt: str, seed: int | str) -> str:
        return f"{self.results}/models/{learnt}/{method}/seed{seed}/training.json"

    def _method(self, method: str, dataset: str, seed: int | str) -> dict[str, Any]:
        return {
            "method": method,
            "module": self.settings.module(method),
            "params": self.settings.params(method, dataset),
            "device": "cuda" if self.gpus(method) else "cpu",
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
        chosen = [d for d in self.settings.config["timing"]["datasets"] if d in self.settings.datasets]
        for dataset in chosen:
            for method in (m for m in self.settings.timed(dataset) if m in self.settings.methods):
                if (method, dataset) not in self.settings.runs or self.settings.method(method)["kind"] == "control":
                    continue
                seed = self.settings.seeds(method)[0]
                spec = {**self._method(method, dataset, seed), **self._run(method, dataset, seed)}
                yield from ({**spec, "device": device} for device in dict.fromkeys(["cpu", spec["device"]]))


def templates() -> list[str]:
    """What the report reads beside its code, and no import leads to: templates, schemas and the papers."""
    folders = (sources.ROOT / "reports" / name for name in ("templates", "schemas", "papers"))
    return sorted(os.path.relpath(path) for folder in folders for path in folder.iterdir() if path.is_file())
