"""Time methods against each other, alone on the machine, apart from accuracy.

Per data set, first with one thread and then with all that are granted, one worker a method is loaded, as many as fit
the memory; then methods take turns, round after round, so that a drift of the machine hits all alike. Each is pinned to
named cores, and each call is watched (`workflows.timed.contest`). A method's first call is kept apart (``phase``
first), the rest are warm. On the clock is the method's call alone: arrays in memory to the displacement in memory. A
method may be there once for each device. See docs/timing.md.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import psutil

from benchmarks import results
from benchmarks.clock.hardware import torch_build
from benchmarks.records import PaperNetwork, TrainingOutcome, read, write
from benchmarks.results import RUN_LEVEL
from benchmarks.rows import TimingRow
from datasets.case import Dataset, open_dataset
from workflows.planning import timed
from workflows.planning.layout import Layout
from workflows.planning.networks import Networks, make_pair, sessions
from workflows.planning.specs import PaperSizeSpec, RunSpec, TimingSpec
from workflows.running.command import job
from workflows.running.messages import Reply, start
from workflows.running.supervisor import Worker
from workflows.spending.meter import Meter
from workflows.timed.alone import alone
from workflows.timed.contest import Bench, Contest, Contestant, benches_for, together

logger = logging.getLogger(__name__)


def timing(spec: TimingSpec, threads: int, meter: Meter | None = None) -> None:
    """Write timing.parquet: one row a call."""
    made_from = timed.digests(spec)
    rows: list[TimingRow] = []
    networks: list[PaperNetwork] = []
    benches = benches_for(threads, torch_build() if spec.runs or spec.paper else {})
    with alone() if spec.runs or spec.paper else nullcontext():  # nobody waits for the clock to time nothing
        for _, runs in groupby(spec.runs, key=lambda run: run.dataset):
            chosen = list(runs)
            data = open_dataset(chosen[0].data)
            data.check_files()
            for bench in benches:
                rows += _time(chosen, data, spec, bench)
        if meter:
            meter.mark("timing")
        if spec.paper:
            found = Networks.of(spec.paper.methods, spec.paper.grid)
            networks, rows = found.shared(), [*rows, *_at_paper_size(spec, spec.paper, found, benches)]
    results.write(Layout(spec.folder).timing, rows, "timing")
    write(Layout(spec.folder).networks, networks)
    timed.keep(spec, made_from)


def _time(runs: list[RunSpec], data: Dataset, spec: TimingSpec, bench: Bench) -> Iterator[TimingRow]:
    """Yield the rows of some methods on a data set: ``spec.rounds`` warm calls of each at most, over ``spec.pairs``."""
    pairs = data.test_pairs[: spec.pairs]
    depth, height, width = data.image(pairs[0].fixed).array.shape
    for device, of_device in groupby(sorted(runs, key=_device), key=_device):
        waiting, on_a_gpu = list(of_device), device != "cpu"
        while waiting:
            room = together((depth, height, width), psutil.virtual_memory().available / 2**20, on_a_gpu=on_a_gpu)
            group, waiting = waiting[:room], waiting[room:]
            chosen = [_contestant(run, data, spec, bench) for run in group]
            yield from _rows(Contest(chosen, data, pairs, (depth, height, width), bench))


def _at_paper_size(
    spec: TimingSpec, paper: PaperSizeSpec, networks: Networks, benches: Sequence[Bench]
) -> Iterator[TimingRow]:
    """Yield the rows of networks at their papers' size, with weights drawn at random, which are of no data set."""
    with tempfile.TemporaryDirectory(prefix="warpbench-") as folder:
        data = make_pair(Path(folder), paper.grid)
        for bench in benches:
            for session in sessions(paper, networks, data.folder, all_threads=bench is benches[-1]):
                asked = replace(spec, pairs=1, rounds=session.rounds)
                for row in _time(session.runs, data, asked, bench):
                    yield replace(row, size="paper", dataset=RUN_LEVEL, pair=RUN_LEVEL)
    for lost in networks.failed:
        yield TimingRow(
            dataset=RUN_LEVEL,
            pair=RUN_LEVEL,
            method=lost.by.method,
            seed=lost.by.seed,
            size="paper",
            grid="x".join(map(str, paper.grid)),
            device=lost.by.device,
            threads=benches[-1].threads,
            round=0,
            phase="first",
            seconds=None,
            hardware=benches[-1].hardware.key,
            status=lost.status,
            reason=lost.reason,
        )


def _device(run: RunSpec) -> str:
    return run.by.device


def _rows(contest: Contest) -> Iterator[TimingRow]:
    # Children die with the thread that started them: the pool has to outlive them.
    with ThreadPoolExecutor(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1) as pool:
        try:
            list(pool.map(Contestant.start, contest.contestants))  # loading is not on the clock
            yield from contest.rows()
        finally:
            for contestant in contest.contestants:
                contestant.stop()


def _contestant(run: RunSpec, data: Dataset, spec: TimingSpec, bench: Bench) -> Contestant:
    training = read(run.training, TrainingOutcome) if run.training else None
    if training and training.status != "ok":
        return Contestant(run, Reply(status=training.status, reason=training.reason), spec.rounds)
    printed = Layout(spec.folder).printed_while_timed(run.by.method, run.by.device)
    printed.parent.mkdir(parents=True, exist_ok=True)
    message = replace(start(run, data, training, bench.threads), cores=bench.hardware.pinned, counted=False)
    return Contestant(run, Worker(message, printed), spec.rounds)


if __name__ == "__main__":
    with job(TimingSpec, __doc__) as this:
        timing(this.spec, this.threads, this.meter)
        this.meter.mark("timing at the papers' size")
