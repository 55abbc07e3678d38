"""An archive whose rows and words have been read, and found to speak of the same data sets, methods and runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pandas as pd

from benchmarks.results import RUN_LEVEL
from reports.archive import told as tell
from reports.archive.packed import Archive, ArchiveError
from reports.archive.possible import impossible
from reports.archive.rows import ROWS, rows_of
from reports.archive.told import Told

RUN = ("dataset", "method", "seed")  # what a run is of


@dataclass(frozen=True)
class Opened:
    """An archive, what it tells of its run, and its rows."""

    archive: Archive
    told: Told
    metrics: pd.DataFrame
    runs: pd.DataFrame
    timing: pd.DataFrame


def opened(archive: Archive) -> Opened:
    """Read all of an archive but pictures and curves.

    Raises:
        ArchiveError: a part of it is lacking, of another version or breaks its own rules (such as rows that repeat a
            key), has values that cannot be, or names what another part does not have.
    """
    rows = {kind: rows_of(archive, kind) for kind in ROWS}
    found = Opened(archive, tell.read_told(archive), rows["metrics"], rows["runs"], rows["timing"])
    for fault in impossible(found.metrics):
        raise ArchiveError(f"{archive.path}: {fault}; make it again from its run")
    for fault in (*_repeated(found.told), *_unknown(found), *_pairs(found), *_origins(found)):
        raise ArchiveError(f"{archive.path}: its parts do not fit: {fault}; make it again from its run")
    return found


def _repeated(told: Told) -> Iterator[str]:
    listed: dict[str, Iterable[str]] = {
        "data set": (each.description.name for each in told.datasets),
        "method": (name for name, _ in told.methods),
        "training": (each.folder for each in told.trainings),
        "network": (each.method for each in told.networks),
    }
    for what, names in listed.items():
        for name, count in Counter(names).items():
            if count > 1:
                yield f"{tell.NAME} has the {what} {name} {count} times"


def _unknown(found: Opened) -> Iterator[str]:
    """Yield data sets and methods that something names and that are not described."""
    told = found.told
    datasets = {each.description.name for each in told.datasets}
    for paper, cast in told.papers.items():
        for key, name in cast.items():
            if name not in datasets:
                yield f"{key} of the paper {paper} is played by {name}, a data set that {tell.NAME} does not describe"
    tables = (ROWS["metrics"], found.metrics), (ROWS["runs"], found.runs), (ROWS["timing"], found.timing)
    named = [(name, list(rows.dataset.unique()), list(rows.method.unique())) for name, rows in tables]
    named += [
        ("a network", [], [each.method for each in told.networks]),
        ("what was unavailable", *([getattr(e, n) for e in told.unavailable] for n in ("dataset", "method"))),
    ]
    methods = {name for name, _ in told.methods}
    for where, names, by in named:
        for what, used, known in (("data set", names, {*datasets, RUN_LEVEL}), ("method", by, methods)):
            if lost := set(used) - known:
                yield f"{where} names the {what} {min(lost)}, which {tell.NAME} does not describe"


def _pairs(found: Opened) -> Iterator[str]:
    """Yield pairs that rows are of and that their data set does not have."""
    rows = found.metrics.drop_duplicates(["dataset", "pair"])
    for each in found.told.datasets:
        known = {RUN_LEVEL, *(pair.name for pair in each.description.test)}
        if lost := set(rows.pair[rows.dataset == each.description.name]) - known:
            yield f"{ROWS['metrics']} has the pair {min(lost)}, which is no test pair of {each.description.name}"


def _origins(found: Opened) -> Iterator[str]:
    """Yield runs that rows are of and that are not on record, or are there as of something else."""
    # Of whichever data set: two of the same images share a run, which is on record once.
    known = set(found.runs[["run", "method", "seed"]].itertuples(index=False, name=None))
    rows = found.metrics[["run", *RUN]].drop_duplicates()
    for run, dataset, method, seed in rows.itertuples(index=False, name=None):
        if (run, method, seed) not in known:
            yield f"{ROWS['runs']} lacks the run {run} of {method} on {dataset}, seed {seed}, which rows are of"
