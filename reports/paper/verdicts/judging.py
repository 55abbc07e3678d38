"""The verdict on a printed number: by which interval it is judged, and whether that is inside of the margin.

The margin was said before the run. Where the printed pairs themselves were run these are fixed, and the interval is
over what was drawn anew, the trainings; elsewhere, and for comparisons of our own, it is over subjects too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from benchmarks.statistics import Estimate, Sample, equivalence, generalisation, reproduction
from datasets.files import Array
from reports.paper.contents import Cell, Measured
from reports.paper.printed import Number

JUDGED, SHOWN = 0.90, 0.95  # two one-sided tests at 5 % are an interval of 90 %
REPRODUCTION, GENERALISATION, CALLS = "reproduction", "generalisation", "calls"
# In order of display. Of results and facts about data: "agrees" and "differs" where a 90 % interval lies wholly inside
# or outside of the printed number's margin, else "inconclusive"; "incomplete" where registrations failed, for a mean
# over the others is another number; "reduced" where something was not as in the paper. Seconds are "other hardware".
VERDICTS = (
    "agrees", "differs", "inconclusive", "incomplete", "other hardware", "compared as a set", "reduced",
    "as configured", "diverged", "not measured", "not printed", "unreadable",
)  # fmt: skip
ROUNDING = 1e-9
GAINS = ("less", "reduction")  # statistics that say how much better one method is than another; 0 is no gain
MOST = 5  # trainings that all end alike: were half of all to end so, this would be rarer than 5 %


@dataclass(frozen=True)
class Verdict:
    """One of `VERDICTS`, what has to be said of it, and the interval and margin that decided, where they did."""

    word: str
    remark: str = ""
    estimate: Estimate | None = None
    margin: float = 0.0


@dataclass(frozen=True)
class Intervals:
    """What a number's interval is over, as it is judged and as it is shown; None of either where there is none."""

    over: str = ""
    judged: Estimate | None = None
    shown: Estimate | None = None

    @property
    def half_width(self) -> float:
        """Half of the width of the interval that is judged, NaN where there is none."""
        return math.nan if self.judged is None else (self.judged.high - self.judged.low) / 2


def intervals(cell: Cell, measured: Measured, *, as_printed: bool) -> Intervals:
    """Return the intervals of a number.

    Where the printed pairs themselves were run (``as_printed``) these are fixed, and the interval is over what was
    drawn anew, the trainings. Elsewhere it is over subjects and trainings.
    """
    if measured.own is not None:
        return Intervals(CALLS, measured.own)
    if as_printed and measured.drawn is not None:
        if cell.spread:
            return Intervals(REPRODUCTION, *(_as_set(cell, measured.drawn, level) for level in (JUDGED, SHOWN)))
        return Intervals(REPRODUCTION, *(reproduction(measured.drawn, level=level) for level in (JUDGED, SHOWN)))
    if measured.sample is not None:
        return Intervals(GENERALISATION, *(generalisation(measured.sample, level=level) for level in (JUDGED, SHOWN)))
    return Intervals()


def margin_of(cell: Cell) -> float:
    """Return how far a number may be from the printed one and still agree, in printed units; NaN where nothing is."""
    if cell.margin is None:
        return math.nan
    return cell.margin.size * abs(cell.printed.value) if cell.margin.relative else cell.margin.size


def verdict(cell: Cell, measured: Measured, estimate: Estimate | None, reduced: str) -> Verdict:
    """Return the verdict on a cell.

    Args:
        cell: what is printed, and its margin.
        measured: what was measured, or why nothing was.
        estimate: the measured number with its interval at 90 %; None where it has none.
        reduced: what was not as in the paper, so that nothing can agree or differ; empty where nothing was.
    """
    text, printed = cell.printed.text, cell.printed.number
    if text in cell.outcomes:
        return _of_outcome(text, cell.outcomes[text], measured, reduced)
    if printed is None:
        why = f"not measured: {measured.reason}" if measured.reason else ""
        return Verdict("not printed" if cell.printed.blank else "unreadable", why)
    if measured.outcome:
        return Verdict(measured.outcome, measured.reason)
    if measured.reason:
        return Verdict("not measured", measured.reason)
    if cell.kind == "setting":
        same = _prints_as(measured.value, printed, text)[0]
        return Verdict("as configured", "as printed" if same else "set otherwise")
    if cell.kind == "size":
        return _of_size(cell, measured, printed)
    if reduced:
        return Verdict("reduced", reduced)
    if cell.metric == "seconds" and cell.statistic != "ratio":
        return Verdict("other hardware")
    if measured.failed:
        return Verdict("incomplete", "not compared: the printed number leaves no registration out")
    if cell.as_set:
        return Verdict("compared as a set", "draws are exchangeable: see their mean and standard deviation")
    return _of_number(cell, printed, estimate)


