"""Values of single registrations: those that a cell of a paper's table is over, and why there are none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from benchmarks.ranking import Quote
from datasets.case import Dataset, Pair
from reports.reading import summary

POOLED = ("count", "mean", "sd")  # regions that a mean and sd over all landmarks are made of
DIVERGED = "diverged"


@dataclass(frozen=True)
class Choice:
    """Registrations of one method: on which data sets, of one seed or of all, of one pair (from 1) or of all."""

    datasets: tuple[Dataset, ...]
    method: str
    seed: int | None = None
    pair: int | None = None

    def names(self, dataset: Dataset) -> list[str]:
        """Names of the pairs; none where the data set has fewer than the pair's number."""
        pairs = dataset.test_pairs if self.pair is None else dataset.test_pairs[self.pair - 1 : self.pair]
        return [pair.name for pair in pairs]

    def of(self, method: str) -> Choice:
        """The same registrations by another method."""
        return replace(self, method=method)


@dataclass(frozen=True)
class Missing:
    """Why there are no values; ``outcome`` is the status that all registrations share because training ended so."""

    reason: str
    outcome: str = ""


class PairValues:
    """Reads rows of metrics by pair; each selection of rows is made once."""

    def __init__(self, metrics: pd.DataFrame) -> None:
        self._metrics = metrics
        self._registrations = dict(list(summary.registrations(metrics).groupby(["dataset", "method"])))
        self._series: dict[tuple[str, Quote, int | None], dict[str, pd.Series]] = {}

    def read(self, choice: Choice, quote: Quote, *, pooled: bool = False) -> pd.DataFrame | Missing:
        """One row a pair, indexed by data set and pair: column ``value``, or `POOLED` for what is to be pooled.

        Seeds are averaged within a pair where no seed is chosen. All or nothing of the data sets: a mean over those
        that happen to have values would be another number.
        """
        frames = {}
        for dataset in choice.datasets:
            if not choice.names(dataset):
                title, number = dataset.description.display_title, len(dataset.test_pairs)
                return Missing(f"{title} has {number} test pairs, the paper's row is of pair {choice.pair}")
            frame = self._of_dataset(dataset, choice, quote, pooled)
            if frame is None or frame.empty:
                return self.why_none(dataset, choice, quote)
            frames[dataset.name] = frame
        return pd.concat(frames, names=["dataset", "pair"])

    def read_both(
        self, choices: Sequence[Choice], quote: Quote, *, pooled: bool = False
    ) -> tuple[list[pd.DataFrame], list[int]]:
        """As `read` of two methods, from the seeds alone with which both have the pair; and which seeds these are.

        So each pair's values are means over the same seeds. No seed: the methods have no pair of a seed in common.
        """
        first, second = (self.seeds(choice) if choice.seed is None else [choice.seed] for choice in choices)
        parts = {}
        for seed in (seed for seed in first if seed in second):
            frames = [self.read(replace(choice, seed=seed), quote, pooled=pooled) for choice in choices]
            if any(isinstance(frame, Missing) for frame in frames):
                continue
            shared = [name for name in frames[0].index if name in frames[1].index]
            if shared:
                parts[seed] = [frame.loc[shared] for frame in frames]
        if not parts:
            return [], []
        both = zip(*parts.values(), strict=True)
        return [pd.concat(each).groupby(level=["dataset", "pair"], sort=False).mean() for each in both], list(parts)

    def losses(self, choice: Choice, done: pd.DataFrame) -> tuple[int, list[str]]:
        """How many registrations failed, and the note that says so; also pairs without a value that did not fail."""
        found = [self._tried(dataset, choice) for dataset in choice.datasets]
        rows = [each for each in found if each is not None]
        if not rows:
            return 0, []
        tried = pd.concat(rows)
        failed, idle = tried[~tried.status.isin(["ok", "not_applicable"])], (tried.status == "not_applicable").sum()
        notes = []
        if len(failed):
            notes.append(
                f"{len(failed)} of {len(tried) - idle} registrations of {choice.method} failed and are left out "
                f"(first: {first_reason(failed)})"
            )
        without = sum(each[each.status == "ok"].pair.nunique() for each in rows) - len(done)
        if without > 0:
            notes.append(f"registered pairs of {choice.method} without a value: {without}")
        return len(failed), notes

    def seeds(self, choice: Choice) -> list[int]:
        """The seeds that a method was run with on the data sets, whatever came of it."""
        found = [self._registrations.get((dataset.name, choice.method)) for dataset in choice.datasets]
        return sorted({int(seed) for rows in found if rows is not None for seed in rows.seed})

    def why_none(self, dataset: Dataset, choice: Choice, quote: Quote) -> Missing:
        """Why a method that is in the profile has no value on a data set."""
        rows, method, title = self._tried(dataset, choice), choice.method, dataset.description.display_title
        if rows is None or rows.empty:
            seeds = self.seeds(replace(choice, datasets=(dataset,)))
            if seeds and choice.seed not in (None, *seeds):
                return Missing(f"{method} is not run with seed {choice.seed} in this profile")
            return Missing(f"{method} is not run on {title}")
        if (rows.status == "ok").any():
            protocol = f" ({quote.protocol})" if quote.protocol else ""
            return Missing(f"no {quote.metric}{protocol} of {method} on {title} is on record")
        outcome = DIVERGED if (rows.status == DIVERGED).all() else ""
        return Missing(f"no registration of {method} on {title} finished: {first_reason(rows)}", outcome)

    def _of_dataset(self, dataset: Dataset, choice: Choice, quote: Quote, pooled: bool) -> pd.DataFrame | None:
        regions = {name: replace(quote, region=name) for name in POOLED} if pooled else {"value": quote}
        columns = {name: self._by_pair(dataset, one, choice) for name, one in regions.items()}
        if any(column is None for column in columns.values()):
            return None
        frame = pd.DataFrame(columns).dropna()
        return frame if choice.pair is None else frame[frame.index.isin(choice.names(dataset))]

    def _by_pair(self, dataset: Dataset, quote: Quote, choice: Choice) -> pd.Series | None:
        key = (dataset.name, quote, choice.seed)
        if key not in self._series:
            metrics = self._metrics if choice.seed is None else self._metrics[self._metrics.seed == choice.seed]
            self._series[key] = summary.per_pair(metrics, dataset.name, quote)
        return self._series[key].get(choice.method)

    def _tried(self, dataset: Dataset, choice: Choice) -> pd.DataFrame | None:
        rows = self._registrations.get((dataset.name, choice.method))
        if rows is None:
            return None
        chosen = rows if choice.seed is None else rows[rows.seed == choice.seed]
        return chosen if choice.pair is None else chosen[chosen.pair.isin(choice.names(dataset))]


def subjects(datasets: tuple[Dataset, ...], index: pd.MultiIndex) -> list[list[tuple[str, str]]]:
    """The subjects of each (data set, pair), for pairs that share one are not independent."""
    named = {each.name: each.description.subjects for each in datasets}
    out = []
    for dataset, pair in index:
        known = Pair.from_name(str(pair))
        out.append([(dataset, named[dataset].get(case, case)) for case in (known.fixed, known.moving)])
    return out


def first_reason(rows: pd.DataFrame) -> str:
    """The reason of the first row that did not succeed."""
    failed = rows[rows.status != "ok"]
    reason = " ".join(str(failed.iloc[0].reason).split()) if len(failed) else ""
    return reason or "no reason recorded"
