"""Refusals that have to come before Snakemake reads a file: it would answer these faults with a traceback.

`profiles/default/config.yaml` calls this; Snakemake reads that file first.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from datasets.files import DataError
from workflows.configuration import sources
from workflows.configuration.reading import read_yaml
from workflows.running import guard, machine

STEPS = (
    "prepare",
    "train",
    "register",
    "collect",
    "timing",
    "archive.export",
    "archive.report",
    "regression.__main__",
    "running.worker",
)


def refuse_early(arguments: Sequence[str]) -> None:
    """End this process with one line where a Snakemake command line names files or a folder that cannot be used."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--configfile", "--configfiles", nargs="+", type=Path, default=[])
    parser.add_argument("--directory", "-d", type=Path, default=Path())
    given, _ = parser.parse_known_args(arguments)
    try:
        sources.sources_of(f"workflows.{step}" for step in STEPS)  # names a file that Python cannot read
        for path in given.configfile:
            read_yaml(path)
        guard.check_writable(given.directory)  # Snakemake writes there even where it only looks
        machine.check([guard.existing(given.directory)])
    except DataError as error:
        sys.exit(f"WarpBench: {error}")
    _give_cache(given.directory)


def _give_cache(folder: Path) -> None:
    """Let Snakemake keep its cache below ``folder`` where the user's own cannot be written."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path(os.environ.get("HOME") or "/", ".cache"), "snakemake")
    try:
        cache.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=cache).close()
    except OSError:
        os.environ["XDG_CACHE_HOME"] = str(folder.absolute() / ".snakemake" / "cache")
