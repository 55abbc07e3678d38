"""The number that a cell of a paper's table is over the registrations of one or two methods, and why there is none."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from benchmarks.ranking import Quote
from benchmarks.results import RUN_LEVEL
from benchmarks.statistics import Sample, generalisation, p_value, pooled, wilcoxon
from datasets.case import Described, Pair
from datasets.files import Array
from reports.reading import summary
from reports.reading.run import Run
from reports.reading.summary import first_reason

PLACE = ["dataset", "pair", "seed"]  # of a registration of a method
POOLED = ("count", "mean", "sd")  # regions that a mean and sd over all landmarks are made of
P_VALUES = ("signed_rank_p", "signed_rank_p_normal")  # of one training each; the first is shown
DIVERGED = "diverged"
NAN = float("nan")
Rule = Callable[[Sequence[Array]], float]


@dataclass(frozen=True)
class Choice:
    """Registrations of one method: on which data sets, of one seed or of all, of one pair (from 1) or of all."""

    datasets: tuple[str, ...]
    method: str
    seed: int | None = None
    pair: int | None = None


@dataclass(frozen=True)
class Missing:
    """Why there are no values; ``outcome`` is the status that all registrations share because training ended so."""

    reason: str
    outcome: str = ""


@dataclass(frozen=True)
class Answer:
    """A number, the mean over its trainings, and the ``n`` pairs behind it.

    ``drawn`` has its value in each training. ``sample`` has the values of all registrations, where the number is a mean
    of these, so that it has an interval over subjects; else it is None.
    """

    value: float
    n: int
    drawn: Sample | None = None
    sample: Sample | None = None


class PairValues:
    """The values of every registration, looked up by data set, method, metric and seed; data sets by their names."""

    def __init__(self, run: Run) -> None:
        metrics, self._titles, self._methods = run.metrics, run.titles, run.methods
        good = metrics[(metrics.status == "ok") & (metrics.pair != RUN_LEVEL)]
        self._good = good.astype({"value": float}).dropna(subset="value")
        self._places = self._good.groupby(["dataset", "method", "metric", "protocol", "region"]).indices
        self._registrations = dict(list(summary.registrations(metrics).groupby(["dataset", "method"])))
        self._series: dict[tuple[str, str, Quote], pd.Series | None] = {}
        self._pairs = {name: [pair.name for pair in data.description.test] for name, data in run.datasets.items()}
        pairs = self._good[self._good.dataset.isin(list(run.datasets))][["dataset", "pair"]].drop_duplicates()
        self._subjects = {
            (name, pair): _subjects(name, run.datasets[name], pair) for name, pair in pairs.itertuples(index=False)
        }

    def read(self, choice: Choice, quote: Quote, *, pooled: bool = False) -> pd.DataFrame | Missing:
        """Return one row a registration, indexed by `PLACE`: column ``value``, or `POOLED` for what is to be pooled.

        Where one of several data sets has no values there is no number at all: a mean over those that happen to have
        values would be another number.
        """
        frames = {}
        for dataset in choice.datasets:
            frame = self._of_dataset(dataset, choice, quote, pooled)
            if frame is None or frame.empty:
                return self.why_none(dataset, choice, quote)
            frames[dataset] = frame
        return pd.concat(frames, names=PLACE)

    def losses(self, choice: Choice, done: pd.DataFrame) -> tuple[int, list[str]]:
        """Count the registrations that failed; return a note on these, and on pairs without a value, with the count."""
        found = [self._tried(dataset, choice) for dataset in choice.datasets]
        rows = [each for each in found if each is not None]
        if not rows:
            return 0, []
        tried = pd.concat(rows)
        failed, idle = tried[~tried.status.isin(["ok", "not_applicable"])], (tried.status == "not_applicable").sum()
        notes = []
        if len(failed):
            what = f"{len(failed)} of {len(tried) - idle} registrations of {choice.method}"
            notes.append(f"{what} failed and are left out (first: {first_reason(failed)})")
        without = sum(each[each.status == "ok"].pair.nunique() for each in rows) - len(pairs_of(done))
        if without > 0:
            notes.append(f"registered pairs of {choice.method} without a value: {without}")
        return len(failed), notes

    def seeds(self, choice: Choice) -> list[int]:
        """Return the seeds that a method was run with on the data sets, whatever came of it."""
        found = [self._registrations.get((dataset, choice.method)) for dataset in choice.datasets]
        return sorted({int(seed) for rows in found if rows is not None for seed in rows.seed})

    def why_none(self, dataset: str, choice: Choice, quote: Quote) -> Missing:
        """Return why a method that is in the profile has no value on a data set."""
        rows, method, title = self._tried(dataset, choice), choice.method, self._titles[dataset]
        if not self._names(dataset, choice):
            number = len(self._pairs[dataset])
            return Missing(f"{title} has {number} test pairs, the paper's row is of pair {choice.pair}")
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

    def subjects(self, index: pd.Index) -> list[list[tuple[str, str]]]:
        """Return the subjects of each registration (`PLACE`)."""
        return [self._subjects[dataset, pair] for dataset, pair, _ in index]

    def drawn(self, choices: Sequence[Choice]) -> bool:
        """Return whether another training, or another seed, would give these methods other numbers."""
        learned = any(self._methods[choice.method].kind == "learned" for choice in choices)
        return learned or any(len(self.seeds(choice)) > 1 for choice in choices)

    def _names(self, dataset: str, choice: Choice) -> list[str]:
        """Return the names of the chosen pairs; none where the data set has fewer than the pair's number."""
        pairs = self._pairs[dataset]
        return pairs if choice.pair is None else pairs[choice.pair - 1 : choice.pair]

    def _of_dataset(self, dataset: str, choice: Choice, quote: Quote, pooled: bool) -> pd.DataFrame | None:
        regions = {name: replace(quote, region=name) for name in POOLED} if pooled else {"value": quote}
        columns = {name: self._values(dataset, choice.method, one) for name, one in regions.items()}
        if any(column is None for column in columns.values()):
            return None
        frame = pd.DataFrame(columns).dropna()
        if choice.seed is not None:
            frame = frame[frame.index.get_level_values("seed") == choice.seed]
        return frame if choice.pair is None else frame[frame.index.isin(self._names(dataset, choice), level="pair")]

    def _values(self, dataset: str, method: str, quote: Quote) -> pd.Series | None:
        """Return the value of each pair and seed, in order of name; None where there is no value at all."""
        key = (dataset, method, quote)
        if key not in self._series:
            places = self._places.get((dataset, method, quote.metric, quote.protocol, quote.region), [])
            rows = self._good.iloc[places]
            self._series[key] = rows.set_index(PLACE[1:]).value.sort_index() if len(rows) else None
        return self._series[key]

    def _tried(self, dataset: str, choice: Choice) -> pd.DataFrame | None:
        rows = self._registrations.get((dataset, choice.method))
        if rows is None:
            return None
        chosen = rows if choice.seed is None else rows[rows.seed == choice.seed]
        return chosen if choice.pair is None else chosen[chosen.pair.isin(self._names(dataset, choice))]


