"""One run at a time in a folder, and a clean start after a run that was killed."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from workflows.configuration.config import SettingsError

# Snakemake modes that change nothing and may run beside a live run.
_LOOKING = ("--dry", "--lint", "--unlock", "--summary", "--detailed-summary", "--list", "--dag", "--rulegraph")


def only_looking(arguments: Sequence[str]) -> bool:
    """Return whether a Snakemake command line changes nothing (a dry run, a lint, a listing)."""
    short = [word for word in arguments if word.startswith("-") and not word.startswith("--")]
    return any(word.startswith(_LOOKING) for word in arguments) or any("n" in word for word in short)


def hold(folder: Path) -> IO[str]:
    """Claim ``folder`` for this process, and remove what a killed run left; the claim ends with the process.

    The kernel drops the claim when the process dies, however it dies, so that Snakemake's own lock files can be told
    stale: where nobody holds the claim, they are.

    Raises:
        SettingsError: another run holds the folder, or it cannot be written.
    """
    state = folder / ".snakemake"
    try:
        state.mkdir(parents=True, exist_ok=True)
        stream = open(state / "warpbench.lock", "a+")  # noqa: SIM115 (held open as long as the process lives)
    except OSError as error:
        raise SettingsError(f"{folder}: cannot be written ({error.strerror}); run in a folder of your own") from error
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise SettingsError(f"{folder}: cannot be locked ({error.strerror})") from error
        stream.seek(0)
        holder = stream.read().strip() or "unknown"
        raise SettingsError(
            f"{folder.resolve()}: another run (process {holder}) is working here; wait for it, or use --directory"
        ) from error
    shutil.rmtree(state / "locks", ignore_errors=True)
    (state / "locks").mkdir()
    stream.seek(0)
    stream.truncate()
    stream.write(f"{os.getpid()}\n")
    stream.flush()
    return stream


def faults(logs: Path, since: float) -> list[str]:
    """Return the error lines (``error: ...``) that steps left in their logs since a time."""
    recent = [path for path in sorted(logs.rglob("*.log")) if path.stat().st_mtime >= since]
    last = ((path.read_text(errors="replace").strip().splitlines() or [""])[-1] for path in recent)
    return [line.removeprefix("error: ") for line in last if line.startswith("error: ")]


def check_writable(folder: Path) -> None:
    """Raise `SettingsError` unless results can be written below ``folder`` (which need not exist yet)."""
    existing = next(parent for parent in [folder, *folder.resolve().parents] if parent.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise SettingsError(f"{folder}: no permission to write below {existing.resolve()}; correct its owner or mode")
