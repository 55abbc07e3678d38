"""The answer filled of a run and of the ledgers of its papers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from benchmarks.clock.hardware import parse
from reports.answer.content import Answer, Count, Effect, KindCounts, PaperAnswer, Rival, Seconds, Speed, count
from reports.answer.ran import ran
from reports.answer.words import sentences, short_label
from reports.claims import contents as claims
from reports.overview.frontier import Frontier
from reports.paper.cast import PaperRun
from reports.paper.costs import RATIO
from reports.paper.ledger import Judged, counts
from reports.reading.run import Run
from reports.reading.timed import Calls, Sought

SIMPLE = "values"  # the kind of claims that are differences over pairs, in the units of their metric
FEWEST = 2  # claims of one unit that have an axis of their own


@dataclass(frozen=True)
class Told:
    """What a run says of one paper: its ledger and its claims."""

    paper_run: PaperRun
    judged: Sequence[Judged]
    claimed: Sequence[claims.Judged]


def answer(run: Run, papers: Sequence[Told], found: Sequence[Frontier]) -> Answer:
    """Work out the answer of a run, given what it says of its papers and the frontiers of its data sets."""
    what, counted = ran(run), [paper_answer(each) for each in papers]
    times = [speed for each in papers for speed in speeds(each.paper_run.run, each.judged)]
    shown = effects([claim for each in papers for claim in each.claimed])
    most = max(found, key=lambda each: len(each.points), default=None)
    return Answer(what, sentences(what, counted, times), counted, most, times, shown)


def paper_answer(told: Told) -> PaperAnswer:
    """Count the verdicts on a paper's printed numbers, by kind, and on its claims."""
    paper = told.paper_run.paper
    numbers = [
        KindCounts(each.kind, [Count(*pair) for pair in each.verdicts.items()], each.by_chance.strip(" ()"))
        for each in counts(told.judged)
    ]
    claimed = count((each.verdict for each in told.claimed if not each.claim.own), claims.VERDICTS)
    return PaperAnswer(paper.key, paper.cite.partition(",")[0], numbers, claimed)


def effects(claimed: Sequence[claims.Judged]) -> list[Effect]:
    """Return the claims over pairs that were measured, in the order of the papers; units that are rare are left out."""
    mine = [each for each in claimed if each.claim.kind == SIMPLE and not math.isnan(each.evidence.value)]
    units = Counter(each.claim.measure.unit for each in mine)
    return [_effect(each) for each in mine if units[each.claim.measure.unit] >= FEWEST]


def _effect(each: claims.Judged) -> Effect:
    claim, found = each.claim, each.evidence
    return Effect(
        label=short_label(claim.key),
        statement=claim.statement,
        unit=claim.measure.unit,
        value=found.value,
        low=found.low,
        high=found.high,
        above=claim.region.above,
        below=claim.region.below,
        verdict=each.verdict,
        once=found.trainings == 1,
    )


def speeds(run: Run, judged: Sequence[Judged]) -> Iterator[Speed]:
    """Yield the claims of speed of a ledger that were measured, a row of its table each."""
    mine = [each for each in judged if each.cell.metric == "seconds" and each.cell.statistic == RATIO]
    measured = [each for each in mine if not math.isnan(each.measured.value * each.cell.printed.value)]
    for _, cells in groupby(measured, key=lambda each: (each.cell.table, each.cell.row.key, each.measured.hardware)):
        if (found := _speed(run, list(cells))) is not None:
            yield found


def _speed(run: Run, cells: Sequence[Judged]) -> Speed | None:
    first = cells[0]
    reference = _seconds(run, first, first.cell.method, run.label(first.cell.method))
    found = [(each, _seconds(run, each, each.cell.against, each.cell.column.label)) for each in cells]
    rivals = [_rival(each, seconds) for each, seconds in found if seconds is not None]
    if reference is None or not rivals:
        return None
    measured = first.measured
    known = parse(measured.hardware)
    machine = known.cpu if first.cell.device == "cpu" else known.gpu
    return Speed(first.paper, reference, rivals, measured.grid, measured.threads or 0, machine)


def _rival(each: Judged, seconds: Seconds) -> Rival:
    measured = each.measured
    return Rival(seconds, measured.value, measured.low, measured.high, each.cell.printed.value)


def _seconds(run: Run, each: Judged, method: str, label: str) -> Seconds | None:
    """Return the seconds that a ratio of the ledger was made of: those of its hardware, grid and threads."""
    place = (each.measured.threads, each.measured.grid, each.measured.hardware)
    calls = run.timed.candidates(Sought(method, each.cell.device))
    found = next((one for one in calls if (one.threads, one.grid, one.hardware) == place), None)
    return None if found is None or not len(found.seconds) else _quartiles(found, label)


def _quartiles(calls: Calls, label: str) -> Seconds:
    ordered = sorted(map(float, calls.seconds))
    quarter = len(ordered) // 4
    low, high = ordered[quarter], ordered[-1 - quarter]
    return Seconds(label, calls.median, low, high, len(ordered), calls.contended + calls.unknown)
