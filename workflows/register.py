"""Register one chunk of the test pairs of a data set with one method, under supervision, and judge what it gave.

Each finished pair is one line of ``records.jsonl``, written at once; a repeated run skips the pairs it finds there,
unless code, data, options or weights have changed. ``registrations.json`` appears when the chunk is complete, failed
pairs included. Where all pairs have a record, no method is started: another judge registers nothing again.

The method runs in a child process, which has ended before this one reads the truth (`workflows.evaluate`).

A fault of the machine ends this step and leaves no record of the pair. A method that cannot be loaded for want of a
library or a device leaves none either: ``registrations.json`` then says why there are no pairs.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from filelock import Timeout

from benchmarks.provenance import canonical_json, collect, fingerprint, placeless
from benchmarks.records import (
    UNAVAILABLE,
    PairRecord,
    Registrations,
    RunAbout,
    TrainingOutcome,
    encode,
    keep_lines,
    read,
    read_lines,
    write,
)
from benchmarks.rows import RunRow
from datasets import locks
from datasets.case import Dataset, Pair, open_dataset
from datasets.description import IMAGES, MASKS, TRUTH, Description
from datasets.files import DataError, sha256
from workflows.contradiction import check_convention
from workflows.evaluate import evaluate, judged_pairs
from workflows.planning.devices import assigned
from workflows.planning.given import given_files
from workflows.planning.layout import ChunkFolder, pairs_of
from workflows.planning.specs import RegisterSpec
from workflows.running.command import job
from workflows.running.environment import kernels
from workflows.running.messages import Greeting, Reply, check_images, request, start
from workflows.running.supervisor import Worker

logger = logging.getLogger(__name__)
PATIENCE = 60.0  # seconds in which the orphan of a killed run, which must not write beside us, is surely gone
Answer = TypeVar("Answer", Greeting, Reply)


def register(spec: RegisterSpec, threads: int) -> float:
    """Register the chunk's pairs that have no record yet, then write registrations.json.

    Return the CPU seconds that the method took to be ready.
    """
    chunk, data = ChunkFolder(spec.folder), open_dataset(spec.run.data)
    chunk.folder.mkdir(parents=True, exist_ok=True)
    data.check_files()
    if not data.test_pairs:
        raise DataError(f"{data.folder}: has no test pairs, it is for training alone; take it out of run.datasets")
    training = read(spec.run.training, TrainingOutcome) if spec.run.training else None
    with _alone(chunk), assigned(spec.run.by.device):
        session = Session(spec, threads, data, training)
        try:
            about, unavailable = session.register_all(), ""
        except UnavailableError as error:
            about, unavailable = RunAbout(run=session.row(), cost={}), str(error)
            logger.warning("not available, nothing is registered: %s", unavailable)
    done = [] if unavailable else [session.records[pair.name] for pair in session.pairs]
    write(chunk.registrations, Registrations(run=about.run, cost=about.cost, pairs=done, unavailable=unavailable))
    return session.load_cpu


def _alone(chunk: ChunkFolder) -> AbstractContextManager[object]:
    try:
        return locks.hold(chunk.lock, timeout=PATIENCE)
    except Timeout as error:
        raise DataError(
            f"{chunk.folder}: another process registers these pairs; wait for its end and run again"
        ) from error


class UnavailableError(Exception):
    """A method cannot run here for want of a library or a device."""


class Session:
    """The registration of one chunk: its pairs, and the records that there are of them."""

    def __init__(self, spec: RegisterSpec, threads: int, data: Dataset, training: TrainingOutcome | None) -> None:
        self.spec, self.threads, self.data, self.training = spec, threads, data, training
        self.chunk = ChunkFolder(spec.folder)
        self.pairs: Sequence[Pair] = pairs_of(data.test_pairs, spec.chunk, spec.chunks)
        self.run = run_id(spec, threads, data.description, training)
        self.records: dict[str, PairRecord] = {}
        self.load_cpu = 0.0

    def row(self) -> RunRow:
        """Return where the numbers of this run come from, with time and load as they are now."""
        by = self.spec.run.by
        return collect(
            run=self.run,
            dataset=self.spec.run.dataset,
            method=by.method,
            seed=by.seed,
            module=placeless(by.module),
            params=by.options,
            device=by.device,
            threads=self.threads,
            libraries=by.libraries,
            checkpoint_sha=self.training.sha256 if self.training else "",
        )

    def register_all(self) -> RunAbout:
        """Register the pairs that have no record; return the run and the size of the method's network.

        Raises:
            UnavailableError: the method cannot be loaded, or what it needs is no longer there.
        """
        if self.training and self.training.status != "ok":
            failed = _available(Reply(status=self.training.status, reason=self.training.reason))
            self.records = {pair.name: self._record(pair, failed) for pair in self.pairs}
            return RunAbout(run=self.row(), cost={})
        if known := self._known():
            logger.info("%d pairs, all done already", len(self.pairs))
            return known
        begun = self.row()
        greeting = self._register_rest()
        about = RunAbout(run=self._with(greeting.found, begun), cost=greeting.cost)
        write(self.chunk.about, about)
        return about

    def _with(self, found: Mapping[str, str], row: RunRow) -> RunRow:
        """Return a row in which what a method has found out stands with its options."""
        options = self.spec.run.by.options
        return replace(row, params=canonical_json({**options, "found": found})) if found else row

    def _known(self) -> RunAbout | None:
        """Return the run where all pairs have a record of it, and take these."""
        with contextlib.suppress(DataError):  # none yet, or cut short
            about = read(self.chunk.about, RunAbout)
            own = _own_records(self.run, self.pairs, self.chunk) if about.run.run == self.run else []
            self.records = {each.pair: each for each in own}
            return about if all(pair.name in self.records for pair in self.pairs) else None
        return None

    def _register_rest(self) -> Greeting:
        worker = Worker(start(self.spec.run, self.data, self.training, self.threads), self.chunk.printed)
        try:
            greeting = _available(worker.start())  # before records of another run go: perhaps a library is gone
            self.records = {each.pair: each for each in _records_of(self.run, self.pairs, self.chunk)}
            if greeting.told:
                logger.info("%s", greeting.told)
            logger.info("%d pairs, %d already done", len(self.pairs), len(self.records))
            self._warn_of_space((len(self.pairs) - len(self.records)) * worker.message.room)
            for number, pair in enumerate(self.pairs, start=1):
                if pair.name not in self.records:
                    reply = self._register(worker, pair)
                    logger.info("%d/%d %s: %s", number, len(self.pairs), pair.name, _summary(reply))
            return greeting
        finally:
            worker.stop()
            self.load_cpu = worker.load_cpu

    def _register(self, worker: Worker, pair: Pair) -> Reply:
        asked = request(self.spec.run, self.data, pair, self.chunk.displacement(pair))
        check = partial(check_images, self.data, pair)
        reply = _available(worker.call(asked, self.spec.run.time_limit, check))
        self.records[pair.name] = self._record(pair, reply)
        _append(self.chunk.records, self.records[pair.name])
        return reply

    def _record(self, pair: Pair, reply: Reply) -> PairRecord:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        digest = sha256(self.chunk.displacement(pair)) if reply.status == "ok" else ""
        outcome = asdict(reply)
        del outcome["cpu"]  # the clock's: registrations run beside each other, and are not timed
        return PairRecord(run=self.run, pair=pair.name, finished_utc=now, process=os.getpid(), **outcome, sha256=digest)

    def _warn_of_space(self, needed: int) -> None:
        free = shutil.disk_usage(self.chunk.folder).free
        if free < needed:
            logger.warning(
                "warning: %s: the displacements to come take up to %.3g MB, and %.3g MB are free; make room, or this "
                "step may stop before its end (what is finished is kept)",
                *(self.chunk.folder, needed / 1e6, free / 1e6),
            )


def run_id(spec: RegisterSpec, threads: int, about: Description, training: TrainingOutcome | None) -> str:
    """Identify what determines the result: code, options, seed, libraries, data, weights and files given."""
    # What the method may see: a title or a label that changes registers nothing again.
    truth = (f"{TRUTH}/displacements",) if spec.run.truth else ()
    values = {
        **spec.run.by.identity,
        "threads": threads,
        "time_limit": spec.run.time_limit,
        "data": about.digest(IMAGES, MASKS, *truth),
        "weights": training and (training.sha256 or training.reason),
        "kernels": kernels(),
    }
    if given := given_files(spec.run.given):
        values["given"] = {path.name: sha256(path) for path in given}
    return fingerprint(spec.sources, values)


def _available(answer: Answer) -> Answer:
    if answer.status == UNAVAILABLE:
        raise UnavailableError(answer.reason)
    return answer


def _records_of(run: str, pairs: Sequence[Pair], chunk: ChunkFolder) -> list[PairRecord]:
    """Return the records of a run, and remove those of others: its displacements take the place of theirs."""
    own = _own_records(run, pairs, chunk)
    keep_lines(chunk.records, own)  # also without a line that a power cut has torn: it would swallow the next one
    return own


def _own_records(run: str, pairs: Sequence[Pair], chunk: ChunkFolder) -> list[PairRecord]:
    """Return the records of a run.

    A pair whose displacement is gone and was not judged before has no record: somebody has removed it.
    """
    records = list(read_lines(chunk.records, PairRecord))
    own = [record for record in records if record.run == run]
    registered = {record.pair for record in own if record.status == "ok"}
    gone = {pair.name for pair in pairs if pair.name in registered and not chunk.displacement(pair).exists()}
    if gone:
        gone -= judged_pairs(chunk, run)
        own = [record for record in own if record.pair not in gone]
    return own


def _append(path: Path, record: PairRecord) -> None:
    with open(path, "ab") as stream:
        stream.write(encode(record) + b"\n")
        stream.flush()
        os.fsync(stream.fileno())


def _summary(reply: Reply) -> str:
    if reply.status == "ok":
        return "ok" if reply.seconds is None else f"ok, {reply.seconds:.2f} s"
    return f"{reply.status}, {reply.reason}"


if __name__ == "__main__":
    with job(RegisterSpec, __doc__) as this:
        began = time.perf_counter()
        this.meter.mark("register", starting=register(this.spec, this.threads))
        logger.info("registered in %.1f s", time.perf_counter() - began)
        if this.spec.judging:
            check_convention(this.spec)
            began = time.perf_counter()
            evaluate(this.spec.judging)
            this.meter.mark("judge")
            logger.info("judged in %.1f s", time.perf_counter() - began)
