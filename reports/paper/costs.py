"""Seconds and sizes in a paper's tables: at the paper's own size, which no data set and no training changes.

Where nothing was timed at that size, seconds are those of the paper's data set as the profile has it; so are those of a
method without a network that was not called at that size, or has other options on that data set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from benchmarks.ranking import default_quote
from benchmarks.results import RUN_LEVEL
from benchmarks.statistics import Estimate, Statistic, bootstrap_interval, ratio_interval
from reports.paper.contents import OWN_SIZE, Cell, Measured, Paper
from reports.reading.run import Run
from reports.reading.summary import RESAMPLES, Sizes, first_reason
from reports.reading.timed import FEWEST, Calls, Sought

METRICS = ("seconds", "parameters")
RATIO = "ratio"
NAN = float("nan")
Z90 = 1.645  # half of the width of an interval of 90 % in standard errors
CALLS: Mapping[str, Statistic] = {"median": np.median, "mean": np.mean, "sd": np.std}  # of seconds
BESIDE, NOT_KNOWN = "beside other work", "not known to be alone on the machine"  # what notes say of calls
Interval = Callable[[], tuple[float, float]]


class Costs:
    """Reads what a run left of costs; ``cast`` maps a paper's data set to the name of the one that plays it."""

    def __init__(self, run: Run, paper: Paper, cast: Mapping[str, str], sizes: Sizes) -> None:
        self._run, self._paper, self._cast, self._sizes = run, paper, cast, sizes

    def blank(self, cell: Cell, names: str, stand_in: bool) -> Measured:
        """Return a cost without a number yet."""
        if cell.metric == "parameters":
            statistic = RATIO if cell.statistic == RATIO else "count"
            return Measured(names, stand_in, "parameters", default_quote("parameters").protocol, statistic)
        statistic = f"{RATIO} of medians" if cell.statistic == RATIO else cell.statistic
        return Measured(names, stand_in, "seconds", "all threads", statistic)

    def at_paper_size(self, blank: Measured, cell: Cell) -> Measured | None:
        """Return a cost that is the paper's own; None where it depends on the data set here."""
        own = replace(blank, dataset=OWN_SIZE, stand_in=False)
        if cell.metric == "parameters":
            sizes = [self._full(cell, method) for method in cell.methods]
            if cell.statistic == RATIO:
                return self._size_ratio(own, cell, sizes)
            return None if sizes[0] is None else replace(own, value=sizes[0], notes=self._narrower(cell, sizes[0]))
        if cell.statistic == RATIO:
            return self._seconds_ratio(own, cell)
        if not self._run.timed.at_paper_size or self._is_of_data(cell):
            return None
        return self._of_device(own, cell, RUN_LEVEL)

    def on_data(self, blank: Measured, dataset: str, cell: Cell) -> Measured | None:
        """Return a cost on the data set that plays the paper's, of the network as this profile has it.

        None for a size that is not on record.
        """
        if cell.metric == "seconds":
            return self._of_device(blank, cell, dataset)
        size = self._sizes.get(dataset, cell.method, "parameters")
        if size is not None:
            notes = ("the size at the paper's width is not on record",)
            return replace(blank, value=size, stand_in=False, narrow=True, notes=notes)
        if self._run.methods[cell.method].kind != "learned":
            return replace(blank, reason="no network", stand_in=False)
        return None

    def _is_of_data(self, cell: Cell) -> bool:
        """Return whether a method has no network, and no call at the paper's size by the options of the cell's data."""
        method = self._run.methods[cell.method]
        if method.kind == "learned":
            return False
        calls = (self._run.timed.candidates(Sought(cell.method, device)) for device in _devices(cell))
        return bool(set(self._here(cell)) & set(method.adapted)) or not any(map(list, calls))

    def _of_device(self, blank: Measured, cell: Cell, dataset: str) -> Measured:
        """Return the seconds of the warm calls with the most threads."""
        found: Calls | str = ""
        for device in _devices(cell):
            found = self._run.timed.find(Sought(cell.method, device, dataset))
            if not isinstance(found, str):
                return self._seconds(blank, cell, found, dataset)
        return replace(blank, reason=str(found))

    def _seconds(self, blank: Measured, cell: Cell, calls: Calls, dataset: str) -> Measured:
        good = calls.seconds
        if not len(good):
            return replace(blank, reason=f"no timed call finished: {first_reason(calls.rows)}")
        if cell.statistic == "sd" and len(good) == 1:
            return replace(blank, reason="one call has no standard deviation")
        statistic = CALLS[cell.statistic]
        low, high = _interval([calls], lambda: bootstrap_interval(good, statistic, RESAMPLES, np.random.default_rng(0)))
        own = dataset == RUN_LEVEL
        return replace(
            self._of_calls(blank, [calls], own=own),
            value=float(statistic(good)),
            low=low,
            high=high,
            interval="calls",
            narrow=not own and self._sizes.narrow(dataset, calls.method),
            timed_as=calls.method if calls.method != cell.method else "",
            notes=(*_notes(calls), *self._size(calls, own=own), *self._work(calls, dataset)),
            device=calls.device if cell.device == "any" else "",
        )

    def _of_calls(self, blank: Measured, calls: Sequence[Calls], *, own: bool) -> Measured:
        """Return a number over calls with all that holds of them; calls on another grid than the paper's stand in."""
        grid = self._paper.grid
        return replace(
            blank,
            n=min(len(each.seconds) for each in calls),
            failed=sum(each.failed for each in calls),
            threads=calls[0].threads,
            grid=calls[0].grid,
            hardware=calls[0].hardware,
            once=any(each.once for each in calls),
            stand_in=(calls[0].grid != "x".join(map(str, grid))) if own and grid else blank.stand_in,
        )

    def _seconds_ratio(self, blank: Measured, cell: Cell) -> Measured:
        """Return how many times the seconds of ``against`` a method takes, both on one machine."""
        chosen = self._run.timed.together([Sought(method, cell.device) for method in (cell.method, cell.against)])
        if isinstance(chosen, str):
            return replace(blank, reason=chosen)
        above, below = chosen
        if not (len(above.seconds) and len(below.seconds)):
            return replace(blank, reason="no timed call finished")
        value, disturbed = above.median / below.median, above.disturbance or below.disturbance
        why = above.why_no_interval or below.why_no_interval or disturbed
        (low, high), judged = (_ratio_interval(above, below, level) for level in (0.95, 0.90))
        judged = (NAN, NAN) if disturbed else judged  # shown, but nothing agrees or differs by it
        medians = f"medians {above.median:.3g} and {below.median:.3g} s"
        notes = dict.fromkeys([medians, *_notes(above), *_notes(below)])
        whole = self._of_calls(blank, [above, below], own=True)
        own = Estimate(value, (judged[1] - judged[0]) / 2 / Z90, np.inf, *judged, 0.90, 0, 0, 0, why)
        return replace(whole, value=value, low=low, high=high, interval="calls", own=own, notes=tuple(notes))

    def _size_ratio(self, blank: Measured, cell: Cell, sizes: Sequence[float | None]) -> Measured:
        for method, size in zip(cell.methods, sizes, strict=True):
            if size is None:
                return replace(blank, reason=f"the size of {method} at the paper's width is not on record")
        above, below = (size or NAN for size in sizes)
        return replace(blank, value=above / below, notes=(f"{above:,.0f} and {below:,.0f} parameters",))

    def _full(self, cell: Cell, method: str) -> float | None:
        """Return the parameters of a method's network at the paper's width; None where they are not on record."""
        for dataset in self._here(cell):
            if (size := self._sizes.get(dataset, method, "full_parameters")) is not None:
                return size
        network = self._run.networks.get(method)
        return None if network is None else float(network.parameters)

    def _narrower(self, cell: Cell, full: float) -> tuple[str, ...]:
        """Say how many parameters the network has that was run, where these are others."""
        sizes = [self._sizes.get(dataset, cell.method, "parameters") for dataset in self._here(cell)]
        return tuple(f"{size:,.0f} in the network that was run" for size in sizes if size not in (None, full))

    def _here(self, cell: Cell) -> list[str]:
        return [self._cast[key] for key in cell.datasets if key in self._cast]

    def _size(self, calls: Calls, *, own: bool) -> Iterator[str]:
        """Say that seconds are not of the size that others in the table are of."""
        same = calls.grid == "x".join(map(str, self._paper.grid))
        if not (own or same) and self._run.timed.at_paper_size:
            yield "on the data set as this profile has it, not at the paper's size"

    def _work(self, calls: Calls, dataset: str) -> Iterator[str]:
        """Say how much arithmetic a registration is."""
        network = self._run.networks.get(calls.method)
        if dataset == RUN_LEVEL and network is not None:
            yield f"{network.macs / 1e9:.1f} GMAC"
        elif macs := self._sizes.get(dataset, calls.method, "full_macs"):
            yield f"{macs / 1e9:.1f} GMAC at the paper's width and grid"


