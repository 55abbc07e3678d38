"""Compare the accuracy of a run with the accepted one, number by number and in both directions.

What became better by more than its tolerance is as much an alarm as what became worse: a judge that sees the answer
and a registration that is no longer tried look like progress.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.metrics import METRICS
from benchmarks.regression.findings import ALARMS, DIGITS, GROUP, KEY, Finding, Verdict
from benchmarks.results import RUN_LEVEL

_CLOSE = 0.1  # of a tolerance, by which a number may lie further off than it did and still count as it was
_RESOLUTION = 10.0 ** (1 - DIGITS)  # relative; the file keeps no more


def compare(numbers: pd.DataFrame, accepted: pd.DataFrame | None, metrics: pd.DataFrame) -> list[Finding]:
    """Return the numbers that differ from the accepted ones, the most alarming first; none where all agree.

    Args:
        numbers: of the run, as `baseline.numbers_of` gives them.
        accepted: the baseline, None where there is none yet.
        metrics: the run's whole table, which has the reasons of failures.
    """
    if accepted is None:
        return []
    joined = accepted.merge(numbers, on=KEY, how="outer", suffixes=("_accepted", ""))
    reasons = {
        (row["dataset"], row["method"], row["seed"], row["pair"]): f"{row['status']}: {row['reason']}"
        for row in metrics[metrics["status"] != "ok"].to_dict("records")
    }
    found = [_finding(row, verdict, reasons) for row in joined.to_dict("records") if (verdict := _verdict(row))]
    found += _vanished(joined)
    order = {verdict: place for place, verdict in enumerate([*ALARMS, "new"])}
    return sorted(found, key=lambda each: order[each.verdict])


def too_good(numbers: pd.DataFrame, controls: Collection[str]) -> list[Finding]:
    """Return the perfect numbers of methods that are no ``controls``: nobody registers without any error."""
    perfect = numbers["metric"].map({name: metric.perfect for name, metric in METRICS.items()}).astype(float)
    chosen = numbers[np.isclose(numbers["value"], perfect, rtol=0, atol=1e-9) & ~numbers["method"].isin(controls)]
    nan = float("nan")
    rows = chosen.assign(value_accepted=nan, tolerance=nan).to_dict("records")
    return [_finding(row, "too good", {}) for row in rows]


def as_before(found: Sequence[Finding], before: Sequence[Finding], since: Sequence[Finding]) -> list[Finding]:
    """Return what was ``found``, marked ``as before`` where it is nothing that this state of the project did.

    Args:
        found: in this state, beside the accepted numbers.
        before: in an older state on the same machine, beside the accepted numbers.
        since: in this state, beside the older one. What has changed since then stays red however it was before, and
            so do a perfect number, one that is missing, and one that lies further off than it did.
    """
    there = {_key(each): each for each in before if each.alarming}
    changed = {_key(each) for each in since}
    excused = [
        each
        for each in found
        if each.alarming
        and each.verdict not in ("too good", "missing")
        and (was := there.get(_key(each))) is not None
        and _key(each) not in changed
        and _off(each) <= _off(was) + _CLOSE * each.tolerance
    ]
    return [replace(each, verdict="as before") if each in excused else each for each in found]


def _off(found: Finding) -> float:
    return abs(found.measured - found.expected)


def _key(found: Finding) -> tuple[object, ...]:
    return tuple(getattr(found, name) for name in KEY)


def _verdict(row: Mapping[Hashable, Any]) -> Verdict | None:
    if np.isnan(row["value_accepted"]):
        return "new"
    if np.isnan(row["value"]):
        return "missing"
    gain = row["value"] - row["value_accepted"]
    if abs(gain) <= row["tolerance"] + _RESOLUTION * abs(row["value_accepted"]):
        return None
    return "better" if (gain > 0) == METRICS[str(row["metric"])].higher_is_better else "worse"


def _vanished(joined: pd.DataFrame) -> list[Finding]:
    """Return what a method had in some pair and has in none, such as folding; tolerances do not excuse it."""
    pairs = joined[(joined["pair"] != RUN_LEVEL) & joined[["value", "value_accepted"]].notna().all(axis=1)]
    largest = pairs.groupby(GROUP)[["value", "value_accepted"]].transform("max")
    gone = pairs[(largest["value"] == 0) & (largest["value_accepted"] > 0)]
    first = gone.sort_values("value_accepted", ascending=False).drop_duplicates(GROUP)
    return [_finding(row, "vanished", {}) for row in first.to_dict("records")]


def _finding(row: Mapping[Hashable, Any], verdict: Verdict, reasons: Mapping[tuple[object, ...], str]) -> Finding:
    place = (row["dataset"], row["method"], row["seed"], row["pair"])
    return Finding(
        verdict=verdict,
        **{name: row[name] for name in KEY},
        expected=row["value_accepted"],
        measured=row["value"],
        tolerance=row["tolerance"],
        reason=reasons.get(place, "") if verdict == "missing" else "",
    )
