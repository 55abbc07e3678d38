"""Accuracy against seconds as data: every contestant's point, and which of them no faster method matches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

from benchmarks.ranking import Quote, primary
from reports.reading.run import Run
from reports.reading.summary import per_pair, tallies
from reports.reading.timed import Calls, Sought


@dataclass(frozen=True)
class Point:
    """A method on a data set: median seconds of its timed calls and its mean accuracy over pairs.

    ``whole``: it failed on no pair. ``place`` counts the methods of the frontier from the fastest on, 0 off it.
    """

    method: str
    label: str
    kind: str
    seconds: float
    accuracy: float
    whole: bool
    place: int = 0


@dataclass(frozen=True)
class Frontier:
    """All points of one data set, the fastest first; ``before`` is the accuracy of no registration, where known."""

    dataset: str
    title: str
    quote: Quote
    before: float | None
    best: float | None  # the accuracy of the true displacement, where known
    points: Sequence[Point]

    @property
    def steps(self) -> list[Point]:
        """The methods that no faster one matches, the fastest first."""
        return [point for point in self.points if point.place]

    @property
    def others(self) -> list[Point]:
        """All other methods, the most accurate first."""
        rest = [point for point in self.points if not point.place]
        return sorted(rest, key=attrgetter("accuracy"), reverse=self.quote.higher_is_better)


def frontiers(run: Run) -> Iterator[Frontier]:
    """Yield the frontier of each data set on which a contestant has both accuracy and seconds, in display order."""
    for name, dataset in run.datasets.items():
        quoted = primary(run.rows_of(dataset.name), dataset)
        if quoted is None or not (points := _points(run, name, quoted)):
            continue
        values = per_pair(run.metrics, name, quoted)
        before, best = (float(values[key].mean()) if key in values else None for key in ("identity", "truth"))
        numbered = number_steps(points, before, higher_is_better=quoted.higher_is_better)
        yield Frontier(name, run.titles[name], quoted, before, best, numbered)


def number_steps(points: Sequence[Point], before: float | None, *, higher_is_better: bool) -> list[Point]:
    """Return points by rising seconds with their places on the frontier.

    On it is a method that failed nowhere and is more accurate than all that take no longer and than ``before``, which
    takes no time. Of methods with the same seconds the most accurate counts; of equals the first.
    """
    sign = 1 if higher_is_better else -1
    best, place, found = float("-inf") if before is None else sign * before, 0, []
    for point in sorted(points, key=lambda each: (each.seconds, -sign * each.accuracy)):
        on = point.whole and sign * point.accuracy > best
        place += on
        best = sign * point.accuracy if on else best
        found.append(replace(point, place=place if on else 0))
    return found


def timed_calls(run: Run, dataset: str) -> dict[str, Calls]:
    """Return the warm calls of each contestant's timing run on a data set, on the CPU with all threads."""
    calls = {name: run.timed.find(Sought(name, "cpu", dataset)) for name in run.contestants}
    return {name: each for name, each in calls.items() if isinstance(each, Calls) and len(each.seconds)}


def clock(run: Run) -> str:
    """Say in a sentence what the seconds of the timing run were measured on."""
    calls = [each for dataset in run.datasets for each in timed_calls(run, dataset).values()]
    places = dict.fromkeys(f"{each.threads} thread{'s' * (each.threads != 1)} ({each.machine})" for each in calls)
    n, contended = sum(len(each.seconds) for each in calls), sum(each.contended for each in calls)
    unknown = sum(each.unknown for each in calls)
    beside = f" {contended} of {n} calls had other work beside." if contended else ""
    unclear = f" For {unknown} of {n} calls it is not known whether they had other work beside." if unknown else ""
    return f"Warm calls of the timing run: {'; '.join(places) or 'none'}.{beside}{unclear}"


def _points(run: Run, dataset: str, accurate: Quote) -> list[Point]:
    accuracy, counts = per_pair(run.metrics, dataset, accurate), tallies(run.metrics, dataset)
    return [
        Point(
            method=name,
            label=run.label(name),
            kind=run.methods[name].kind,
            seconds=calls.median,
            accuracy=float(accuracy[name].mean()),
            whole=name not in counts or not counts[name].failed,
        )
        for name, calls in timed_calls(run, dataset).items()
        if name in accuracy
    ]
