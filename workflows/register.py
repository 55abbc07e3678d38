"""Register one chunk of the test pairs of a data set with one method, under supervision.

The specification: ``method, module, params, device, seed, threads, time_limit, dataset (name), data (folder), chunk,
chunks, training (path of training.json or null), sources, libraries, folder``. Each finished pair is one line of
``records.jsonl``, written at once; a repeated run skips the pairs it finds there, unless code, data, options or weights
have changed. ``registrations.json`` appears when the chunk is complete, failed pairs included.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from benchmarks.provenance import collect, fingerprint
from datasets.case import Dataset, Pair, Truth, open_dataset
from datasets.files import DataError, read_volume, sha256
from workflows.running.command import Spec, run_step, write_text
from workflows.running.supervisor import Worker

logger = logging.getLogger(__name__)
Record = dict[str, Any]


def register(spec: Spec) -> None:
    """Register the chunk's pairs that have no record yet, then write registrations.json."""
    folder = Path(spec["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    data = open_dataset(Path(spec["data"]))
    data.check_files()
    if not data.test_pairs:
        raise DataError(f"{data.folder}: has no test pairs, it is for training alone; take it out of run.datasets")
    training = json.loads(Path(spec["training"]).read_text(encoding="utf-8")) if spec["training"] else None
    run = run_id(spec, training)
    # The orphan of a killed run may still be here for a second or two; it must not write beside us.
    with FileLock(folder / ".lock", timeout=60):
        records = read_records(folder / "records.jsonl", run)
        pairs = data.test_pairs[spec["chunk"] :: spec["chunks"]]
        logger.info("%d pairs, %d already done", len(pairs), len(records))
        greeting = _register_all(spec, data, training, run, pairs, records)
    about = {"run": {**_provenance(spec, training), "run": run}, "cost": greeting.get("cost", {})}
    about["pairs"] = [records[pair.name] for pair in pairs]
    write_text(folder / "registrations.json", json.dumps(about, indent=1))


def run_id(spec: Spec, training: Mapping[str, Any] | None) -> str:
    """Identify what determines the result: code, options, seed, libraries, data and weights; not the chunk."""
    names = ("method", "module", "params", "device", "seed", "threads", "time_limit", "libraries")
    values = {name: spec[name] for name in names}
    values["data"] = sha256(Path(spec["data"]) / "dataset.json")
    values["weights"] = training and (training.get("sha256") or training["reason"])
    return fingerprint([Path(path) for path in spec["sources"]], values)


def read_records(path: Path, run: str) -> dict[str, Record]:
    """Read the records of this run by pair; a torn last line (power cut) and other runs' records are left out."""
    records = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue
        if record["run"] == run:
            records[record["pair"]] = record
    return records


def _register_all(
    spec: Spec,
    data: Dataset,
    training: Mapping[str, Any] | None,
    run: str,
    pairs: list[Pair],
    records: dict[str, Record],
) -> Mapping[str, Any]:
    folder = Path(spec["folder"])
    if training and training["status"] != "ok":
        for pair in pairs:
            records[pair.name] = _record(run, pair, {"status": training["status"], "reason": training["reason"]})
        return {}
    worker = Worker(worker_spec(spec, data, training), folder / "method.log")
    try:
        greeting = worker.start()
        for number, pair in enumerate(pairs, start=1):
            if pair.name in records:
                continue
            reply = worker.call(request(spec, data, pair, folder / pair.displacement_file), spec["time_limit"])
            records[pair.name] = _record(run, pair, reply)
            _append(folder / "records.jsonl", records[pair.name])
            logger.info("%d/%d %s: %s", number, len(pairs), pair.name, _summary(reply))
        return greeting
    finally:
        worker.stop()


def worker_spec(spec: Spec, data: Dataset, training: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the child process is told at its start."""
    names = ("module", "params", "device", "seed", "threads")
    first = data.test_pairs[0].fixed
    shape = list(read_volume(data.image_path(first)).array.shape)
    return {**{name: spec[name] for name in names}, "checkpoint": training and training["checkpoint"], "shape": shape}


def request(spec: Spec, data: Dataset, pair: Pair, out: Path | None) -> dict[str, Any]:
    """What the child process is told of one pair: paths of what the method may see, and of the result."""
    extras = {"fixed_mask": data.mask_path(pair.fixed), "moving_mask": data.mask_path(pair.moving)}
    if spec.get("truth"):  # the positive control alone
        extras["true_displacement"] = Truth(data.folder).displacement_path(pair)
    return {
        "pair": pair.name,
        "fixed": str(data.image_path(pair.fixed).resolve()),
        "moving": str(data.image_path(pair.moving).resolve()),
        "extras": {name: str(path.resolve()) for name, path in extras.items()},
        "out": str(out.resolve()) if out else None,
    }


def _record(run: str, pair: Pair, reply: Mapping[str, Any]) -> Record:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {"run": run, "pair": pair.name, "finished_utc": now, "process": os.getpid(), **reply}


def _append(path: Path, record: Record) -> None:
    # A line that a power cut has torn must not swallow the one after it.
    torn = path.exists() and not path.read_bytes().endswith(b"\n")
    with open(path, "a", encoding="utf-8") as stream:
        stream.write(("\n" if torn else "") + json.dumps(record) + "\n")
        stream.flush()
        os.fsync(stream.fileno())


def _summary(reply: Mapping[str, Any]) -> str:
    return f"ok, {reply['seconds']:.2f} s" if reply["status"] == "ok" else f"{reply['status']}, {reply['reason']}"


def _provenance(spec: Spec, training: Mapping[str, Any] | None) -> dict[str, Any]:
    names = ("dataset", "method", "seed", "module", "params", "device", "threads", "libraries")
    return collect(**{name: spec[name] for name in names}, checkpoint_sha=(training or {}).get("sha256", ""))


if __name__ == "__main__":
    started = time.perf_counter()
    run_step(register, __doc__)
    logger.info("done in %.1f s", time.perf_counter() - started)
