"""Whether a number was measured as the paper measured its own: a list that is checked against what the run recorded.

Names prove nothing: a data set is the paper's where its preparation says so, and weights are traced by their digest
from a registration to the training that left them. What is not on record is not as the paper.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from benchmarks.ranking import Quote
from benchmarks.records import Learned
from reports.paper.cast import PaperRun, is_part
from reports.paper.contents import OWN_SIZE, Cell, Measured, TrainingData
from reports.reading.record import OnRecord
from reports.reading.summary import Sizes
from reports.reading.trainings import Training

NETWORKS: Mapping[str, str] = {"torch": "PyTorch"}  # libraries that networks run by, by their names in print


@dataclass(frozen=True)
class Departure:
    """What is otherwise than in the paper; one that ``reduces`` lets nothing agree or differ, others are only said."""

    what: str
    reduces: bool = True


def reduced(departures: Sequence[Departure]) -> str:
    """Return what lets a number neither agree nor differ, in one line; empty where nothing does."""
    return "; ".join(dict.fromkeys(each.what for each in departures if each.reduces))


def qualifiers(departures: Sequence[Departure]) -> list[str]:
    """Return what is said beside a verdict."""
    return list(dict.fromkeys(each.what for each in departures if not each.reduces))


class AsPaper:
    """Holds what a run recorded against what the paper says."""

    def __init__(self, paper_run: PaperRun) -> None:
        self._paper_run, self._sizes = paper_run, Sizes(paper_run.run.metrics)
        self._record = OnRecord(paper_run.run)

    def departures(self, cell: Cell, measured: Measured) -> list[Departure]:
        """Return all that was otherwise when a cell's number was measured."""
        if cell.kind in ("size", "setting"):
            return []
        if cell.metric == "seconds":
            return list(self._of_seconds(measured))
        found = [each for key in cell.datasets for each in self._of_data(key, cell)]
        found += self._of_pairs(cell, measured)
        for method in cell.methods:
            if self._paper_run.run.methods[method].kind == "learned":
                found += self._of_network(cell, method)
        return [*found, *self._beside(cell, measured)]

    def _of_seconds(self, measured: Measured) -> Iterator[Departure]:
        """Yield what seconds are not of: the paper's grid, width or machine."""
        if measured.stand_in and measured.dataset == OWN_SIZE:
            here = _grid(measured.grid.split("x"))
            yield Departure(f"on {here} voxels, the paper's {_grid(self._paper_run.paper.grid)}")
        elif measured.stand_in:
            yield Departure("on other data than the paper's")
        if measured.narrow:
            yield Departure("a network narrower than the paper's")
        if measured.hardware and self._paper_run.paper.hardware:
            yield Departure(f"printed: {self._paper_run.paper.hardware}", reduces=False)

    def _of_data(self, key: str, cell: Cell) -> Iterator[Departure]:
        """Yield what is otherwise of a data set that is tested on."""
        player, paper = self._paper_run.players[key], self._paper_run.paper
        if player.dataset is None:
            return
        about = player.dataset.description
        if player.stand_in and not player.note:
            yield Departure(f"on {player.in_ledger}")
        elif player.note:
            yield Departure(f"on {player.in_ledger}", reduces=player.stand_in)
            if cell.pair:
                yield Departure(f"pair {cell.pair} of these may be another one of the paper's")
        if paper.grid and not (player.stand_in and not player.note) and about.shape != tuple(paper.grid):
            yield Departure(f"on {_grid(about.shape)} voxels, the paper's {_grid(paper.grid)}")

    def _of_pairs(self, cell: Cell, measured: Measured) -> Iterator[Departure]:
        """Yield that pairs of the data were not measured, failures apart, or that others were that they do not have."""
        players = [self._paper_run.players[key] for key in cell.datasets]
        for data, method in ((player.dataset, method) for player in players for method in cell.methods):
            if data and (others := self._record.foreign(data.description.name, method)):
                yield Departure(f"{method} has numbers of {others} pairs that {data.description.display_title} lacks")
        if cell.pair or not measured.n or measured.failed:
            return
        wanted = sum(self._paper_run.paper.datasets[key].pairs for key in cell.datasets)
        here = sum(len(player.dataset.description.test) for player in players if player.dataset)
        if not any(player.stand_in for player in players) and is_part(measured.n, wanted):
            yield Departure(f"over {measured.n} of the paper's {wanted} pairs")
        elif measured.n < here:
            yield Departure(f"over {measured.n} of the {here} pairs", reduces=False)

    def _of_network(self, cell: Cell, method: str) -> Iterator[Departure]:
        """Yield what is otherwise of a network: its width, and what and how long it and its teacher learned."""
        for key in cell.datasets:
            if name := self._paper_run.cast.get(key):
                yield from self._of_width(name, method)
                yield from self._of_trainings(key, name, method, cell.seed)
                if self._record.copied(
                    name, method, Quote(cell.metric, cell.protocol, "mean" if cell.pooled else cell.region)
                ):
                    yield Departure(f"the same numbers of {method} under several seeds")

    def _of_width(self, name: str, method: str) -> Iterator[Departure]:
        """Yield that a network is narrower than the paper's, or that nothing says how wide it is."""
        if self._sizes.narrow(name, method):
            yield Departure(f"{method} narrower than the paper's")
        elif None in (self._sizes.get(name, method, size) for size in ("parameters", "full_parameters")):
            yield Departure(f"the width of {method} is not on record")

    def _of_trainings(self, key: str, name: str, method: str, seed: int | None) -> Iterator[Departure]:
        """Yield what is otherwise of the trainings whose numbers count."""
        found = self._record.trainings(name, method, seed)
        lost = {drawn for drawn, training in found if training is None or training.learned is None}
        if self._wanted(key) and (lost or not found):
            some = f" for seed {', '.join(map(str, sorted(lost)))}" if len(lost) < len(dict(found)) else ""
            yield Departure(f"what {method} learned is not on record{some}")
        for training in {id(each): each for drawn, each in found if drawn not in lost}.values():
            if training is not None and training.method != method:
                yield Departure(f"{method} registered by the weights of {training.method}")
            yield from self._of_training(key, method, training)
        weights = {(drawn, sha) for drawn, sha in self._record.weights(name, method) if seed in (None, drawn)}
        if len({sha for _, sha in weights}) < len(weights):
            yield Departure(f"the same weights of {method} under several seeds")

    def _wanted(self, key: str) -> TrainingData | None:
        """Return what the paper's networks learn from before they are tested on a data set; None where it is silent."""
        return next((each for each in self._paper_run.paper.trainings if key in each.datasets), None)

    def _of_training(self, key: str, method: str, training: Training | None, who: str = "") -> Iterator[Departure]:
        """Yield what is otherwise of a training, and of its teacher's; ``who`` names it where it is a teacher."""
        wanted = self._wanted(key)
        if wanted is None:
            return
        if training is None or training.learned is None:
            yield Departure(f"{who}what {method} learned is not on record")
            return
        if self._paper_run.own_of(training) is not wanted:
            yield Departure(f"{who}trained on {training.dataset}, the paper's on {wanted.title}")
        for departure in _otherwise(training.learned, wanted, ended=training.status == "ok"):
            yield Departure(f"{who}{departure.what}", departure.reduces)
        yield from self._of_teacher(key, method, training.learned.teacher, who)

    def _of_teacher(self, key: str, method: str, weights: str, who: str) -> Iterator[Departure]:
        """Yield that the teacher whose weights a training had is none or another, and what is otherwise of it."""
        wanted = self._paper_run.paper.taught.get(method, "")
        if not weights:
            if wanted:
                yield Departure(f"{who}{method} learned without a teacher")
            return
        teacher = self._record.teacher(weights)
        name = teacher.method if teacher else f"the teacher of {method}"
        if not wanted:
            yield Departure(
                f"{who}{method} learned from {teacher.method if teacher else 'a teacher'}, the paper's from none"
            )
        elif teacher and wanted != name:
            yield Departure(f"{who}{method} learned from {name}, the paper's from {wanted}")
        yield from self._of_training(key, name, teacher, f"taught by {name}: " if teacher else "")

    def _beside(self, cell: Cell, measured: Measured) -> Iterator[Departure]:
        """Yield what is said beside a verdict: how many trainings, and by which libraries."""
        networks = [method for method in cell.methods if self._paper_run.run.methods[method].kind == "learned"]
        drawn = len(measured.drawn.seeds) if measured.drawn else 0
        wanted = max((each.trainings for each in self._paper_run.paper.trainings), default=1)
        if networks and drawn not in (0, wanted, 1):
            yield Departure(f"{drawn} trainings, the paper's {wanted}", reduces=False)
        if networks and self._paper_run.paper.software and self._libraries:
            yield Departure(f"by {self._libraries}, the paper's by {self._paper_run.paper.software}", reduces=False)

    @cached_property
    def _libraries(self) -> str:
        """The libraries that networks ran by, with their versions."""
        rows = self._paper_run.run.runs
        texts = [] if rows.empty else rows.versions
        found = {(NETWORKS[name], version) for text in texts for name, version in json.loads(text or "{}").items()
                 if name in NETWORKS}  # fmt: skip
        return " and ".join(f"{name} {version}" for name, version in sorted(found))


def _otherwise(learned: Learned, wanted: TrainingData, *, ended: bool) -> Iterator[Departure]:
    """Yield what a training did otherwise than the paper's; one that did not come to its end is taken as planned."""
    made = learned.iterations if ended else learned.planned
    if learned.cases != wanted.cases:
        what = f"trained on {learned.cases:,} of the paper's {wanted.cases:,} scans"
        yield Departure(what, reduces=is_part(learned.cases, wanted.cases))
    if wanted.iterations and made < wanted.iterations:
        yield Departure(f"{made:,} of {wanted.iterations:,} iterations" if made else "iterations not on record")
    if wanted.batch and learned.batch != wanted.batch:
        yield Departure(f"{learned.batch} pairs an update, the paper's {wanted.batch}")
    if wanted.learning_rate and not math.isclose(learned.learning_rate, wanted.learning_rate):
        yield Departure(f"learning rate {learned.learning_rate:g}, the paper's {wanted.learning_rate:g}")
    if learned.shrink != 1:
        yield Departure(f"images of 1/{learned.shrink} of the resolution")


def _grid(shape: Sequence[object]) -> str:
    return " x ".join(map(str, shape)) or "an unknown number of"
