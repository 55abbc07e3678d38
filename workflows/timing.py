"""Time methods against each other, alone on the machine, apart from accuracy.

Per data set, first with one thread and then with all that are granted, one worker a method is loaded; then methods take
turns pair by pair, round after round, so that a drift of the machine hits all alike. A method's first call is kept
apart (``phase`` first), the rest are warm. On the clock is the method's call alone: images in memory, displacement on
the host. A method may be there once for each device.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

from filelock import Timeout

from benchmarks import results
from benchmarks.clock.hardware import Hardware, this_hardware, torch_build
from benchmarks.clock.stopwatch import interleave
from benchmarks.records import TrainingOutcome, read
from benchmarks.rows import TimingRow
from datasets import locks
from datasets.case import Dataset, Pair, open_dataset
from datasets.files import DataError, read_volume
from workflows.planning.layout import Layout
from workflows.planning.specs import RunSpec, TimingSpec
from workflows.running.command import job
from workflows.running.messages import Reply, check_images, request, start
from workflows.running.supervisor import Worker

logger = logging.getLogger(__name__)
MACHINE_LOCK = Path(tempfile.gettempdir()) / "warpbench-timing.lock"


def timing(spec: TimingSpec, threads: int) -> None:
    """Write timing.parquet: one row a call."""
    rows: list[TimingRow] = []
    hardware = this_hardware((), torch_build())
    try:
        with locks.hold(MACHINE_LOCK, timeout=3600, mode=0o666):  # two checkouts on one machine must not overlap
            for _, runs in groupby(spec.runs, key=lambda run: run.dataset):
                together = list(runs)
                data = open_dataset(together[0].data)
                data.check_files()
                for count in sorted({1, threads}):
                    rows += _time(together, data, count, spec, hardware)
    except Timeout as error:
        raise DataError(f"{MACHINE_LOCK}: another timing run held this machine for an hour; run again later") from error
    results.write(Layout(spec.folder).timing, rows, "timing")


@dataclass(frozen=True)
class Contestant:
    """A method to be timed: its worker, or the outcome of its training where that failed."""

    run: RunSpec
    threads: int
    worker: Worker | Reply

    def call(self, data: Dataset, pair: Pair) -> Reply:
        """Register a pair; an untrained network is not timed."""
        if isinstance(self.worker, Reply):
            return self.worker
        asked, check = request(self.run, data, pair, None), partial(check_images, data, pair)
        return self.worker.call(asked, self.run.time_limit, check)


def _time(
    runs: list[RunSpec], data: Dataset, threads: int, spec: TimingSpec, hardware: Hardware
) -> Iterator[TimingRow]:
    pairs = data.test_pairs[: spec.pairs]
    contestants = [_contestant(run, data, threads, Layout(spec.folder)) for run in runs]
    workers = [contestant.worker for contestant in contestants if isinstance(contestant.worker, Worker)]
    load = os.getloadavg()[0]
    # Children die with the thread that started them: the pool has to outlive them.
    with ThreadPoolExecutor(threads) as pool:
        try:
            list(pool.map(Worker.start, workers))  # loading is not on the clock
            for contestant in contestants:  # each method's first call, which pays for caches and lazy imports
                yield _call(contestant, data, pairs[0], 0, load, hardware)
            turns = [(pair, contestant) for pair in pairs for contestant in contestants]
            for number, (pair, contestant) in interleave(turns, spec.rounds):
                yield _call(contestant, data, pair, number + 1, load, hardware)
        finally:
            for worker in workers:
                worker.stop()


def _contestant(run: RunSpec, data: Dataset, threads: int, layout: Layout) -> Contestant:
    training = read(run.training, TrainingOutcome) if run.training else None
    if training and training.status != "ok":
        return Contestant(run, threads, Reply(status=training.status, reason=training.reason))
    printed = layout.printed_while_timed(run.by.method, run.by.device)
    printed.parent.mkdir(parents=True, exist_ok=True)
    return Contestant(run, threads, Worker(start(run, data, training, threads), printed))


def _call(contestant: Contestant, data: Dataset, pair: Pair, number: int, load: float, hardware: Hardware) -> TimingRow:
    reply, by = contestant.call(data, pair), contestant.run.by
    seconds = float("nan") if reply.seconds is None else reply.seconds
    about = (by.method, by.device, data.name, number, reply.status, seconds)
    logger.info("%s (%s) on %s, round %d: %s, %.2f s", *about)
    return TimingRow(
        dataset=data.name,
        pair=pair.name,
        method=by.method,
        seed=by.seed,
        grid=_grid(data, pair),
        precision=str(by.params.get("precision", "float32")),
        device=by.device,
        threads=contestant.threads,
        round=number,
        phase="warm" if number else "first",
        seconds=seconds,
        memory=reply.peak_memory,
        hardware=hardware.key,
        load_before=load,
        status=reply.status,
        reason=reply.reason,
    )


def _grid(data: Dataset, pair: Pair) -> str:
    return "x".join(map(str, read_volume(data.image_path(pair.fixed)).array.shape))


if __name__ == "__main__":
    with job(TimingSpec, __doc__) as this:
        timing(this.spec, this.threads)
