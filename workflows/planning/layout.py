"""Every path below ``results/``, and which pairs of a data set make up which chunk.

Folders know their files, so that a step names none by itself. With ``{dataset}`` and the like in place of names, the
same paths are the patterns of the Snakemake rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from datasets.description import DATASET_JSON, IMAGES, MASKS, TRUTH, Pair


@dataclass(frozen=True)
class ChunkFolder:
    """The folder of one chunk of registrations: one method, data set and seed, and some of the test pairs."""

    folder: Path

    @property
    def registrations(self) -> Path:
        """The outcome of every pair of the chunk, written once the chunk is complete."""
        return self.folder / "registrations.json"

    @property
    def records(self) -> Path:
        """The outcome of the pairs so far, a line each."""
        return self.folder / "records.jsonl"

    @property
    def about(self) -> Path:
        """The run that the records are of, once all pairs have one; unlike the registrations, it is never removed."""
        return self.folder / "run.json"

    @property
    def metrics(self) -> Path:
        """The metric rows of the chunk."""
        return self.folder / "metrics.parquet"

    @property
    def printed(self) -> Path:
        """The text that the method printed."""
        return self.folder / "method.log"

    @property
    def lock(self) -> Path:
        """The lock of the process that registers."""
        return self.folder / ".lock"

    def displacement(self, pair: Pair) -> Path:
        """Return the file of a pair's displacement."""
        return self.folder / pair.displacement_file

    def judged(self, judgement: str) -> Path:
        """Return the file of the rows that stay when displacements are deleted; ``*`` matches those of any judge."""
        return self.folder / f"judged-{judgement}.parquet"


@dataclass(frozen=True)
class TrainingFolder:
    """The folder of one training: one method, data set and seed."""

    folder: Path

    @property
    def outcome(self) -> Path:
        """The end of the training, good or bad (`benchmarks.records.TrainingOutcome`)."""
        return self.folder / "training.json"

    @property
    def states(self) -> Path:
        """The parent of the folders in which trainings of different code, data or options keep their state."""
        return self.folder / "state"

    def left(self, checkpoint: str) -> Path:
        """Return where a checkpoint of this training lies, in results that may have moved since it was written."""
        return self.states / Path(checkpoint).parent.name / Path(checkpoint).name


@dataclass(frozen=True)
class Layout:
    """The results of one profile, ``results/<profile>``."""

    results: Path

    @property
    def metrics(self) -> Path:
        """The metric rows of all chunks."""
        return self.results / "metrics.parquet"

    @property
    def runs(self) -> Path:
        """The table of where the numbers came from."""
        return self.results / "runs.parquet"

    @property
    def unavailable(self) -> Path:
        """The list of methods that could not run for want of a library or a device."""
        return self.results / "unavailable.json"

    @property
    def timing(self) -> Path:
        """The table of timed calls."""
        return self.results / "timing.parquet"

    @property
    def timed_from(self) -> Path:
        """Digests of the files that the timings depend on."""
        return self.results / ".timed-from.json"

    @property
    def networks(self) -> Path:
        """The list of networks at the papers' size: which methods share one."""
        return self.results / "networks.json"

    @property
    def declared(self) -> Path:
        """What was declared before the run, a line each time that it changed."""
        return self.results / "declared.jsonl"

    @property
    def archive(self) -> Path:
        """The archive of the run, which the report is made of."""
        return self.results / "archive.zip"

    @property
    def report(self) -> Path:
        """The folder of the report."""
        return self.results / "report"

    @property
    def finished(self) -> Path:
        """The empty file that says that the report holds every method."""
        return self.results / ".finished"

    @property
    def logs(self) -> Path:
        """The folder of all logs."""
        return self.results / "logs"

    def data(self, dataset: str) -> Path:
        """Return the folder of a prepared data set."""
        return self.results / "data" / dataset

    def description(self, dataset: str) -> Path:
        """Return the description of a prepared data set."""
        return self.data(dataset) / DATASET_JSON

    def images(self, dataset: str) -> Path:
        """Return the folder of a data set's images."""
        return self.data(dataset) / IMAGES

    def masks(self, dataset: str) -> Path:
        """Return the folder of a data set's masks."""
        return self.data(dataset) / MASKS

    def truth(self, dataset: str) -> Path:
        """Return the folder of a data set's truth."""
        return self.data(dataset) / TRUTH

    def training(self, dataset: str, method: str, seed: int | str) -> TrainingFolder:
        """Return the folder of a training; ``dataset`` is the one that the method learns from."""
        return TrainingFolder(self.results / "models" / dataset / method / f"seed{seed}")

    def chunk(self, dataset: str, method: str, seed: int | str, chunk: int | str) -> ChunkFolder:
        """Return the folder of a chunk of registrations."""
        return ChunkFolder(self.results / "runs" / dataset / method / f"seed{seed}" / f"chunk{chunk}")

    def log(self, step: str, *what: str) -> Path:
        """Return the log of a job: a step, and what tells its jobs apart (nothing where there is one job)."""
        return self.logs / step / f"{'-'.join(what)}.log" if what else self.logs / f"{step}.log"

    def printed_while_timed(self, method: str, device: str) -> Path:
        """Return the text that a method printed while it was timed."""
        return self.logs / f"timing-{method}-{device}.log"

    def specification(self, step: str, job: str, digest: str) -> Path:
        """Return the file of a job's specification; ``digest`` changes with its content."""
        return self.results / "specifications" / f"{'-'.join(filter(None, [step, job, digest]))}.json"


def pairs_of(pairs: Sequence[Pair], chunk: int, chunks: int) -> Sequence[Pair]:
    """Return the pairs of a chunk: every so many-th, both directions of a pair in one chunk, one after the other."""
    return [pair for both in _directions(pairs)[chunk::chunks] for pair in both]


def chunk_of(pairs: Sequence[Pair], chunks: int) -> dict[str, int]:
    """Return the chunk that each pair is in, by the pair's name."""
    return {pair.name: number % chunks for number, both in enumerate(_directions(pairs)) for pair in both}


def _directions(pairs: Sequence[Pair]) -> list[list[Pair]]:
    """Return the pairs by the two cases that they join, in order of first use: the judge compares both directions."""
    found: dict[frozenset[str], list[Pair]] = {}
    for pair in pairs:
        found.setdefault(frozenset((pair.fixed, pair.moving)), []).append(pair)
    return list(found.values())
