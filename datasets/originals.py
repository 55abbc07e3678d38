"""The files that a data set is prepared from: their state, kept so that a later run sees a change.

A preparation runs inside `recording`. Every reader of the project calls `note` before it opens a file, and every search
calls `note_search`, so an importer that uses them has nothing else to do. Where nothing is recorded both do nothing.

Size and times are compared first; where they differ, the content decides. The time of the inode is among them: it sees
an edit after which a tool has put back the time of the content.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path

MIRROR = "WARPBENCH_MIRROR"
_BELOW = "mirror:"  # stands for the mirror's folder in what is kept, which may lie elsewhere at the next run
# File systems that keep whole seconds (or two) give an edit right after the reading the time of the reading.
COARSE_NS = 3_000_000_000


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


_RECORDING: ContextVar[_Recording | None] = ContextVar("recording", default=None)


@contextmanager
def recording(prepared: Path) -> Generator[Originals]:
    """Keep what is read and searched within the block, but for files below the folder ``prepared``."""
    originals = Originals()
    token = _RECORDING.set(_Recording(originals, Path(os.path.abspath(prepared))))
    try:
        yield originals
    finally:
        _RECORDING.reset(token)


@contextmanager
def unrecorded() -> Generator[None]:
    """Keep nothing within the block: it reads files that this project has made."""
    token = _RECORDING.set(None)
    try:
        yield
    finally:
        _RECORDING.reset(token)


def note(path: Path, known: Stamp | None = None) -> None:
    """Keep the state of a file that is about to be read; call it before the file is opened."""
    if (now := _RECORDING.get()) is None or not path.is_file():
        return
    if not Path(os.path.abspath(path)).is_relative_to(now.prepared) and stored(path) not in now.originals.files:
        now.originals.files[stored(path)] = known or stamp(path)


def note_search(place: Path | str, pattern: str, names: list[str]) -> None:
    """Keep what a search met; a ``place`` in text is one below a mirror that is not there yet."""
    if (now := _RECORDING.get()) is not None:
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
