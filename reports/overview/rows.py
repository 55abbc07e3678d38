"""The numbers of the overview: mean, SD, median and failures of each method, and which method is best."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal

import numpy as np
import pandas as pd

from benchmarks.metrics import METRICS
from benchmarks.ranking import Quote, default_quote, quote
from benchmarks.ranking import values as values_of
from benchmarks.statistics import Sample, generalisation
from datasets.case import Described
from datasets.description import Pair
from reports.reading.run import Run
from reports.reading.summary import Tally, parameters, tallies
from reports.reading.timed import Calls, Sought

NAN = float("nan")
TIMED = Quote("seconds", "timed", "all")  # the calls of the timing run


@dataclass(frozen=True, kw_only=True)
class Summary:
    """One number of a method on a data set, and all that goes with it.

    ``n`` counts pairs, over which the seeds are averaged, and ``subjects`` the subjects in them. ``half_width`` is half
    of the mean's 95 % interval over subjects and over ``trainings``, of which a method that does not learn has none;
    NaN where all pairs are of the same subjects. ``sd`` is over pairs (n - 1): pairs share subjects, so that it is no
    spread over these. ``tried``, ``failed`` and ``not_applicable`` count pairs too. ``before`` is the mean of the
    identity control over the same pairs.

    ``best`` marks the best number, as displayed, over the ``compared`` pairs that all compared methods have in common;
    those that failed on a pair take no part. It marks none that is not better than before registration, and no tie
    at zero.
    """

    dataset: str
    phantom: bool
    method: str
    metric: str
    protocol: str
    region: str
    label: str = ""  # name of the structure, where the region is one
    unit: str
    higher_is_better: bool
    statistic: Literal["mean", "median"]
    mean: float
    half_width: float = NAN
    sd: float = NAN
    median: float = NAN
    q1: float = NAN
    q3: float = NAN
    n: int
    subjects: int = 0
    trainings: int = 0
    before: float = NAN
    tried: int
    failed: int
    not_applicable: int
    compared: int = 0
    best: bool = False

    @property
    def quote(self) -> Quote:
        """The variant of the metric that the number is of."""
        return Quote(self.metric, self.protocol, self.region)

    @property
    def shown(self) -> float:
        """The number that a table displays."""
        return self.mean if self.statistic == "mean" else self.median


def overview_rows(run: Run) -> list[Summary]:
    """Return every number of the overview, parameters included."""
    return [row for dataset in run.datasets.values() for row in rows_of_data(run, dataset)]


def rows_of_data(run: Run, dataset: Described) -> list[Summary]:
    """Return the numbers of the overview that are of one data set."""
    columns = [name for name, metric in METRICS.items() if metric.column]
    quotes = [found for metric in columns if (found := quote(run.rows_of(dataset.name), dataset.name, metric))]
    found = summarise(run, dataset, quotes)
    seconds = [row for row in found if row.metric == "seconds"]
    others = [row for row in found if row.metric != "seconds"]
    return [*others, *timed_rows(run, dataset), *seconds, *_parameter_rows(run, dataset)]


def timed_rows(run: Run, dataset: Described) -> list[Summary]:
    """Return the warm seconds of each method's timed calls with all threads on the CPU; here ``n`` counts calls.

    Only methods whose calls all finished, and are known to have been alone on the machine, take part in the comparison.
    """
    calls = {name: run.timed.find(Sought(name, "cpu", dataset.name)) for name in run.contestants}
    found = {name: each for name, each in calls.items() if isinstance(each, Calls) and len(each.seconds)}
    values = {name: pd.Series(each.seconds) for name, each in found.items()}
    rows = [_summary(dataset, name, TIMED, values, Tally(len(each.rows), each.failed)) for name, each in found.items()]
    return _mark_best(rows, {row.method: row.shown for row in rows if not row.failed and found[row.method].undisturbed})


def label_rows(run: Run) -> list[Summary]:
    """Return the Dice of each evaluated label."""
    return [row for dataset in run.datasets.values() for row in labels_of_data(run, dataset)]


def labels_of_data(run: Run, dataset: Described) -> list[Summary]:
    """Return the Dice of each evaluated label of one data set."""
    names = _label_quotes(run.rows_of(dataset.name), dataset)
    return [replace(row, label=names[row.quote]) for row in summarise(run, dataset, list(names))]


def frame_of(rows: Iterable[Summary], *, labels: bool = False) -> pd.DataFrame:
    """Return the rows as a frame to be written; the column ``label`` only where asked for."""
    names = [each.name for each in fields(Summary) if labels or each.name != "label"]
    return pd.DataFrame([[getattr(row, name) for name in names] for row in rows], columns=names)


def summarise(run: Run, dataset: Described, quotes: Sequence[Quote]) -> list[Summary]:
    """Return a row for each quote and method on one data set."""
    found, counts, subjects = [], tallies(run.rows_of(dataset.name), dataset.name), _Subjects(dataset)
    for wanted in quotes:
        registered = values_of(run.rows_of(dataset.name), dataset.name, wanted)
        values = {str(method): group.groupby("pair").value.mean() for method, group in registered.groupby("method")}
        rows = [_summary(dataset, name, wanted, values, counts.get(name, Tally())) for name in run.ordered]
        samples = _samples(run, registered, values, subjects)
        rows = [_over_subjects(row, samples[row.method]) if row.n else row for row in rows]
        # Seconds of accuracy runs were taken beside other work: they are shown, and no method is best by them.
        found += rows if wanted.metric == "seconds" else _compare(rows, values, run.contestants)
    return found


def find(rows: Iterable[Summary], method: str, wanted: Quote) -> Summary | None:
    """Return the row of a method and quote, None where there is none."""
    return next((row for row in rows if row.method == method and row.quote == wanted), None)


def _summary(
    dataset: Described, method: str, wanted: Quote, by_method: Mapping[str, pd.Series], tally: Tally
) -> Summary:
    values = by_method.get(method, pd.Series(dtype=float))
    identity = by_method.get("identity", values.iloc[:0])
    before, metric = identity[identity.index.isin(values.index)], METRICS[wanted.metric]
    q1, median, q3 = map(float, np.percentile(values, [25, 50, 75])) if len(values) else (NAN, NAN, NAN)
    return Summary(
        dataset=dataset.name,
        phantom=dataset.description.phantom,
        method=method,
        metric=wanted.metric,
        protocol=wanted.protocol,
        region=wanted.region,
        unit=metric.unit,
        higher_is_better=metric.higher_is_better,
        statistic=metric.statistic,
        mean=float(values.mean()) if len(values) else NAN,
        sd=float(values.std(ddof=1)) if len(values) > 1 else NAN,
        median=median,
        q1=q1,
        q3=q3,
        n=len(values),
        before=float(before.mean()) if len(before) and len(before) == len(values) else NAN,
        tried=tally.tried,
        failed=tally.failed,
        not_applicable=tally.not_applicable,
    )


class _Subjects(dict[str, tuple[str, ...]]):
    """The subjects of each pair of a data set, looked up once."""

    def __init__(self, dataset: Described) -> None:
        self._about = dataset.description

    def __missing__(self, pair: str) -> tuple[str, ...]:
        self[pair] = tuple(self._about.subjects_of([Pair.from_name(pair)]))
        return self[pair]


def _samples(
    run: Run, registered: pd.DataFrame, by_method: Mapping[str, pd.Series], subjects: _Subjects
) -> dict[str, Sample]:
    """Return the numbers of each method with their subjects, and their seeds where each is a training of its own."""
    found = {
        name: Sample(values.to_numpy(float), [subjects[pair] for pair in values.index], [None] * len(values))
        for name, values in by_method.items()
    }
    for method, rows in registered.groupby("method"):
        if run.methods[str(method)].kind == "learned":
            members = [subjects[pair] for pair in rows.pair]
            found[str(method)] = Sample(rows.value.to_numpy(float), members, rows.seed.tolist())
    return found


def _over_subjects(row: Summary, sample: Sample) -> Summary:
    found = generalisation(sample, level=0.95)
    return replace(row, half_width=found.half_width, subjects=found.subjects, trainings=found.trainings)


def _compare(rows: Sequence[Summary], values: Mapping[str, pd.Series], contestants: Sequence[str]) -> list[Summary]:
    """Mark the best of the rows of one quote over the pairs that all compared methods have, if any is better than none.

    A method that skips pairs cannot win by it, nor one that leaves them worse than they were before registration.
    """
    of = {row.method: row.statistic for row in rows if row.method in contestants and row.n and not row.failed}
    if not of:
        return list(rows)
    beaten = METRICS[rows[0].metric].judges_accuracy and "identity" in values
    everyone = [values[name] for name in (*of, *(["identity"] if beaten else []))]
    common = sorted(set.intersection(*(set(each.index) for each in everyone)))
    shown = {name: float(values[name][common].agg(how)) for name, how in of.items()} if common else {}
    before = float(values["identity"][common].mean()) if beaten and common else None
    rows = [replace(row, compared=len(common) if row.method in of else 0) for row in rows]
    return _mark_best(rows, shown, before)


def _mark_best(rows: Sequence[Summary], shown: Mapping[str, float], before: float | None = None) -> list[Summary]:
    """Mark the best of some numbers of one quote; equal ones, as displayed, share the mark.

    A zero that others share, or that nobody else could have had, is marked not.
    """
    if not shown:
        return list(rows)
    higher, decimals = rows[0].higher_is_better, METRICS[rows[0].metric].decimals
    rounded = {name: round(value, decimals) for name, value in shown.items()}
    best = (max if higher else min)(rounded.values())
    winners = [name for name, value in rounded.items() if value == best]
    idle = best == 0 and (len(winners) > 1 or len(shown) == 1)
    if idle or (before is not None and not _better(best, round(before, decimals), higher)):
        winners = []
    return [replace(row, best=row.method in winners) for row in rows]


def _better(value: float, other: float, higher_is_better: bool) -> bool:
    return value > other if higher_is_better else value < other


def _parameter_rows(run: Run, dataset: Described) -> Iterator[Summary]:
    counts = tallies(run.rows_of(dataset.name), dataset.name)
    for method in run.ordered:
        if (size := parameters(run.rows_of(dataset.name), dataset.name, method)) is not None:
            quoted, values = default_quote("parameters"), {method: pd.Series([size])}
            row = _summary(dataset, method, quoted, values, counts.get(method, Tally()))
            yield replace(row, median=NAN, q1=NAN, q3=NAN)  # one number has no spread


def _label_quotes(metrics: pd.DataFrame, dataset: Described) -> dict[Quote, str]:
    """Return the quote of each evaluated label's and each named set's Dice, and its name.

    The region is ``label_<n>`` or ``<n>``, or ``mean_<set>``.
    """
    wanted = quote(metrics, dataset.name, "dice")
    present = set(metrics[(metrics.dataset == dataset.name) & (metrics.metric == "dice")].region.astype(str))
    quotes = {}
    for label in dataset.description.evaluated_labels if wanted else ():
        region = next((name for name in (f"label_{label}", str(label)) if name in present), None)
        if wanted and region:
            names = dataset.description.labels
            quotes[Quote("dice", wanted.protocol, region)] = names.get(label, f"label {label}")
    for name in dataset.description.label_sets if wanted else ():
        if wanted and f"mean_{name}" in present:
            quotes[Quote("dice", wanted.protocol, f"mean_{name}")] = f"mean of {name}"
    return quotes
