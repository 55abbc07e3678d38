"""From a configuration to files and specifications: the input and parameter functions of the Snakemake rules."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from reports import PAGE
from workflows.archive.given import given_name
from workflows.configuration import sources
from workflows.configuration.settings import Settings
from workflows.planning.code import files_of, libraries_of
from workflows.planning.given import given_files
from workflows.planning.layout import ChunkFolder, Layout, TrainingFolder
from workflows.planning.paper_size import paper_size
from workflows.planning.specs import (
    CollectSpec,
    EvaluateSpec,
    ExportSpec,
    MethodSpec,
    PrepareSpec,
    RegisterSpec,
    RegressionSpec,
    ReportSpec,
    RunSpec,
    Spec,
    TimingSpec,
    TrainSpec,
)
from workflows.planning.wildcards import Wildcards


def _there(path: Path, specify: Callable[[Wildcards], Spec], where: Wildcards) -> Iterator[tuple[Path, Spec]]:
    if path.exists():
        yield path, specify(where)


@dataclass(frozen=True)
class Plan:
    """All that one configuration makes, below ``results/<profile>``.

    ``changes`` says of data sets how often their original files have changed. An archive that is ``given`` is reported
    in a folder of its own; ``configfiles`` are the files that the settings come from.
    """

    settings: Settings
    changes: Mapping[str, int] = field(default_factory=dict[str, int])
    given: Path | None = None
    configfiles: Sequence[Path] = ()

    @property
    def layout(self) -> Layout:
        """The paths of the results."""
        return Layout(Path("results") / (f"from-{given_name(self.given)}" if self.given else self.settings.profile))

    def up_to(self, stage: int) -> Plan:
        """Return a plan of the profile's stages up to one."""
        return replace(self, settings=self.settings.up_to(stage))

    def gpus(self, method: str) -> int:
        """Return how many GPUs a job takes: one for a network where the configuration says cuda, else none."""
        return int(self.settings.device == "cuda" and self.settings.trains(method))

    def training_gpus(self, wildcards: Wildcards) -> int:
        """Return how many GPUs a training takes: one for each of its processes."""
        training = self.settings.training(wildcards.method, wildcards.dataset)
        return training.get("processes", 1) * self.gpus(wildcards.method)

    def all_chunks(self) -> dict[ChunkFolder, Wildcards]:
        """Return every chunk of every selected run, with the names in its path."""
        names = (
            Wildcards(dataset, method, str(seed), str(chunk))
            for method, dataset in self.settings.runs
            for seed in self.settings.seeds(method, dataset)
            for chunk in range(self._chunks(dataset))
        )
        return {self._chunk(where): where for where in names}

    def all_metrics(self) -> list[str]:
        """Return the metric rows of every chunk."""
        return [str(chunk.metrics) for chunk in self.all_chunks()]

    def all_registrations(self) -> list[str]:
        """Return the registrations of every chunk."""
        return [str(chunk.registrations) for chunk in self.all_chunks()]

    def all_trainings(self) -> list[str]:
        """Return the outcome of every training that a selected run needs."""
        runs = ((m, d, seed) for m, d in self.settings.runs for seed in self.settings.seeds(m, d))
        return sorted({str(found.outcome) for run in runs if (found := self._training(*run))})

    def trainings(self) -> dict[Path, Wildcards]:
        """Return the names in the path of every training's outcome: those that runs need, and those of teachers."""
        runs = ((m, d, seed) for m, d in self.settings.runs for seed in self.settings.seeds(m, d))
        learning = ((m, self.settings.train_on(m, d), str(seed)) for m, d, seed in runs if self.settings.trains(m))
        jobs = [Wildcards(d, self.settings.learner(m, d), seed, "") for m, d, seed in learning]
        return {path: where for job in jobs for path, where in self._taught(job)}

    def _taught(self, where: Wildcards) -> Iterator[tuple[Path, Wildcards]]:
        """Yield a training and that of its teacher."""
        yield self.layout.training(where.dataset, where.method, where.seed).outcome, where
        if teacher := self.settings.teacher(where.method):
            yield from self._taught(replace(where, method=teacher))

    def dataset_code(self, wildcards: Wildcards) -> list[str]:
        """Return the code that a data set depends on."""
        return files_of(f"datasets.{self.settings.dataset(wildcards.dataset).module}", "workflows.prepare")

    def training_code(self, wildcards: Wildcards) -> list[str]:
        """Return the code that a training depends on."""
        return files_of(self.settings.module(wildcards.method))

    def method_code(self, wildcards: Wildcards) -> list[str]:
        """Return the code that a registration depends on."""
        return files_of(*self._method(wildcards.method, wildcards.dataset, 0).modules, "workflows.running.worker")

    def given_files(self, wildcards: Wildcards) -> list[str]:
        """Return the files that a method's options give it, whose change registers anew."""
        return list(map(str, given_files(self.settings.given(wildcards.method, wildcards.dataset))))

    def watched(self, wildcards: Wildcards) -> list[str]:
        """Return the truth of the data sets that a training's snapshots are judged on."""
        return [str(self.layout.truth(name)) for name in self.settings.watched(wildcards.method)]

    def training(self, wildcards: Wildcards) -> list[str]:
        """Return the training that a run waits for, if its method learns."""
        found = self._training(wildcards.method, wildcards.dataset, wildcards.seed)
        return [str(found.outcome)] if found else []

    def teacher(self, wildcards: Wildcards) -> list[str]:
        """Return the training of a student's teacher, on the same data."""
        return [str(found.outcome)] if (found := self._teacher(wildcards)) else []

    def jobs(self) -> Iterator[tuple[Path, Spec]]:
        """Yield a result of every job, where it is there, and the specification that it should be made by."""
        single = {self.layout.timing: self.timing, self.layout.metrics: self.collect}
        reported = {self.layout.archive: self.export, self.layout.report / PAGE: self.report}
        for path, specify in {**single, **reported}.items():
            yield from _there(path, specify, Wildcards("", "", "", ""))
        for name in self.settings.prepared:
            yield from _there(self.layout.description(name), self.prepare, Wildcards(name, "", "", ""))
        for outcome, where in self.trainings().items():
            yield from _there(outcome, self.train, where)
        for chunk, where in self.all_chunks().items():
            yield from _there(chunk.registrations, self.register, where)

    # These depend on wildcards alone: for parameters derived from input, output or threads Snakemake reruns no job.

    def prepare(self, wildcards: Wildcards) -> PrepareSpec:
        """Return the specification of a data set."""
        name, entry = wildcards.dataset, self.settings.dataset(wildcards.dataset)
        folder, changes = self.layout.data(name), self.changes.get(name, 0)
        return PrepareSpec(
            name=name, module=entry.module, params=entry.params, folder=folder, judge=entry.judge, changes=changes
        )

    def train(self, wildcards: Wildcards) -> TrainSpec:
        """Return the specification of a training."""
        method, dataset, seed = wildcards.method, wildcards.dataset, wildcards.seed
        teacher = self._teacher(wildcards)
        return TrainSpec(
            by=replace(self._method(method, dataset, seed), refine={}),
            dataset=dataset,
            data=self.layout.data(dataset),
            training=self.settings.training(method, dataset),
            teacher=teacher.outcome if teacher else None,
            watch=[self.layout.data(name) for name in self.settings.watched(method)],
            sources=list(map(Path, self.training_code(wildcards))),
            folder=self.layout.training(dataset, method, seed).folder,
        )

    def register(self, wildcards: Wildcards) -> RegisterSpec:
        """Return the specification of a chunk of registrations."""
        return RegisterSpec(
            run=self._run(wildcards.method, wildcards.dataset, wildcards.seed),
            chunk=int(wildcards.chunk),
            chunks=self._chunks(wildcards.dataset),
            sources=list(map(Path, self.method_code(wildcards))),
            folder=self._chunk(wildcards).folder,
            judging=self.evaluate(wildcards),
        )

    def evaluate(self, wildcards: Wildcards) -> EvaluateSpec:
        """Return the specification of how a chunk is judged."""
        judging = Path(os.path.relpath(sources.ROOT / "workflows" / "evaluate.py"))
        return EvaluateSpec(
            dataset=wildcards.dataset,
            method=wildcards.method,
            seed=int(wildcards.seed),
            chunk=int(wildcards.chunk),
            chunks=self._chunks(wildcards.dataset),
            data=self.layout.data(wildcards.dataset),
            folder=self._chunk(wildcards).folder,
            keep=self.settings.keep(wildcards.dataset),
            judge=[*map(Path, files_of("benchmarks.metrics", "datasets.case")), judging],
        )

    def collect(self, wildcards: Wildcards) -> CollectSpec:
        """Return the specification of the tables of all chunks."""
        return CollectSpec(chunks=[chunk.folder for chunk in self.all_chunks()], folder=self.layout.results)

    def timing(self, wildcards: Wildcards) -> TimingSpec:
        """Return the specification of the timing run."""
        timing = self.settings.config.timing
        return TimingSpec(
            runs=list(self._timed_runs()),
            pairs=timing.pairs,
            rounds=timing.rounds,
            paper=paper_size(self.settings.config, self.settings.has_paper_size, self._method),
            folder=self.layout.results,
        )

    def regression(self, wildcards: Wildcards) -> RegressionSpec:
        """Return the specification of the comparison with accepted numbers."""
        settings = self.settings
        gate = settings.config.regression
        return RegressionSpec(
            profile=settings.profile, folder=self.layout.results, controls=settings.controls,
            base=gate.base, configfiles=[*self.configfiles], speed=gate.speed,
        )  # fmt: skip

    def export(self, wildcards: Wildcards) -> ExportSpec:
        """Return the specification of the archive."""
        settings = self.settings
        return ExportSpec(
            profile=settings.profile,
            about=settings.config.about,
            folder=self.layout.results,
            trainings=list(map(Path, self.all_trainings())),
            datasets=[(name, self.layout.data(name)) for name in settings.datasets],
            chunks={name: self._chunks(name) for name in settings.datasets},
            papers={paper: settings.cast(paper) for paper in settings.config.papers},
            methods=[(name, settings.shown(name)) for name in settings.methods],
            lacking=settings.left_out,
        )

    def report(self, wildcards: Wildcards) -> ReportSpec:
        """Return the specification of the report."""
        return ReportSpec(archive=self.given or self.layout.archive, folder=self.layout.results)

    def _chunk(self, wildcards: Wildcards) -> ChunkFolder:
        return self.layout.chunk(wildcards.dataset, wildcards.method, wildcards.seed, wildcards.chunk)

    def _chunks(self, dataset: str) -> int:
        return self.settings.dataset(dataset).chunks

    def _training(self, method: str, dataset: str, seed: int | str) -> TrainingFolder | None:
        if not self.settings.trains(method):
            return None
        learned_on = self.settings.train_on(method, dataset)
        return self.layout.training(learned_on, self.settings.learner(method, learned_on), seed)

    def _teacher(self, wildcards: Wildcards) -> TrainingFolder | None:
        teacher = self.settings.teacher(wildcards.method)
        return self.layout.training(wildcards.dataset, teacher, wildcards.seed) if teacher else None

    def _method(self, method: str, dataset: str, seed: int | str) -> MethodSpec:
        by = MethodSpec(
            method=method,
            module=self.settings.module(method),
            params=self.settings.params(method, dataset),
            device="cuda" if self.gpus(method) else "cpu",
            seed=int(seed),
            libraries={},
            refine=self.settings.refine(method, dataset),
        )
        return replace(by, libraries=libraries_of(*by.modules))

    def _run(self, method: str, dataset: str, seed: int | str) -> RunSpec:
        training = self._training(method, dataset, seed)
        return RunSpec(
            by=self._method(method, dataset, seed),
            dataset=dataset,
            data=self.layout.data(dataset),
            training=training.outcome if training else None,
            time_limit=self.settings.time_limit(method, dataset),
            truth="true_displacement" in self.settings.needs(method),
            given=self.settings.given(method, dataset),
        )

    def _timed_runs(self) -> Iterator[RunSpec]:
        for dataset in (d for d in self.settings.config.timing.datasets if d in self.settings.datasets):
            for method in (m for m in self.settings.timed(dataset) if m in self.settings.methods):
                if (method, dataset) in self.settings.runs and self.settings.is_clocked(method):
                    run = self._run(method, dataset, self.settings.main_seed(method, dataset))
                    for device in dict.fromkeys(["cpu", run.by.device]):
                        yield replace(run, by=replace(run.by, device=device))
