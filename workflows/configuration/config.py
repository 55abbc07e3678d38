"""The forms of a configuration: what can be said of a data set, of a method and of a run."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from benchmarks.records import Keep, Options
from datasets.files import DataError
from datasets.withheld import Judged


class SettingsError(DataError):
    """A configuration that cannot be run; the message is one line that says what, where and what to do."""


@dataclass(frozen=True, kw_only=True)
class DatasetConfig:
    """A data set: its module in `datasets` with its options, and how it is run."""

    module: str
    like: str | None = None
    params: Options = field(default_factory=dict)
    train_on: str | None = None
    judge: Judged = "test"
    chunks: int = 1
    keep: Keep | None = None


@dataclass(frozen=True, kw_only=True)
class Adaptation:
    """The parts of a method that may differ on one data set."""

    params: Options = field(default_factory=dict)
    training: Options = field(default_factory=dict)
    refine: Options = field(default_factory=dict)
    train_on: str | None = None
    time_limit: float | None = None
    seeds: list[int] | None = None


@dataclass(frozen=True, kw_only=True)
class Reported:
    """What the makers of displacements say that a pair took them, and on which hardware; nothing of it is measured."""

    seconds: float
    hardware: str

    def __str__(self) -> str:
        """Return both in words."""
        return f"{self.seconds:g} s a pair on {self.hardware}"


@dataclass(frozen=True, kw_only=True)
class MethodConfig(Adaptation):
    """A method: its module in `methods` with its options, how it is named, and how it is run."""

    module: str
    label: str
    kind: str
    cite: str = ""
    watch: list[str] = field(default_factory=list)
    teacher: str | None = None
    reported: Reported | None = None
    datasets: list[str] | None = None
    by_dataset: dict[str, Adaptation] = field(default_factory=dict)

    @property
    def refines(self) -> bool:
        """Whether its displacements are refined, on any data set."""
        return any(part.refine for part in (self, *self.by_dataset.values()))

    def on(self, dataset: str) -> Adaptation:
        """Return what holds on a data set."""
        own = self.by_dataset.get(dataset, Adaptation())
        return Adaptation(
            params=merge(self.params, own.params),
            training=merge(self.training, own.training),
            refine=merge(self.refine, own.refine),
            train_on=own.train_on or self.train_on,
            time_limit=own.time_limit or self.time_limit,
            seeds=own.seeds or self.seeds,
        )


@dataclass(frozen=True, kw_only=True)
class PaperSizeConfig:
    """The timing of networks at their papers' size, whatever the profile cuts: which of them, on which ``grid``.

    No grid: none. ``methods`` are all selected ones that have such a size where left out (the others have the seconds
    of the network that they share); ``once`` are called once there, ``all_threads`` are not timed on one thread.
    """

    grid: list[int] | None = None
    methods: list[str] | None = None
    once: list[str] = field(default_factory=list)
    all_threads: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class TimingConfig:
    """The timing run: which data sets and methods (all, or by data set), how many pairs, and rounds at most."""

    datasets: list[str] = field(default_factory=list)
    pairs: int = 1
    rounds: int = 1
    methods: list[str] | dict[str, list[str]] | None = None
    paper_size: PaperSizeConfig = field(default_factory=PaperSizeConfig)


@dataclass(frozen=True, kw_only=True)
class RegressionConfig:
    """What the gate compares beside accuracy: speed or not, and an older commit that is measured too."""

    speed: bool = True
    base: str = ""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The data sets and methods that a profile runs, in the order of display."""

    datasets: list[str]
    methods: list[str]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A part of a profile, before which the parts above it are done: methods on data sets, with seeds of theirs."""

    datasets: list[str]
    methods: list[str]
    seeds: list[int]
    about: str = ""
    minutes: float = 0  # that it takes on one core, by a pilot: for who waits


@dataclass(frozen=True, kw_only=True)
class Config:
    """The catalogue with a profile laid over it."""

    profile: str
    seeds: list[int]
    device: str
    time_limit: float
    keep: Keep
    run: Selection
    stages: list[Stage] = field(default_factory=list[Stage])
    stage: int | None = None  # how many of them are run; all where left out
    first_stage: int = 1  # those before it are another run's
    timing: TimingConfig = field(default_factory=TimingConfig)
    regression: RegressionConfig = field(default_factory=RegressionConfig)
    datasets: dict[str, DatasetConfig]
    methods: dict[str, MethodConfig]
    groups: dict[str, list[str]] = field(default_factory=dict)
    papers: dict[str, dict[str, str]] = field(default_factory=dict)
    about: str = ""


def merge(base: Options, over: Options) -> Options:
    """Merge mappings key by key; anything else (lists too) in ``over`` replaces what ``base`` has."""
    merged = copy.deepcopy(dict(base))
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = merge(merged[key], value) if both else copy.deepcopy(value)
    return merged


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a hint for a misspelt name: the nearest known one, or the list of them."""
    known = sorted(known)
    close = difflib.get_close_matches(str(word), known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known) or 'none'}"
