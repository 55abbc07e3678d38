"""The timing table: seconds of a registration, by device and number of threads, and how far calls were undisturbed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import pandas as pd

from benchmarks.clock.disturbance import WORDS
from benchmarks.clock.hardware import parse
from benchmarks.records import UNAVAILABLE
from datasets.case import Described
from reports.overview.tables import name_cell
from reports.reading.run import Run
from reports.tables.numbers import quantity
from reports.tables.table import Head, Table, Text

NO_CUDA = Text("not measured: no CUDA device", muted=True)
NOT_MEASURED = Text("not measured", muted=True)
FEWEST = 5  # calls that have quartiles


@dataclass(frozen=True)
class Timing:
    """Seconds of a method's calls on one hardware (its key); ``phase`` is first or warm. NaN where all of them failed.

    Of ``n`` calls so many were ``contended``, and of so many it is ``unknown``.
    """

    dataset: str
    method: str
    size: str
    grid: str
    precision: str
    device: str
    threads: int
    phase: str
    hardware: str
    median: float
    q1: float
    q3: float
    minimum: float
    n: int
    failed: int
    contended: int
    unknown: int


def timings(frame: pd.DataFrame | None) -> list[Timing]:
    """Sum up the rows of the timing stage; none where it was not run."""
    if frame is None or frame.empty:
        return []
    keys = ["dataset", "method", "size", "grid", "precision", "device", "threads", "phase", "hardware"]
    return [_timing(key, group) for key, group in frame[frame.status != UNAVAILABLE].groupby(keys, dropna=False)]


def timing_frame(rows: Sequence[Timing]) -> pd.DataFrame:
    """Return the rows as a frame to be written."""
    return pd.DataFrame([vars(row) for row in rows], columns=[each.name for each in fields(Timing)])


def timing_table(run: Run, rows: Sequence[Timing], dataset: Described) -> Table:
    """Return warm median with quartiles and first call, for each device and thread count; always a column for CUDA.

    Seconds of different hardware never share a column.
    """
    mine = [row for row in rows if row.dataset == dataset.name]
    here = {(row.method, row.device, row.threads, row.hardware, row.phase): row for row in mine}
    places = sorted({(device, threads, hardware) for _, device, threads, hardware, _ in here})
    machines = list(dict.fromkeys(parse(hardware).words for *_, hardware in places))
    cpu, others = [place for place in places if place[0] == "cpu"], [place for place in places if place[0] != "cpu"]
    heads = [Head("Method", number=False), *([] if cpu else [_head("CPU")])]
    for device, threads, hardware in [*cpu, *others]:
        number = f" [{machines.index(parse(hardware).words) + 1}]" if len(machines) > 1 else ""
        heads += [_head(_place(device, threads) + number), Head("First call ↓", "s")]
    heads += [] if others else [_head("CUDA")]
    lines = []
    for method in run.contestants:
        cells = [_cell(here.get((method, *place, phase))) for place in [*cpu, *others] for phase in ("warm", "first")]
        lines.append([name_cell(run, method), *([] if cpu else [NOT_MEASURED]), *cells, *([] if others else [NO_CUDA])])
    caption = f"{dataset.description.display_title}: seconds per registration, {_disturbed(mine)}."
    return Table(caption, heads, lines, [*_unavailable_notes(run, dataset), *_notes(mine, machines)])


def how_to_time(run: Run) -> str:
    """Return what to write into a configuration, so that seconds are measured on the first data set of a run."""
    name = next(iter(run.datasets), "NAME")
    return (
        f"To have seconds measured, write timing: {{datasets: [{name}], pairs: 1, rounds: 5}} into the configuration "
        "and run the same command again; nothing is registered anew for it."
    )


def _disturbed(rows: Sequence[Timing]) -> str:
    """Say how many calls were contended; alone were only those of which it is known."""
    n, contended, unknown = (sum(getattr(row, name) for row in rows) for name in ("n", "contended", "unknown"))
    if not contended and not unknown:
        return "alone on the machine"
    lacking = [f"for {unknown} of {n} calls it is not known whether they were contended"] if unknown else []
    return "; ".join([*([f"{contended} of {n} calls contended"] if contended else []), *lacking])


def _notes(rows: Sequence[Timing], machines: Sequence[str]) -> list[str]:
    """Say what contended means where it occurs, and each hardware once: seconds compare only within one."""
    notes = [f"{WORDS}."] if any(row.contended for row in rows) else []
    for number, words in enumerate(machines):
        places = {
            f"{_place(row.device, row.threads)} {found.place}"
            for row in rows
            if (found := parse(row.hardware)).words == words
        }
        name = f"Hardware [{number + 1}]" if len(machines) > 1 else "Hardware"
        notes.append(f"{name}: {words}. {'; '.join(sorted(places))}.")
    return notes


def _unavailable_notes(run: Run, dataset: Described) -> list[str]:
    """Say which methods could not be timed for want of a library or a device."""
    if run.timing is None:
        return []
    rows = run.timing[(run.timing.dataset == dataset.name) & (run.timing.status == UNAVAILABLE)]
    places = rows[["method", "device", "reason"]].drop_duplicates().itertuples(index=False, name=None)
    return [f"{run.label(method)} on {device.upper()}: not measured: {reason}." for method, device, reason in places]


def _timing(key: tuple[Any, ...], group: pd.DataFrame) -> Timing:
    good = group[group.status == "ok"]
    seconds = good.seconds.astype(float)
    median, q1, q3 = map(float, seconds.quantile([0.5, 0.25, 0.75]))
    known = good.contended.dropna()
    counts = (len(good), len(group) - len(good), int(known.astype(bool).sum()), len(good) - len(known))
    dataset, method, size, grid, precision, device, threads, phase, hardware = key
    what, where = (dataset, method, size, grid, precision), (device, threads, phase, hardware)
    return Timing(*what, *where, median, q1, q3, float(seconds.min()), *counts)


def _head(where: str) -> Head:
    return Head(f"{where} ↓", f"warm median (quartiles from {FEWEST} calls on; n), s")


def _place(device: str, threads: int) -> str:
    return f"CPU, {threads} thread{'s' if threads > 1 else ''}" if device == "cpu" else device.upper()


def _cell(row: Timing | None) -> Text:
    if row is None:
        return NOT_MEASURED
    if not row.n:
        return Text(f"failed ({row.failed})", muted=True, outcome=True)
    middle, low, high = (quantity("seconds", value) for value in (row.median, row.q1, row.q3))
    marked = f", {row.contended} contended" if row.contended else ""
    if row.phase == "first":
        return Text(f"{middle} (contended)" if row.contended else middle)
    spread = f"{low} to {high}; " if row.n >= FEWEST else ""
    return Text(f"{middle} ({spread}{row.n}{marked})")
