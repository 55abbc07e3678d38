"""The files that a user gives to a method by its options: fields made elsewhere, and the like."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path


def given_files(paths: Iterable[Path]) -> list[Path]:
    """Return files, and those that lie in folders, as far as they are there."""
    found: list[Path] = []
    for path in paths:
        with contextlib.suppress(OSError):
            inside = path.iterdir() if path.is_dir() else [path]
            found += [each for each in inside if each.is_file() and not each.name.startswith(".")]
    return sorted(found)
