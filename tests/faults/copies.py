"""Copies of the project, and their runs on the smallest configuration."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.workflows.pipeline_inputs import TINY
from workflows.configuration.sources import ROOMS, ROOT

ODD = "a b%s#1 \"q' é~ [x] $HOME;&"
SMALL = {**TINY, "run": {"datasets": ["phantom-liver"], "methods": ["identity", "demons"]}}
SMALL["methods"] = {"demons": {"params": {"iterations": [2]}}}


def copy_to(folder: Path, *more: str) -> Path:
    """Copy the project's own files and some folders ``more``, with what Python and the loops have compiled of them.

    Where a source file lies is no part of that, so that no process in the copy compiles anything again.
    """
    for room in (*ROOMS, "profiles", *more):
        shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns(".*"))
    shutil.copy(ROOT / "Snakefile", folder)
    return folder


def snakemake(
    project: Path, folder: Path, *words: str, before: Sequence[str] = (), **variables: str
) -> subprocess.CompletedProcess:
    """Run a copy of the project in a folder on the small configuration that is written there."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{ODD}.json").write_text(json.dumps(SMALL))
    program = Path(sys.executable).with_name("snakemake")
    asked = ["--cores", "1", "report", *words, "--configfile", f"{ODD}.json"]
    command = [*before, program, "-s", project / "Snakefile", *asked]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env={**os.environ, **variables})


def refusal(done: subprocess.CompletedProcess) -> str:
    """Return the one line of a refused command, beside the one that Snakemake begins with."""
    (line,) = [each for each in (done.stdout + done.stderr).splitlines() if "profiles/default" not in each]
    assert done.returncode == 1
    return line
