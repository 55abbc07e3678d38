"""The measured number of a cell of a paper's table: in printed units, with its interval, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from benchmarks.ranking import Quote, default_quote
from benchmarks.results import RUN_LEVEL
from benchmarks.statistics import Statistic, bootstrap_interval
from reports.paper.cast import PaperRun
from reports.paper.contents import Cell
from reports.paper.pair_values import (
    NAN,
    RESAMPLES,
    Choice,
    Missing,
    PairValues,
    first_reason,
    statistic_name,
    summarise,
)
from reports.reading import trainings

CALLS: Mapping[str, Statistic] = {"median": np.median, "mean": np.mean, "sd": np.std}  # of seconds


@dataclass(frozen=True)
class Measured:
    """A measured number in printed units, or the ``reason`` why there is none.

    ``outcome`` says that there is none because training ended so (diverged), which is a result. ``full`` is the number
    of parameters at the paper's width where that is on record; ``narrow`` says that the network that was run has
    another width, ``learned`` what networks learned from where that is not the paper's training data, which makes a
    stand-in as well; ``failed`` how many registrations a mean leaves out. Seconds have their ``threads`` and, where
    another method was timed in the row's place, ``timed_as``; their ``device`` where the cell leaves it open.
    """

    dataset: str
    stand_in: bool
    metric: str
    protocol: str
    statistic: str
    value: float = NAN
    low: float = NAN
    high: float = NAN
    n: int | None = None
    failed: int = 0
    narrow: bool = False
    learned: str = ""
    full: int | None = None
    threads: int | None = None
    device: str = ""
    timed_as: str = ""
    notes: tuple[str, ...] = ()
    reason: str = ""
    outcome: str = ""


class Reader:
    """Reads the rows of a run for cells of a paper; what many cells ask for is looked up once, at the start."""

    def __init__(self, paper_run: PaperRun) -> None:
        run = paper_run.run
        self.paper_run = paper_run
        self._pairs = PairValues(run)
        self._learned = {method: paper_run.trained_elsewhere(method) for method in run.methods}
        sizes = run.metrics[(run.metrics.pair == RUN_LEVEL) & (run.metrics.status == "ok")]
        places = sizes[["dataset", "method", "metric"]].itertuples(index=False, name=None)
        self._sizes: dict[tuple[str, str, str], float] = {}
        for place, value in zip(places, sizes.value, strict=True):
            self._sizes.setdefault(place, float(value))

    def read(self, cell: Cell) -> Measured:
        """Return what was measured for one cell."""
        blank = self._blank(cell)
        if cell.not_run:
            return replace(blank, reason=cell.not_run)
        players = [self.paper_run.players[key] for key in cell.datasets]
        if absent := [player.absent for player in players if player.absent]:
            return replace(blank, reason=absent[0])
        if absent := [method for method in cell.methods if method not in self.paper_run.run.methods]:
            return replace(blank, reason=f"method {absent[0]} is not in this profile")
        if cell.setting:
            return self._setting(blank, cell)
        names = tuple(self.paper_run.cast[key] for key in cell.datasets)
        run = self.paper_run.run
        for place in [(name, method) for name in names for method in cell.methods]:
            if place in run.unavailable:
                return replace(blank, reason=f"{place[1]} was not available: {run.unavailable[place]}")
        if cell.device:
            return self._seconds(blank, names[0], cell)
        if cell.metric == "parameters":
            return self._size(blank, names[0], cell)
        choices = [Choice(names, method, cell.seed, cell.pair) for method in cell.methods]
        if cell.statistic == "seeds_lower":
            return self._seeds(blank, choices, cell)
        return self._over_pairs(blank, choices, cell)

    def _blank(self, cell: Cell) -> Measured:
        """Return a cell without a number yet."""
        names = " + ".join(self.paper_run.cast[key] for key in cell.datasets if key in self.paper_run.cast)
        stand_in = any(self.paper_run.players[key].stand_in for key in cell.datasets)
        if cell.setting:
            return Measured(names, stand_in, "setting", cell.setting, "as configured")
        if cell.metric == "seconds":
            return Measured(names, stand_in, "seconds", "all threads", cell.statistic)
        if cell.metric == "parameters":
            return Measured(names, stand_in, "parameters", default_quote("parameters").protocol, "count")
        learned = "; ".join(dict.fromkeys(filter(None, map(self._learned.get, cell.methods))))
        statistic = statistic_name(cell.statistic, pooled=cell.pooled)
        return Measured(names, stand_in or bool(learned), cell.metric, cell.protocol, statistic, learned=learned)

    def _over_pairs(self, blank: Measured, choices: Sequence[Choice], cell: Cell) -> Measured:
        """Return a statistic over the pairs of one method, or over the pairs that two methods share."""
        frames, notes, failed, quote = [], [], 0, Quote(cell.metric, cell.protocol, cell.region)
        for choice in choices:
            found = self._pairs.read(choice, quote, pooled=cell.pooled)
            if isinstance(found, Missing):
                return replace(blank, reason=found.reason, outcome=found.outcome)
            lost, note = self._pairs.losses(choice, found)
            failed, notes = failed + lost, notes + note
            frames.append(found)
        if len(choices) > 1:
            frames, draws = self._pairs.read_both(choices, quote, pooled=cell.pooled)
            if why := self._why_apart(choices, draws, cell):
                return replace(blank, reason=why)
            ran = {seed for choice in choices if choice.seed is None for seed in self._pairs.seeds(choice)}
            what = f"of {len(draws)} draw{'s' * (len(draws) > 1)}: {', '.join(map(str, draws))}"
            notes += [what] if len(ran) > 1 else []
        subjects = self._pairs.subjects(frames[0].index)
        answer = summarise(cell.statistic, frames, subjects, factor=cell.factor, pooled=cell.pooled)
        return replace(
            blank,
            value=answer.value,
            low=answer.low,
            high=answer.high,
            n=answer.n,
            failed=failed,
            narrow=self._any_narrow(choices),
            notes=(*notes, *([answer.why] if answer.why else [])),
        )

    @staticmethod
    def _why_apart(choices: Sequence[Choice], draws: Sequence[int], cell: Cell) -> str:
        """Return why two methods cannot be compared over these draws; empty where they can."""
        if not draws:
            return f"{choices[0].method} and {choices[1].method} have no pair in common"
        return "one draw only" if cell.draws and choices[0].seed is None and len(draws) == 1 else ""

    def _seeds(self, blank: Measured, choices: Sequence[Choice], cell: Cell) -> Measured:
        """Count the seeds, of those that both methods were run with, in which the first has the lower mean.

        A seed in which either of them has no number counts as not lower, so that a network that diverges gains nothing.
        """
        common = [seed for seed in self._pairs.seeds(choices[0]) if seed in self._pairs.seeds(choices[1])]
        lower, failed, lost, notes, reduction = 0, 0, [], [], replace(cell, statistic="reduction")
        for seed in common:
            one = self._over_pairs(blank, [replace(each, seed=seed) for each in choices], reduction)
            if one.reason:
                lost.append(f"seed {seed} counts as not lower: {one.reason}")
            lower, failed = lower + (one.value > 0), failed + one.failed
            notes += [f"seed {seed}: {note}" for note in one.notes] if one.failed else []
        if len(lost) == len(common):
            return replace(blank, reason="; ".join(lost) or "the two methods have no seed in common")
        notes = (f"of {len(common)} seeds: {', '.join(map(str, common))}", *lost, *notes)
        narrow = self._any_narrow(choices)
        return replace(blank, value=float(lower), n=len(common), failed=failed, narrow=narrow, notes=notes)

    def _setting(self, blank: Measured, cell: Cell) -> Measured:
        """Return a number that a training wrote down: how the run was set up, which no data set changes."""
        own = self.paper_run.paper.training.name
        training = trainings.find(self.paper_run.run.trainings, cell.method, cell.seed, own=own)
        if isinstance(training, str):
            return replace(blank, reason=f"{cell.method} is not trained in this run")
        about = training.about(cell.file)
        if about is None:
            return replace(blank, reason=f"the training of {cell.method} left no {cell.file}")
        number = _look_up(about, cell.setting)
        if number is None:
            return replace(blank, reason=f"{cell.file} has no single number {cell.setting}")
        return replace(blank, dataset=training.dataset, value=number * cell.factor)

    def _seconds(self, blank: Measured, dataset: str, cell: Cell) -> Measured:
        """Return the seconds of the warm calls with the most threads, of the method or of the one timed for it."""
        found = self._timed(cell)
        if isinstance(found, str):
            return replace(blank, reason=found)
        method = str(found.method.iloc[0])
        warm = found[(found.threads == found.threads.max()) & (found.phase == "warm")]
        good = warm[warm.status == "ok"].seconds.to_numpy(dtype=np.float64)
        if not len(good):
            return replace(blank, reason=f"no timed call finished: {first_reason(warm if len(warm) else found)}")
        statistic = CALLS[cell.statistic]
        low, high = bootstrap_interval(good, statistic, RESAMPLES, np.random.default_rng(0))
        notes = []
        if len(good) < len(warm):
            notes.append(f"{len(warm) - len(good)} of {len(warm)} timed calls failed")
        if macs := self._sizes.get((dataset, method, "full_macs")):
            notes.append(f"{macs / 1e9:.1f} GMAC at the paper's width and grid")
        return replace(
            blank,
            value=float(statistic(good)),
            low=low,
            high=high,
            n=len(good),
            failed=len(warm) - len(good),
            narrow=self._narrow(dataset, method),
            threads=int(found.threads.max()),
            timed_as=method if method != cell.method else "",
            notes=tuple(notes),
            device=str(found.device.iloc[0]) if cell.device == "any" else "",
        )

    def _timed(self, cell: Cell) -> pd.DataFrame | str:
        """Return the timed calls of a cell's method, or of the one timed for it; else why there are none."""
        timing = self.paper_run.run.timing
        if timing is None or timing.empty:
            return "timing not run"
        found: pd.DataFrame | str = ""
        for device in ("cuda", "cpu") if cell.device == "any" else (cell.device,):
            found = self._timed_on(device, timing, cell)
            if not isinstance(found, str):
                break
        return found

    def _timed_on(self, device: str, timing: pd.DataFrame, cell: Cell) -> pd.DataFrame | str:
        timing = timing[timing.device.str.startswith(device)]
        if timing.empty:
            return "no CUDA device" if device == "cuda" else f"no timing on {device} in this run"
        timing = timing[timing.dataset == self.paper_run.cast[cell.datasets[0]]]
        if timing.empty:
            return f"timing not run on {self.paper_run.players[cell.datasets[0]].here}"
        method = cell.method
        if cell.timed_as and method not in set(timing.method):
            method = cell.timed_as
        timing = timing[timing.method == method]
        return f"timing not run for {method}" if timing.empty else timing

    def _size(self, blank: Measured, dataset: str, cell: Cell) -> Measured:
        """Return the parameters of the network that was run; its width matters, the data that it ran on does not."""
        size, full = (self._sizes.get((dataset, cell.method, name)) for name in ("parameters", "full_parameters"))
        if size is None:
            if self.paper_run.run.methods[cell.method].kind != "learned":
                return replace(blank, reason="no network", stand_in=False)
            choice = Choice((dataset,), cell.method)
            missing = self._pairs.why_none(dataset, choice, default_quote("parameters"))
            return replace(blank, reason=missing.reason, outcome=missing.outcome)
        narrow = full is not None and full != size
        notes = () if full is not None else ("the size at the paper's width is not on record",)
        full = None if full is None else int(full)
        return replace(blank, value=size, full=full, narrow=narrow, stand_in=False, notes=notes)

    def _narrow(self, dataset: str, method: str) -> bool:
        size, full = (self._sizes.get((dataset, method, metric)) for metric in ("parameters", "full_parameters"))
        return size is not None and full is not None and size != full

    def _any_narrow(self, choices: Sequence[Choice]) -> bool:
        return any(self._narrow(dataset, choice.method) for choice in choices for dataset in choice.datasets)


def _look_up(about: object, path: str) -> float | None:
    """Return the number at a path; x, y, z are places of a list of three; equal numbers of a list are that one."""
    for name in path.split("."):
        if isinstance(about, list) and name in ("x", "y", "z") and len(about) == 3:
            about = about["xyz".index(name)]
        elif isinstance(about, dict) and name in about:
            about = about[name]
        else:
            return None
    if isinstance(about, list) and len(set(map(str, about))) == 1:
        about = about[0]
    return float(about) if isinstance(about, (int, float)) and not isinstance(about, bool) else None
