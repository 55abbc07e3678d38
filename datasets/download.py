"""Files from the internet or from a mirror folder, each verified by SHA-256 before anyone reads it.

Two environment variables steer it. ``WARPBENCH_MIRROR`` names a folder that already holds the files, laid out as
``<data set>/<file>``; it is asked first and never written to. ``WARPBENCH_CACHE`` names the folder that downloads are
kept in (default: the user's cache folder).
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path

import pooch
import requests
from filelock import FileLock

from datasets.files import DataError, sha256

logger = logging.getLogger(__name__)
RETRIES = 3


@dataclass(frozen=True)
class Remote:
    """A file to obtain: its name inside mirror and cache (``<data set>/<file>``), where it lives, and its SHA-256."""

    name: str
    url: str
    sha256: str


def fetch(remote: Remote, *, retries: int = RETRIES) -> Path:
    """Return the path of a verified local copy, from the mirror folder, the cache, or the internet, in this order.

    Raises:
        DataError: no copy with the right checksum could be had; the message says how to place one by hand.
    """
    mirrored = _from_mirror(remote)
    return mirrored if mirrored is not None else _from_internet(remote, retries)


def cache_folder() -> Path:
    """Where downloads are kept: ``WARPBENCH_CACHE``, else the user's cache folder."""
    return Path(os.environ.get("WARPBENCH_CACHE") or pooch.os_cache("warpbench"))


def verify(path: Path, expected: str, *, advice: str) -> None:
    """Raise `DataError` unless the file has the SHA-256 ``expected``."""
    if (got := sha256(path)) != expected:
        size = path.stat().st_size
        raise DataError(f"{path}: wrong checksum ({size} bytes, sha256 {got}, expected {expected}); {advice}")


def _from_mirror(remote: Remote) -> Path | None:
    mirror = os.environ.get("WARPBENCH_MIRROR")
    if not mirror:
        return None
    if not Path(mirror).is_dir():
        raise DataError(f"WARPBENCH_MIRROR={mirror}: no such folder; correct or unset it")
    path = Path(mirror) / remote.name
    if not path.exists():
        logger.info("%s is not in the mirror %s", remote.name, mirror)
        return None
    verify(path, remote.sha256, advice="replace this copy in the mirror folder")
    return path


def _from_internet(remote: Remote, retries: int) -> Path:
    folder = cache_folder()
    by_hand = (
        f"download {remote.url} by hand to {folder / remote.name}, or set WARPBENCH_MIRROR to a folder that has it"
    )
    try:
        (folder / remote.name).parent.mkdir(parents=True, exist_ok=True)
        # Two runs may share the cache: the second waits here and then finds the file.
        with FileLock(f"{folder / remote.name}.lock"):
            store = pooch.create(
                path=folder,
                base_url="",
                registry={remote.name: f"sha256:{remote.sha256}"},
                urls={remote.name: remote.url},
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
