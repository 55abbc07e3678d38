"""The answer filled of a run and of the ledgers of its papers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from reports.answer.content import Answer, PaperAnswer, Rival, Seconds, Speed, count
from reports.answer.ran import ran
from reports.answer.words import sentences
from reports.overview.frontier import Frontier
from reports.paper.cast import PaperRun
from reports.paper.costs import RATIO
from reports.paper.ledger import Judged
from reports.paper.verdicts.judging import VERDICTS
from reports.reading.run import Run
from reports.reading.timed import Calls, Sought


def answer(run: Run, papers: Iterable[tuple[PaperRun, Sequence[Judged]]], found: Sequence[Frontier]) -> Answer:
    """Work out the answer of a run, given the ledgers of its papers and the frontiers of its data sets."""
    known, what = list(papers), ran(run)
    counts = [paper_answer(paper_run, judged) for paper_run, judged in known]
    times = [each for paper_run, judged in known for each in speeds(paper_run.run, judged)]
    most = max(found, key=lambda each: len(each.points), default=None)
    return Answer(what, sentences(what, counts, times), counts, most, times)


def paper_answer(paper_run: PaperRun, judged: Iterable[Judged]) -> PaperAnswer:
    """Count the verdicts on a paper's printed numbers."""
    paper = paper_run.paper
    return PaperAnswer(paper.key, paper.cite.partition(",")[0], count((each.verdict for each in judged), VERDICTS))


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
    return Speed(first.paper, reference, rivals, measured.grid, measured.threads or 0, measured.hardware)


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
    return Seconds(label, calls.median, ordered[quarter], ordered[-1 - quarter])
