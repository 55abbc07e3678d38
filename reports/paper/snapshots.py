"""How the error on the test pairs went down while networks were trained: their snapshots, pooled over landmarks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks.ranking import default_quote, values
from benchmarks.statistics import pooled
from reports.paper.cast import PaperRun
from reports.reading import trainings
from reports.reading.trainings import Training

COLUMNS = ("iteration", "dataset", "pair", "count", "mean")
PAIR = ["dataset", "pair"]
LATE = 5  # snapshots


@dataclass(frozen=True)
class Line:
    """One training: ``tre`` is the mean TRE in mm over all landmarks, by iteration.

    ``partial`` counts the snapshots that are left out of it because a pair has no number in them.
    """

    training: Training
    label: str
    tre: pd.Series
    partial: int

    @property
    def late(self) -> pd.Series:
        """The errors of the last snapshots, by which a training is judged: a single one may be far off."""
        return self.tre.tail(LATE)

    @property
    def title(self) -> str:
        """The network's label and seed."""
        return f"{self.label} (seed {self.training.seed})"


@dataclass(frozen=True)
class Snapshots:
    """The lines that can be compared, all over the same ``pairs`` (columns dataset, pair, count, before).

    ``before`` is the TRE of a pair before registration; ``missing`` says for each training without a line why;
    ``judged`` are the paper's data sets that the pairs are of, ``without`` the titles of those that have no pair.
    """

    lines: Sequence[Line]
    pairs: pd.DataFrame
    missing: Sequence[str]
    judged: Sequence[str] = ()
    without: Sequence[str] = ()

    @property
    def landmarks(self) -> int:
        """How many landmarks the pairs have."""
        return int(self.pairs["count"].sum())

    @property
    def before(self) -> float:
        """Mean TRE in mm over all landmarks before registration; NaN where a pair has none."""
        if self.pairs.empty or self.pairs.before.isna().any():
            return float("nan")
        return pooled(self.pairs["count"], self.pairs.before, np.zeros(len(self.pairs)))[0]

    def of(self, method: str) -> list[Line]:
        """Return the lines of a method, its first seed first."""
        return sorted(
            (line for line in self.lines if line.training.method == method), key=lambda line: line.training.seed
        )


def read(paper_run: PaperRun, methods: Sequence[str], datasets: Sequence[str] = ()) -> Snapshots:
    """Read the snapshots of methods on some of the paper's test data, by default on all.

    Of trainings on one data set: the paper's, else that of the first one listed.
    """
    wanted = list(datasets or paper_run.paper.datasets)
    names = {key: paper_run.datasets[key].name for key in wanted if key in paper_run.datasets}
    learned = trainings.choose(paper_run.run.trainings, methods, paper_run.own_data)
    there = {method: _trainings(paper_run, method, learned) for method in methods}
    known = {training.method for training in paper_run.run.trainings}
    lost = [method for method, some in there.items() if not some]
    missing = [trainings.none_of(method, learned if method in known else "") for method in lost]
    found: list[tuple[Training, pd.DataFrame]] = []
    for training in (training for some in there.values() for training in some):
        rows, why = _rows(training, list(names.values()))
        missing += [why] if why else []
        found += [(training, rows)] if not why else []
    pairs = _pairs(paper_run, [rows for _, rows in found])
    lines = [_line(paper_run, training, rows, pairs) for training, rows in found]
    missing += [f"no snapshot of {line.title} has all pairs" for line in lines if line.tre.empty]
    judged = [key for key, name in names.items() if name in set(pairs.dataset)]
    without = [paper_run.players[key].title for key in wanted if key not in judged]
    return Snapshots([line for line in lines if len(line.tre)], pairs, missing, judged, without)


def note(paper_run: PaperRun, snapshots: Snapshots, methods: Sequence[str]) -> list[str]:
    """Return what a reader has to know of the errors: over which pairs, whether of stand-ins, what is left out."""
    many = len(snapshots.pairs)
    parts = [
        f"TRE is the mean over {snapshots.landmarks:,} landmarks of {many} test pair{'s' * (many != 1)} "
        f"({paper_run.title(snapshots.judged)})."
    ]
    if snapshots.without:
        parts.append(f"No snapshot was judged on {', '.join(snapshots.without)}, which the paper has as well.")
    learned = [line.training.dataset for line in snapshots.lines]
    if warning := paper_run.no_reproduction(snapshots.judged):
        parts.append(warning)
    elif paper_run.paper.trainings and not all(paper_run.own_of(line.training) for line in snapshots.lines):
        parts.append("Trained on other data than the paper's, so that no value is a reproduction.")
    parts += trainings.others(paper_run.run.trainings, methods, learned[0])
    parts += [
        f"{line.partial} snapshots of {line.title} without all pairs are left out."
        for line in snapshots.lines
        if line.partial
    ]
    return parts


def _trainings(paper_run: PaperRun, method: str, dataset: str) -> list[Training]:
    found = (each for each in paper_run.run.trainings if (each.method, each.dataset) == (method, dataset))
    return sorted(found, key=lambda each: each.seed)


def _rows(training: Training, names: Sequence[str]) -> tuple[pd.DataFrame, str]:
    """Return a training's snapshots on data sets of these names that have a number, or why there are none."""
    who = f"{training.method} (seed {training.seed})"
    rows = training.rows("snapshots.jsonl")
    if rows is None:
        ended = "" if training.status == "ok" else f" ({training.status})"
        return pd.DataFrame(columns=COLUMNS), f"the training of {who} left no snapshots{ended}"
    if absent := [column for column in COLUMNS if column not in rows]:
        return pd.DataFrame(columns=COLUMNS), f"the snapshots of {who} lack {', '.join(absent)}"
    rows = rows[rows.dataset.isin(names)].drop_duplicates(["iteration", *PAIR], keep="last")
    if rows.empty:
        return rows, f"the snapshots of {who} have no pair of these data sets"
    rows = rows.astype({"count": float, "mean": float})
    good = rows[np.isfinite(rows["mean"]) & (rows["count"] > 0)]
    return good, "" if len(good) else f"no snapshot of {who} has an error that is a number"


def _pairs(paper_run: PaperRun, found: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return every pair that any snapshot has, with its landmarks and its error before registration."""
    columns = [*PAIR, "count"]
    rows = pd.concat(found)[columns] if found else pd.DataFrame(columns=columns)
    pairs = rows.drop_duplicates(PAIR).sort_values(PAIR, ignore_index=True)
    before = [
        values(paper_run.run.metrics, dataset, default_quote("tre")).assign(dataset=dataset)
        for dataset in pairs.dataset.unique()
    ]
    if not before:
        return pairs.assign(before=float("nan"))
    level = pd.concat(before).query("method == 'identity'").drop_duplicates(PAIR).rename(columns={"value": "before"})
    return pairs.merge(level[[*PAIR, "before"]], on=PAIR, how="left")


def _line(paper_run: PaperRun, training: Training, rows: pd.DataFrame, pairs: pd.DataFrame) -> Line:
    """Return the pooled error of each snapshot that has all pairs: a mean over fewer is of other landmarks."""
    by_iteration = rows.groupby("iteration")
    whole = by_iteration.size() == len(pairs)
    tre = by_iteration.apply(lambda group: float(np.average(group["mean"], weights=group["count"])))
    return Line(training, paper_run.run.label(training.method), tre[whole].sort_index(), int((~whole).sum()))
