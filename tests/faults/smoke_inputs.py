"""The smoke profile as its user runs it, the rows it leaves, and a machine that has other work to do."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from workflows.configuration.sources import ROOT

MEASURED = ("seconds", "peak_memory")  # what no two runs have in common


def command(folder: Path, profile: str = "smoke") -> list[str]:
    """Return the command that makes a profile's report below ``folder``."""
    return [
        *(sys.executable, "-m", "snakemake", "--cores", "2", "report"),
        *("--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)),
        *("--workflow-profile", str(ROOT / "profiles" / "default")),
        *("--configfile", str(ROOT / "workflows" / "config" / f"{profile}.yaml")),
    ]


def finish(folder: Path, profile: str = "smoke", **environment: str) -> None:
    """Run the command to its end, with further variables of the environment; fail with its text where it fails."""
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        command(folder, profile), env={**os.environ, **environment}, cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]


def rows(folder: Path, profile: str = "smoke") -> pd.DataFrame:
    """Return the rows of metrics.parquet in their order, without those that are measured on the clock."""
    metrics = pd.read_parquet(folder / "results" / profile / "metrics.parquet")
    return metrics[~metrics.metric.isin(MEASURED)].reset_index(drop=True)


@contextlib.contextmanager
def busy(processes: int) -> Iterator[None]:
    """Keep so many processors busy."""
    spinning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()
