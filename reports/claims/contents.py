"""The claims of a paper as types: what is claimed of which methods, and the rules by which a run decides it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

MINUS = "\N{MINUS SIGN}"
Verdict = Literal["supported", "contradicted", "inconclusive", "not measured"]
VERDICTS: tuple[Verdict, ...] = ("supported", "contradicted", "inconclusive", "not measured")

# What the effect of a claim is worked out of; `reports.claims.evidence` has a function for each.
#
# - values: the metric of pairs, its difference between two methods, or the difference of two differences;
# - slope: how much the metric grows by unit of the same metric before registration, over pairs;
# - roughness: how far the error of a pair moves from snapshot to snapshot in the second half of a training;
# - spread: standard deviation over trainings of their mean over pairs, as a ratio of two methods;
# - share: a number that training wrote into its curve, mean over the steps that have it;
# - outcome: the share of trainings that diverged;
# - seconds, parameters: at the paper's size, of one method or as a ratio of two.
Kind = Literal["values", "slope", "roughness", "spread", "share", "outcome", "seconds", "parameters"]
Average = Literal["pairs", "datasets"]
BEYOND = "beyond the paper"  # where a claim of this project stands
OVER_PAIRS: tuple[Kind, ...] = ("values", "slope", "roughness")  # linear in the methods, one number a pair
RATIOS: tuple[Kind, ...] = ("spread", "seconds", "parameters")  # of the first method over the second
OF_NETWORKS: tuple[Kind, ...] = ("seconds", "parameters")  # need no data set
MOST_METHODS = {**dict.fromkeys(OVER_PAIRS, 4), **dict.fromkeys(RATIOS, 2), "share": 1, "outcome": 1}


@dataclass(frozen=True)
class Measure:
    """A number that claims are about: a metric with its protocol and region, and how it is shown."""

    metric: str
    unit: str
    protocol: str = ""
    region: str = ""
    factor: float = 1  # shown units per unit of the metric
    decimals: int = 2
    device: str = ""  # of seconds: cpu or cuda
    column: str = ""  # of a training's curve, for the kind ``share``


@dataclass(frozen=True)
class Region:
    """Where the effect lies if the claim holds: above a bound, below one, or between two; in shown units."""

    above: float = -math.inf
    below: float = math.inf

    @property
    def two_sided(self) -> bool:
        """Whether there are two bounds, as in a claim of equivalence."""
        return math.isfinite(self.above) and math.isfinite(self.below)

    def contains(self, value: float) -> bool:
        """Return whether a value is in it."""
        return self.above < value < self.below

    @property
    def direction(self) -> str:
        """The side of the bound that is claimed."""
        return "between" if self.two_sided else "above" if math.isfinite(self.above) else "below"

    @property
    def margin(self) -> str:
        """The bound, or both."""
        bounds = [f"{bound:g}" for bound in (self.above, self.below) if math.isfinite(bound)]
        return " and ".join(bounds)


@dataclass(frozen=True)
class Claim:
    """One claim; ``methods`` are the arms of its contrast.

    One method stands for itself, two for their difference (a ratio in `RATIOS`), four for the difference of two
    differences. ``datasets`` are keys of the paper's data sets.
    """

    key: str
    statement: str
    locator: str
    methods: Sequence[str]
    measure: Measure
    region: Region
    kind: Kind = "values"
    datasets: Sequence[str] = ()
    average: Average = "pairs"  # what counts alike in a mean over several data sets

    @property
    def own(self) -> bool:
        """Whether this project claims it, not the paper: it is judged beside the others, and not counted among them."""
        return self.locator == BEYOND

    @property
    def contrast(self) -> str:
        """The contrast in signs."""
        if self.kind in RATIOS:
            return " / ".join(self.methods)
        return (
            f" {MINUS} ".join(f"({pair})" for pair in self._pairs)
            if len(self.methods) == 4
            else f" {MINUS} ".join(self.methods)
        )

    @property
    def weights(self) -> Sequence[int]:
        """What each method counts in a contrast that is linear in them."""
        return (1, -1, -1, 1)[: len(self.methods)]

    @property
    def _pairs(self) -> Sequence[str]:
        return [f" {MINUS} ".join(self.methods[at : at + 2]) for at in (0, 2)]


@dataclass(frozen=True)
class Flattening:
    """The rule by which a loss curve has flattened.

    The mean loss over the ``last`` part of a training is at most ``share`` of the fall before it below the mean over
    the part of the same length just before; the fall before is from the mean over the first such part to that one.
    """

    last: float
    share: float


@dataclass(frozen=True)
class Claims:
    """All claims of a paper, and the rules that were fixed with them."""

    paper: str
    flattening: Flattening
    claims: Sequence[Claim]


@dataclass(frozen=True)
class Evidence:
    """What a run has on a claim, in shown units; ``missing`` says why nothing is measured.

    ``doubts`` say why no verdict can be given whatever the numbers are. ``p`` is that of the side of the bounds on
    which the effect lies; NaN where the kind has none, and the interval alone decides. Numbers without any spread, as
    sizes, are their own interval.
    """

    missing: str = ""
    value: float = math.nan
    low: float = math.nan  # of the 95 % interval
    high: float = math.nan
    p: float = math.nan
    minimal: float = math.nan  # effect that would be found with a power of 80 %
    pairs: int | None = None
    subjects: int | None = None
    trainings: int | None = None
    data: str = ""
    test: str = ""
    pairing: str = ""
    doubts: Sequence[str] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Judged:
    """A claim with what was measured, Holm's p over the claims of its paper, the verdict, and why."""

    paper: str
    claim: Claim
    evidence: Evidence
    p_holm: float
    verdict: Verdict
    why: str


@dataclass(frozen=True)
class Counts:
    """How many claims have which verdict."""

    supported: int = 0
    contradicted: int = 0
    inconclusive: int = 0
    not_measured: int = 0

    @property
    def total(self) -> int:
        """How many claims there are."""
        return self.supported + self.contradicted + self.inconclusive + self.not_measured

    @property
    def words(self) -> str:
        """The counts in one line, without zeros."""
        named = zip(VERDICTS, (self.supported, self.contradicted, self.inconclusive, self.not_measured), strict=True)
        return ", ".join(f"{count} {verdict}" for verdict, count in named if count)


def count(judged: Sequence[Judged]) -> Counts:
    """Count the verdicts."""
    return Counts(*(sum(each.verdict == verdict for each in judged) for verdict in VERDICTS))
