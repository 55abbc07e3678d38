"""The rows of archives: read, and set beside those of another."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks import results
from reports.archive.packed import Archive, ArchiveError

ROWS: dict[results.Kind, str] = {
    "metrics": "rows/metrics.parquet",
    "runs": "rows/runs.parquet",
    "timing": "rows/timing.parquet",
}
SAME = 1e-6  # relative: what the order of a sum changes is no difference
FIRST, SECOND = "_first", "_second"


def rows_of(archive: Archive, kind: results.Kind) -> pd.DataFrame:
    """Return the rows of an archive.

    Raises:
        ArchiveError: the table is not there, not readable, of another version of the columns, or breaks their rules,
            such as one that has a key twice.
    """
    if ROWS[kind] not in archive.content:
        raise ArchiveError(f"{archive.path}: lacks {ROWS[kind]}; make it again from its run")
    try:
        return results.decode(archive.content[ROWS[kind]], kind, where=f"{archive.path}: {ROWS[kind]}")
    except results.ResultsError as error:
        raise ArchiveError(str(error)) from error


def side_by_side(one: pd.DataFrame, other: pd.DataFrame, kind: results.Kind) -> pd.DataFrame:
    """Return a row for each key of two tables, with value and status of both and ``side``: both or either."""
    columns = [*results.KEYS[kind], results.VALUE[kind], "status"]
    both = one[columns].merge(
        other[columns], on=list(results.KEYS[kind]), how="outer", suffixes=(FIRST, SECOND), indicator="side"
    )
    return both.astype({"side": str})


def differing(one: pd.DataFrame, other: pd.DataFrame, kind: results.Kind) -> pd.DataFrame:
    """Return the rows that two tables have in common and that do not say the same."""
    both, value = side_by_side(one, other, kind), results.VALUE[kind]
    both = both[both.side == "both"]
    first, second = both[value + FIRST].astype(float), both[value + SECOND].astype(float)
    close = np.isclose(first, second, rtol=SAME, atol=1e-12, equal_nan=True)
    return both[~close | (both["status" + FIRST] != both["status" + SECOND])]
