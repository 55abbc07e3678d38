"""The findings of the gate in Markdown: what is alarming first, then what is new, and how to accept it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from benchmarks.metrics import METRICS
from benchmarks.regression.findings import BEFORE, Finding, Slower
from benchmarks.results import RUN_LEVEL

SHOWN = 40  # lines a table; a changed judge moves every number of a profile
MEANINGS = {
    "too good": "a perfect number of a method that is no control",
    "worse": "worse by more than its tolerance",
    "missing": "has no number any more",
    "better": "better by more than its tolerance: explain it before you accept it",
    "vanished": "was not zero before and is zero in every pair",
    "new": "not in the baseline, so compared with nothing",
    "as before": "not as accepted, and so it is in the older state, run here too: this machine, or before that commit",
}


@dataclass(frozen=True)
class Outcome:
    """What the gate found, and what it could not compare (``notes``)."""

    profile: str
    compared: int  # numbers of the run that there are accepted ones of
    accuracy: Sequence[Finding]
    kernels: int
    speed: Sequence[Slower]
    notes: Sequence[str] = field(default_factory=tuple)
    broken: str = ""  # why the kernels could not be measured

    @property
    def alarms(self) -> list[Finding]:
        """The numbers that make the gate red."""
        return [found for found in self.accuracy if found.alarming]

    @property
    def red(self) -> bool:
        """Whether anything is alarming."""
        return bool(self.alarms or self.speed or self.broken)

    @property
    def headline(self) -> str:
        """The outcome in a phrase."""
        if not self.red:
            before, new = (sum(found.verdict == verdict for found in self.accuracy) for verdict in ("as before", "new"))
            same = f", {_count(before, 'number')} as in the older state" if before else ""
            fresh = f", {new} compared with nothing" if new else ""
            accepted = f"{_count(self.compared - before, 'number')} and {_count(self.kernels, 'kernel')}"
            return f"{accepted} as accepted{same}{fresh}"
        parts = [(len(self.alarms), "number", "not as accepted"), (len(self.speed), "kernel", "slower")]
        found = [f"{_count(n, what)} {how}" for n, what, how in parts if n]
        return "; ".join([*found, *([self.broken] if self.broken else [])])


def markdown(outcome: Outcome, accept: str) -> str:
    """Return the summary; ``accept`` is the command that makes these numbers the accepted ones."""
    colour = "red" if outcome.red else "green"
    lines = [f"# Regression of {outcome.profile}: {colour}", "", f"{_sentence(outcome.headline)}.", ""]
    lines += [f"- {note}" for note in outcome.notes] + [""] * bool(outcome.notes)
    if outcome.speed:
        head = ("kernel", "beside", "expected", "measured", "times as long")
        lines += ["## Slower", "", *_table(head, map(_speed_cells, outcome.speed)), ""]
    for verdict, meaning in MEANINGS.items():
        if found := [each for each in outcome.accuracy if each.verdict == verdict]:
            lines += [f"## {verdict.capitalize()} ({len(found)})", "", f"{meaning.capitalize()}.", ""]
            head = ("data set", "method", "pair", "metric", "accepted", "measured", "tolerance")
            lines += [*_table(head, map(_accuracy_cells, found[:SHOWN]), numbers_from=4), ""]
            lines += [f"And {len(found) - SHOWN} more (accuracy.csv).", ""] * (len(found) > SHOWN)
    if any(found.verdict == "too good" for found in outcome.accuracy):
        return "\n".join([*lines, "Perfect numbers cannot be accepted.", ""])
    if outcome.broken:
        return "\n".join([*lines, "Measure again before you accept anything.", ""])
    return "\n".join([*lines, f"To accept these numbers: `{accept}`", ""])


def _accuracy_cells(found: Finding) -> tuple[str, ...]:
    pair = "whole run" if found.pair == RUN_LEVEL else found.pair
    metric = f"{METRICS[found.metric].short if found.metric in METRICS else found.metric} ({found.protocol})"
    measured = _number(found.measured) if found.measured == found.measured else found.reason or "none"
    numbers = (_number(found.expected), measured, _number(found.tolerance))
    return (found.dataset, f"{found.method}, seed {found.seed}", pair, metric, *numbers)


def _speed_cells(slow: Slower) -> tuple[str, ...]:
    kind = ("{:.4g} s" if slow.beside == BEFORE else "{:.3g} times faster").format
    return (slow.kernel, slow.beside, kind(slow.expected), kind(slow.measured), f"{slow.times:.2f}")


def _sentence(words: str) -> str:
    """Return words with a capital; the others may be a path, and stay."""
    return words[:1].upper() + words[1:]


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'s' * (n != 1)}"


def _number(value: float) -> str:
    return f"{value:.8g}" if value == value else "none"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers_from: int = 2) -> list[str]:
    rule = ["---"] * numbers_from + ["---:"] * (len(head) - numbers_from)
    return [
        f"| {' | '.join(cells)} |" for cells in (head, rule, *([c.replace("|", "\\|") for c in row] for row in rows))
    ]
