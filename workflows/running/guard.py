"""One run at a time in a folder, and a clean start after a run that was killed."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from importlib.machinery import PathFinder
from pathlib import Path

from filelock import Timeout

from datasets import locks
from workflows.configuration.config import SettingsError
from workflows.configuration.sources import ROOMS
from workflows.running.runner import UNEXPECTED

_CLAIM = Path(".snakemake") / "warpbench.lock"
_RESULTS_CLAIM = Path(".warpbench.lock")
# Snakemake modes that change nothing and may run beside a live run; short ones also behind others without a value.
_LOOKING = re.compile(
    "--(dry|lint|unlock|summary|detailed-summary|list|dag|rulegraph).*|-[afFhkpt]*[nlSDv].*|(--executor=|-e)?dryrun"
)


def only_looking(arguments: Sequence[str]) -> bool:
    """Return whether a Snakemake command line changes nothing (a dry run, a lint, a listing)."""
    return any(_LOOKING.fullmatch(word) for word in arguments)


def hold(folder: Path) -> AbstractContextManager[object]:
    """Claim ``folder`` for this process, and remove what a killed run left; the claim ends with the process.

    Where nobody holds the claim, Snakemake's own lock files are stale.

    Raises:
        SettingsError: another run holds the folder, or it cannot be written.
    """
    held = _claim(folder / _CLAIM, folder)
    shutil.rmtree(folder / ".snakemake" / "locks", ignore_errors=True)
    try:
        (folder / ".snakemake" / "locks").mkdir()
    except OSError as error:
        raise _unwritable(folder, error) from error
    return held


def hold_results(results: Path) -> AbstractContextManager[object]:
    """Claim ``results``, which several working folders may share, as `hold` claims a working folder."""
    return _claim(results / _RESULTS_CLAIM, results)


def _claim(claim: Path, folder: Path) -> AbstractContextManager[object]:
    holder = claim.with_suffix(".pid")
    try:
        held = locks.hold(claim, timeout=0)
        holder.write_text(f"{os.getpid()} on {os.uname().nodename}")
        return held
    except Timeout as error:
        who = holder.read_text() if holder.exists() else "unknown"
        over = "; if it is over, `snakemake --unlock` frees it" if locks.soft_file(claim).exists() else ""
        raise SettingsError(
            f"{folder.resolve()}: another run (process {who}) is working here; wait for it, or use --directory{over}"
        ) from error
    except OSError as error:
        raise _unwritable(folder, error) from error


def _unwritable(folder: Path, error: OSError) -> SettingsError:
    return SettingsError(f"{folder}: cannot be written ({error.strerror}); run in a folder of your own")


def unlock(folder: Path) -> None:
    """Remove a lock file that a run left on another host; `snakemake --unlock` does this beside its own locks."""
    for claim in (folder / _CLAIM, *(each / _RESULTS_CLAIM for each in folder.glob("results/*"))):
        locks.soft_file(claim).unlink(missing_ok=True)


def state_of(logs: Path) -> Mapping[Path, Sequence[int]]:
    """Return marks of all logs that change whenever a log is written, whatever the clock says."""
    found = ((path, path.stat()) for path in logs.rglob("*.log"))
    return {path: (about.st_ino, about.st_size, about.st_mtime_ns) for path, about in found}


def errors_in_logs(logs: Path, before: Mapping[Path, Sequence[int]]) -> list[str]:
    """Return the error lines (``error: ...``) that steps left in their logs since the logs had the state ``before``."""
    recent = [path for path, state in sorted(state_of(logs).items()) if before.get(path) != state]
    return [line for path in recent if (line := _fault(path))]


def _fault(log: Path) -> str:
    """Return the last error line near the end of a log; with the log's name where the line cannot say all."""
    lines = log.read_text(errors="replace").strip().splitlines()[-20:]
    found = next((line.removeprefix("error: ") for line in reversed(lines) if line.startswith("error: ")), "")
    return f"{found}; {log} has the details" if found.startswith(UNEXPECTED) else found


def ahead_of_the_clock(root: Path, results: Path) -> list[str]:
    """Return one line on code and prepared data whose times lie in the future, nothing where there are none."""
    paths = [*(path for room in ROOMS for path in (root / room).rglob("*.py")), *results.glob("data/*/dataset.json")]
    now = time.time() + 60  # clocks of file servers differ by seconds
    if not (ahead := [path for path in paths if path.exists() and path.stat().st_mtime > now]):
        return []
    return [
        f"{len(ahead)} files have times in the future, such as {ahead[0]}: the clock is wrong, or was; "
        "steps that read them run again each time until then, unless you `touch` the files"
    ]


def check_checkout(root: Path, *, here: Path) -> None:
    """Refuse a checkout that Python or Snakemake cannot work with from the folder ``here``."""
    for folder in (root, here.resolve()):
        if os.fsencode(folder).decode("utf-8", errors="replace") != str(folder):
            raise SettingsError(f"{os.fsencode(folder)!r}: this folder's name is not UTF-8; rename it")
    if os.pathsep in str(root):
        raise SettingsError(f"{root}: Python's search path cannot hold a folder with a colon; rename it")
    if names := re.findall(r"\{\w+\}", os.path.relpath(root, here)):
        raise SettingsError(f"{root}: Snakemake takes {names[0]} in a folder's name for a placeholder; rename it")
    elsewhere = [folder for folder in sys.path if folder and Path(folder).resolve() != root.resolve()]
    for path in sorted([*root.glob("*.py"), *(init.parent for init in root.glob("*/__init__.py"))]):
        hidden = path.stem in sys.stdlib_module_names or PathFinder.find_spec(path.stem, elsewhere)
        if hidden and path.name not in (*ROOMS, "tests"):
            raise SettingsError(f"{path}: hides the library {path.stem!r} from every step; rename it or move it away")


def existing(folder: Path) -> Path:
    """Return ``folder``, or the nearest of its parents that is there."""
    return next(parent for parent in [folder, *folder.absolute().parents] if os.path.lexists(parent))


def check_writable(folder: Path) -> None:
    """Raise `SettingsError` unless results can be written below ``folder`` (which need not exist yet)."""
    there = existing(folder)
    if there.is_symlink() and not os.path.exists(there):
        raise SettingsError(f"{there}: this link leads nowhere; is a disk not mounted? mount it or remove the link")
    if not there.is_dir():
        raise SettingsError(f"{folder}: no permission to write below {there.resolve()}, which is no folder; move it")
    if os.statvfs(there).f_flag & os.ST_RDONLY:
        raise SettingsError(f"{folder}: {there.resolve()} is on a read-only disk; run in another --directory")
    if not os.access(there, os.W_OK | os.X_OK):
        raise SettingsError(f"{folder}: no permission to write below {there.resolve()}; correct its owner or mode")
