"""Look at the speed of kernels: beside peers of the same run, and by turns with an older state of the project."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from benchmarks.provenance import ROOT, cpu_model
from benchmarks.regression import kernels, speed
from benchmarks.regression.findings import Slower
from benchmarks.regression.places import Places

logger = logging.getLogger(__name__)
TURNS = 3  # runs of each state of the project, by turns


@dataclass(frozen=True)
class Looked:
    """How many kernels were compared, and which are slower."""

    kernels: int
    slower: list[Slower]


@dataclass(frozen=True)
class Look:
    """Measures kernels, beside an older state of the project where one is named, and says what it could not compare."""

    places: Places
    base: str
    notes: list[str]
    root: Path = ROOT  # of this state of the project
    turns: int = TURNS

    def look(self) -> Looked:
        """Measure, and measure again what is slower; only what is slower both times is."""
        if not self.base:
            return self._twice(self._beside_peers)
        try:
            with kernels.older(self.root, self.base, self.places.base) as folder:
                return self._twice(lambda: self._by_turns(kernels.Tree(folder, self.places.folder / "speed-base")))
        except kernels.BaseError as error:
            self.notes.append(f"Speed is not compared with an older state: {error}.")
            return self._twice(self._beside_peers)

    def _twice(self, compare: Callable[[], Looked]) -> Looked:
        first = compare()
        if not first.slower:
            return first
        logger.info("%d kernels are slower; measured again to be sure", len(first.slower))
        again = compare()
        kept = {(slow.kernel, slow.beside) for slow in first.slower}
        return Looked(again.kernels, [slow for slow in again.slower if (slow.kernel, slow.beside) in kept])

    def _beside_peers(self) -> Looked:
        return self._judge([self._head(turn) for turn in range(self.turns)], [])

    def _by_turns(self, base: kernels.Tree) -> Looked:
        heads, bases = list[pd.DataFrame | None](), list[pd.DataFrame | None]()
        for turn in range(self.turns):
            logger.info("kernels, turn %d of %d: %s, then this state", turn + 1, self.turns, self.base)
            try:
                bases.append(base.measure(turn))
            except kernels.BenchmarkError as error:  # perhaps a library that this state has moved on with
                raise kernels.BaseError(f"{self.base}: {error}") from error
            heads.append(self._head(turn))
        return self._judge(heads, bases)

    def _head(self, turn: int) -> pd.DataFrame | None:
        return kernels.Tree(self.root, self.places.folder / "speed").measure(turn)

    def _judge(self, heads: list[pd.DataFrame | None], bases: list[pd.DataFrame | None]) -> Looked:
        here, there = ([table for table in tables if table is not None] for tables in (heads, bases))
        if not here:
            self.notes.append("No benchmark is marked for the gate: speed is not compared.")
            return Looked(0, [])
        head, base = speed.fastest(here), speed.fastest(there) if there else None
        slower = self._slower_than_before(head, base) if base is not None else []
        if bases and not there:
            self.notes.append(f"{self.base} has no benchmarks that the gate can run.")
        accepted = self._accepted()
        compared = speed.kernels_in_both(head, [each for each in (base, accepted) if each is not None])
        return Looked(compared, [*slower, *self._slower_beside_peers(head, base, accepted)])

    def _slower_than_before(self, head: pd.DataFrame, base: pd.DataFrame) -> list[Slower]:
        for kernel in speed.missing(head, base):
            note = f"{kernel}: measured in {self.base}, not in this state."
            self.notes.extend([note] if note not in self.notes else [])
        return speed.slower_than_before(head, base)

    def _accepted(self) -> pd.DataFrame | None:
        """Return the ratios to peers that are accepted on this processor, or that a first run on it stored."""
        found = (speed.read(path, cpu_model()) for path in (self.places.accepted_ratios, self.places.stored_ratios))
        return next((each for each in found if each is not None), None)

    def _slower_beside_peers(
        self, head: pd.DataFrame, base: pd.DataFrame | None, accepted: pd.DataFrame | None
    ) -> list[Slower]:
        cpu = cpu_model()
        speed.write(self.places.ratios, cpu, head)
        if accepted is not None:
            slower = speed.slower_beside_peers(head, accepted)
            return slower if base is None else self._of_this_state(slower, speed.slower_beside_peers(base, accepted))
        note = f"No accepted ratios to peers on {cpu}: these are stored for the next run."
        self.notes.extend([note] if note not in self.notes else [])
        speed.write(self.places.stored_ratios, cpu, head, beside=self.places.stored_ratios)
        return []

    def _of_this_state(self, slower: Sequence[Slower], before: Sequence[Slower]) -> list[Slower]:
        """Return what is slower beside its peers but was not in the older state, measured by turns with it.

        Processors of one name differ in the memory beside them: a kernel that waits for it is not slower by the code.
        """
        known = {(each.kernel, each.beside) for each in before}
        if as_before := sorted({each.kernel for each in slower if (each.kernel, each.beside) in known}):
            note = (
                f"Slower beside peers than accepted, and so it is in {self.base}: {'; '.join(as_before)}. That is this "
                "machine, or came before that commit; it is not red."
            )
            self.notes.extend([note] if note not in self.notes else [])
        return [each for each in slower if (each.kernel, each.beside) not in known]
