"""What an older state of the project gives on this machine, where numbers are not as accepted.

Another processor rounds otherwise, and an optimiser may go another way from there: ANTs differed by two points of Dice
between two processors. So what is not as accepted is run again as it was, and only what this state has changed is red.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from benchmarks import results
from benchmarks.provenance import ROOT
from benchmarks.regression import accuracy, baseline, kernels
from benchmarks.regression.findings import Finding
from benchmarks.regression.places import Places
from workflows.planning.layout import Layout

logger = logging.getLogger(__name__)
LIMIT = 3600.0  # seconds that the older state may take for the profile


@dataclass(frozen=True)
class Numbers:
    """The numbers of a run that the gate looks at, and its whole table, which has the reasons of failures."""

    numbers: pd.DataFrame
    table: pd.DataFrame

    @classmethod
    def of(cls, table: pd.DataFrame) -> Numbers:
        """Return those of a run's table."""
        return cls(baseline.numbers_of(table), table)


@dataclass(frozen=True)
class Before:
    """An older commit that runs the profile of some configuration files; ``controls`` neither learn nor optimise."""

    places: Places
    commit: str
    configfiles: Sequence[Path]
    controls: Sequence[str]
    root: Path = ROOT  # of this state of the project

    def without_its_own(self, found: list[Finding], here: Numbers, accepted: pd.DataFrame) -> list[Finding]:
        """Return the findings of this state, those that the older one has as well, with the same number, marked so.

        Raises `kernels.BaseError` where the older state cannot be run.
        """
        there = Numbers.of(self._run())
        as_there = baseline.with_tolerances(there.numbers, self.controls, accepted)
        since = accuracy.compare(here.numbers, as_there, here.table)
        return accuracy.as_before(found, accuracy.compare(there.numbers, accepted, there.table), since)

    def _run(self) -> pd.DataFrame:
        logger.info("numbers are not as accepted: %s runs the profile too", self.commit)
        wanted = Layout(Path("results") / self.places.profile).metrics
        command = ["snakemake", "--cores", "all", str(wanted)]
        if self.configfiles:
            command += ["--configfile", *(str(path.resolve()) for path in self.configfiles)]
        with kernels.older(self.root, self.commit, self.places.base) as folder:
            log = self.places.folder / "before.log"
            with open(log, "w", encoding="utf-8") as stream:
                try:
                    done = subprocess.run(
                        [sys.executable, "-m", *command],
                        cwd=folder,
                        env={**os.environ, "PYTHONPATH": str(folder)},
                        stdout=stream,
                        stderr=subprocess.STDOUT,
                        timeout=LIMIT,
                        check=False,
                    )
                except subprocess.TimeoutExpired as error:
                    raise kernels.BaseError(f"{self.commit}: took more than {LIMIT:.0f} s (see {log})") from error
            if done.returncode:
                raise kernels.BaseError(f"{self.commit}: its run of the profile failed (see {log})")
            return results.read(folder / wanted, "metrics")
