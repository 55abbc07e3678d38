"""Files from the internet or from a mirror folder, each verified by its checksum before anyone reads it.

Two environment variables steer it. ``WARPBENCH_MIRROR`` names a folder that already holds the files, laid out as
``<data set>/<file>``; it is asked first and never written to. ``WARPBENCH_CACHE`` names the folder that downloads are
kept in (default: the user's cache folder).
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pooch has no types.

from __future__ import annotations

import logging
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pooch

from datasets import locks
from datasets.files import DataError
from datasets.originals import MIRROR, checksum_of, note, note_search
from datasets.room import lack_of_room
from datasets.supply import NOTHING_KNOWN, Extent, Piece, Supply
from datasets.transfer import KINDS, USUAL, TransferError, Tries, digest_of, transfer
from datasets.webpage import page_at

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Remote:
    """A file to obtain: its name inside mirror and cache (``<data set>/<file>``), where it lives, and its checksum.

    The checksum is MD5 (32 hex digits), SHA-256 (64) or SHA-512 (128), or empty where none is published. ``others`` are
    further addresses of the same file, asked when the first fails. ``size`` is about how many bytes it has, 0 where
    unknown; it decides over room, and over nothing else.
    """

    name: str
    url: str
    checksum: str
    others: tuple[str, ...] = ()
    size: int = 0


class UnobtainedError(DataError):
    """A file that could not be had: its name, address and why (``what``), and the way to get it by hand."""

    def __init__(self, remote: Remote, url: str, why: object) -> None:
        """Say in one line what could not be had and what to do."""
        self.what, self.path = f"{remote.name}: {url}: {why}", cache_folder() / remote.name
        by_hand = f"download {url} by hand to {self.path}, or set {MIRROR} to a folder that has it"
        super().__init__(f"{self.what}; {by_hand}")


def fetch(remote: Remote, tries: Tries = USUAL) -> Path:
    """Return the path of a verified local copy, from the mirror folder, the cache, or the internet, in this order.

    Raises:
        DataError: no copy with the right checksum could be had; the message says how to place one by hand.
    """
    path = _from_mirror(remote) or _downloaded(remote, tries)
    if not remote.checksum and (said := page_at(path)):  # one that somebody has saved by hand
        raise DataError(f"{path}: a web page lies under this name: {said}; replace it by the file")
    note(path)
    return path


def fetch_all(remotes: Sequence[Remote], tries: Tries = USUAL) -> list[Path]:
    """Return verified local copies of some files, in order, as `fetch` does.

    Raises:
        DataError: some could not be had, all of which the message names, or do not fit onto the disk together.
    """
    if fault := lack_of_room(cache_folder(), sum(remote.size for remote in remotes if placed(remote) is None)):
        raise DataError(f"{remotes[0].name}: {fault}; make room, or set WARPBENCH_CACHE to a folder on another disk")
    paths, faults = list[Path](), list[UnobtainedError]()
    for remote in remotes:
        try:
            paths.append(fetch(remote, Tries(0) if faults else tries))
        except UnobtainedError as error:
            faults.append(error)
    if len(faults) == 1:
        raise faults[0]
    if faults:
        named = "; ".join(f"({number}) {each.what}" for number, each in enumerate(faults, start=1))
        raise DataError(
            f"{len(faults)} of {len(remotes)} files could not be had: {named}; download them by hand below "
            f"{cache_folder()} under these names, or set {MIRROR} to a folder that has them"
        )
    return paths


def placed(remote: Remote) -> Path | None:
    """Return where a copy of a file lies already, in the mirror folder or in the cache; nothing is read of it."""
    places = [root / remote.name for root in (_mirror(), cache_folder()) if root is not None]
    return next((path for path in places if path.exists()), None)


def put_into(folder: str) -> str:
    """Return in words where files are put by hand that `hand_placed` then finds."""
    return f"{cache_folder() / folder}, or the folder {folder} of one that {MIRROR} names"


def supply_of(licence: str, remotes: Sequence[Remote], extent: Extent = NOTHING_KNOWN) -> Supply:
    """Return the supply of a data set that is downloaded from some addresses, ``<data set>/<file>`` each."""
    folder = remotes[0].name.partition("/")[0]
    return Supply(licence, tuple(map(_piece, remotes)), put_into(folder), extent=extent)


def _piece(remote: Remote) -> Piece:
    name = remote.name.partition("/")[2]
    return Piece(name, remote.url, remote.size, placed(remote), comes=True, checksum=remote.checksum)


def _downloaded(remote: Remote, tries: Tries) -> Path:
    *others, last = (remote.url, *remote.others)
    for url in others:
        try:
            return _from_internet(remote, url, tries)
        except DataError as error:
            logger.warning("%s", error)
    return _from_internet(remote, last, tries)


def cache_folder() -> Path:
    """Return the folder that keeps downloads: ``WARPBENCH_CACHE``, else the user's cache folder."""
    return Path(os.environ.get("WARPBENCH_CACHE") or pooch.os_cache("warpbench"))


