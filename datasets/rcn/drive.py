"""The four archives on Google Drive: unpacked where they lie, or fetched by gdown where that is installed.

gdown (``pip install "gdown>=6"``) knows Drive's page that asks for a confirmation. Its daily quota it cannot lift: that
is told apart from a broken line, and the way by hand is named.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from datasets import locks
from datasets.archives import names_in_zip, unpack
from datasets.download import cache_folder
from datasets.files import DataError, one_line
from datasets.found import search
from datasets.originals import unrecorded
from datasets.rcn.lists import DRIVE, FOLDER, SIZES, Archive
from datasets.room import lack_of_room
from datasets.transfer import TIMEOUT, USUAL, Progress, Tries
from datasets.webpage import page_at

logger = logging.getLogger(__name__)
PACKAGE = 'pip install "gdown>=6"'
_QUOTA = ("quota", "too many users", "cannot retrieve the public link", "have had many accesses")


def can_fetch() -> bool:
    """Return whether the package is there that fetches from Drive."""
    return find_spec("gdown") is not None


def packed(files: Sequence[str], places: Sequence[Path]) -> dict[str, Path]:
    """Return which archive below some folders has each file, of those that any has."""
    found = dict[str, Path]()
    for archive in [archive for place in places for archive in search(place, r".*\.zip")]:
        found = {**_held(archive, files), **found}
    return found


def bring(files: Sequence[str], places: Sequence[Path], tries: Tries = USUAL) -> None:
    """Put files that are missing into the cache: out of archives below ``places``, or of those that gdown fetches.

    What cannot be had is still missing afterwards; a line of the log says why.

    Raises:
        DataError: an archive is damaged, or the disk has no room.
    """
    with unrecorded():  # what is imported are the files within
        here = packed(files, places)
        for archive in dict.fromkeys(here.values()):
            _unpack(archive, [file for file in files if here.get(file) == archive])
        left = [file for file in files if file not in here]
        for archive in dict.fromkeys(DRIVE[file] for file in left) if can_fetch() else ():
            _bring(archive, [file for file in left if DRIVE[file] == archive], tries)


def _bring(archive: Archive, files: Sequence[str], tries: Tries) -> None:
    path = cache_folder() / FOLDER / archive.file
    with locks.hold(path.with_name(f"{path.name}.lock")):  # two runs may share the cache
        if all((path.parent / file).exists() for file in files) or not _fetched(archive, files, path, tries):
            return
        if lost := set(files) - set(_held(path, files)):
            raise DataError(f"{path}: holds no {', '.join(sorted(lost))}; is it another archive? delete it")
        whole = [file for file in DRIVE if DRIVE[file] == archive]  # others may be wanted next
        _unpack(path, list(_held(path, whole)))
        path.unlink()


def _unpack(archive: Path, files: Sequence[str]) -> None:
    inside = _names(archive)
    unpack(archive, {inside[file.lower()]: cache_folder() / FOLDER / file for file in files})


def _held(archive: Path, files: Sequence[str]) -> dict[str, Path]:
    """Return the archive under each of some files that it has."""
    inside = _names(archive)
    return {file: archive for file in files if file.lower() in inside}


def _names(archive: Path) -> dict[str, str]:
    """Return what the files of an archive are called there, by their names without folders."""
    return {name.replace("\\", "/").rpartition("/")[2].lower(): name for name in names_in_zip(archive)}


def _fetched(archive: Archive, files: Sequence[str], path: Path, tries: Tries) -> bool:
    """Fetch an archive by gdown, going on with what has come of it; return whether that went well."""
    size = sum(SIZES[file] for file in files)
    if fault := lack_of_room(path.parent, 2 * size):  # packed and unpacked
        raise DataError(f"{archive.title}: {fault}; make room, or set WARPBENCH_CACHE to a folder on another disk")
    path.parent.mkdir(parents=True, exist_ok=True)
    for number in range(tries.retries + 1):
        why, final = _asked(archive, path)
        if not why:
            return True
        logger.warning("%s from %s: %s", archive.title, archive.url, why)
        if final or number == tries.retries:
            return False
        time.sleep(tries.pause * 2**number)
    return False


def _asked(archive: Archive, path: Path) -> tuple[str, bool]:
    """Ask for an archive once; return why it did not come ("" where it did), and whether asking again is in vain."""
    gdown: Any = import_module("gdown")  # a package that only this needs
    told = Progress(path.name, 0, 0)

    def tell(done: int, whole: int | None) -> None:
        told.whole = whole or 0
        told.tell(done)

    try:
        gdown.download(id=archive.id, output=str(path), quiet=True, resume=True, timeout=TIMEOUT, progress=tell)
    except Exception as error:  # whatever its parts raise
        text = one_line(error)
        spent = any(word in text.lower() for word in _QUOTA)
        if spent:
            return (
                "Google Drive's daily quota of this file is spent; try again tomorrow, or in a browser, signed in",
                True,
            )
        return f"{type(error).__name__}: {text[:300]}", type(error).__name__ == "FileURLRetrievalError"
    if said := page_at(path):
        path.unlink()
        return f"a web page came instead of the archive: {said}", True
    return "", False
