"""Where a result came from: code, machine, libraries; and the fingerprint that identifies a run."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path

from benchmarks.rows import RunRow
from datasets.files import sha256

logger = logging.getLogger(__name__)
ROOT = Path(__file__).resolve().parent.parent
DIGITS = 12
UNKNOWN = "unknown"


def collect(
    *,
    run: str,
    dataset: str,
    method: str,
    seed: int,
    module: str,
    params: Mapping[str, object],
    device: str,
    threads: int,
    libraries: Iterable[str],
    checkpoint_sha: str = "",
) -> RunRow:
    """Return the row of a run in the ``runs`` table (`benchmarks.rows`), started now.

    ``libraries`` are the distributions whose versions matter; the other arguments are columns. The host is not named:
    the row keeps only what a reader needs to judge the figures.
    """
    commit, dirty = git_state(ROOT)
    return RunRow(
        run=run,
        dataset=dataset,
        method=method,
        seed=seed,
        module=module,
        params=canonical_json(params),
        checkpoint_sha=checkpoint_sha,
        commit=commit,
        dirty=dirty,
        started_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        cpu=cpu_model(),
        gpu=gpu_model(),
        threads=threads,
        device=device,
        precision=str(params.get("precision", "float32")),
        python=platform.python_version(),
        platform=platform.platform(),
        load_average=load_average(),
        versions=canonical_json(versions(libraries)),
    )


def fingerprint(paths: Iterable[Path], values: Mapping[str, object], *, root: Path = ROOT) -> str:
    """Return 12 hex digits that change with the content or the name of a file, or with a value; never with times.

    Files are named relative to ``root``, those elsewhere by their last part. Order does not matter. ``values`` must be
    JSON; ``TypeError`` or ``ValueError`` when they are not (NaN included), ``FileNotFoundError`` for a missing file.
    """
    files = sorted((_relative(Path(path), root), sha256(Path(path))) for path in paths)
    return hashlib.sha256(canonical_json({"files": files, "values": values}).encode()).hexdigest()[:DIGITS]


def canonical_json(value: object) -> str:
    """Return JSON text that is the same for equal values: sorted keys, no spaces, NaN refused."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def is_own(module: str) -> bool:
    """Return whether a method's module is a file of a user's own, named by its path, not one of this project."""
    return module.endswith(".py") or "/" in module


def placeless(module: str) -> str:
    """Return a module without the place of a user's own file, which changes no number and is nobody else's business."""
    return Path(module).name if is_own(module) else module


def git_state(root: Path) -> tuple[str, bool | None]:
    """Return the commit of a checkout and whether files differ from it; ``("unknown", None)`` outside of one.

    A repository around ``root`` does not count, nor one that git's variables name: they are not this project's.
    """
    commit, changes = _git(root, "rev-parse", "HEAD"), _git(root, "status", "--porcelain")
    return (UNKNOWN, None) if commit is None or changes is None else (commit, bool(changes))


def cpu_model(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return the processor's name as the kernel gives it, else the architecture."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine() or UNKNOWN


def gpu_model(driver: Path = Path("/proc/driver/nvidia")) -> str:
    """Return the GPU's name: from torch where it is loaded already and sees one, else from the driver, else ``none``.

    The driver is asked because the process that records a run need not hold the method.
    """
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        return torch.cuda.get_device_name()
    try:
        lines = "".join(
            path.read_text(encoding="utf-8") for path in sorted(driver.glob("gpus/*/information"))
        ).splitlines()
    except OSError:
        lines = []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("Model:")), "none")


def versions(libraries: Iterable[str]) -> dict[str, str]:
    """Return the installed version of each distribution, without importing it; ``missing`` when not installed."""
    return {name: _version(name) for name in sorted(libraries)}


def load_average() -> float:
    """Return the machine's load over the last minute, NaN where the system does not tell."""
    return float(os.getloadavg()[0]) if hasattr(os, "getloadavg") else float("nan")


def _relative(path: Path, root: Path) -> str:
    path, root = path.resolve(), root.resolve()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name


def _git(root: Path, *arguments: str) -> str | None:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    ours |= {"GIT_CEILING_DIRECTORIES": str(root.resolve().parent), "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    command = ["git", "-C", str(root.resolve()), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, env=ours)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode and "dubious ownership" in done.stderr:
        logger.warning("%s: the commit is unknown, git does not read another user's checkout (safe.directory)", root)
    return done.stdout.strip() if done.returncode == 0 else None


@cache  # thousands of jobs ask for the same few
def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "missing"