def hand_placed(folder: str, source: str | None = None) -> list[Path]:
    """Return the folders where files that nobody can download may lie, whether or not these exist.

    They are ``source``, then ``folder`` below the mirror and below the cache. Raises `DataError` for a ``source`` or a
    mirror that is not there.
    """
    if source is not None and not Path(source).is_dir():
        raise DataError(f"{source}: no such folder; correct the option `source`")
    if _mirror() is None:
        note_search(folder, ".*", [])  # so that a mirror that comes later is seen
    below = [root / folder for root in (_mirror(), cache_folder()) if root is not None]
    return ([Path(source)] if source is not None else []) + below


def verify(path: Path, expected: str, *, advice: str) -> None:
    """Raise `DataError` unless the file has the checksum ``expected``: SHA-256, SHA-512 or MD5, by its digits."""
    if (got := checksum_of(path) if _kind(expected) == "sha256" else digest_of(path, expected)) != expected:
        size, said = path.stat().st_size, page_at(path)
        page = f"a web page lies under this name: {said}; " if said else ""
        raise DataError(
            f"{path}: {page}wrong checksum ({size} bytes, {_kind(expected)} {got}, expected {expected}); {advice}"
        )


def _kind(checksum: str) -> str:
    return KINDS.get(len(checksum), "sha256")


def _mirror() -> Path | None:
    mirror = os.environ.get(MIRROR)
    if mirror and not Path(mirror).is_dir():
        raise DataError(f"WARPBENCH_MIRROR={mirror}: no such folder; correct or unset it")
    return Path(mirror) if mirror else None


def _from_mirror(remote: Remote) -> Path | None:
    mirror = _mirror()
    if mirror is None or not (mirror / remote.name).exists():
        if mirror is not None:
            logger.info("%s is not in the mirror %s", remote.name, mirror)
        if not remote.checksum:  # a copy that comes later may be another
            folder, _, name = remote.name.rpartition("/")
            note_search(folder, re.escape(name), [])
        return None
    path = mirror / remote.name
    if remote.checksum:
        verify(path, remote.checksum, advice="replace this copy in the mirror folder")
    return path


def _from_internet(remote: Remote, url: str, tries: Tries) -> Path:
    path = cache_folder() / remote.name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Two runs may share the cache: the second waits here and then finds the file.
        with locks.hold(path.with_name(f"{path.name}.lock")):
            if not path.exists() or (remote.checksum and digest_of(path, remote.checksum) != remote.checksum):
                transfer(url, path, remote.checksum, tries)
            return path
    except PermissionError as error:
        raise DataError(f"{error.filename}: no permission to write; set WARPBENCH_CACHE to another folder") from error
    except TransferError as fault:
        raise UnobtainedError(remote, url, fault) from fault
