"""A run seen from one paper: which prepared data set plays which one of the paper's, and the sentences that say so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median

from datasets.case import Described
from reports.paper.contents import Paper, PaperData, TrainingData
from reports.reading.run import NOT_MEASURED, Run
from reports.reading.trainings import Training, teacher_shares

ENOUGH = 0.85  # share of the paper's pairs, or scans, from which on a number is of its data


@dataclass(frozen=True)
class Player:
    """A data set of the paper by its ``title``, the prepared one that plays it, and what readers are told of both."""

    title: str  # the paper's title of it
    dataset: Described | None  # what plays it; None where nothing does
    here: str  # the title of what plays it; empty where nothing does
    # how many of the paper's test pairs its own data set has here; empty where it has all, or where another data set
    # plays it
    note: str
    stand_in: bool  # whether another data set plays it, or too small a part of its own
    absent: str  # why nothing is measured on it; empty where something plays it
    in_figure: str  # what plays it, with the title that it stands in for, or with the pairs that it lacks
    in_ledger: str  # the same of a stand-in, in the words of the ledger

    def in_table(self, *, named: bool) -> str:
        """Return what a table says of it: with the paper's title where the table does not show that already."""
        title = self.title if named else ""
        if not self.dataset:
            return _nobody(title or "it")
        if self.note:
            return f"on {title}, which {self.note}" if title else self.note
        if self.stand_in:
            return f"{title} played by {self.here}".strip()
        return f"on {title}" if title else "measured on it"


