"""Compare a run's accuracy with the accepted one, and the kernels' speed with peers and an older state of the project.

Red, with exit status 1, where a number differs from the accepted one by more than its tolerance, in either direction,
or a kernel takes a quarter longer, confirmed by a second look. A first run has nothing to be compared with: it passes,
and what it measured is what the next one is compared with. `results/<profile>/regression/summary.md` says all of it.
"""

from __future__ import annotations

import sys
from dataclasses import asdict, fields, replace
from pathlib import Path

import pandas as pd

from benchmarks import results
from benchmarks.regression import accuracy, baseline
from benchmarks.regression.findings import KEY, Finding
from benchmarks.regression.kernels import BaseError, BenchmarkError
from benchmarks.regression.places import Places
from benchmarks.regression.summary import Outcome, markdown
from datasets.files import DataError, replacing
from workflows.planning.layout import Layout
from workflows.planning.specs import RegressionSpec
from workflows.regression.before import Before, Numbers
from workflows.regression.look import Look
from workflows.running.command import job
from workflows.timed.alone import alone


def regression(spec: RegressionSpec) -> Outcome:
    """Compare a run, write the summary and what was measured, and return what was found."""
    places = Places(spec.folder)
    places.folder.mkdir(parents=True, exist_ok=True)
    for earlier in (places.summary, places.findings, places.measured, places.ratios):  # of another run
        earlier.unlink(missing_ok=True)
    metrics = results.read(Layout(spec.folder).metrics, "metrics")
    here, notes = Numbers.of(metrics), list[str]()
    numbers = here.numbers
    accepted = _accepted_numbers(places, spec.profile)
    found = [*accuracy.compare(numbers, accepted, metrics), *accuracy.too_good(numbers, spec.controls)]
    fresh = baseline.with_tolerances(numbers, spec.controls, accepted)
    baseline.write(places.measured, spec.profile, fresh)
    if accepted is None:
        fate = (
            "none is stored, as some are perfect"
            if found
            else "these are stored, and the next run is compared with them"
        )
        notes.append(f"No accepted numbers of {spec.profile}: {fate}.")
    outcome = Outcome(spec.profile, _compared(numbers, accepted), found, 0, [], notes)
    _write(outcome, places)  # what a benchmark does cannot take it away
    if spec.base and accepted is not None and outcome.alarms:
        before = Before(places, spec.base, spec.configfiles, spec.controls)
        try:
            outcome = replace(outcome, accuracy=before.without_its_own(found, here, accepted))
        except BaseError as error:
            notes.append(f"Accuracy is not compared with an older state: {error}.")
        _write(outcome, places)
    if spec.speed:
        outcome = _with_speed(outcome, Look(places, spec.base, notes))
        _write(outcome, places)
    if accepted is None and not outcome.alarms:
        baseline.write(places.stored, spec.profile, fresh)
    return outcome


def _with_speed(outcome: Outcome, look: Look) -> Outcome:
    try:
        with alone():
            looked = look.look()
    except BenchmarkError as error:
        return replace(outcome, broken=str(error))
    return replace(outcome, kernels=looked.kernels, speed=looked.slower)


def _accepted_numbers(places: Places, profile: str) -> pd.DataFrame | None:
    found = (baseline.read(path, profile) for path in (places.accepted, places.stored))
    return next((each for each in found if each is not None), None)


def _compared(numbers: pd.DataFrame, accepted: pd.DataFrame | None) -> int:
    """Return how many numbers of a run there are accepted ones of."""
    return 0 if accepted is None else len(numbers.merge(accepted, on=KEY))


def _write(outcome: Outcome, places: Places) -> None:
    accept = f"python -m workflows.regression.accept {places.results}"
    with replacing(places.summary) as temporary:
        temporary.write_text(markdown(outcome, accept), encoding="utf-8")
    with replacing(places.findings) as temporary:
        columns = [field.name for field in fields(Finding)]
        pd.DataFrame([asdict(found) for found in outcome.accuracy], columns=columns).to_csv(temporary, index=False)


def _end(outcome: Outcome, summary: Path) -> None:
    if outcome.red:
        raise DataError(f"regression: {outcome.headline}; {summary} has all of it, and what can be done")
    sys.stderr.write(f"WarpBench: regression: {outcome.headline} ({summary})\n")


if __name__ == "__main__":
    with job(RegressionSpec, __doc__) as this:
        _end(regression(this.spec), Places(this.spec.folder).summary)