def _subjects(name: str, dataset: Described, pair: str) -> list[tuple[str, str]]:
    """Return the subjects of a pair, for pairs that share one are not independent."""
    named, known = dataset.description.subjects, Pair.from_name(pair)
    return [(name, named.get(case, case)) for case in (known.fixed, known.moving)]


def pairs_of(frame: pd.DataFrame) -> pd.Index:
    """Return the pairs that some registrations (`PLACE`) are of, each once."""
    return frame.reset_index("seed").index.unique()


def shared(frames: Sequence[pd.DataFrame]) -> list[pd.DataFrame]:
    """Return of the registrations of two methods those whose pair and seed both have: a difference is of these."""
    common = frames[0].index.intersection(frames[1].index)
    return [frame.loc[common] for frame in frames]


def of_all_trainings(frames: Sequence[pd.DataFrame]) -> tuple[list[pd.DataFrame], int]:
    """Return of registrations, the same of each frame, the pairs that all trainings have, and how many are left out."""
    index = frames[0].index
    seeds = len(index.unique("seed"))
    if seeds == 1 or (len(index) == seeds * (pairs := len(pairs_of(frames[0]))) and index.is_unique):
        return list(frames), 0
    held = index.unique().to_frame(index=False).groupby(PLACE[:2]).size()
    common = held.index[held == seeds]
    kept = frames[0].reset_index("seed").index.isin(common)
    return [frame[kept] for frame in frames], pairs - len(common)


def alike(frame: pd.DataFrame) -> pd.DataFrame:
    """Return registrations in the columns that are pooled, weighted so that the data sets of a seed count alike."""
    sizes = frame.groupby(level=["dataset", "seed"])["value"].transform("size")
    return pd.DataFrame({"count": 1 / sizes, "mean": frame["value"], "sd": 0.0})


def statistic_name(statistic: str, *, pooled: bool = False, sets_alike: bool = False) -> str:
    """Return what a ledger calls a statistic."""
    over = " over landmarks" if pooled else ", mean of the data sets" if sets_alike else ""
    return f"{_WORDS.get(statistic, statistic)}{over}"


