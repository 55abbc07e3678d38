"""One process at a time: a lock of the kernel, or a lock file where the file system has none."""

from __future__ import annotations

import errno
import logging
from contextlib import AbstractContextManager
from pathlib import Path

from filelock import FileLock, SoftFileLock

logger = logging.getLogger(__name__)
_NO_LOCKS = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS})


def soft_file(path: Path) -> Path:
    """Return the file that takes the place of the lock ``path`` where the file system has no locks."""
    return path.with_name(f"{path.name}.soft")


def hold(path: Path, *, timeout: float = -1, mode: int = -1) -> AbstractContextManager[object]:
    """Take the lock ``path``, waiting ``timeout`` seconds (without end where negative); it ends with its context.

    ``mode`` is the permissions of its file, by default those that the process gives to all of its files.

    A kernel drops its lock when the process dies, however it dies. A lock file names host, process, its start by the
    kernel's count and the boot, so that one whose process is gone counts for nothing on the same host.

    Raises:
        filelock.Timeout: another process holds the lock.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return FileLock(path, mode=mode, fallback_to_soft=False).acquire(timeout=timeout)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        instead = soft_file(path)
        logger.warning(
            "%s: this file system has no locks (%s); %s stands in", path.parent, error.strerror, instead.name
        )
        return SoftFileLock(instead).acquire(timeout=timeout)
