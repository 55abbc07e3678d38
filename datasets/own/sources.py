"""Where data of a user's own lie, and which form says what they are: Learn2Reg's, or a table."""

from __future__ import annotations

from pathlib import Path

from datasets.download import hand_placed
from datasets.files import DataError
from datasets.own.learn2reg import find_json, read_learn2reg
from datasets.own.listing import Listing
from datasets.own.options import Params
from datasets.own.table import is_table, read_table


def source_of(params: Params) -> Path:
    """Return the folder, JSON or CSV of the data; raise `DataError` where it is not there."""
    if params.folder is not None:
        path = params.folder.expanduser()
        if not path.exists():
            raise DataError(f"{path}: no such folder; correct the option `folder`, which is relative to its file")
        return path
    if not params.collection:
        raise DataError("no folder is named; write `folder: ...` below params of this data set")
    places = hand_placed(params.collection)
    for path in places:
        if path.is_dir():
            return path
    raise DataError(f"{places[-1]}: no such folder; {params.obtain or 'put the data there, or name another `folder`'}")


def read_listing(params: Params) -> Listing:
    """Return what the folder of a data set says, by its ``*_dataset.json`` or its CSV.

    Raises:
        DataError: there is no such folder, or nothing in it says what the pairs are.
    """
    source = source_of(params)
    path = source if source.is_file() else find_json(source) or _table_in(source)
    if path.suffix.lower() == ".json":
        return read_learn2reg(path, params.pairs, params.landmarks)
    return read_table(path)


def _table_in(folder: Path) -> Path:
    """Return the one CSV of a folder that names pairs."""
    found = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in (".csv", ".tsv") and is_table(path)]
    if len(found) == 1:
        return found[0]
    if found:
        raise DataError(
            f"{folder}: {', '.join(path.name for path in found)} all name pairs; say which is meant by `folder`"
        )
    others = [path.name for path in sorted(folder.iterdir()) if path.suffix.lower() in (".csv", ".tsv", ".json")]
    here = f" ({', '.join(others[:4])} begins otherwise)" if others else ""
    raise DataError(
        f"{folder}: neither a *_dataset.json (Learn2Reg) nor a CSV whose first line names the columns fixed and "
        f"moving, in UTF-8{here}; docs/own-data.md shows both"
    )
