"""Judge one chunk of registrations; failures are rows. Only this and `workflows.running.watcher` read the truth.

The step `workflows.register` calls it for what it has registered, once the method has ended.

``keep: extremes`` deletes displacements once they are judged: tens of thousands of pairs do not fit on a disk. The
pairs that a report may show stay (`benchmarks.ranking.shown_pairs`), and the rows stay beside, in ``judged-<what they
depend on>.parquet``: Snakemake deletes the output of a job that it repeats, and they could not be had again without
registering anew.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import zip_longest
from pathlib import Path
from typing import cast

import pandas as pd

from benchmarks import results
from benchmarks.evidence import Evidence
from benchmarks.metrics import METRICS, Row
from benchmarks.metrics import evaluate as measure
from benchmarks.provenance import fingerprint
from benchmarks.ranking import shown_pairs
from benchmarks.records import PairRecord, Registrations, keep_lines, read, read_lines
from benchmarks.results import RUN_LEVEL
from benchmarks.rows import MetricRow
from datasets.case import Dataset, Pair, Truth, open_dataset
from datasets.description import IMAGES, MASKS, TRUTH, Description, anew, forced
from datasets.files import Array, DataError, one_line, read_displacement, sha256
from workflows.planning.layout import ChunkFolder, pairs_of
from workflows.planning.specs import EvaluateSpec

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
    data.check_files()
    _check_pairs(registrations, data, spec)
    judged = chunk.judged(_judgement(spec, registrations.run.run, data.description))
    before = results.read(judged, "metrics") if judged.exists() else None
    found = _rows(spec, registrations, data, truth, before)
    rows = results.gather(found, "metrics", where=str(chunk.registrations))
    if spec.keep == "extremes":
        results.write(judged, rows, "metrics")
        for stale in {*chunk.folder.glob(chunk.judged("*").name)} - {judged}:
            stale.unlink()
    results.write(chunk.metrics, rows, "metrics")
    if spec.keep == "extremes":
        shown = shown_pairs(rows, data, spec.method)
        # The other directions stay, too: judged again, a pair has to have what its inverse consistency was taken from.
        _delete_unwanted(registrations, shown | {Pair.from_name(name).reversed.name for name in shown}, chunk)


def _check_pairs(registrations: Registrations, data: Dataset, spec: EvaluateSpec) -> None:
    expected = [pair.name for pair in pairs_of(data.test_pairs, spec.chunk, spec.chunks)]
    named, file = [record.pair for record in registrations.pairs], ChunkFolder(spec.folder).registrations
    for found, right in zip_longest(named, expected):
        if found != right:
            raise DataError(f"{file}: names the pair {found} where the chunk has {right}; {_again(file)}")


def _again(registrations: Path) -> str:
    return forced(registrations, "register such pairs again")


def _rows(
    spec: EvaluateSpec, registrations: Registrations, data: Dataset, truth: Truth, before: pd.DataFrame | None
) -> Iterator[MetricRow]:
    """Yield the rows of a chunk; a pair whose displacement is gone has those of ``before``, judged by the same code."""

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

    known, chunk = _Judged(before), ChunkFolder(spec.folder)
    done = {record.pair: record for record in registrations.pairs if record.status == "ok"}
    # Both directions of a pair come one after the other: each is read once.
    read_once = lru_cache(maxsize=2)(lambda name: _displacement(chunk, done[name]))
    if spec.chunk == 0:
        for metric, value in registrations.cost.items():
            yield row(RUN_LEVEL, _cost(metric, float(value)))
    for record in registrations.pairs:
        yield row(record.pair, _cost("seconds", record.seconds), record.status, record.reason)
        if record.status == "ok":
            yield row(record.pair, _cost("peak_memory", record.peak_memory))
            pair = Pair.from_name(record.pair)
            measured = [] if chunk.displacement(pair).exists() else known.rows(record.pair)
            if not measured:
                back = pair.reversed
                there = back.name in done and chunk.displacement(back).exists()
                u, v = read_once(pair.name), read_once(back.name) if there else None
                measured = judge(u, pair, data, truth, opposite=v)
            yield from (row(record.pair, each) for each in measured)


def _judgement(spec: EvaluateSpec, run: str, about: Description) -> str:
    """Identify what determines the rows: the run, the data with their truth, and the judge's code; never a title."""
    values = {name: getattr(spec, name) for name in ("dataset", "method", "seed", "chunk")}
    values["run"] = run
    values["data"] = [about.digest(IMAGES, MASKS, TRUTH), about.evaluated_labels, about.label_sets, about.learn2reg]
    return fingerprint(spec.judge, values)


def _delete_unwanted(registrations: Registrations, kept: set[str], chunk: ChunkFolder) -> None:
    for record in registrations.pairs:
        if record.pair not in kept:
            chunk.displacement(Pair.from_name(record.pair)).unlink(missing_ok=True)


