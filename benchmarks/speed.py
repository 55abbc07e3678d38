"""Turn a pytest-benchmark file into ratios: ``python -m benchmarks.speed results/bench/speed.json``.

Writes ``speed.csv`` beside it, one row per kernel, size and peer: our median, the peer's, and how many times longer the
peer took. Ratios of one session carry over to another machine; seconds do not.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

COLUMNS = ["name", "ours_s", "peer", "peer_s", "ratio", "threads", "device"]


def ratios(benchmarks: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """One row per kernel and peer of the entries of a pytest-benchmark file; ``ratio`` is peer over ours.

    A kernel without a peer keeps its seconds and has an empty peer.
    """
    return pd.DataFrame(list(_rows(benchmarks)), columns=COLUMNS)


def _rows(benchmarks: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for group in dict.fromkeys(entry["group"] for entry in benchmarks):
        entries = {e["extra_info"]["who"]: e for e in benchmarks if e["group"] == group}
        if "ours" not in entries:
            continue
        ours = entries.pop("ours")
        seconds = ours["stats"]["median"]
        about = {"name": group, "ours_s": seconds, **{k: ours["extra_info"][k] for k in ("threads", "device")}}
        for peer, entry in entries.items():
            median = entry["stats"]["median"]
            yield {**about, "peer": peer, "peer_s": median, "ratio": median / seconds}
        if not entries:
            yield {**about, "peer": "", "peer_s": float("nan"), "ratio": float("nan")}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    path = parser.parse_args(arguments).file
    try:
        table = ratios(json.loads(path.read_text(encoding="utf-8"))["benchmarks"])
    except (OSError, json.JSONDecodeError, KeyError) as error:
        sys.exit(f"error: {path}: not a pytest-benchmark file ({error})")
    table.to_csv(path.with_suffix(".csv"), index=False, float_format="%.6g")
    sys.stdout.write(table.to_string(index=False, float_format="%.4g") + "\n")


if __name__ == "__main__":
    main()
