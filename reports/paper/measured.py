"""The measured number of a cell of a paper's table: in printed units, with its interval, or why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from benchmarks.ranking import Quote, default_quote
from reports.paper import costs
from reports.paper.cast import PaperRun
from reports.paper.contents import Cell, Measured
from reports.paper.pair_values import (
    P_VALUES,
    Choice,
    Missing,
    PairValues,
    alike,
    of_all_trainings,
    shared,
    statistic_name,
    summarise,
)
from reports.reading import trainings
from reports.reading.summary import Sizes


class Reader:
    """Reads the rows of a run for cells of a paper; what many cells ask for is looked up once, at the start."""

    def __init__(self, paper_run: PaperRun) -> None:
        run = paper_run.run
        self.paper_run = paper_run
        self._sizes = Sizes(run.metrics)
        self._learned = {method: paper_run.trained_elsewhere(method) for method in run.methods}

    @cached_property
    def _pairs(self) -> PairValues:
        return PairValues(self.paper_run.run)

    @cached_property
    def _costs(self) -> costs.Costs:
        return costs.Costs(self.paper_run.run, self.paper_run.paper, self.paper_run.cast, self._sizes)

    def read(self, cell: Cell) -> Measured:
        """Return what was measured for one cell."""
        blank = self._blank(cell)
        if cell.not_run:
            return replace(blank, reason=cell.not_run)
        if absent := [method for method in cell.methods if method not in self.paper_run.run.methods]:
            return replace(blank, reason=f"method {absent[0]} is not in this profile")
        if cell.metric in costs.METRICS and (own := self._costs.at_paper_size(blank, cell)):
            return own
        players = [self.paper_run.players[key] for key in cell.datasets]
        if absent := [player.absent for player in players if player.absent]:
            return replace(blank, reason=absent[0])
        if cell.setting:
            return self._setting(blank, cell)
        names = tuple(self.paper_run.cast[key] for key in cell.datasets)
        run = self.paper_run.run
        for place in [(name, method) for name in names for method in cell.methods]:
            if place in run.unavailable:
                return replace(blank, reason=f"{place[1]} was not available: {run.unavailable[place]}")
            if why := run.why_not_measured(*place):
                return replace(blank, reason=why)
        if cell.metric in costs.METRICS and (here := self._costs.on_data(blank, names[0], cell)):
            return here
        choices = [Choice(names, method, cell.seed, cell.pair) for method in cell.methods]
        if cell.metric == "parameters":
            missing = self._pairs.why_none(names[0], choices[0], default_quote("parameters"))
            return replace(blank, reason=missing.reason, outcome=missing.outcome)
        special = {"seeds_lower": self._seeds, "draws_sd": self._spread}
        if cell.statistic in special:
            return special[cell.statistic](blank, choices, cell)
        return self._over_pairs(blank, choices, cell)

    def _blank(self, cell: Cell) -> Measured:
        """Return a cell without a number yet."""
        names = " + ".join(self.paper_run.cast[key] for key in cell.datasets if key in self.paper_run.cast)
        stand_in = any(self.paper_run.players[key].stand_in for key in cell.datasets)
        if cell.setting:
            return Measured(names, stand_in, "setting", cell.setting, "as configured")
        if cell.metric in costs.METRICS:
            return self._costs.blank(cell, names, stand_in)
        learned = "; ".join(dict.fromkeys(filter(None, map(self._learned.get, cell.methods))))
        statistic = statistic_name(cell.statistic, pooled=cell.pooled, sets_alike=cell.sets_alike)
        return Measured(names, stand_in or bool(learned), cell.metric, cell.protocol, statistic, learned=learned)

    def _over_pairs(self, blank: Measured, choices: Sequence[Choice], cell: Cell) -> Measured:
        """Return a statistic over the pairs of one method, or over the pairs that two methods share."""
        frames, notes, failed, quote = [], [], 0, Quote(cell.metric, cell.protocol, cell.region)
        for choice in choices:
            found = self._pairs.read(choice, quote, pooled=cell.pooled)
            if isinstance(found, Missing):
                trainings = len(self._pairs.seeds(choice)) if choice.seed is None else 1
                return replace(blank, reason=found.reason, outcome=found.outcome, trainings=trainings)
            lost, note = self._pairs.losses(choice, found)
            failed, notes = failed + lost, notes + note
            frames.append(found)
        if len(choices) > 1:
            frames = shared(frames)
            draws = [int(seed) for seed in frames[0].index.unique("seed")]
            if why := self._why_apart(choices, draws, cell):
                return replace(blank, reason=why)
            ran = {seed for choice in choices if choice.seed is None for seed in self._pairs.seeds(choice)}
            what = f"of {len(draws)} draw{'s' * (len(draws) > 1)}: {', '.join(map(str, draws))}"
            notes += [what] if len(ran) > 1 else []
        frames, left_out = of_all_trainings(frames)
        if frames[0].empty:
            return replace(blank, reason="no pair that all trainings have")
        notes += [f"without {left_out} pair{'s' * (left_out > 1)} that not all trainings have"] if left_out else []
        frames = list(map(alike, frames)) if cell.sets_alike else frames
        subjects = self._pairs.subjects(frames[0].index)
        how = {"drawn": self._pairs.drawn(choices), "factor": cell.factor, "pooled": cell.pooled or cell.sets_alike}
        answer = summarise(cell.statistic, frames, subjects, **how)
        found = replace(blank, value=answer.value, n=answer.n, drawn=answer.drawn, sample=answer.sample, failed=failed)
        trainings = len(answer.drawn.seeds) if answer.drawn else 0
        if cell.statistic in P_VALUES and answer.drawn and trainings > 1:
            notes.append(f"the first draw's; of all: {', '.join(f'{each:.2g}' for each in answer.drawn.values)}")
        return replace(found, trainings=trainings, narrow=self._any_narrow(choices), notes=tuple(notes))

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

    def _spread(self, blank: Measured, choices: Sequence[Choice], cell: Cell) -> Measured:
        """Return the standard deviation of the means of trainings."""
        found = self._over_pairs(blank, choices, replace(cell, statistic="mean"))
        if found.reason or found.drawn is None:
            return found
        if len(found.drawn.seeds) < 2:
            return replace(blank, reason="one training has no standard deviation")
        return replace(found, value=float(np.std(found.drawn.values, ddof=1)), drawn=found.drawn, sample=None)

    def _setting(self, blank: Measured, cell: Cell) -> Measured:
        """Return a number that a training wrote down: how the run was set up, which no data set changes."""
        training = trainings.find(self.paper_run.run.trainings, cell.method, cell.seed, own=self.paper_run.own_data)
        if isinstance(training, str):
            return replace(blank, reason=f"{cell.method} is not trained in this run")
        about = training.about(cell.file)
        if about is None:
            return replace(blank, reason=f"the training of {cell.method} left no {cell.file}")
        number = _look_up(about, cell.setting)
        if number is None:
            return replace(blank, reason=f"{cell.file} has no single number {cell.setting}")
        return replace(blank, dataset=training.dataset, value=number * cell.factor)

    def _any_narrow(self, choices: Sequence[Choice]) -> bool:
        return any(self._sizes.narrow(dataset, choice.method) for choice in choices for dataset in choice.datasets)


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
