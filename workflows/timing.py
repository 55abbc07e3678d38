"""Time methods against each other, alone on the machine, apart from accuracy.

The specification: ``runs`` (each like that of `workflows.register`), ``pairs``, ``rounds``, ``log`` (folder) and
``out``. Per data set, first with one thread and then with all that ``--threads`` grants, one worker a method is loaded;
then methods take turns pair by pair, round after round, so that a drift of the machine hits all alike. A method's first
call is kept apart (``phase`` first), the rest are warm. On the clock is the method's call alone: images in memory,
displacement on the host. A method may be there once for each device.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from benchmarks import results
from benchmarks.stopwatch import interleave
from datasets.case import Dataset, Pair, open_dataset
from datasets.files import DataError
from workflows.register import request, worker_spec
from workflows.running.command import Spec, run_step
from workflows.running.supervisor import Worker

logger = logging.getLogger(__name__)
Row = dict[str, Any]
Contestant = Worker | Mapping[str, Any]
Contestants = Mapping[tuple[str, str], Contestant]  # by method and device
MACHINE_LOCK = Path(tempfile.gettempdir()) / "warpbench-timing.lock"


def timing(spec: Spec) -> None:
    """Write timing.parquet: one row a call."""
    rows: list[Row] = []
    try:
        with FileLock(MACHINE_LOCK, timeout=3600, mode=0o666):  # two checkouts on one machine must not overlap
            for _, group in groupby(spec["runs"], key=lambda run: run["dataset"]):
                runs = list(group)
                for threads in sorted({1, spec["threads"]}):
                    rows += _time(runs, threads, spec)
    except Timeout as error:
        raise DataError(f"{MACHINE_LOCK}: another timing run held this machine for an hour; run again later") from error
    results.write(Path(spec["out"]), rows, "timing")


def _time(runs: list[Spec], threads: int, spec: Spec) -> Iterator[Row]:
    data = open_dataset(Path(runs[0]["data"]))
    pairs = data.test_pairs[: spec["pairs"]]
    workers = {_key(run): _contestant({**run, "threads": threads}, data, Path(spec["log"])) for run in runs}
    load = os.getloadavg()[0]
    # Children die with the thread that started them: the pool has to outlive them.
    with ThreadPoolExecutor(threads) as pool:
        try:
            list(pool.map(Worker.start, _workers(workers)))  # loading is not on the clock
            for run in runs:  # each method's first call, which pays for caches and lazy imports
                yield _call(run, data, pairs[0], threads, 0, load, workers)
            turns = [(pair, run) for pair in pairs for run in runs]
            for number, (pair, run) in interleave(turns, spec["rounds"]):
                yield _call(run, data, pair, threads, number + 1, load, workers)
        finally:
            for worker in _workers(workers):
                worker.stop()


def _workers(contestants: Contestants) -> list[Worker]:
    return [contestant for contestant in contestants.values() if isinstance(contestant, Worker)]


def _contestant(run: Spec, data: Dataset, log: Path) -> Contestant:
    """A method's worker, or the outcome of its training where that failed: an untrained network is not timed."""
    training = json.loads(Path(run["training"]).read_text(encoding="utf-8")) if run["training"] else None
    if training and training["status"] != "ok":
        return {"status": training["status"], "reason": training["reason"]}
    return Worker(worker_spec(run, data, training), log / f"timing-{'-'.join(_key(run))}.log")


def _key(run: Spec) -> tuple[str, str]:
    return run["method"], run["device"]


def _call(run: Spec, data: Dataset, pair: Pair, threads: int, number: int, load: float, workers: Contestants) -> Row:
    worker = workers[_key(run)]
    limit = run["time_limit"]
    reply = worker.call(request(run, data, pair, None), limit) if isinstance(worker, Worker) else worker
    seconds = reply.get("seconds", float("nan"))
    about = (run["method"], run["device"], data.name, threads, number, reply["status"], seconds)
    logger.info("timing %s (%s) on %s, %d threads, round %d: %s, %.2f s", *about)
    return {
        "dataset": data.name,
        "pair": pair.name,
        "method": run["method"],
        "seed": run["seed"],
        "device": run["device"],
        "threads": threads,
        "round": number,
        "phase": "warm" if number else "first",
        "seconds": seconds,
        "load_before": load,
        "status": reply["status"],
        "reason": reply["reason"],
    }


if __name__ == "__main__":
    run_step(timing, __doc__)
