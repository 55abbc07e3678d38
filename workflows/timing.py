"""Time methods against each other, alone on the machine, apart from accuracy.

The specification: ``runs`` (each like that of `workflows.register`), ``threads`` (list of thread counts), ``pairs``,
``rounds``, ``log`` (folder), ``out``. Per data set and thread count, one worker a method is loaded; then methods take
turns pair by pair, round after round, so that a drift of the machine hits all alike. A method's first call is kept
apart (``phase`` first), the rest are warm. On the clock is the method's call alone: images in memory, displacement on
the host.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from benchmarks import results
from datasets.case import Dataset, Pair, open_dataset
from datasets.files import DataError
from workflows.command import Spec, run_step
from workflows.register import request, worker_spec
from workflows.supervisor import Worker

logger = logging.getLogger(__name__)
Row = dict[str, Any]
MACHINE_LOCK = Path(tempfile.gettempdir()) / "warpbench-timing.lock"


def timing(spec: Spec) -> None:
    """Write timing.parquet: one row a call."""
    rows: list[Row] = []
    try:
        with FileLock(MACHINE_LOCK, timeout=3600, mode=0o666):  # two checkouts on one machine must not overlap
            for dataset, group in groupby(spec["runs"], key=lambda run: run["dataset"]):
                runs = list(group)
                for threads in spec["threads"]:
                    rows += _time(runs, dataset, threads, spec)
    except Timeout as error:
        raise DataError(f"{MACHINE_LOCK}: another timing run held this machine for an hour; run again later") from error
    results.write(Path(spec["out"]), rows, "timing")


def _time(runs: list[Spec], dataset: str, threads: int, spec: Spec) -> Iterator[Row]:
    data = open_dataset(Path(runs[0]["data"]))
    pairs = data.test_pairs[: spec["pairs"]]
    workers = {run["method"]: _worker({**run, "threads": threads}, data, Path(spec["log"])) for run in runs}
    load = os.getloadavg()[0]
    try:
        for number in range(spec["rounds"] + 1):  # round 0 is each method's first call, on the first pair
            for pair in pairs[:1] if number == 0 else pairs:
                for run in runs:
                    reply = workers[run["method"]].call(request(run, data, pair, None), run["time_limit"])
                    yield _row(run, dataset, pair, threads, number, load, reply)
            logger.info("%s, %d threads: round %d of %d", dataset, threads, number, spec["rounds"])
    finally:
        for worker in workers.values():
            worker.stop()


def _worker(run: Spec, data: Dataset, log: Path) -> Worker:
    training = json.loads(Path(run["training"]).read_text()) if run["training"] else None
    return Worker(worker_spec(run, data, training), log / f"timing-{run['method']}.log")


def _row(run: Spec, dataset: str, pair: Pair, threads: int, number: int, load: float, reply: Mapping[str, Any]) -> Row:
    return {
        "dataset": dataset,
        "pair": pair.name,
        "method": run["method"],
        "seed": run["seed"],
        "device": run["device"],
        "threads": threads,
        "round": number,
        "phase": "first" if number == 0 else "warm",
        "seconds": reply.get("seconds", float("nan")),
        "load_before": load,
        "status": reply["status"],
        "reason": reply["reason"],
    }


if __name__ == "__main__":
    run_step(timing, __doc__)
