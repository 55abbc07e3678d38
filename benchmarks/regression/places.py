"""Where the gate keeps what: accepted numbers in the project, what a run measured below ``results``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from benchmarks.provenance import ROOT

ACCEPTED = ROOT / "benchmarks" / "baselines"


@dataclass(frozen=True)
class Places:
    """The files of the gate of one profile, whose results are in ``results`` (results/<profile>)."""

    results: Path

    @property
    def profile(self) -> str:
        """The name of the profile."""
        return self.results.name

    @property
    def folder(self) -> Path:
        """The folder of what the gate wrote last."""
        return self.results / "regression"

    @property
    def base(self) -> Path:
        """The older state of the project, as long as its speed is measured."""
        return self.folder / "base"

    @property
    def summary(self) -> Path:
        """What the gate found, in Markdown."""
        return self.folder / "summary.md"

    @property
    def findings(self) -> Path:
        """Every number that is not as accepted, as CSV."""
        return self.folder / "accuracy.csv"

    @property
    def measured(self) -> Path:
        """The measured numbers in the form of a baseline."""
        return self.folder / "baseline.csv"

    @property
    def ratios(self) -> Path:
        """The measured ratios to peers on one processor, in the form of the accepted ones."""
        return self.folder / "speed.csv"

    @property
    def accepted(self) -> Path:
        """The accepted numbers."""
        return Path(os.path.relpath(ACCEPTED / f"{self.profile}.csv"))

    @property
    def accepted_ratios(self) -> Path:
        """The accepted ratios to peers of every processor."""
        return Path(os.path.relpath(ACCEPTED / "speed.csv"))

    @property
    def stored(self) -> Path:
        """The numbers that a first run without accepted ones left."""
        return self.results.parent / ".baselines" / f"{self.profile}.csv"

    @property
    def stored_ratios(self) -> Path:
        """The ratios that a first run on a processor left."""
        return self.results.parent / ".baselines" / "speed.csv"
