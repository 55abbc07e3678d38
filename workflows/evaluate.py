"""Judge one chunk of registrations; failures are rows. Only this step and `workflows.running.watcher` read the truth.

``keep: extremes`` deletes displacements once they are judged: tens of thousands of pairs do not fit on a disk. The
pairs that a report may show stay (`benchmarks.ranking.shown_pairs`), and the rows stay beside, in ``judged-<what they
depend on>.parquet``: Snakemake deletes the output of a job that it repeats, and they could not be had again without
registering anew.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from benchmarks import results
from benchmarks.evidence import Evidence
from benchmarks.metrics import METRICS, Row
from benchmarks.metrics import evaluate as measure
from benchmarks.provenance import fingerprint
from benchmarks.ranking import shown_pairs
from benchmarks.records import Registrations, read
from benchmarks.results import RUN_LEVEL
from benchmarks.rows import MetricRow
from datasets.case import Dataset, Pair, Truth, open_dataset
from datasets.description import DATASET_JSON, TRUTH
from datasets.files import Array, DataError, read_displacement, sha256
from workflows.planning.layout import ChunkFolder
from workflows.planning.specs import EvaluateSpec
from workflows.running.command import job

logger = logging.getLogger(__name__)


def evaluate(spec: EvaluateSpec) -> None:
    """Write the metric rows of a chunk, then delete the displacements that are not to be kept."""
    chunk = ChunkFolder(spec.folder)
    registrations = read(chunk.registrations, Registrations)
    if registrations.unavailable:  # what was judged of an earlier run stays
        logger.info("nothing to judge: %s", registrations.unavailable)
        results.write(chunk.metrics, [], "metrics")
        return
    data, truth = open_dataset(spec.data), Truth(spec.data)
    data.check_files((TRUTH,))
    judged = chunk.judged(_judgement(spec, registrations))
    if judged.exists():
        logger.info("judged before, by the same code: %s", judged.name)
        rows = results.read(judged, "metrics")
    else:
        found = list(_rows(spec, registrations, data, truth))
        rows = results.validate(found, "metrics", where=str(chunk.registrations))
    if spec.keep == "extremes" and not judged.exists():
        for stale in chunk.folder.glob(chunk.judged("*").name):
            stale.unlink()
        results.write(judged, rows, "metrics")
    results.write(chunk.metrics, rows, "metrics")
    if spec.keep == "extremes":
        _delete_unwanted(registrations, shown_pairs(rows, data, spec.method), chunk)


def _rows(spec: EvaluateSpec, registrations: Registrations, data: Dataset, truth: Truth) -> Iterator[MetricRow]:
    def row(pair: str, measured: Row, status: str = "ok", reason: str = "") -> MetricRow:
        return MetricRow(
            dataset=spec.dataset,
            method=spec.method,
            seed=spec.seed,
            run=registrations.run.run,
            pair=pair,
            status=status,
            reason=reason,
            **measured,
        )

    if spec.chunk == 0:
        for metric, value in registrations.cost.items():
            yield row(RUN_LEVEL, _cost(metric, float(value)))
    for record in registrations.pairs:
        yield row(record.pair, _cost("seconds", record.seconds), record.status, record.reason)
        if record.status == "ok":
            yield row(record.pair, _cost("peak_memory", record.peak_memory))
            pair = Pair.from_name(record.pair)
            displacement = _displacement(ChunkFolder(spec.folder).displacement(pair))
            yield from (row(record.pair, measured) for measured in judge(displacement, pair, data, truth))
        logger.info("%s: %s", record.pair, record.status)


def _judgement(spec: EvaluateSpec, registrations: Registrations) -> str:
    """Identify what determines the rows: the records, the truth (by dataset.json's checksums) and the judge's code."""
    values = {name: getattr(spec, name) for name in ("dataset", "method", "seed", "chunk")}
    values["registrations"] = [registrations.run.run, list(map(asdict, registrations.pairs)), registrations.cost]
    values["data"] = sha256(spec.data / DATASET_JSON)
    return fingerprint(spec.judge, values)


def _delete_unwanted(registrations: Registrations, kept: set[str], chunk: ChunkFolder) -> None:
    for record in registrations.pairs:
        if record.pair not in kept:
            chunk.displacement(Pair.from_name(record.pair)).unlink(missing_ok=True)


def judge(displacement: Array, pair: Pair, data: Dataset, truth: Truth) -> list[Row]:
    """Return all metrics that the truth of a pair allows."""
    evidence = Evidence(
        displacement,
        spacing=data.image(pair.fixed).spacing,
        fixed_labels=truth.labels(pair.fixed),
        moving_labels=truth.labels(pair.moving),
        labels=data.description.evaluated_labels or None,
        landmarks=truth.landmarks(pair),
        true_displacement=truth.displacement(pair),
        mask=data.mask(pair.fixed),
    )
    return measure(evidence)


def _displacement(path: Path) -> Array:
    if not path.exists():
        raise DataError(
            f"{path}: the registration is recorded but its displacement is gone (under `keep: extremes` it is deleted "
            f"once judged), so it cannot be judged anew; delete {path.parent} and run again to register its pairs again"
        )
    return read_displacement(path)


def _cost(name: str, value: float | None) -> Row:
    """Return the row of a number that the registration gave, not the judge."""
    metric = METRICS[name]
    protocol, number = next(iter(metric.protocols)), float("nan") if value is None else value
    return {"metric": name, "protocol": protocol, "region": metric.region, "value": number, "unit": metric.unit}


if __name__ == "__main__":
    with job(EvaluateSpec, __doc__) as this:
        evaluate(this.spec)
