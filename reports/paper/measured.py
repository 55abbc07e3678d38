"""What a run measured for a cell of a paper's table: the value in printed units, its interval, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.metrics import METRICS
from benchmarks.ranking import Quote
from benchmarks.results import RUN_LEVEL
from benchmarks.statistics import Statistic, bootstrap_interval
from datasets.case import Dataset
from reports.paper import statistics as cell_statistics
from reports.paper.cast import PaperRun
from reports.paper.layout import Entry, dataset_keys, specification
from reports.paper.pair_values import Choice, Missing, PairValues, first_reason, subjects
from reports.paper.statistics import NAN, RESAMPLES
from reports.reading import trainings

METHODS = ("method", "less", "against")  # parts of a cell that name one
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
    """Reads the rows of a run for cells of a paper."""

    def __init__(self, stage: PaperRun) -> None:
        self.stage = stage
        self._pairs = PairValues(stage.run.metrics)
        sizes = stage.run.metrics[(stage.run.metrics.pair == RUN_LEVEL) & (stage.run.metrics.status == "ok")]
        self._sizes: dict[tuple[str, str, str], float] = {}
        for size in sizes.itertuples():
            self._sizes.setdefault((size.dataset, size.method, size.metric), float(size.value))

    def cell(self, table: Entry, row: Entry, column: Entry) -> Measured:
        """What was measured for one cell."""
        cell = specification(table, row, column)
        blank = self._blank(cell)
        if "not_run" in cell:
            return replace(blank, reason=cell["not_run"])
        for key in dataset_keys(cell):
            if absent := self.stage.players[key].absent:
                return replace(blank, reason=absent)
        methods = [cell[name] for name in METHODS if name in cell]
        if absent := [method for method in methods if method not in self.stage.run.methods]:
            return replace(blank, reason=f"method {absent[0]} is not in this profile")
        if "setting" in cell:
            return self._setting(blank, cell)
        datasets = tuple(self.stage.datasets[key] for key in dataset_keys(cell))
        if "device" in cell:
            return self._seconds(blank, datasets[0], cell)
        if cell["metric"] == "parameters":
            return self._size(blank, datasets[0], cell["method"])
        choices = [Choice(datasets, method, cell.get("seed"), cell.get("pair")) for method in methods]
        if cell.get("statistic") == "seeds_lower":
            return self._seeds(blank, choices, cell)
        return self._over_pairs(blank, choices, cell)

    def _blank(self, cell: Entry) -> Measured:
        """A cell without a number yet."""
        played = [key for key in dataset_keys(cell) if key in self.stage.datasets]
        names = " + ".join(self.stage.datasets[key].name for key in played)
        stand_in = any(self.stage.players[key].stand_in for key in played)
        if "setting" in cell:
            return Measured(names, stand_in, "setting", _path(cell), "as configured")
        metric = cell.get("metric", "")
        fixed = {"seconds": "all threads", "parameters": "network"}
        protocol = fixed.get(metric) or cell.get("protocol", "")
        statistic = {"seconds": cell.get("statistic", "median"), "parameters": "count"}.get(metric)
        named = cell_statistics.name(_wanted(cell), pooled=cell.get("pooled", False))
        learned = "" if metric in fixed else self._learned(cell)
        return Measured(names, stand_in or bool(learned), metric, protocol, statistic or named, learned=learned)

    def _learned(self, cell: Entry) -> str:
        """What the methods of a cell learned from where that is not the paper's training data."""
        named = (self.stage.trained_elsewhere(cell[name]) for name in METHODS if name in cell)
        return "; ".join(dict.fromkeys(filter(None, named)))

    def _over_pairs(self, blank: Measured, choices: Sequence[Choice], cell: Entry) -> Measured:
        """A statistic over the pairs of one method, or over the pairs that two methods share."""
        frames, notes, failed, pooled = [], [], 0, cell.get("pooled", False)
        for choice in choices:
            found = self._pairs.read(choice, _quote(cell), pooled=pooled)
            if isinstance(found, Missing):
                return replace(blank, reason=found.reason, outcome=found.outcome)
            lost, note = self._pairs.losses(choice, found)
            failed, notes = failed + lost, notes + note
            frames.append(found)
        if len(choices) > 1:
            frames, draws = self._pairs.read_both(choices, _quote(cell), pooled=pooled)
            if not draws:
                return replace(blank, reason=f"{choices[0].method} and {choices[1].method} have no pair in common")
            if choices[0].seed is None and "seed" in cell and len(draws) == 1:
                return replace(blank, reason="one draw only")
            ran = {seed for choice in choices if choice.seed is None for seed in self._pairs.seeds(choice)}
            what = f"of {len(draws)} draw{'s' * (len(draws) > 1)}: {', '.join(map(str, draws))}"
            notes += [what] if len(ran) > 1 else []
        wanted, who = _wanted(cell), subjects(choices[0].datasets, frames[0].index)
        answer = cell_statistics.summarise(wanted, frames, who, factor=cell.get("factor", 1), pooled=pooled)
        return replace(
            blank, value=answer.value, low=answer.low, high=answer.high, n=answer.n, failed=failed,
            narrow=self._any_narrow(choices), notes=(*notes, *([answer.why] if answer.why else [])),
        )  # fmt: skip

    def _seeds(self, blank: Measured, choices: Sequence[Choice], cell: Entry) -> Measured:
        """In how many of the seeds that both methods were run with the first has the lower mean.

        A seed in which either of them has no number counts as not lower, so that a network that diverges gains nothing.
        """
        common = [seed for seed in self._pairs.seeds(choices[0]) if seed in self._pairs.seeds(choices[1])]
        lower, failed, lost, notes = 0, 0, [], []
        for seed in common:
            one = self._over_pairs(blank, [replace(each, seed=seed) for each in choices],
                                   {**cell, "statistic": "reduction"})  # fmt: skip
            if one.reason:
                lost.append(f"seed {seed} counts as not lower: {one.reason}")
            lower, failed = lower + (one.value > 0), failed + one.failed
            notes += [f"seed {seed}: {note}" for note in one.notes] if one.failed else []
        if len(lost) == len(common):
            return replace(blank, reason="; ".join(lost) or "the two methods have no seed in common")
        notes = (f"of {len(common)} seeds: {', '.join(map(str, common))}", *lost, *notes)
        return replace(blank, value=float(lower), n=len(common), failed=failed, narrow=self._any_narrow(choices),
                       notes=notes)  # fmt: skip

    def _setting(self, blank: Measured, cell: Entry) -> Measured:
        """A number that a training wrote down: how the run was set up, which no data set changes."""
        own = self.stage.paper.training
        training = trainings.find(self.stage.run.trainings, cell["method"], cell.get("seed"), own=own)
        if training is None:
            return replace(blank, reason=f"{cell['method']} is not trained in this run")
        about = training.about(cell["file"])
        if about is None:
            return replace(blank, reason=f"the training of {cell['method']} left no {cell['file']}")
        number = _look_up(about, _path(cell))
        if number is None:
            return replace(blank, reason=f"{cell['file']} has no single number {_path(cell)}")
        return replace(blank, dataset=training.dataset, value=number * cell.get("factor", 1))

    def _seconds(self, blank: Measured, dataset: Dataset, cell: Entry) -> Measured:
        """Of the warm calls with the most threads, of the row's method or of the one that is timed for it."""
        found = self._timed(dataset, cell)
        if isinstance(found, str):
            return replace(blank, reason=found)
        method = str(found.method.iloc[0])
        warm = found[(found.threads == found.threads.max()) & (found.phase == "warm")]
        good = warm[warm.status == "ok"].seconds.to_numpy(dtype=np.float64)
        if not len(good):
            return replace(blank, reason=f"no timed call finished: {first_reason(warm if len(warm) else found)}")
        statistic = CALLS[cell.get("statistic", "median")]
        low, high = bootstrap_interval(good, statistic, RESAMPLES, np.random.default_rng(0))
        notes = []
        if len(good) < len(warm):
            notes.append(f"{len(warm) - len(good)} of {len(warm)} timed calls failed")
        if macs := self._number(dataset, method, "full_macs"):
            notes.append(f"{macs / 1e9:.1f} GMAC at the paper's width and grid")
        return replace(
            blank, value=float(statistic(good)), low=low, high=high, n=len(good), failed=len(warm) - len(good),
            narrow=self._narrow(dataset, method), threads=int(found.threads.max()),
            timed_as=method if method != cell["method"] else "", notes=tuple(notes),
            device=str(found.device.iloc[0]) if cell["device"] == "any" else "",
        )  # fmt: skip

    def _timed(self, dataset: Dataset, cell: Entry) -> pd.DataFrame | str:
        """The timed calls of a cell's method, or of the one timed for it; else why there are none."""
        if self.stage.run.timing is None or self.stage.run.timing.empty:
            return "timing not run"
        found: pd.DataFrame | str = ""
        for device in ("cuda", "cpu") if cell["device"] == "any" else (cell["device"],):
            found = self._timed_on(device, dataset, cell)
            if not isinstance(found, str):
                break
        return found

    def _timed_on(self, device: str, dataset: Dataset, cell: Entry) -> pd.DataFrame | str:
        timing = self.stage.run.timing[self.stage.run.timing.device.str.startswith(device)]
        if timing.empty:
            return "no CUDA device" if device == "cuda" else f"no timing on {device} in this run"
        timing = timing[timing.dataset == dataset.name]
        if timing.empty:
            return f"timing not run on {dataset.description.display_title}"
        method = cell["method"]
        if "timed_as" in cell and method not in set(timing.method):
            method = cell["timed_as"]
        timing = timing[timing.method == method]
        return f"timing not run for {method}" if timing.empty else timing

    def _size(self, blank: Measured, dataset: Dataset, method: str) -> Measured:
        """Parameters of the network that was run; what data set it ran on does not matter, its width does."""
        size, full = (self._number(dataset, method, metric) for metric in ("parameters", "full_parameters"))
        if size is None:
            if self.stage.run.methods[method].kind != "learned":
                return replace(blank, reason="no network", stand_in=False)
            quote = Quote("parameters", blank.protocol, "all")
            missing = self._pairs.why_none(dataset, Choice((dataset,), method), quote)
            return replace(blank, reason=missing.reason, outcome=missing.outcome)
        narrow = full is not None and full != size
        notes = () if full is not None else ("the size at the paper's width is not on record",)
        return replace(
            blank, value=size, full=None if full is None else int(full), narrow=narrow, stand_in=False, notes=notes
        )

    def _number(self, dataset: Dataset, method: str, metric: str) -> float | None:
        return self._sizes.get((dataset.name, method, metric))

    def _narrow(self, dataset: Dataset, method: str) -> bool:
        size, full = (self._number(dataset, method, metric) for metric in ("parameters", "full_parameters"))
        return size is not None and full is not None and size != full

    def _any_narrow(self, choices: Sequence[Choice]) -> bool:
        return any(self._narrow(dataset, choice.method) for choice in choices for dataset in choice.datasets)


def _quote(cell: Entry) -> Quote:
    region = cell.get("region") or METRICS[cell["metric"]].region
    return Quote(cell["metric"], cell.get("protocol", ""), region)


def _wanted(cell: Entry) -> str:
    """The statistic that a cell is."""
    return "less" if "less" in cell else cell.get("statistic", "mean")


def _path(cell: Entry) -> str:
    return ".".join(part for part in (cell.get("within"), cell["setting"]) if part)


def _look_up(about: Any, path: str) -> float | None:
    """The number at a path; x, y, z are the places of a list of three, a list of equal numbers is that number."""
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