def judge(displacement: Array, pair: Pair, data: Dataset, truth: Truth, *, opposite: Array | None = None) -> list[Row]:
    """Return all metrics that the truth of a pair allows, and those that need the displacement of its other direction.

    Where nothing of the truth is known, intensities are compared instead.
    """
    evidence = Evidence(
        displacement,
        spacing=data.placement(pair.fixed).spacing,
        fixed_labels=truth.labels(pair.fixed),
        moving_labels=truth.labels(pair.moving),
        labels=data.description.evaluated_labels or None,
        label_sets=data.description.label_sets,
        learn2reg=data.description.learn2reg,
        landmarks=truth.landmarks(pair),
        true_displacement=truth.displacement(pair),
        opposite=opposite,
        mask=data.mask(pair.fixed),
    )
    if not any(map(evidence.has, ("labels", "landmarks", "true_displacement"))):
        evidence = replace(evidence, images=(data.image(pair.fixed).array, data.image(pair.moving).array))
    try:
        return measure(evidence)
    except ValueError as error:
        raise DataError(
            f"{data.folder}: pair {pair.name} cannot be judged ({one_line(error)}); {anew(data.folder)}"
        ) from error


def _displacement(chunk: ChunkFolder, record: PairRecord) -> Array:
    pair = Pair.from_name(record.pair)
    path = chunk.displacement(pair)
    fault = (
        f"{path}: the registration is recorded but its displacement is gone (under `keep: extremes` it is deleted once "
        "judged), so it cannot be judged anew"
    )
    if path.exists():
        try:
            if record.sha256 and sha256(path) != record.sha256:
                raise DataError(f"{path}: is no longer the file that the registration wrote")
            return read_displacement(path)
        except DataError as error:
            fault = str(error)
    # A plain rerun must not register thousands of pairs for an edit of the judge: that is the user's to ask for.
    if path.exists() or pair.name not in judged_pairs(chunk, record.run):
        forget(chunk, {pair.name})
    raise DataError(f"{fault}; {_again(chunk.registrations)}")


def judged_pairs(chunk: ChunkFolder, run: str) -> set[str]:
    """Return the pairs of a run that any judge, today's or an earlier one, has left rows of."""
    tables = [results.read(path, "metrics") for path in chunk.folder.glob(chunk.judged("*").name)]
    return {pair for table in tables for pair in table.pair[(table.run == run) & (table.status == "ok")]}


def lost_pairs(spec: EvaluateSpec) -> set[str]:
    """Return the registered pairs that cannot be judged: their displacements are gone, and so are today's rows.

    Raises:
        DataError: the data set or the rows cannot be read.
    """
    chunk = ChunkFolder(spec.folder)
    records = [each for each in read_lines(chunk.records, PairRecord) if _gone(each, chunk)]
    if not records:
        return set()
    about = open_dataset(spec.data).description
    tables = {run: chunk.judged(_judgement(spec, run, about)) for run in {each.run for each in records}}
    known = {run: _Judged(results.read(path, "metrics")).pairs for run, path in tables.items() if path.exists()}
    return {each.pair for each in records if each.pair not in known.get(each.run, ())}


def _gone(record: PairRecord, chunk: ChunkFolder) -> bool:
    named = record.status == "ok" and record.pair.count("__") == 1
    return named and not chunk.displacement(Pair.from_name(record.pair)).exists()


def forget(chunk: ChunkFolder, pairs: Collection[str]) -> None:
    """Remove the records of some pairs, so that they are registered again."""
    keep_lines(chunk.records, [each for each in read_lines(chunk.records, PairRecord) if each.pair not in pairs])


class _Judged:
    """What the judge found earlier of each pair; not its cost, which the registration gave."""

    def __init__(self, before: pd.DataFrame | None) -> None:
        rows = results.validate([], "metrics") if before is None else before
        self._rows = rows.loc[~rows.metric.isin(["seconds", "peak_memory"]), ["pair", *Row.__annotations__]]
        self._places = self._rows.groupby("pair").indices

    @property
    def pairs(self) -> Collection[str]:
        """The names of the pairs that have rows."""
        return cast(Collection[str], self._places.keys())

    def rows(self, pair: str) -> list[Row]:
        """Return the rows of a pair, none where it has none; they are made anew each time, for they are large."""
        found = self._rows.iloc[self._places.get(pair, [])].drop(columns="pair")
        return cast(list[Row], found.to_dict("records"))


def _cost(name: str, value: float | None) -> Row:
    """Return the row of a number that the registration gave, not the judge."""
    metric = METRICS[name]
    protocol, number = next(iter(metric.protocols)), float("nan") if value is None else value
    return {"metric": name, "protocol": protocol, "region": metric.region, "value": number, "unit": metric.unit}
