"""A run seen from one paper: which prepared data set plays which one of the paper's, and the sentences that say so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from datasets.case import Dataset
from reports.paper.layout import Paper
from reports.reading.run import Run
from reports.reading.trainings import Training


@dataclass(frozen=True)
class Player:
    """A data set of the paper by its ``title``, and the prepared one that plays it; None where nothing does.

    ``note`` says how many of the paper's test pairs its own data set has here; it is empty where it has all, or where
    another data set plays it. ``stand_in``: another data set plays it, or a part of its own.
    """

    title: str
    dataset: Dataset | None
    note: str
    stand_in: bool

    @property
    def absent(self) -> str:
        """The reason why nothing is measured on it; empty where something plays it."""
        return "" if self.dataset else _nobody(self.title)

    @property
    def here(self) -> str:
        """The title of what plays it; empty where nothing does."""
        return self.dataset.description.display_title if self.dataset else ""

    def in_figure(self) -> str:
        """Return the title of what plays it; a stand-in, or other pairs than the paper's, are named so."""
        if self.note:
            return f"{self.here}, which {self.note}"
        return f"{self.here}, a stand-in for {self.title}" if self.stand_in else self.here

    def in_ledger(self) -> str:
        """Return the title of a stand-in with what it plays, or with the pairs that it lacks."""
        return f"{self.here}, which {self.note or f'plays {self.title}'}"

    def in_table(self, *, named: bool) -> str:
        """Return what a table says of it: with the paper's title where the table does not show that already."""
        title = self.title if named else ""
        if not self.dataset:
            return f"no data set plays {title or 'it'}"
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
    def datasets(self) -> Mapping[str, Dataset]:
        """The prepared data sets by the key that each plays."""
        return {key: player.dataset for key, player in self.players.items() if player.dataset}

    def title(self, keys: Sequence[str]) -> str:
        """Return what plays these data sets of the paper, as a figure's title says it."""
        return "; ".join(self.players[key].in_figure() for key in keys)

    def unplayed(self, keys: Sequence[str]) -> str:
        """Return which of these data sets of the paper nothing plays; empty where all are played."""
        titles = [self.players[key].title for key in keys if not self.players[key].dataset]
        return _nobody(", ".join(titles)) if titles else ""

    def trained_elsewhere(self, method: str) -> str:
        """Return what a method learned from where that is not the paper's training data alone.

        The text is empty where it is, and where nothing is known of it.
        """
        learned = sorted({each.dataset for each in self.run.trainings if each.method == method})
        own = self.paper.training
        return " and ".join(learned) if own and set(learned) - {own} else ""

    def trained(self, methods: Sequence[str]) -> list[str]:
        """Return a sentence for all data that these methods learned from and that are not the paper's."""
        learned: dict[str, list[str]] = {}
        for method in methods:
            if names := self.trained_elsewhere(method):
                learned.setdefault(names, []).append(self.run.label(method))
        paper = f"the paper's on {self.paper.training}"
        return [f"Trained on {names}, {paper}: {' and '.join(who)}." for names, who in learned.items()]

    def _player(self, key: str) -> Player:
        about, data = self.paper.datasets[key], self.run.datasets[self.cast[key]] if key in self.cast else None
        if data is None:
            return Player(about["title"], None, "", False)
        note = "" if data.name != key else _pairs_note(len(data.test_pairs), about.get("pairs"))
        return Player(about["title"], data, note, data.name != key or bool(note))


def trained_on(training: Training, entry: Mapping[str, Any]) -> str:
    """Return what a training learned from; the entry's ``training`` has ``name`` and ``title`` of the paper's data."""
    own = entry.get("training")
    if not own:
        return training.dataset
    return own["title"] if training.dataset == own["name"] else f"{training.dataset}, a stand-in for {own['title']}"


def _nobody(titles: str) -> str:
    return f"no data set plays {titles} in this profile"


def _pairs_note(here: int, wanted: int | None) -> str:
    """Return what a reader has to know where a data set has other test pairs than the paper's."""
    if wanted in (None, here):
        return ""
    return f"has {here} of the paper's {wanted} pairs" if here < wanted else f"has {here} pairs, the paper's {wanted}"
