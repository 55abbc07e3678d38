"""Judge one chunk of registrations; failures are rows. Only this step and `workflows.running.watcher` read the truth.

The specification: ``registrations`` (path of registrations.json), ``data`` (folder), ``dataset``, ``method``, ``seed``,
``chunk``, ``out`` (path of metrics.parquet), ``judge`` (source files that the numbers depend on) and ``keep``.

``keep: extremes`` deletes displacements once they are judged: tens of thousands of pairs do not fit on a disk. The
pairs that a report may show stay (`benchmarks.ranking.shown_pairs`), and the rows stay beside, in ``judged-<what they
depend on>.parquet``: Snakemake deletes the output of a job that it repeats, and they could not be had again without
registering anew.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks import results
from benchmarks.metrics import evaluate as measure
from benchmarks.provenance import fingerprint
from benchmarks.ranking import shown_pairs
from benchmarks.results import RUN_LEVEL
from datasets.case import Dataset, Pair, Truth, open_dataset
from datasets.files import DataError, read_displacement, sha256
from workflows.running.command import Spec, run_step

logger = logging.getLogger(__name__)
Row = dict[str, Any]


def evaluate(spec: Spec) -> None:
    """Write the metric rows of a chunk, then delete the displacements that are not to be kept."""
    source, out = Path(spec["registrations"]), Path(spec["out"])
    registrations = json.loads(source.read_text(encoding="utf-8"))
    data, truth = open_dataset(Path(spec["data"])), Truth(Path(spec["data"]))
    data.check_files(("truth",))
    judged = source.with_name(f"judged-{_judgement(spec, registrations)}.parquet")
    if judged.exists():
        logger.info("judged before, by the same code: %s", judged.name)
        rows = results.read(judged, "metrics")
    else:
        rows = results.validate(_rows(spec, registrations, data, truth), "metrics", where=str(source))
    if spec["keep"] == "extremes" and not judged.exists():
        for stale in source.parent.glob("judged-*.parquet"):
            stale.unlink()
        results.write(judged, rows, "metrics")
    results.write(out, rows, "metrics")
    if spec["keep"] == "extremes":
        _delete_unwanted(registrations, shown_pairs(rows, data, spec["method"]), source.parent)


def _rows(spec: Spec, registrations: Mapping[str, Any], data: Dataset, truth: Truth) -> list[Row]:
    key = {name: spec[name] for name in ("dataset", "method", "seed")} | {"run": registrations["run"]["run"]}
    rows = [{**key, **row} for row in _cost_rows(registrations["cost"])] if spec["chunk"] == 0 else []
    for record in registrations["pairs"]:
        pair = Pair.from_name(record["pair"])
        rows += [{**key, **row} for row in _pair_rows(record, pair, data, truth, Path(spec["registrations"]).parent)]
        logger.info("%s: %s", pair.name, record["status"])
    return rows


def _judgement(spec: Spec, registrations: Mapping[str, Any]) -> str:
    """Identify what determines the rows: the records, the truth (by dataset.json's checksums) and the judge's code."""
    values = {name: spec[name] for name in ("dataset", "method", "seed", "chunk")}
    values["registrations"] = json.dumps([registrations["run"]["run"], registrations["pairs"], registrations["cost"]])
    values["data"] = sha256(Path(spec["data"]) / "dataset.json")
    return fingerprint([Path(path) for path in spec["judge"]], values)


def _delete_unwanted(registrations: Mapping[str, Any], kept: set[str], folder: Path) -> None:
    for record in registrations["pairs"]:
        if record["pair"] not in kept:
            (folder / Pair.from_name(record["pair"]).displacement_file).unlink(missing_ok=True)


def _cost_rows(cost: Mapping[str, float]) -> Iterator[Row]:
    for metric, value in cost.items():
        yield _row(RUN_LEVEL, metric, "network", float(value), "1")


def _pair_rows(record: Mapping[str, Any], pair: Pair, data: Dataset, truth: Truth, folder: Path) -> Iterator[Row]:
    status, reason = record["status"], record["reason"]
    ok = status == "ok"
    yield _row(pair.name, "seconds", "register", record["seconds"] if ok else None, "s", status=status, reason=reason)
    if not ok:
        return
    yield _row(pair.name, "peak_memory", "register", record["peak_memory"], "MiB")
    displacement = _displacement(folder / pair.displacement_file)
    for row in judge(displacement, pair, data, truth):
        yield {"pair": pair.name, "status": "ok", "reason": "", **row}


def judge(displacement: Any, pair: Pair, data: Dataset, truth: Truth) -> list[Row]:
    """All metrics that the truth of a pair allows."""
    landmarks = truth.landmarks(pair)
    return measure(
        displacement,
        spacing=data.image(pair.fixed).spacing,
        fixed_labels=truth.labels(pair.fixed),
        moving_labels=truth.labels(pair.moving),
        labels=data.about.get("evaluated_labels"),
        landmarks=landmarks,
        true_displacement=truth.displacement(pair),
        mask=data.mask(pair.fixed),
    )


def _displacement(path: Path) -> Any:
    if not path.exists():
        raise DataError(
            f"{path}: the registration is recorded but its displacement is gone (under `keep: extremes` it is deleted "
            f"once judged), so it cannot be judged anew; delete {path.parent} and run again to register its pairs again"
        )
    return read_displacement(path)


def _row(
    pair: str, metric: str, protocol: str, value: float | None, unit: str, *, status: str = "ok", reason: str = ""
) -> Row:
    value = float("nan") if value is None else value
    return {
        "pair": pair, "metric": metric, "protocol": protocol, "region": "all",
        "value": value, "unit": unit, "status": status, "reason": reason,
    }  # fmt: skip


if __name__ == "__main__":
    run_step(evaluate, __doc__)
