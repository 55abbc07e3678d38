"""How often each verdict was given, by kind of number, and how often chance alone would give one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.statistics import Chance, expected_by_chance
from reports.paper.contents import KINDS, Kind
from reports.paper.verdicts.judging import VERDICTS, Verdict


@dataclass(frozen=True)
class Count:
    """The verdicts on the numbers of one kind.

    Intervals decided on ``drawn`` of them; ``chance`` says how many of these would agree were they all one margin off,
    and how many would differ were they all as printed.
    """

    kind: Kind
    verdicts: Mapping[str, int]
    drawn: int
    chance: Chance

    @property
    def text(self) -> str:
        """The counts in one line."""
        found = ", ".join(f"{count} {verdict}" for verdict, count in self.verdicts.items())
        return f"{self.kind}: {found}{self.by_chance}"

    @property
    def by_chance(self) -> str:
        """What chance alone would give, in words; empty where no interval decided."""
        if not self.drawn:
            return ""
        few = f"{self.chance.agrees:.1f} would agree were all a margin off, {self.chance.differs:.1f} differ were none"
        return f" (by chance alone, of {self.drawn} with an interval, {few})"


def count(verdicts: Sequence[tuple[Kind, Verdict]]) -> list[Count]:
    """Return the counts of each kind that there is, in order of display."""
    by_kind: dict[Kind, list[Verdict]] = {kind: [verdict for its, verdict in verdicts if its == kind] for kind in KINDS}
    return [_count(kind, found) for kind, found in by_kind.items() if found]


def _count(kind: Kind, verdicts: Sequence[Verdict]) -> Count:
    found = Counter(verdict.word for verdict in verdicts)
    drawn = [(each.estimate, each.margin) for each in verdicts if each.estimate and each.estimate.se > 0]
    chance = expected_by_chance([estimate for estimate, _ in drawn], [margin for _, margin in drawn])
    return Count(kind, {word: found[word] for word in VERDICTS if found[word]}, len(drawn), chance)
