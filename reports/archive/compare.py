"""Two archives beside each other: which rows differ and by how much, what either lacks, and what they were made on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks.clock.hardware import parse
from benchmarks.metrics import CLOCK
from reports.archive.opened import Opened, opened
from reports.archive.packed import Archive
from reports.archive.rows import FIRST, SECOND, differing, side_by_side
from reports.tables.table import Head, Table, Text

DIFFERS, ONE, OTHER = "differs", "only in the first", "only in the second"
VERDICTS = {"both": DIFFERS, "left_only": ONE, "right_only": OTHER}


@dataclass(frozen=True)
class Comparison:
    """Rows that are not in both alike, and tables for readers: of rows, of seconds, of what runs were made on."""

    rows: pd.DataFrame
    tables: Sequence[Table]


def compare(first: Archive, second: Archive) -> Comparison:
    """Compare two archives row by row; seconds of registrations are left to the timed calls."""
    parts = opened(first), opened(second)
    one, other = (part.metrics[part.metrics.protocol != CLOCK] for part in parts)
    both = side_by_side(one, other, "metrics")
    lone = both[both.side != "both"]
    rows = pd.concat([differing(one, other, "metrics"), lone], ignore_index=True)
    rows = rows.assign(verdict=rows.side.map(VERDICTS), difference=rows["value" + SECOND] - rows["value" + FIRST])
    rows = rows.drop(columns="side").rename(columns={"value" + FIRST: "first", "value" + SECOND: "second"})
    tables = [_rows_table(rows, len(both) - len(lone)), _timing_table(*parts), _origin_table(*parts)]
    return Comparison(rows, tables)


def _rows_table(rows: pd.DataFrame, common: int) -> Table:
    """Return how many rows of each method and metric differ, and the largest difference."""
    groups = rows.groupby(["dataset", "method", "metric", "protocol"], sort=True)
    texts = [
        [
            *map(str, key if isinstance(key, tuple) else (key,)),
            *(str(int((group.verdict == verdict).sum())) for verdict in VERDICTS.values()),
            _number(group.difference.abs().max()),
        ]
        for key, group in groups
    ]
    heads = [Head(title, number=False) for title in ("Data set", "Method", "Metric", "Protocol")]
    heads += [Head(title) for title in ("Differ", "Only in the first", "Only in the second", "Largest difference")]
    different = int((rows.verdict == DIFFERS).sum())
    note = f"{common} rows are in both, {different} of them differ by more than rounding."
    return Table("Rows that are not the same in both archives.", heads, _cells(texts or [["none"]]), [note])


def _timing_table(first: Opened, second: Opened) -> Table:
    """Return the median seconds of warm calls of both, where they differ, with the hardware that they are of."""
    parts = [_medians(each.timing) for each in (first, second)]
    both = pd.concat([parts[0].add_suffix(FIRST), parts[1].add_suffix(SECOND)], axis=1).sort_index()
    alike = both["seconds" + FIRST] == both["seconds" + SECOND]  # of the same calls: no two measurements are
    both, notes = both[~alike], [f"{int(alike.sum())} medians are the same in both."] if alike.any() else []
    texts = [
        [*map(str, key), *(_number(row["seconds" + end]) for end in (FIRST, SECOND)),
         *(str(row["hardware" + end]) for end in (FIRST, SECOND))]
        for key, row in zip(both.index.to_flat_index(), both.to_dict("records"), strict=True)
    ]  # fmt: skip
    heads = [Head(title, number=False) for title in ("Size", "Data set", "Method", "Device", "Threads")]
    heads += [Head("First (s)"), Head("Second (s)"), Head("First on", number=False), Head("Second on", number=False)]
    title = "Median seconds of warm calls; they compare on the same hardware alone."
    return Table(title, heads, _cells(texts or [["none"]]), notes)


def _medians(timing: pd.DataFrame) -> pd.DataFrame:
    warm = timing[(timing.status == "ok") & (timing.phase == "warm")]
    warm = warm.assign(hardware=[_machine(text) for text in warm.hardware])
    keys = ["size", "dataset", "method", "device", "threads"]
    return warm.groupby(keys).agg(seconds=("seconds", "median"), hardware=("hardware", lambda each: _joined(each)))


def _machine(hardware: str) -> str:
    found = parse(hardware)
    return found.cpu if found.gpu == "none" else f"{found.cpu}, {found.gpu}"


def _origin_table(first: Opened, second: Opened) -> Table:
    texts = [
        [name, one, other, "" if one == other else "differs"]
        for (name, one), (_, other) in zip(_origins(first), _origins(second), strict=True)
    ]
    heads = [Head(title, number=False) for title in ("", "First", "Second", "")]
    return Table("What the runs were made on and of.", heads, _cells(texts))


def _origins(part: Opened) -> Iterator[tuple[str, str]]:
    runs, told = part.runs, part.told
    yield "profile", told.profile
    yield "commits", _joined(commit[:12] for commit in part.archive.manifest.commits)
    yield "processors", _joined(runs.cpu)
    yield "GPUs", _joined(runs.gpu)
    yield "threads", _joined(map(str, runs.threads))
    yield "Python", _joined(runs.python)
    versions = {pair for text in runs.versions for pair in json.loads(text or "{}").items()}
    yield "libraries", _joined(f"{name} {version}" for name, version in versions)
    yield "data", _joined(f"{each.description.name} {each.images[:8]}" for each in told.datasets)


def _joined(texts: object) -> str:
    return ", ".join(sorted({str(text) for text in texts if text})) or "none"  # type: ignore[attr-defined]


def _number(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.4g}"


def _cells(rows: Sequence[Sequence[str]]) -> list[list[Text]]:
    return [[Text(text) for text in row] for row in rows]
