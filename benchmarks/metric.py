"""What is known of a metric."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from benchmarks.evidence import Compute, Needs


@dataclass(frozen=True, kw_only=True)
class Metric:
    """All there is to know of a metric: how it is computed, what it means and how it is shown."""

    name: str  # in words, for the glossary
    symbol: str = ""  # what heads of columns and axes print, where the name is too long for them
    meaning: str  # one sentence
    unit: str = "1"
    higher_is_better: bool = False
    needs: Needs = "none"  # the truth it takes; displacement: only the displacement itself; none: not even that
    compute: Compute | None = None  # None where the registration, not the judge, gives the number
    protocols: Mapping[str, str]  # each with its meaning; tables quote the first one that has values
    region: str = "all"  # the region that tables quote
    statistic: Literal["mean", "median"] = "mean"  # over pairs, as tables quote it
    decimals: int = 3
    digits: int | None = None  # at most this many significant digits, at most so many decimals
    ranks: bool = False  # whether pairs are ranked by it; the first one in the table that has values is taken
    column: bool = False  # whether the overview has a column of it
    tolerance: float | None = 0.0  # what it may lose for another processor's rounding; None: the gate leaves it out
    perfect: float | None = None  # the value that no registration has, which the gate takes for a fault
    least: float = 0.0  # no value over a whole pair or a label is below this,
    most: float = math.inf  # and none above that
    source: str = "this project"

    @property
    def judges_accuracy(self) -> bool:
        """Whether no registration at all has a number to beat; by the displacement alone, moving nothing is perfect."""
        return self.needs not in ("displacement", "opposite", "none")

    @property
    def short(self) -> str:
        """The name as heads of columns and axes print it."""
        return self.symbol or self.name
