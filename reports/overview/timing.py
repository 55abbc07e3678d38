"""The timing table: seconds of a registration alone on the machine, by device and number of threads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import pandas as pd

from benchmarks.records import UNAVAILABLE
from datasets.case import Dataset
from reports.overview.tables import name_cell
from reports.reading.run import Run
from reports.tables.numbers import quantity
from reports.tables.table import Head, Table, Text

NO_CUDA = Text("not measured: no CUDA device", muted=True)
NOT_MEASURED = Text("not measured", muted=True)


@dataclass(frozen=True)
class Timing:
    """Seconds of a method's calls; ``phase`` is first or warm. NaN where all of them failed."""

    dataset: str
    method: str
    device: str
    threads: int
    phase: str
    median: float
    q1: float
    q3: float
    minimum: float
    n: int
    failed: int


def timings(frame: pd.DataFrame | None) -> list[Timing]:
    """Sum up the rows of the timing stage; none where it was not run."""
    if frame is None or frame.empty:
        return []
    keys = ["dataset", "method", "device", "threads", "phase"]
    return [_timing(key, group) for key, group in frame[frame.status != UNAVAILABLE].groupby(keys, dropna=False)]


def timing_frame(rows: Sequence[Timing]) -> pd.DataFrame:
    """Return the rows as a frame to be written."""
    return pd.DataFrame([vars(row) for row in rows], columns=[each.name for each in fields(Timing)])


def timing_table(run: Run, rows: Sequence[Timing], dataset: Dataset) -> Table:
    """Return warm median with quartiles and first call, for each device and thread count; always a column for CUDA."""
    here = {(row.method, row.device, row.threads, row.phase): row for row in rows if row.dataset == dataset.name}
    places = sorted({(device, threads) for _, device, threads, _ in here})
    cpu, others = [place for place in places if place[0] == "cpu"], [place for place in places if place[0] != "cpu"]
    heads = [Head("Method", number=False), *([] if cpu else [_head("CPU")])]
    for device, threads in [*cpu, *others]:
        heads += [_head(_place(device, threads)), Head("First call ↓", "s")]
    heads += [] if others else [_head("CUDA")]
    lines = []
    for method in run.contestants:
        cells = [_cell(here.get((method, *place, phase))) for place in [*cpu, *others] for phase in ("warm", "first")]
        lines.append([name_cell(run, method), *([] if cpu else [NOT_MEASURED]), *cells, *([] if others else [NO_CUDA])])
    title = dataset.description.display_title
    notes = _unavailable_notes(run, dataset)
    return Table(f"{title}: seconds per registration, alone on the machine.", heads, lines, notes)


def _unavailable_notes(run: Run, dataset: Dataset) -> list[str]:
    """Say which methods could not be timed for want of a library or a device."""
    if run.timing is None:
        return []
    rows = run.timing[(run.timing.dataset == dataset.name) & (run.timing.status == UNAVAILABLE)]
    places = rows[["method", "device", "reason"]].drop_duplicates().itertuples(index=False, name=None)
    return [f"{run.label(method)} on {device.upper()}: not measured: {reason}." for method, device, reason in places]


def _timing(key: tuple[Any, ...], group: pd.DataFrame) -> Timing:
    dataset, method, device, threads, phase = key
    good = group[group.status == "ok"].seconds.astype(float)
    median, q1, q3 = map(float, good.quantile([0.5, 0.25, 0.75]))
    spread = (median, q1, q3, float(good.min()))
    return Timing(dataset, method, device, threads, phase, *spread, len(good), len(group) - len(good))


def _head(where: str) -> Head:
    return Head(f"{where} ↓", "warm median (quartiles; n), s")


def _place(device: str, threads: int) -> str:
    return f"CPU, {threads} thread{'s' if threads > 1 else ''}" if device == "cpu" else device.upper()


def _cell(row: Timing | None) -> Text:
    if row is None:
        return NOT_MEASURED
    if not row.n:
        return Text(f"failed ({row.failed})", muted=True)
    middle, low, high = (quantity("seconds", value) for value in (row.median, row.q1, row.q3))
    return Text(f"{middle} ({low} to {high}; {row.n})" if row.phase == "warm" else middle)
