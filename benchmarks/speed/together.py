"""Several runs of ``make bench`` beside each other: the median of each ratio, and how far the runs lie apart."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from benchmarks.speed.measurement import SpeedRow

KEY = ["name", "grid", "threads", "precision", "device", "peer"]


def medians(runs: Sequence[Sequence[SpeedRow]]) -> pd.DataFrame:
    """Return a row for each kernel, number of threads, precision and peer.

    ``ratio`` is the median over the ``runs`` that have it, ``ratio_low`` and ``ratio_high`` the least and the largest;
    ``limit_ratio`` is the median of what this machine would allow at best, ``load_high`` the largest load average
    before one of the tests.
    """
    table = pd.concat([pd.DataFrame([vars(row) for row in run]) for run in runs], ignore_index=True)
    numbers = table.groupby(KEY, sort=False).agg(
        ours_s=("ours_s", "median"),
        peer_s=("peer_s", "median"),
        ratio=("ratio", "median"),
        ratio_low=("ratio", "min"),
        ratio_high=("ratio", "max"),
        limit_s=("limit_s", "median"),
        limit_ratio=("limit_ratio", "median"),
        runs=("ours_s", "size"),
        load_high=("load", "max"),
    )
    return numbers.reset_index()
