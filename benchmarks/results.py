"""The tables that a run leaves: tidy rows (`benchmarks.rows`) in Parquet, validated, sorted by key, written whole."""

# pyright: reportUnknownMemberType=false
# (the stubs of pyarrow leave members half typed)
from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pandas.api.types import union_categoricals

from benchmarks.records import UNAVAILABLE, Status
from benchmarks.rows import MetricRow, RunRow, TimingRow
from datasets.files import DataError, replacing

Kind = Literal["metrics", "runs", "timing"]
Row = MetricRow | RunRow | TimingRow
Rows = pd.DataFrame | Sequence[Row] | Sequence[Mapping[str, object]]

# ``unavailable`` is only of timed calls: what could not run for want of a library or a device has no other rows.
STATUSES = (*get_args(Status), UNAVAILABLE)

ROWS: Mapping[Kind, type] = {"metrics": MetricRow, "runs": RunRow, "timing": TimingRow}
KEYS: Mapping[Kind, tuple[str, ...]] = {
    "metrics": ("dataset", "pair", "method", "seed", "metric", "protocol", "region"),
    "runs": ("run",),
    "timing": (
        *("dataset", "pair", "method", "seed", "size", "grid", "precision", "device", "threads", "round"),
        "hardware",  # rows of two machines may stand in one table
    ),
}
RUN_LEVEL = "*"  # the pair of a row that is of a whole run, such as the size of a network
VALUE: Mapping[Kind, str] = {"metrics": "value", "timing": "seconds"}  # what a failed row lacks
PIECE = 4096  # rows that `gather` holds as objects, a kilobyte each
GROUP = 2**17  # rows that `write` turns into Parquet's form at a time
DEFINED = ("tre", "folding_count", "parameters", "macs")  # metrics that no sound pair leaves without a number
_union: Any = union_categoricals  # its stub knows no series
_ARROW: Mapping[object, pa.DataType] = {
    str: pa.string(),
    int: pa.int64(),
    bool | None: pa.bool_(),
    float | None: pa.float64(),
}
_TYPES: Mapping[pa.DataType, tuple[type, ...]] = {
    pa.string(): (str,),
    pa.int64(): (int, np.integer),
    pa.bool_(): (bool, np.bool_),
    pa.float64(): (int, float, np.integer, np.floating),
}
COLUMNS: Mapping[Kind, Mapping[str, pa.DataType]] = {
    kind: {name: _ARROW[hint] for name, hint in get_type_hints(row).items()} for kind, row in ROWS.items()
}


class ResultsError(DataError):
    """Rows or files of results that break the schema: the message says which and how."""


def write(path: Path, rows: Rows, kind: Kind) -> None:
    """Check rows, sort them by their key and write them to a Parquet file, at once and whole.

    Equal rows give equal bytes (with one version of pyarrow). Raises `ResultsError` for missing or unknown columns,
    values of the wrong type, missing or infinite values, an unknown status, a failure with a value or without a
    reason, and a key that occurs twice.
    """
    path = Path(path)
    frame, schema = validate(rows, kind, where=str(path)), pa.schema(COLUMNS[kind].items())
    with replacing(path) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as out:
        for start in range(0, max(len(frame), 1), GROUP):
            out.write_table(_table(frame.iloc[start : start + GROUP], kind, str(path)))


def encode(rows: Rows, kind: Kind) -> bytes:
    """Return what `write` writes."""
    buffer = io.BytesIO()
    pq.write_table(_table(validate(rows, kind), kind, kind), buffer, compression="zstd")
    return buffer.getvalue()


def read(path: Path, kind: Kind) -> pd.DataFrame:
    """Read a table written by `write`; raise `ResultsError` when it is missing, or for what `decode` refuses."""
    try:
        return decode(Path(path).read_bytes(), kind, where=str(path))
    except FileNotFoundError as error:
        raise ResultsError(f"{path}: no such file") from error
    except OSError as error:
        raise ResultsError(f"{path}: cannot be read ({error.strerror})") from error


def decode(content: bytes, kind: Kind, *, where: str) -> pd.DataFrame:
    """Return the table that `encode` made into bytes, sorted by key.

    Raises:
        ResultsError: it is damaged, of another kind, or has rows that `write` refuses: not all tables come from there.
    """
    try:
        # On this thread alone: some of the library's own outlive the interpreter now and then, and abort it.
        table = pq.ParquetFile(pa.BufferReader(content)).read(use_threads=False)
    except (OSError, pa.ArrowException) as error:
        raise ResultsError(f"{where}: not a readable Parquet file, perhaps truncated ({error})") from error
    if table.column_names != list(COLUMNS[kind]):
        raise ResultsError(f"{where}: not a {kind} table, its columns are {', '.join(table.column_names)}")
    frame = table.to_pandas(use_threads=False)
    if frame.empty:  # its columns of text have no piece at all then, and two of such columns pandas cannot join
        frame = pd.DataFrame({name: pd.Series([], dtype=dtype) for name, dtype in frame.dtypes.items()})
    return validate(frame, kind, where=where)


def concat(paths: Iterable[Path], kind: Kind = "metrics") -> pd.DataFrame:
    """Read several tables as one, sorted by key; raise `ResultsError` when a key occurs in two of them."""
    frames = [read(Path(path), kind) for path in paths]
    if not frames:
        return _frame([], kind, "concat")
    return validate(pd.concat(frames, ignore_index=True), kind, where=f"{len(frames)} {kind} tables together")


