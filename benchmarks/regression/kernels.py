"""Run the benchmarks that the gate looks at, of this state of the project and of an older one by turns."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from datasets.files import DataError

MARKER = "gate"
LIMIT = 900.0  # seconds that one run of the benchmarks may take
NO_TESTS = 5  # the exit status of pytest where nothing is marked


class BaseError(DataError):
    """An older state of the project that cannot be measured."""


class BenchmarkError(DataError):
    """Benchmarks that fail or do not end."""


@dataclass(frozen=True)
class Tree:
    """A state of the project: its folder, and where its benchmarks leave their files."""

    root: Path
    results: Path

    def measure(self, turn: int) -> pd.DataFrame | None:
        """Run the marked benchmarks once; return their table, None where this state has none.

        Raises `BenchmarkError` where one fails, which is a kernel that computes something else than its peer, or all
        take too long.
        """
        folder = self.results.resolve()  # the benchmarks run in their own root
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"speed-{turn}.json"
        try:
            return self._measured(folder, file)
        except subprocess.TimeoutExpired as error:
            raise BenchmarkError(f"the benchmarks in {self.root} took more than {LIMIT:.0f} s") from error

    def _measured(self, folder: Path, file: Path) -> pd.DataFrame | None:
        done = self._run("pytest", "benchmarks", "-m", MARKER, "--benchmark-only", "-q", f"--benchmark-json={file}")
        if done.returncode == NO_TESTS:
            return None
        if done.returncode or self._run("benchmarks.speed", str(file)).returncode:
            log = folder / "speed.log"
            log.write_text(done.stdout + done.stderr, encoding="utf-8")
            raise BenchmarkError(f"the benchmarks in {self.root} failed{_which(done.stdout)}; correct it, see {log}")
        table = pd.read_csv(file.with_suffix(".csv"))
        if "ours_cpu_s" not in table:
            raise BenchmarkError(f"the benchmarks in {self.root} are of before CPU seconds were kept")
        table["peer"] = table["peer"].fillna("")
        return table

    def _run(self, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        # A pytest around us would have its own say in how this one runs.
        outer = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        variables = {**outer, "PYTHONPATH": str(self.root), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=self.root,
            env=variables,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
            preexec_fn=_on_one_core,
        )


@contextmanager
def older(root: Path, commit: str, folder: Path) -> Generator[Path]:
    """Lay out an older commit of the checkout ``root`` in a folder, and remove it at the end.

    Raises `BaseError` where this checkout has no such commit, or is none.
    """
    folder = folder.resolve()
    _git(root, "worktree", "prune")
    _remove(root, folder)
    _git(root, "worktree", "add", "--detach", "--quiet", "--force", str(folder), commit)
    try:
        yield folder
    finally:
        _remove(root, folder)


def _which(printed: str) -> str:
    """Return which benchmarks failed and why, as pytest's last lines say; empty where they do not."""
    lines = [line for line in printed.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    return f": {'; '.join(line.partition(' ')[2] for line in lines[:3])}" if lines else ""


def check_commit(root: Path, commit: str) -> None:
    """Raise `BaseError` where the checkout ``root`` has no such commit, or is none."""
    _git(root, "rev-parse", "--quiet", "--verify", "--end-of-options", f"{commit}^{{commit}}")


def _on_one_core() -> None:
    """Pin the benchmarks, which measure on as many threads as there are cores, to the last core of this process."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def _remove(root: Path, folder: Path) -> None:
    if folder.exists():
        _git(root, "worktree", "remove", "--force", str(folder))


def _git(root: Path, *arguments: str) -> None:
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False)
    except OSError as error:
        raise BaseError(f"git cannot be run ({error}); leave regression.base empty") from error
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["not known here"])[-1]
        named = arguments[-1].removesuffix("^{commit}")
        raise BaseError(f"regression.base: {named}: {why}; name a commit of this checkout, or leave it empty")
