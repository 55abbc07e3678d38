"""Files from the internet or from a mirror folder, each verified by its checksum before anyone reads it.

Two environment variables steer it. ``WARPBENCH_MIRROR`` names a folder that already holds the files, laid out as
``<data set>/<file>``; it is asked first and never written to. ``WARPBENCH_CACHE`` names the folder that downloads are
kept in (default: the user's cache folder).
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pooch has no types.

from __future__ import annotations

import hashlib
import logging
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

import pooch
import requests

from datasets import locks
from datasets.files import DataError, one_line, replacing
from datasets.originals import MIRROR, checksum_of, note, note_search, unrecorded

logger = logging.getLogger(__name__)
RETRIES = 3
TIMEOUT = (10, 60)  # seconds to connect, and without a byte
LONGEST_WAIT = 60.0  # seconds, where a server asks for more


@dataclass(frozen=True)
class Tries:
    """How often a failed download is tried again where that may help, and the first pause in s, which doubles."""

    retries: int = RETRIES
    pause: float = 1.0


@dataclass(frozen=True)
class Remote:
    """A file to obtain: its name inside mirror and cache (``<data set>/<file>``), where it lives, and its checksum.

    The checksum is SHA-256 (64 hex digits) or SHA-512 (128), or empty where none is published. ``others`` are further
    addresses of the same file, asked when the first fails.
    """

    name: str
    url: str
    checksum: str
    others: tuple[str, ...] = ()


def fetch(remote: Remote, tries: Tries = Tries()) -> Path:
    """Return the path of a verified local copy, from the mirror folder, the cache, or the internet, in this order.

    Raises:
        DataError: no copy with the right checksum could be had; the message says how to place one by hand.
    """
    path = _from_mirror(remote) or _downloaded(remote, tries)
    note(path)
    return path


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
    """Raise `DataError` unless the file has the checksum ``expected``, SHA-256 or, of 128 digits, SHA-512."""
    if (got := checksum_of(path) if _kind(expected) == "sha256" else _digest(path, expected)) != expected:
        size = path.stat().st_size
        raise DataError(
            f"{path}: wrong checksum ({size} bytes, {_kind(expected)} {got}, expected {expected}); {advice}"
        )


def _kind(checksum: str) -> str:
    return "sha512" if len(checksum) == 128 else "sha256"


def _digest(path: Path, checksum: str) -> str:
    """Return the checksum of a file, of the kind of another one; a copy that is bad gives way and is no original."""
    with unrecorded(), open(path, "rb") as stream:
        return hashlib.file_digest(stream, _kind(checksum)).hexdigest()


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
    by_hand = f"download {url} by hand to {path}, or set {MIRROR} to a folder that has it"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Two runs may share the cache: the second waits here and then finds the file.
        with locks.hold(path.with_name(f"{path.name}.lock")):
            if not path.exists() or (remote.checksum and _digest(path, remote.checksum) != remote.checksum):
                _download(url, remote.checksum, path, tries)
            return path
    except PermissionError as error:
        raise DataError(f"{error.filename}: no permission to write; set WARPBENCH_CACHE to another folder") from error
    except _DownloadError as fault:
        raise DataError(f"{remote.name}: {url}: {fault}; {by_hand}") from fault


class _DownloadError(Exception):
    """A download that failed; ``passing`` says whether it may go well at another try, ``wait`` how long that has."""

    def __init__(self, text: str, *, passing: bool, wait: float = 0) -> None:
        super().__init__(text)
        self.passing, self.wait = passing, wait


def _download(url: str, checksum: str, path: Path, tries: Tries) -> None:
    for number in range(tries.retries + 1):
        try:
            return _take(url, checksum, path)
        except _DownloadError as fault:
            if not fault.passing or number == tries.retries:
                raise
            wait = max(tries.pause * 2**number, min(fault.wait, LONGEST_WAIT))
            logger.warning("%s: %s; trying again in %g s", url, fault, wait)
            time.sleep(wait)


def _take(url: str, checksum: str, path: Path) -> None:
    try:
        with requests.get(url, stream=True, timeout=TIMEOUT, headers={"Accept-Encoding": "identity"}) as answer:
            _check_status(answer)
            with replacing(path) as temporary:
                with open(temporary, "wb") as stream:
                    for part in answer.iter_content(2**20):
                        stream.write(part)
                _check(temporary, checksum)
    except requests.RequestException as error:  # no connection, or one that broke off before all bytes came
        raise _DownloadError(f"download failed ({one_line(error)[:300]})", passing=True) from error


def _check_status(answer: requests.Response) -> None:
    if (code := answer.status_code) == 200:
        return
    wait = answer.headers.get("Retry-After", "")
    raise _DownloadError(
        f"the server answered {code} {answer.reason}",
        passing=code in (408, 425, 429) or code >= 500,
        wait=float(wait) if wait.isdecimal() else 0,
    )


def _check(path: Path, checksum: str) -> None:
    """Raise `_DownloadError` unless what came is the file; a web page in its place would come again."""
    size, got = path.stat().st_size, _digest(path, checksum)
    with open(path, "rb") as stream:
        page = re.match(rb"\s*<(!doctype html|html|head)", stream.read(200), re.IGNORECASE) is not None
    wrong = f"wrong checksum ({size} bytes, {_kind(checksum)} {got}, expected {checksum})"
    if page:
        came = f", {wrong}" if checksum else f" ({size} bytes)"
        raise _DownloadError(f"a web page came instead of the file, an error or a quota perhaps{came}", passing=False)
    if checksum and got != checksum:
        raise _DownloadError(wrong, passing=True)
