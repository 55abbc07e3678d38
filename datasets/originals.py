"""The files that a data set is prepared from: their state, kept so that a later run sees a change.

A preparation runs inside `recording`. Every reader of the project calls `note` before it opens a file, and every search
calls `note_search`, so an importer that uses them has nothing else to do. Where nothing is recorded both do nothing.
What a user's module opens by itself in Python is noted too. Libraries in C open files unseen: see
`datasets.found.note_unseen`.

Size and times are compared first; where they differ, the content decides. The time of the inode is among them: it sees
an edit after which a tool has put back the time of the content.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

MIRROR = "WARPBENCH_MIRROR"
_BELOW = "mirror:"  # stands for the mirror's folder in what is kept, which may lie elsewhere at the next run
# File systems that keep whole seconds (or two) give an edit right after the reading the time of the reading.
COARSE_NS = 3_000_000_000
# No data of a user: the system, Python with its packages, this room, and what programs keep hidden in a home.
_FOREIGN = [*map(Path, ("/proc", "/sys", "/dev", "/etc", "/usr", sys.prefix, sys.base_prefix)), Path(__file__).parent]
_CODE = (".py", ".pyc", ".pyi", ".so", ".pyd")
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


@dataclass(frozen=True)
class Stamp:
    """The state of a file: size in bytes, times of content and of inode in ns, and SHA-256.

    ``mtime`` is 0, which no file has, where the times were too fresh to be trusted.
    """

    size: int
    mtime: int
    ctime: int
    sha256: str

    def fits(self, path: Path) -> bool:
        """Return whether size and times of a file are as they were, so that its content need not be read."""
        return _times(path) == (self.size, self.mtime, self.ctime)


_READING = Stamp(0, 0, 0, "")


@dataclass(frozen=True)
class Search:
    """A search: the folder, the pattern of names (see `datasets.found.search`), and the names that it met."""

    place: str
    pattern: str
    names: tuple[str, ...]


@dataclass
class Originals:
    """All that a preparation read.

    Attributes:
        files: the state of each file, by its path (see `stored`).
        searches: where files were looked for.
        changes: how often a run has found that files have changed; what was made of the data set before is out of date.
        due: the data set is not yet prepared from the files that have changed.
    """

    files: dict[str, Stamp] = field(default_factory=dict[str, Stamp])
    searches: list[Search] = field(default_factory=list[Search])
    changes: int = 0
    due: bool = False


@dataclass(frozen=True)
class _Recording:
    originals: Originals
    prepared: Path
    written: set[str] = field(default_factory=set[str])  # by the preparation itself
    opened: set[str] = field(default_factory=set[str])  # by code that does not call `note`


_RECORDINGS: list[_Recording | None] = [None]  # the last one counts, in all threads


@contextmanager
def recording(prepared: Path) -> Generator[Originals]:
    """Keep what is read and searched within the block, but for files below the folder ``prepared``."""
    now = _Recording(Originals(), Path(os.path.abspath(prepared)))
    _listen()
    with _state(now):
        yield now.originals
    for text in now.opened:  # a temporary file is no original
        if text in now.written or not located(text).exists():
            now.originals.files.pop(text, None)


@contextmanager
def unrecorded() -> Generator[None]:
    """Keep nothing within the block: it reads files that this project has made, or that are none of the data."""
    with _state(None):
        yield


@contextmanager
def _state(now: _Recording | None) -> Generator[None]:
    _RECORDINGS.append(now)
    try:
        yield
    finally:
        _RECORDINGS.pop()


@cache  # a hook stays for ever, so there is one
def _listen() -> None:
    def hear(event: str, values: tuple[object, ...]) -> None:
        if event == "open" and (now := _RECORDINGS[-1]) is not None and isinstance(values[0], str | bytes):
            with suppress(OSError, ValueError):  # the one that opens it gets the error
                _hear(now, Path(os.fsdecode(values[0])), values[1], values[2])

    sys.addaudithook(hear)


def _hear(now: _Recording, path: Path, mode: object, flags: object) -> None:
    """Note a file that is about to be opened, unless the preparation writes it or it is none of the data."""
    text = stored(path)
    if (isinstance(mode, str) and set(mode) & set("wax+")) or (isinstance(flags, int) and flags & _WRITES):
        now.written.add(text)
    elif text not in now.written and text not in now.originals.files and not _is_foreign(now, path):
        now.opened.add(text)
        note(path)


def _is_foreign(now: _Recording, path: Path) -> bool:
    full, home = Path(os.path.abspath(path)), os.path.expanduser("~")
    places = [now.prepared.parent, *_FOREIGN]
    return path.suffix in _CODE or any(map(full.is_relative_to, places)) or str(full).startswith(f"{home}/.")


def note(path: Path, known: Stamp | None = None) -> None:
    """Keep the state of a file that is about to be read; call it before the file is opened.

    Python tells of the files that it opens itself, but not which of those below hidden folders of a home, such as the
    default cache, are data; and libraries in C, such as h5py, tell of none.
    """
    if (now := _RECORDINGS[-1]) is None or not path.is_file():
        return
    text, files = stored(path), now.originals.files
    if not Path(os.path.abspath(path)).is_relative_to(now.prepared) and text not in files:
        files[text] = _READING  # which opens the file
        try:
            files[text] = known or stamp(path)
        except OSError:
            del files[text]
            raise


def checksum_of(path: Path) -> str:
    """Return the SHA-256 of a file that is about to be read, and note it; a recording hashes it once."""
    note(path)
    now = _RECORDINGS[-1]
    noted = now.originals.files.get(stored(path)) if now else None
    return (noted or stamp(path)).sha256


def is_noted(place: Path) -> bool:
    """Return whether what is recorded tells of a file, or of a search in or around a folder."""
    if (now := _RECORDINGS[-1]) is None or stored(place) in now.originals.files:
        return True
    full, searches = Path(os.path.abspath(place)), [located(each.place) for each in now.originals.searches]
    return now.prepared.is_relative_to(full) or any(
        each.is_relative_to(full) or full.is_relative_to(each) for each in searches
    )


def note_search(place: Path | str, pattern: str, names: list[str]) -> None:
    """Keep what a search met; a ``place`` in text is one below a mirror that is not there yet."""
    if (now := _RECORDINGS[-1]) is not None:
        where = f"{_BELOW}{place}" if isinstance(place, str) else stored(place)
        now.originals.searches.append(Search(where, pattern, tuple(names)))


def stamp(path: Path, known: Stamp | None = None) -> Stamp:
    """Return the state of a file; its content is not read where size and times are those that are ``known``."""
    if known is not None and known.fits(path):
        return known
    size, mtime, ctime = _times(path)
    if max(mtime, ctime) > time.time_ns() - COARSE_NS:
        mtime = 0
    with open(path, "rb") as stream:
        return Stamp(size, mtime, ctime, hashlib.file_digest(stream, "sha256").hexdigest())


def stored(path: Path) -> str:
    """Return the text that stands for a path in what is kept."""
    path, mirror = Path(os.path.abspath(path)), os.environ.get(MIRROR)
    if mirror and path.is_relative_to(os.path.abspath(mirror)):
        return f"{_BELOW}{path.relative_to(os.path.abspath(mirror))}"
    return str(path)


def located(text: str) -> Path:
    """Return the path that a kept text stands for today; below no mirror it is one that does not exist."""
    if not text.startswith(_BELOW):
        return Path(text)
    mirror = os.environ.get(MIRROR)
    return Path(os.path.abspath(mirror) if mirror else f"${MIRROR}", text.removeprefix(_BELOW))


def complete(originals: Originals) -> Originals:
    """Return what was kept without repetition: names of files that were read stand there with their state."""
    read = set(originals.files)
    searches = [
        replace(each, names=tuple(name for name in each.names if stored(located(each.place) / name) not in read))
        for each in dict.fromkeys(originals.searches)
    ]
    return Originals(originals.files, searches)


def _times(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns
