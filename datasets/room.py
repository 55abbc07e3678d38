"""How much room there is on a disk, and sizes in words."""

from __future__ import annotations

import shutil
from pathlib import Path

SPARE = 2**28  # bytes that a disk keeps for everything else
_UNITS = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3))


def in_words(size: float) -> str:
    """Return a number of bytes with a unit, such as ``1.4 GB``."""
    unit, worth = next((each for each in _UNITS if size >= each[1]), ("bytes", 1.0))
    return f"{size / worth:.3g} {unit}" if size < 999.5 * worth else f"{size / worth:.0f} {unit}"


def free(folder: Path) -> int:
    """Return the bytes that can be written below a folder, which need not exist yet."""
    there = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.is_dir())
    return shutil.disk_usage(there).free


def lack_of_room(folder: Path, size: float, *, spare: int = SPARE) -> str:
    """Return in words that ``size`` bytes, and ``spare`` ones besides, do not fit below a folder; "" where they do."""
    if size <= 0 or size + spare <= (there := free(folder)):
        return ""
    return f"{in_words(size)} do not fit into {folder}, where {in_words(there)} are free"