def summarise(
    statistic: str,
    frames: Sequence[pd.DataFrame],
    subjects: Sequence[Sequence[tuple[str, str]]],
    *,
    drawn: bool,
    factor: float = 1,
    pooled: bool = False,
) -> Answer:
    """Work a statistic out in each training, and its mean over these.

    Args:
        statistic: one of the schema's, or ``less``, the mean of the paired differences.
        frames: of the method and, for statistics of two, of the other; one row a registration (`PLACE`), the same ones.
            Columns ``value``, or ``count``, ``mean`` and ``sd`` to be pooled.
        subjects: of each row.
        drawn: whether each seed is a training of its own; False for a repeatable method.
        factor: printed units per unit of the values.
        pooled: over all landmarks of all pairs.
    """
    values = [frame.to_numpy(dtype=np.float64) * _scales(frame, factor) for frame in frames]
    seeds = frames[0].index.get_level_values("seed").to_numpy()
    sample = _sample(statistic, values, subjects, [int(seed) if drawn else None for seed in seeds])
    n = len(pairs_of(frames[0]))
    if statistic == "reduction_p":
        return Answer(p_value(generalisation(sample)) if sample else NAN, n)
    rule, trainings = (_POOLED if pooled else _BY_PAIR)[statistic], list(dict.fromkeys(seeds.tolist()))
    numbers = [rule([each[seeds == training] for each in values]) for training in trainings]
    value = numbers[0] if statistic in P_VALUES else float(np.mean(numbers))  # a mean of p values is none
    return Answer(value, n, by_training(numbers, trainings if drawn else [None]), sample)


def by_training(numbers: Sequence[float], trainings: Sequence[int | None]) -> Sample:
    """Return the numbers of trainings, each over the same pairs, which a reproduction takes as given."""
    return Sample(np.array(numbers, dtype=np.float64), [("as printed",)] * len(numbers), trainings)


def _sample(
    statistic: str, values: Sequence[Array], subjects: Sequence[Sequence[Hashable]], trainings: Sequence[int | None]
) -> Sample | None:
    """Return what a mean, or a mean difference, is the mean of; None for what is none."""
    if statistic not in _MEANS:
        return None
    weights, at = (values[0][:, 0], 1) if values[0].shape[1] > 1 else (None, 0)
    numbers = values[0][:, at]
    if len(values) > 1:
        numbers = numbers - values[1][:, at] if statistic == "less" else values[1][:, at] - numbers
    return Sample(numbers, subjects, trainings, weights)


def _scales(frame: pd.DataFrame, factor: float) -> Array:
    return np.array([1.0 if column == "count" else factor for column in frame.columns])


def _difference(values: Sequence[Array]) -> Array:
    """Return what the other method has more than the method, pair by pair."""
    return values[1][:, 0] - values[0][:, 0]


_WORDS: Mapping[str, str] = {
    "less": "mean difference",
    "reduction": "difference of means",
    "reduction_p": "two-sided p over subjects and trainings",
    "signed_rank": "signed ranks, sum",
    "signed_rank_p": "signed ranks, exact one-sided p",
    "signed_rank_p_normal": "signed ranks, two-sided p by the normal approximation",
    "pairs_lower": "pairs with less",
    "pairs_higher": "pairs with more",
    "seeds_lower": "seeds with a lower mean",
    "draws_sd": "sd of the means of trainings",
}
_MEANS = ("mean", "less", "reduction", "reduction_p")
_BY_PAIR: Mapping[str, Rule] = {
    "mean": lambda values: float(values[0][:, 0].mean()),
    "sd": lambda values: float(values[0][:, 0].std()),
    "sum": lambda values: float(values[0][:, 0].sum()),
    "median": lambda values: float(np.median(values[0][:, 0])),
    "less": lambda values: float(-_difference(values).mean()),
    "reduction": lambda values: float(_difference(values).mean()),
    "signed_rank": lambda values: wilcoxon(_difference(values), alternative="greater").statistic,
    "signed_rank_p": lambda values: wilcoxon(_difference(values), alternative="greater").p_value,
    "signed_rank_p_normal": lambda values: wilcoxon(_difference(values), method="normal").p_value,
    "pairs_lower": lambda values: float((_difference(values) > 0).sum()),
    "pairs_higher": lambda values: float((_difference(values) < 0).sum()),
}
_POOLED: Mapping[str, Rule] = {
    "mean": lambda values: pooled(*values[0].T)[0],
    "sd": lambda values: pooled(*values[0].T)[1],
    "reduction": lambda values: pooled(*values[1].T)[0] - pooled(*values[0].T)[0],
}