def _devices(cell: Cell) -> Sequence[str]:
    return ("cuda", "cpu") if cell.device == "any" else (cell.device,)


def _interval(calls: Sequence[Calls], interval: Interval) -> tuple[float, float]:
    """Return an interval, none where there are too few calls for one."""
    return interval() if all(len(each.seconds) >= FEWEST for each in calls) else (NAN, NAN)


def _ratio_interval(above: Calls, below: Calls, level: float) -> tuple[float, float]:
    """Return the interval of the ratio of two methods' median seconds."""
    seconds, rng = (above.seconds, below.seconds), np.random.default_rng(0)
    return _interval([above, below], lambda: ratio_interval(*seconds, RESAMPLES, rng, level=level))


def _notes(calls: Calls) -> Iterator[str]:
    """Say what a reader has to know of some calls."""
    if calls.failed:
        yield f"{calls.failed} of {len(calls.rows)} timed calls failed"
    if calls.contended:
        yield f"{calls.contended} of {len(calls.seconds)} calls of {calls.method} {BESIDE}"
    if calls.unknown:
        yield f"{calls.unknown} of {len(calls.seconds)} calls of {calls.method} {NOT_KNOWN}"
    if calls.why_no_interval:
        yield calls.why_no_interval
    if calls.elsewhere:
        yield f"without {calls.elsewhere} calls on other hardware"