def _of_outcome(text: str, outcome: str, measured: Measured, reduced: str) -> Verdict:
    """Compare how this run's training ended with the printed word that says how the paper's did."""
    if measured.reason and not measured.outcome:
        return Verdict("not measured", measured.reason)
    here = (
        f"here it {measured.outcome} too: {measured.reason}" if measured.outcome else "here it was trained to the end"
    )
    remark = f"printed “{text}”, which stands for a training that {outcome}; {here}"
    if reduced:
        return Verdict("reduced", f"{reduced}; {remark}")
    if measured.trainings < MOST or (measured.failed and not measured.outcome):
        few = "one training" if measured.trainings == 1 else f"{measured.trainings} trainings"
        return Verdict("inconclusive", f"{few}: {remark}; {MOST} that end alike would show how most do")
    return Verdict("agrees" if measured.outcome == outcome else "differs", remark)


def _of_size(cell: Cell, measured: Measured, printed: Number) -> Verdict:
    """Compare the exact size of a network with the printed digits."""
    if measured.narrow:
        return Verdict("reduced", "")  # a note says that the size at the paper's width is not on record
    agrees, how = _prints_as(measured.value, printed, cell.printed.text)
    size = f"{measured.value:.4g}" if cell.statistic == "ratio" else f"{measured.value:,.0f}"
    return Verdict("agrees" if agrees else "differs", f"{size} {how}")


def _prints_as(value: float, printed: Number, text: str) -> tuple[bool, str]:
    """Return whether a number can become the printed one, and how."""
    digits, wanted = value / printed.step, round(printed.value / printed.step)
    if round(digits) == wanted:
        return True, f"rounds to the printed {text}"
    if math.floor(digits + ROUNDING) == wanted:
        return True, f"is cut, though not rounded, to the printed {text}"
    return False, f"does not give the printed {text}"


def _of_number(cell: Cell, printed: Number, estimate: Estimate | None) -> Verdict:
    """Compare a number with the printed one by two one-sided tests; a gain that agrees has to be one, too."""
    margin = margin_of(cell)
    if estimate is None or math.isnan(estimate.low):
        why = (estimate.why if estimate else "") or "no interval"
        return Verdict("inconclusive", f"{why}; margin ± {margin:g}")
    repeatable = estimate.low == estimate.high and not estimate.trainings
    word = equivalence(estimate, printed.value, margin + ROUNDING)
    within = "repeatable" if repeatable else f"90 % interval {estimate.low:.4g} to {estimate.high:.4g}"
    remark = f"{within}, margin {printed.value:g} ± {margin:g}"
    if word == "agrees" and cell.statistic in GAINS and printed.value and estimate.low <= 0 <= estimate.high:
        return Verdict("inconclusive", f"{remark}: the gain may be none", estimate, margin)
    if word == "inconclusive":
        remark = f"{remark}: the data give ± {(estimate.high - estimate.low) / 2:.3g}"
    return Verdict(word, remark, estimate, margin)


def _as_set(cell: Cell, drawn: Sample, level: float) -> Estimate:
    """Return our draws with an interval that holds what the few printed draws leave open as well."""
    ours = reproduction(drawn, level=level)
    printed = np.array([value for value in cell.spread if not math.isnan(value)])
    if len(drawn.seeds) < 2 or len(printed) < 2:
        why = "one training" if len(drawn.seeds) < 2 else "one draw in print"
        return replace(ours, low=math.nan, high=math.nan, why=why)
    return (_spread if cell.statistic == "draws_sd" else _mean)(ours, drawn.values, printed)


def _mean(ours: Estimate, values: Array, printed: Array) -> Estimate:
    """Return the mean of our draws, with the interval of its difference from the printed draws' (Welch)."""
    first, second = (np.var(each, ddof=1) / len(each) for each in (values, printed))
    if first + second == 0:
        return ours
    df = (first + second) ** 2 / (first**2 / (len(values) - 1) + second**2 / (len(printed) - 1))
    half = stats.t.ppf((1 + ours.level) / 2, df) * math.sqrt(first + second)
    return replace(ours, se=math.sqrt(first + second), df=df, low=ours.value - half, high=ours.value + half)


def _spread(ours: Estimate, values: Array, printed: Array) -> Estimate:
    """Return the SD of our draws, with the interval in which the SD of so few printed ones would lie (F)."""
    sd, tail = float(np.std(values, ddof=1)), (1 - ours.level) / 2
    low, high = (math.sqrt(stats.f.ppf(each, len(printed) - 1, len(values) - 1)) for each in (tail, 1 - tail))
    se = sd * (high - low) / 2 / stats.norm.ppf((1 + ours.level) / 2)
    return replace(ours, value=sd, se=float(se), df=math.inf, low=sd * low, high=sd * high)
