"""What has to be the same in two archives for their rows to be one table: data, configurations, trainings, runs.

Numbers of one method on one data set are averaged, so that they have to be of one configuration. Commits, machines and
library versions may differ between seeds, and `remarks` says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import NoReturn

import pandas as pd

from benchmarks import results
from benchmarks.metrics import CLOCK
from datasets.description import Description
from reports.archive.opened import RUN, Opened
from reports.archive.packed import ArchiveError
from reports.archive.told import ToldTraining

# Words and places: what they say of images and truth is in the digests of both.
WORDS = ("title", "licence", "source", "notes", "preprocessing", "parameters")
MACHINE = ("checkpoint_sha", "versions", "python", "device", "threads", "platform", "cpu", "gpu")
Facts = Mapping[str, object]  # to be compared, not used


@dataclass(frozen=True)
class Two:
    """Two archives that are to be one."""

    first: Opened
    second: Opened

    def refuse(self, words: str) -> NoReturn:
        """Raise the error that ends a merge."""
        raise ArchiveError(f"{self.second.archive.path}: {words}; nothing was written")

    def same(self, what: str, one: Facts, other: Facts) -> None:
        """Refuse facts about the same thing that differ, by the name of the first."""
        for name in dict.fromkeys([*one, *other]):
            if one.get(name) != other.get(name):
                there, here = _short(one.get(name)), _short(other.get(name))
                self.refuse(f"{what} is not as in {self.first.archive.path}: {name} is {there} there, {here} here")


def check_alike(two: Two) -> None:
    """Raise `ArchiveError`, in one line that names what differs, where two archives are not of the same things."""
    _check_data(two)
    kinds = [{name: method.kind for name, method in each.told.methods} for each in (two.first, two.second)]
    for name in kinds[0].keys() & kinds[1].keys():
        two.same(f"the method {name}", {"kind": kinds[0][name]}, {"kind": kinds[1][name]})
    sizes = [{each.method: each for each in part.told.networks} for part in (two.first, two.second)]
    for name in sizes[0].keys() & sizes[1].keys():
        one, other = ({"parameters": size[name].parameters, "macs": size[name].macs} for size in sizes)
        two.same(f"the paper's network of {name}", one, other)
    _check_trainings(two)
    _check_configurations(two)
    _check_runs(two)


def _check_data(two: Two) -> None:
    known = {each.description.name: each for each in two.first.told.datasets}
    for each in two.second.told.datasets:
        name = each.description.name
        same = known.get(name, each)
        if (same.images, same.truth) != (each.images, each.truth):
            two.refuse(f"{name} has other images or another truth than in {two.first.archive.path}")
        two.same(f"the data set {name}", _facts(same.description), _facts(each.description))


def _facts(description: Description) -> Facts:
    return {name: value for name, value in asdict(description).items() if name not in WORDS}


def _check_trainings(two: Two) -> None:
    """Refuse trainings of one method on one data set that were not done alike, and two of the same seed."""
    for other in two.second.told.trainings:
        for one in two.first.told.trainings:
            if (one.method, one.dataset) != (other.method, other.dataset):
                continue
            both = one.status == other.status == "ok"
            what = f"the training of {one.method} on {one.dataset}, seed {other.seed},"
            if one.learned and other.learned:
                two.same(what, _learned(one, ended=both), _learned(other, ended=both))
            if one.seed == other.seed:
                two.same(what, *({"status": each.status, "weights": each.sha256} for each in (one, other)))


def _learned(training: ToldTraining, *, ended: bool) -> Facts:
    """Return how a training was done; ``ended`` says to count its updates, of which one that diverges makes fewer."""
    found = asdict(training.learned) if training.learned else {}
    found["teacher"] = bool(found.get("teacher"))
    return found if ended else {name: value for name, value in found.items() if name != "iterations"}


def _check_configurations(two: Two) -> None:
    """Refuse runs of one method on one data set by other options, another module or other training."""
    ours: dict[tuple[str, str], list[Facts]] = {}
    for place, facts in _configurations(two.first):
        if facts not in ours.setdefault(place, []):
            ours[place].append(facts)
    for place, facts in _configurations(two.second):
        for known in ours.get(place, []):
            two.same(f"{place[1]} on {place[0]}", known, facts)


def _configurations(part: Opened) -> Iterator[tuple[tuple[str, str], Facts]]:
    trained = {each.sha256: each for each in part.told.trainings if each.sha256}
    for row in part.runs.itertuples():
        facts: dict[str, object] = {
            "module": row.module,
            **{f"its {k}": v for k, v in _options(str(row.params)).items()},
        }
        if row.checkpoint_sha:
            training = trained.get(str(row.checkpoint_sha))
            facts["what it was trained on"] = training.dataset if training else "not on record"
            learned = _learned(training, ended=False) if training else {}
            facts |= {f"the training's {name}": value for name, value in learned.items()}
        yield (str(row.dataset), str(row.method)), facts


def _options(params: str) -> Facts:
    return json.loads(params or "{}")


def _check_runs(two: Two) -> None:
    """Refuse rows that would come beside those of another run of the same method, data set and seed."""
    mixed = set(mixing(two.first.metrics, two.second.metrics))
    for dataset, method, seed, run in sorted(mixed):
        other = _record(two.second.runs, run)
        one = _record(two.first.runs, _run_of(two.first.metrics, (dataset, method, seed)))
        what = f"{method} on {dataset}, seed {seed}, has registrations that are to come beside those of another run and"
        two.same(what, one, other)
        two.refuse(f"{what} is not as in {two.first.archive.path}: its code or the files that it was given differ")


def mixing(one: pd.DataFrame, other: pd.DataFrame) -> Iterable[tuple[str, str, int, str]]:
    """Return data set, method, seed and run of rows that only ``other`` has, where ``one`` has those of another run."""
    key = list(results.KEYS["metrics"])
    one, other = (rows[rows.protocol != CLOCK] for rows in (one, other))
    new = other[~pd.MultiIndex.from_frame(other[key]).isin(pd.MultiIndex.from_frame(one[key]))]
    runs = set(one[[*RUN, "run"]].drop_duplicates().itertuples(index=False, name=None))
    places = {run[:-1] for run in runs}
    wanted = new[[*RUN, "run"]].drop_duplicates().itertuples(index=False, name=None)
    return [each for each in wanted if each[:-1] in places and each not in runs]


def _run_of(metrics: pd.DataFrame, place: tuple[str, str, int]) -> str:
    rows = metrics
    for name, value in zip(RUN, place, strict=True):
        rows = rows[rows[name] == value]
    return str(rows.run.iloc[0])


def _record(runs: pd.DataFrame, run: str) -> Facts:
    (row,) = runs[runs.run == run].to_dict("records")
    return {name: row[name] for name in MACHINE}


def _short(value: object) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
