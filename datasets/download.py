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
from dataclasses import dataclass
from pathlib import Path

import pooch
import requests
from filelock import FileLock

from datasets.files import DataError, sha256
from datasets.originals import MIRROR, note, note_search

logger = logging.getLogger(__name__)
RETRIES = 3


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


def fetch(remote: Remote, *, retries: int = RETRIES) -> Path:
    """Return the path of a verified local copy, from the mirror folder, the cache, or the internet, in this order.

    Raises:
        DataError: no copy with the right checksum could be had; the message says how to place one by hand.
    """
    path = _from_mirror(remote) or _downloaded(remote, retries)
    note(path)
    return path


def _downloaded(remote: Remote, retries: int) -> Path:
    *others, last = (remote.url, *remote.others)
    for url in others:
        try:
            return _from_internet(remote, url, retries)
        except DataError as error:
            logger.warning("%s", error)
    return _from_internet(remote, last, retries)


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
    kind = _kind(expected)
    if (got := sha256(path) if kind == "sha256" else pooch.file_hash(str(path), alg=kind)) != expected:
        size = path.stat().st_size
        raise DataError(f"{path}: wrong checksum ({size} bytes, {kind} {got}, expected {expected}); {advice}")


def _kind(checksum: str) -> str:
    return "sha512" if len(checksum) == 128 else "sha256"


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


def _from_internet(remote: Remote, url: str, retries: int) -> Path:
    folder = cache_folder()
    by_hand = f"download {url} by hand to {folder / remote.name}, or set WARPBENCH_MIRROR to a folder that has it"
    try:
        (folder / remote.name).parent.mkdir(parents=True, exist_ok=True)
        # Two runs may share the cache: the second waits here and then finds the file.
        with FileLock(f"{folder / remote.name}.lock"):
            store = pooch.create(
                path=folder,
                base_url="",
                registry={remote.name: f"{_kind(remote.checksum)}:{remote.checksum}" if remote.checksum else None},
                urls={remote.name: url},
                retry_if_failed=retries,
            )
            return Path(store.fetch(remote.name))
    except PermissionError as error:
        raise DataError(f"{folder}: no write permission for the download cache; set WARPBENCH_CACHE") from error
    except ValueError as error:  # pooch: the hash of what came does not match; it has removed the file
        raise DataError(
            f"{remote.name}: {error}; the address may serve an error page instead of the file; {by_hand}"
        ) from error
    except (requests.RequestException, OSError) as error:
        raise DataError(f"{remote.name}: download failed ({error}); {by_hand}") from error
