"""The timed calls of a run, as reports compare them: one network, one size, one device, one machine at a time.

Networks of two methods may be the same: then one of them is timed for both. At the paper's size the timing stage has
found out which (`benchmarks.records.PaperNetwork`); at the profile's they have one module, one size and one work.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd

from benchmarks.clock.hardware import parse
from benchmarks.records import UNAVAILABLE
from benchmarks.results import RUN_LEVEL
from datasets.files import Array

FEWEST = 5  # calls from which on an interval is shown


@dataclass(frozen=True)
class Sought:
    """Whose calls are looked for: of a method's network on a device, at the paper's size or on a data set."""

    method: str
    device: str
    dataset: str = RUN_LEVEL  # the paper's size has no data set
    threads: int | None = None  # None: as many as there are

    @property
    def size(self) -> str:
        """The size of the rows: profile or paper."""
        return "paper" if self.dataset == RUN_LEVEL else "profile"


@dataclass(frozen=True)
class Calls:
    """Calls of one network that may be compared: one grid, one number of threads, one hardware key.

    ``rows`` are its warm calls, or its only call (``once``) where it was called but once; ``elsewhere`` counts those
    on other hardware, which are left out.
    """

    method: str  # that was timed
    device: str
    threads: int
    grid: str
    hardware: str
    rows: pd.DataFrame
    once: bool = False
    elsewhere: int = 0

    @cached_property
    def seconds(self) -> Array:
        """The seconds of the calls that finished."""
        return self.rows[self.rows.status == "ok"].seconds.to_numpy(dtype=np.float64)

    @property
    def median(self) -> float:
        """Their median; NaN where none finished."""
        return float(np.median(self.seconds)) if len(self.seconds) else float("nan")

    @property
    def failed(self) -> int:
        """How many calls did not finish."""
        return len(self.rows) - len(self.seconds)

    @property
    def contended(self) -> int:
        """How many of the calls that finished had other work beside them."""
        return int(self._judged.dropna().astype(bool).sum())

    @property
    def unknown(self) -> int:
        """Of how many of the calls that finished it is not known whether they had other work beside them."""
        return int(self._judged.isna().sum())

    @property
    def undisturbed(self) -> bool:
        """Whether all calls finished, and all are known to have been alone on the machine."""
        return not (self.failed or self.contended or self.unknown)

    @property
    def _judged(self) -> pd.Series:
        return self.rows[self.rows.status == "ok"].contended

    @property
    def memory(self) -> float:
        """The most MiB that a call took beyond what the libraries take; NaN where that is not on record."""
        return float(self.rows.memory.astype(float).max())

    @property
    def machine(self) -> str:
        """The processor, or the GPU, that the seconds are of."""
        found = parse(self.hardware)
        return found.cpu if self.device == "cpu" else found.gpu

    @property
    def place(self) -> str:
        """The machine, and how many of its threads."""
        return f"{self.machine}, {self.threads} thread{'s' * (self.threads != 1)}"

    @property
    def disturbance(self) -> str:
        """Of how many calls it is not known that they were alone on the machine; empty where all were."""
        disturbed = self.contended + self.unknown
        return (
            f"{disturbed} of {len(self.seconds)} calls of {self.method} not known to be alone on the machine"
            if disturbed
            else ""
        )

    @cached_property
    def why_no_interval(self) -> str:
        """Why there is no interval; empty where there is one."""
        if self.once:
            return "one call, so no interval"
        few = 0 < len(self.seconds) < FEWEST
        return f"{len(self.seconds)} calls, too few for an interval (from {FEWEST} on)" if few else ""


@dataclass(frozen=True)
class Timed:
    """All timed calls of a run; ``rows`` are None where nothing was timed.

    ``same`` says of each data set (`RUN_LEVEL` for the papers' size) what methods with one network have in common.
    """

    rows: pd.DataFrame | None
    same: Mapping[str, Mapping[str, Hashable]]
    titles: Mapping[str, str]  # of data sets, for readers
    _found: dict[Sought, Calls | str] = field(default_factory=dict[Sought, "Calls | str"], compare=False, repr=False)

    @property
    def at_paper_size(self) -> bool:
        """Whether anything was timed at the papers' size."""
        return self.rows is not None and bool((self.rows["size"] == "paper").any())

    def find(self, sought: Sought) -> Calls | str:
        """Return the calls of a method's network, of it or of one that has the same; else why there are none."""
        if sought not in self._found:  # a report asks the same of many cells
            self._found[sought] = self._find(sought)
        return self._found[sought]

    def _find(self, sought: Sought) -> Calls | str:
        found = sorted(self.candidates(sought), key=lambda each: (each.threads, len(each.seconds)), reverse=True)
        if not found:
            return self.why_none(sought)
        others = sum(len(each.rows) for each in found[1:] if _elsewhere(each, found[0]))
        return replace(found[0], elsewhere=others)

    def together(self, sought: Sequence[Sought]) -> list[Calls] | str:
        """Return calls of several networks on one machine and grid, on the most threads; else why there are none."""
        found = [{(each.threads, each.grid, each.hardware): each for each in self.candidates(one)} for one in sought]
        for one, calls in zip(sought, found, strict=True):
            if not calls:
                return self.why_none(one)
        if common := set.intersection(*(set(calls) for calls in found)):
            return [calls[max(common)] for calls in found]
        keys = (" and ".join(sorted({each.place for each in calls.values()})) for calls in found)
        return f"no ratio across hardware: {' against '.join(keys)}"

    def candidates(self, sought: Sought) -> Iterator[Calls]:
        """Yield the calls of a network by what must not be mixed: grid, threads and hardware."""
        rows = self._rows(sought)
        if sought.threads is not None and len(rows):
            rows = rows[rows.threads == sought.threads]
        for (grid, threads, hardware), group in rows.groupby(["grid", "threads", "hardware"]) if len(rows) else ():
            warm = group[group.phase == "warm"]
            method, once = str(group.method.iloc[0]), warm.empty
            yield Calls(
                method, sought.device, int(str(threads)), str(grid), str(hardware), group if once else warm, once
            )

    def why_none(self, sought: Sought) -> str:
        """Return why a network has no timed calls."""
        if self.rows is None or self.rows.empty:
            return "timing not run"
        rows = self.rows[self.rows.device.str.startswith(sought.device)]
        if rows.empty:
            return "no CUDA device" if sought.device == "cuda" else f"no timing on {sought.device} in this run"
        lost = self._of_method(rows[rows.status == UNAVAILABLE], sought)
        if len(lost):
            return f"{sought.method} was not available: {lost.reason.iloc[0]}"
        if sought.size == "paper":
            return f"{sought.method} not timed at the paper's size"
        if sought.dataset not in set(rows.dataset):
            return f"timing not run on {self.titles.get(sought.dataset, sought.dataset)}"
        return f"timing not run for {sought.method}"

    def same_network(self, sought: Sought) -> list[str]:
        """Return the other methods that have a method's network, at the size that is sought."""
        common = self.same.get(sought.dataset, {})
        mine = common.get(sought.method)
        return [name for name, other in common.items() if other == mine and name != sought.method and mine is not None]

    def _rows(self, sought: Sought) -> pd.DataFrame:
        if self.rows is None or self.rows.empty:
            return pd.DataFrame()
        good = self.rows[self.rows.device.str.startswith(sought.device) & (self.rows.status != UNAVAILABLE)]
        return self._of_method(good, sought)

    def _of_method(self, rows: pd.DataFrame, sought: Sought) -> pd.DataFrame:
        """Return the rows of the method that is timed for the one sought; first that method itself."""
        rows = rows[(rows["size"] == sought.size) & (rows.dataset == sought.dataset)]
        for name in (sought.method, *self.same_network(sought)):
            if len(own := rows[rows.method == name]):
                return own
        return rows.iloc[:0]


def _elsewhere(one: Calls, other: Calls) -> bool:
    """Return whether two sets of calls are of one question, but of two machines."""
    return (one.grid, one.threads) == (other.grid, other.threads) and one.hardware != other.hardware
