"""Turn a pytest-benchmark file into ratios: ``python -m benchmarks.speed results/bench/speed.json``.

Writes ``speed.csv`` beside it, one row per kernel, size and peer: our median, the peer's, and how many times longer the
peer took. Ratios of one session carry over to another machine; seconds do not.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

COLUMNS = ["name", "ours_s", "peer", "peer_s", "ratio", "threads", "device"]


def ratios(entries: pd.DataFrame) -> pd.DataFrame:
    """Return one row per kernel and peer of the entries of a pytest-benchmark file; ``ratio`` is peer over ours.

    A kernel without a peer keeps its seconds and has an empty peer.
    """
    rows: list[tuple[object, ...]] = []
    for group, timed in entries.groupby("group", sort=False):
        seconds = timed.set_index("extra_info.who")["stats.median"]
        for _, our in timed[timed["extra_info.who"] == "ours"].iterrows():
            peers = seconds.drop("ours") if len(seconds) > 1 else pd.Series({"": float("nan")})
            where = (our["extra_info.threads"], our["extra_info.device"])
            rows += [(group, seconds["ours"], who, peer, peer / seconds["ours"], *where) for who, peer in peers.items()]
    return pd.DataFrame(rows, columns=COLUMNS)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    path = parser.parse_args(arguments).file
    try:
        table = ratios(pd.json_normalize(json.loads(path.read_text(encoding="utf-8"))["benchmarks"]))
    except (OSError, json.JSONDecodeError, KeyError) as error:
        sys.exit(f"error: {path}: not a pytest-benchmark file ({error})")
    table.to_csv(path.with_suffix(".csv"), index=False, float_format="%.6g")
    sys.stdout.write(table.to_string(index=False, float_format="%.4g") + "\n")


if __name__ == "__main__":
    main()