def gather(rows: Iterable[Row], kind: Kind, *, where: str = "rows") -> pd.DataFrame:
    """Return the frame of `validate` from rows that come one after the other; its texts are categories, in order.

    A row takes some 30 bytes, where a list of rows takes a kilobyte for each.
    """
    pieces = [_compact(_frame(piece, kind, where)) for piece in _pieces(iter(rows))]
    if not pieces:
        return validate([], kind, where=where)
    columns = {name: _joined([piece[name] for piece in pieces]) for name in COLUMNS[kind]}
    pieces.clear()
    return validate(pd.DataFrame(columns, copy=False), kind, where=where)


def _pieces(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while piece := list(islice(rows, PIECE)):
        yield piece


def _compact(frame: pd.DataFrame) -> pd.DataFrame:
    texts = [name for name in frame if pd.api.types.is_string_dtype(frame[name])]
    return frame.astype(dict.fromkeys(texts, "category"))


def _joined(pieces: Sequence[pd.Series]) -> pd.Series:
    if all(isinstance(piece.dtype, pd.CategoricalDtype) for piece in pieces):
        return pd.Series(_union(list(pieces), sort_categories=True))
    return pd.concat(pieces, ignore_index=True)


def validate(rows: Rows, kind: Kind, *, where: str = "rows") -> pd.DataFrame:
    """Return rows as a frame in the schema's column order, sorted by key; see `write` for what is refused."""
    frame = _frame(rows, kind, where)
    for column in frame.columns:
        _check_column(frame, str(column), kind, where)
    if kind in VALUE:
        _check_statuses(frame, VALUE[kind], where)
    key = list(KEYS[kind])
    if (twice := frame.duplicated(key)).any():
        first = frame.loc[twice, key].iloc[0]
        raise ResultsError(f"{where}: {int(twice.sum())} rows repeat a key, first {', '.join(map(str, first))}")
    return frame.sort_values(key, kind="stable", ignore_index=True)


def _frame(rows: Rows, kind: Kind, where: str) -> pd.DataFrame:
    if kind not in COLUMNS:
        raise ResultsError(f"{where}: kind must be one of {', '.join(COLUMNS)}, got {kind!r}")
    expected = list(COLUMNS[kind])
    if not isinstance(rows, pd.DataFrame):
        rows = pd.DataFrame(list(rows)) if len(rows) else pd.DataFrame(columns=expected)
    for name, columns in (
        ("missing", [c for c in expected if c not in rows]),
        ("unknown", [c for c in rows if c not in expected]),
    ):
        if columns:
            raise ResultsError(f"{where}: {name} column{'s' * (len(columns) > 1)} {', '.join(map(str, columns))}")
    return rows[expected]


def _check_column(frame: pd.DataFrame, name: str, kind: Kind, where: str) -> None:
    column, wanted = frame[name], COLUMNS[kind][name]
    missing = column.isna()
    if missing.any() and wanted not in (pa.bool_(), pa.float64()):
        raise ResultsError(f"{where}: column {name} misses a value in {_row(frame, missing, kind)}")
    for value in column[~missing].unique():
        fault = ""
        if not isinstance(value, _TYPES[wanted]) or (type(value) in _TYPES[pa.bool_()] and wanted != pa.bool_()):
            fault = f"must be {wanted}, got {value!r}"
        elif wanted == pa.float64() and not np.isfinite(value):
            fault = f"must be finite or NaN, got {value}"
        if fault:
            raise ResultsError(f"{where}: column {name} {fault} in {_row(frame, column == value, kind)}")


def _row(frame: pd.DataFrame, chosen: pd.Series, kind: Kind) -> str:
    """Return the first of some rows in words: its number in the table, from 0, and its key."""
    number = int(np.argmax(chosen.to_numpy(bool)))
    return f"row {number} ({', '.join(str(frame[name].iloc[number]) for name in KEYS[kind])})"


def _check_statuses(frame: pd.DataFrame, value: str, where: str) -> None:
    known = frame["status"].isin(STATUSES)
    if not known.all():
        raise ResultsError(
            f"{where}: unknown status {frame.loc[~known, 'status'].iloc[0]!r}, expected one of {', '.join(STATUSES)}"
        )
    failed = frame[frame["status"] != "ok"]
    wrong = failed[failed[value].notna() | (failed["reason"] == "")]
    if len(wrong):
        row = wrong.iloc[0]
        raise ResultsError(
            f"{where}: pair {row['pair']} of {row['method']} is {row['status']}: it needs a reason and no {value}, "
            f"got reason {row['reason']!r} and {value} {row[value]}"
        )
    lacking = (frame["status"] == "ok") & frame[value].isna()
    if "metric" in frame:
        lacking &= frame["metric"].isin(DEFINED)
    if lacking.any():
        kind: Kind = "metrics" if "metric" in frame else "timing"
        raise ResultsError(f"{where}: status ok and no {value} in {_row(frame, lacking, kind)}; it was lost")


def _table(frame: pd.DataFrame, kind: Kind, where: str) -> pa.Table:
    schema = pa.schema(COLUMNS[kind].items())
    try:
        # The pandas metadata would tie the file's bytes to the version of pandas.
        return pa.Table.from_pandas(frame, schema=schema, preserve_index=False).replace_schema_metadata(None)
    except (pa.ArrowException, TypeError) as error:
        raise ResultsError(f"{where}: {error}") from error
