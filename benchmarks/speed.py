"""Turn a pytest-benchmark file into ratios: ``python -m benchmarks.speed results/bench/speed.json``.

Writes ``speed.csv`` beside it, one row per kernel, size and peer: our median, the peer's, and how many times longer the
peer took. Ratios of one session carry over to another machine; seconds do not.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pandas as pd

COLUMNS = ["name", "ours_s", "peer", "peer_s", "ratio", "threads", "device"]


@dataclass(frozen=True)
class Info:
    """The circumstances of one test: who was timed, on how many threads and which device."""

    who: str
    threads: int
    device: str


@dataclass(frozen=True)
class Stats:
    """Seconds of one test."""

    median: float


@dataclass(frozen=True)
class Timed:
    """One entry of a pytest-benchmark file; a group is one kernel at one size."""

    group: str
    extra_info: Info
    stats: Stats


@dataclass(frozen=True)
class Session:
    """A pytest-benchmark file."""

    benchmarks: list[Timed]


def ratios(benchmarks: Sequence[Timed]) -> pd.DataFrame:
    """Return one row per kernel and peer of the entries of a pytest-benchmark file; ``ratio`` is peer over ours.

    A kernel without a peer keeps its seconds and has an empty peer.
    """
    return pd.DataFrame(list(_rows(benchmarks)), columns=COLUMNS)


def _rows(benchmarks: Sequence[Timed]) -> Iterator[tuple[str | float, ...]]:
    for group in dict.fromkeys(timed.group for timed in benchmarks):
        by_who = {timed.extra_info.who: timed for timed in benchmarks if timed.group == group}
        if "ours" not in by_who:
            continue
        ours = by_who.pop("ours")
        seconds, where = ours.stats.median, (ours.extra_info.threads, ours.extra_info.device)
        for peer, timed in by_who.items():
            yield group, seconds, peer, timed.stats.median, timed.stats.median / seconds, *where
        if not by_who:
            yield group, seconds, "", float("nan"), float("nan"), *where


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    path = parser.parse_args(arguments).file
    try:
        table = ratios(msgspec.json.decode(path.read_bytes(), type=Session).benchmarks)
    except (OSError, msgspec.MsgspecError) as error:
        sys.exit(f"error: {path}: not a pytest-benchmark file ({error})")
    table.to_csv(path.with_suffix(".csv"), index=False, float_format="%.6g")
    sys.stdout.write(table.to_string(index=False, float_format="%.4g") + "\n")


if __name__ == "__main__":
    main()
