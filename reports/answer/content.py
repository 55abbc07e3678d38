"""The answer that the page opens with, as a typed value: what was run, what came of the papers, and three plots.

Nothing here knows how the page looks, nor where the numbers come from: `reports.answer.gather` fills it of a run,
`reports.answer.pictures` draws the plots, the template lays them out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from reports.overview.frontier import Frontier

Tone = Literal["for", "against", "open", "none"]  # of a verdict: the paper, against it, neither, no comparison
TONES: Mapping[str, Tone] = {
    "agrees": "for", "supported": "for",
    "differs": "against", "contradicted": "against",
    "inconclusive": "open", "incomplete": "open", "diverged": "open",
}  # fmt: skip


@dataclass(frozen=True)
class Count:
    """How often a verdict was given."""

    word: str
    number: int

    @property
    def tone(self) -> Tone:
        """Whether the verdict is for the paper, against it, open, or no comparison at all."""
        return TONES.get(self.word, "none")


@dataclass(frozen=True)
class KindCounts:
    """The verdicts on a paper's printed numbers of one kind: result, size, data or setting."""

    kind: str
    counts: Sequence[Count]
    chance: str = ""  # what chance alone would give, in words

    @property
    def number(self) -> int:
        """How many numbers there are of the kind."""
        return sum(each.number for each in self.counts)


@dataclass(frozen=True)
class PaperAnswer:
    """What came of one paper: verdicts on its printed numbers by kind and on its claims, each in order of display."""

    key: str
    name: str  # such as Tran et al. 2021
    numbers: Sequence[KindCounts]
    claims: Sequence[Count] = ()


@dataclass(frozen=True)
class Effect:
    """A claim in numbers: its effect with an interval, NaN where there is none, and the bounds that it has to pass."""

    label: str  # a few words
    statement: str
    unit: str
    value: float
    low: float
    high: float
    above: float  # the claim holds above this bound and below the other; infinite where it has but one
    below: float
    verdict: str
    once: bool = False  # a network was trained but once, so that the interval is over subjects alone


@dataclass(frozen=True)
class Ran:
    """A run in numbers.

    ``pairs`` are ordered, as in all tables, and ``subjects`` whom they are of; ``registrations``
    counts one for each method, direction and seed that was tried, ``failed`` those of them without a result.
    """

    profile: str
    phantoms: int  # data sets that were drawn
    real: int  # data sets of images that were taken of somebody
    synthetic: int  # of those, data sets in which something is made: images from real labels, or motion
    methods: int  # that registered, without controls
    controls: int
    pairs: int
    subjects: int
    registrations: int
    failed: int
    not_applicable: int
    trainings: int
    seeds: int  # the most that one network was trained with on one data set
    first: str  # day of the first and of the last registration, such as 26 November 2026; empty where not on record
    last: str
    machines: Sequence[str]

    @property
    def data(self) -> str:
        """The kind of images in words, phantoms said plainly."""
        sets = self.phantoms + self.real
        number = f"{sets} data set{'s' * (sets != 1)}"
        made = f", {self.synthetic} of them partly synthetic" if self.synthetic else ""
        if not self.phantoms:
            return f"{number}{made}" if made else f"{number} of real images"
        if not self.real:
            return f"{number}, all phantoms (drawn)" if sets > 1 else "1 data set, a phantom (drawn)"
        return f"{number}, {self.phantoms} of them phantoms (drawn){made}"

    @property
    def when(self) -> str:
        """The days between which it was run."""
        if not self.first:
            return "not recorded"
        return self.last if self.first == self.last else f"{self.first} to {self.last}"


@dataclass(frozen=True)
class Seconds:
    """The seconds of a network's warm calls: median and quartiles."""

    label: str
    median: float
    low: float
    high: float
    calls: int = 0
    disturbed: int = 0  # of the calls: not alone on the machine, or not known to be


@dataclass(frozen=True)
class Rival:
    """A network that is said to be faster: its seconds, and how many times as fast it is here with an interval."""

    seconds: Seconds
    times: float
    low: float  # of ``times``; NaN where there are too few calls
    high: float
    printed: float  # how many times as fast the paper says


@dataclass(frozen=True)
class Speed:
    """One claim of speed: the network that is compared with, and those of which the paper may have spoken."""

    paper: str
    reference: Seconds
    rivals: Sequence[Rival]
    grid: str
    threads: int
    machine: str  # the processor, or the GPU

    @property
    def seconds(self) -> list[Seconds]:
        """The seconds of all its networks."""
        return [self.reference, *(each.seconds for each in self.rivals)]


@dataclass(frozen=True)
class Answer:
    """All that the first screen says; ``frontier`` is of the data set on which most methods were timed, if any were."""

    ran: Ran
    sentences: tuple[str, str]
    papers: Sequence[PaperAnswer]
    frontier: Frontier | None
    speeds: Sequence[Speed]
    effects: Sequence[Effect] = ()


def count(words: Iterable[str], order: Sequence[str] = ()) -> list[Count]:
    """Count words, those of ``order`` first and in that order, then the others as they come."""
    numbers = dict.fromkeys(order, 0)
    for word in words:
        numbers[word] = numbers.get(word, 0) + 1
    return [Count(word, number) for word, number in numbers.items() if number]


def total(lists: Iterable[Sequence[Count]]) -> list[Count]:
    """Add up the counts of several papers."""
    return count(each.word for counts in lists for each in counts for _ in range(each.number))