@dataclass(frozen=True)
class PaperRun:
    """A run seen from one paper; ``cast`` maps a paper's data set to the name of the prepared one that plays it.

    A data set of the paper that nothing plays is absent from ``cast``.
    """

    paper: Paper
    run: Run
    cast: Mapping[str, str]

    @cached_property
    def players(self) -> Mapping[str, Player]:
        """Every data set of the paper, by key, with what plays it."""
        return {key: self._player(key) for key in self.paper.datasets}

    @cached_property
    def datasets(self) -> Mapping[str, Described]:
        """The prepared data sets by the key that each plays."""
        return {key: player.dataset for key, player in self.players.items() if player.dataset}

    def title(self, keys: Sequence[str]) -> str:
        """Return what plays these data sets of the paper, as a figure's title says it."""
        return "; ".join(self.players[key].in_figure for key in keys)

    def unplayed(self, keys: Sequence[str]) -> str:
        """Return which of these data sets of the paper nothing plays; empty where all are played."""
        lost = [key for key in keys if not self.players[key].dataset]
        if lacked := [why for key in lost if (why := self._lacked(key))]:
            return "; ".join(dict.fromkeys(lacked))
        titles = [self.players[key].title for key in lost]
        return f"{_nobody(', '.join(titles))} in this profile" if titles else ""

    def chosen(self, methods: Sequence[str]) -> tuple[list[str], str]:
        """Return which of these methods the run has, and a sentence on the others, empty where it has all."""
        here = [method for method in methods if method in self.run.methods]
        absent = ", ".join(method for method in methods if method not in here)
        if not here:
            return [], f"none of {absent} is in this profile"
        return here, f"Not in this profile: {absent}." if absent else ""

    def no_reproduction(self, keys: Sequence[str]) -> str:
        """Return a warning where other data play any of these data sets of the paper; empty where none do."""
        played = any(self.players[key].stand_in for key in keys)
        which = "stand-ins" if len(keys) > 1 else "a stand-in"
        return f"Measured on {which}, so that no value is a reproduction." if played else ""

    @cached_property
    def own_data(self) -> str:
        """The data set in this run that the paper's networks learn from; empty where it has none."""
        return next((each.dataset for each in self.run.trainings if self.own_of(each)), "")

    @property
    def training_titles(self) -> str:
        """What the paper's networks learn from, as it calls it."""
        return " or ".join(each.title for each in self.paper.trainings)

    def own_of(self, training: Training) -> TrainingData | None:
        """Return which of the paper's training data a training learned from, by what it recorded; None for others."""
        learned = training.learned
        if learned is None or learned.phantom:
            return None
        origin = learned.module, learned.collection
        return next((each for each in self.paper.trainings if (each.module, each.collection) == origin), None)

    def trained_elsewhere(self, method: str) -> str:
        """Return what a method learned from where that is not the paper's training data alone.

        The text is empty where it is, and where nothing is known of it.
        """
        of_method = [each for each in self.run.trainings if each.method == method]
        others = any(self.own_of(each) is None for each in of_method) and self.paper.trainings
        return " and ".join(sorted({each.dataset for each in of_method})) if others else ""

    def trained(self, methods: Sequence[str]) -> list[str]:
        """Return a sentence for all data that these methods learned from and that are not the paper's."""
        learned: dict[str, list[str]] = {}
        for method in methods:
            if names := self.trained_elsewhere(method):
                learned.setdefault(names, []).append(self.run.label(method))
        paper = f"the paper's on {self.training_titles}"
        return [f"Trained on {names}, {paper}: {' and '.join(who)}." for names, who in learned.items()]

    def taught(self, methods: Iterable[str]) -> str:
        """Return how much of their gradient these methods had from their teachers; empty where none logged it."""
        found = {self.run.label(method): teacher_shares(self.run.trainings, method) for method in methods}
        listed = "; ".join(
            f"{name} {min(shares):.1g} to {max(shares):.1g}, median {median(shares):.1g} of {len(shares)} steps"
            for name, shares in found.items()
            if shares
        )
        return (
            f"Logged in training, gradient from the teacher over gradient of the base loss: {listed}." if listed else ""
        )

    def trained_on(self, training: Training) -> str:
        """Return what a training learned from; other data than the paper's are named as its stand-in."""
        if not self.paper.trainings:
            return training.dataset
        own = self.own_of(training)
        return own.title if own else f"{training.dataset}, a stand-in for {self.training_titles}"

    def learned(self, trainings: Iterable[Training]) -> list[str]:
        """Return a sentence for all data that these trainings learned from."""
        return [f"Trained on {on}." for on in dict.fromkeys(map(self.trained_on, trainings))]

    def _lacked(self, key: str) -> str:
        """Return that what would play a data set of the paper lacked its files; empty where it did not."""
        found = [each.dataset for each in self.run.lacking if (self.paper.key, key) in each.plays]
        return f"{NOT_MEASURED} ({found[0]})" if found else ""

    def _player(self, key: str) -> Player:
        about, title = self.paper.datasets[key], self.paper.datasets[key].title
        if key not in self.cast:
            absent = self._lacked(key) or f"{_nobody(title)} in this profile"
            return Player(title, None, "", "", False, absent, "", "")
        name = self.cast[key]
        data, here = self.run.datasets[name], self.run.titles[name]
        if not _is_own(data, about):
            return Player(
                title, data, here, "", True, "", f"{here}, a stand-in for {title}", f"{here}, which plays {title}"
            )
        note = _pairs_note(len(data.description.test), about.pairs)
        which = f"{here}, which {note}" if note else here
        return Player(title, data, here, note, is_part(len(data.description.test), about.pairs), "", which, which)


def _is_own(data: Described, about: PaperData) -> bool:
    """Return whether a prepared data set is the paper's own, by what its preparation recorded and never by its name."""
    here = data.description
    return not here.phantom and (here.module, here.collection) == (about.module, about.collection)


def is_part(here: int, wanted: int) -> bool:
    """Return whether so many are too few, or too many, to stand for the paper's."""
    return not ENOUGH <= here / wanted <= 1 / ENOUGH


def _nobody(titles: str) -> str:
    return f"no data set plays {titles}"


def _pairs_note(here: int, wanted: int) -> str:
    """Return what a reader has to know where a data set has other test pairs than the paper's."""
    if wanted == here:
        return ""
    return f"has {here} of the paper's {wanted} pairs" if here < wanted else f"has {here} pairs, the paper's {wanted}"
