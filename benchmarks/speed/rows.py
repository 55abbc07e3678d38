"""From pytest-benchmark's file to rows: one for each kernel, grid, number of threads, precision and peer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from benchmarks.speed.ceilings import Ceiling, Limit, ceilings, limit_of
from benchmarks.speed.measurement import Measurement, Series, SpeedRow
from datasets.files import DataError, one_line


def read(path: Path) -> list[SpeedRow]:
    """Return the rows of a file; raise `DataError` for one that `benchmarks.speed.duel` has not filled."""
    try:
        entries: list[Any] = json.loads(path.read_text(encoding="utf-8"))["benchmarks"]
        timed = [(_measurement(each), each["stats"]) for each in entries]
        rates = ceilings((measured, float(stats["min"])) for measured, stats in timed)
        return [row for measured, stats in timed for row in rows_of(measured, stats["median"], stats["rounds"], rates)]
    except (OSError, ValueError, KeyError, TypeError, msgspec.ValidationError) as error:
        raise DataError(f"{path}: not a file of `make bench` ({one_line(error)}); run it again") from error


def rows_of(measured: Measurement, seconds: float, rounds: int, rates: Sequence[Ceiling] = ()) -> Iterator[SpeedRow]:
    """Yield the rows of one test, whose own call took a median of ``seconds`` over so many rounds."""
    peers = list(measured.peers())
    for own in measured.own((seconds,)):
        limit = limit_of(measured.work, own, rates)
        for peer in [each for each in peers if _comparable(own, each)] or [None]:
            yield _limited(_row(measured, own, peer, rounds), limit)


def _limited(row: SpeedRow, limit: Limit | None) -> SpeedRow:
    if limit is None:
        return row
    ratio = None if row.peer_s is None else row.peer_s / limit.seconds
    return replace(row, limit_s=limit.seconds, limit_ratio=ratio, limit_by=limit.by)


def _row(measured: Measurement, own: Series, peer: Series | None, rounds: int) -> SpeedRow:
    ours, theirs = median(own.seconds), median(peer.seconds) if peer and peer.seconds else None
    return SpeedRow(
        name=measured.name,
        grid="x".join(map(str, measured.grid)),
        threads=own.threads,
        precision=own.precision,
        device=measured.device,
        ours_s=ours,
        peer=peer.who if peer else "",
        peer_s=theirs,
        ratio=None if theirs is None else theirs / ours,
        n=rounds,
        load=measured.load,
        ours_cpu_s=min(own.cpu, default=None),
        peer_cpu_s=min(peer.cpu, default=None) if peer else None,
        note=peer.reason if peer else "",
    )


def _comparable(own: Series, peer: Series) -> bool:
    """A peer in single precision is what everyone starts from; one in mixed precision only meets ours in it."""
    return peer.precision == "float32" or own.precision == "mixed"


def _measurement(benchmark: Any) -> Measurement:
    return msgspec.convert(benchmark["extra_info"], Measurement)
