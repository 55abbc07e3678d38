"""A finding of the audit, and findings as rows of a CSV file and as a table for readers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import pandas as pd

from reports.tables.table import Head, Table, Text

Holds = Literal["yes", "no", "impossible", "implausible"]
FEW = 2  # places that the table for readers names; the CSV file has all
COLUMNS = ("paper", "key", "locator", "finding", "printed", "recomputed", "unit", "holds", "follows")


@dataclass(frozen=True)
class Finding:
    """One printed number and what it is when worked out anew.

    ``finding`` says how it was worked out. ``holds``: yes within the rounding of what is printed; impossible where no
    data can have such numbers, implausible where only strange ones can. ``follows``: what a reader should do with it.
    """

    key: str
    locator: str
    finding: str
    printed: str
    recomputed: str
    unit: str
    holds: Holds
    follows: str
    notable: bool = False  # whether a reader should know of it although it holds

    @property
    def shown(self) -> bool:
        """Whether the table for readers has it; the CSV file has all."""
        return self.notable or self.holds != "yes"


def audit_frame(findings: Sequence[tuple[str, Finding]]) -> pd.DataFrame:
    """Return findings, each with its paper's key, as text for a CSV file: columns `COLUMNS`."""
    rows = [(paper, *(getattr(each, name) for name in COLUMNS[1:])) for paper, each in findings]
    return pd.DataFrame(rows, columns=COLUMNS)


def audit_table(cite: str, findings: Sequence[Finding]) -> Table:
    """Return the findings that a reader has to know of, the worst first."""
    heads = [Head("Where", width="4cm", number=False), Head("Worked out", width="6cm", number=False)]
    heads += [Head("Printed"), Head("Recomputed"), Head("Holds", number=False)]
    heads.append(Head("What follows", width="7cm", number=False))
    order = ("impossible", "no", "implausible", "yes")
    shown = sorted((each for each in findings if each.shown), key=lambda each: order.index(each.holds))
    caption = f"Audit of {cite}: printed numbers worked out anew from other printed numbers and from layer formulas."
    return Table(caption, heads, [_readable(each) for each in shown], [counted(findings)])


def counted(findings: Sequence[Finding]) -> str:
    """Return how many printed numbers were worked out anew and how many of them hold, in a sentence."""
    counts = Counter(each.holds for each in findings)
    parts = ", ".join(f"{counts[holds]} {holds}" for holds in get_args(Holds) if counts[holds])
    return f"{len(findings)} numbers were worked out anew; do they hold: {parts}. audit.csv has every one."


def _readable(each: Finding) -> list[Text]:
    unit = "" if each.unit in ("1", "") else f" {each.unit}"
    texts = (_places(each.locator), each.finding, each.printed, f"{each.recomputed}{unit}", each.holds, each.follows)
    return [Text(text) for text in texts]


def _places(locator: str) -> str:
    """Return the first places of a locator, and how many more there are."""
    places = locator.split("; ")
    return "; ".join(places[:FEW]) + (f"; {len(places) - FEW} more" if len(places) > FEW else "")
