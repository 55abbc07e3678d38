"""Where the files of the preprocessed sets lie: below the option ``source``, the mirror or the cache."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from datasets.download import hand_placed, put_into
from datasets.files import DataError
from datasets.found import search
from datasets.rcn import drive
from datasets.rcn.lists import DRIVE, FOLDER, SIZES
from datasets.supply import Extent, Piece, Supply

STEPS = (
    f"{drive.PACKAGE} and run again, or download the archives in a browser (the page asks for a confirmation and has a "
    "daily quota), zipped or unpacked",
)


def supply_of(files: Sequence[str], source: str | None, licence: str, extent: Extent) -> Supply:
    """Return which of some files are there, and how to get the others."""
    places = hand_placed(FOLDER, source)
    found, comes = _present(files, places), drive.can_fetch()
    packed = drive.packed([file for file in files if found[file] is None], places)
    pieces = (Piece(file, _origin(file), SIZES[file], found[file] or packed.get(file), comes) for file in files)
    return Supply(licence, tuple(pieces), put_into(FOLDER), STEPS, extent)


def find_files(files: Sequence[str], source: str | None = None) -> dict[str, Path]:
    """Find each file below ``source``, the mirror folder or the cache, in this order; raise `DataError` with advice.

    Archives that lie there are unpacked into the cache, and missing ones are fetched where gdown is installed.
    """
    places = hand_placed(FOLDER, source)
    if missing := [file for file, path in _present(files, places).items() if path is None]:
        drive.bring(missing, places)
    found = _present(files, places)
    if missing := [file for file, path in found.items() if path is None]:
        pieces = tuple(Piece(file, _origin(file), SIZES[file]) for file in missing)
        where = " or ".join(map(str, places))
        raise DataError(f"not found below {where}: {Supply('', pieces, put_into(FOLDER), STEPS).lack()}")
    return {file: path for file, path in found.items() if path is not None}


def _origin(file: str) -> str:
    return f"{DRIVE[file].title}, {DRIVE[file].url}"


def _present(files: Sequence[str], places: Sequence[Path]) -> dict[str, Path | None]:
    return {file: next(filter(None, (_below(place, file) for place in places)), None) for file in files}


def _below(place: Path, file: str) -> Path | None:
    """Return the one file of this name at any depth: the archives bring a folder of their own."""
    found = search(place, re.escape(file))
    if len(found) > 1:
        raise DataError(f"{place}: {file} is there {len(found)} times ({', '.join(map(str, found))}); keep one")
    return found[0] if found else None
