"""A contest of methods on one data set and one number of threads: they take turns, each call is watched.

Contended calls (`benchmarks.clock.disturbance`) are repeated a few times; the least disturbed one is kept.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from benchmarks.clock import cores
from benchmarks.clock.disturbance import Disturbance, Watch
from benchmarks.clock.hardware import Hardware, this_hardware
from benchmarks.clock.stopwatch import interleave
from benchmarks.provenance import load_average
from benchmarks.rows import TimingRow
from datasets.case import Dataset, Pair
from workflows.planning.specs import RunSpec
from workflows.running.messages import Reply, Request, check_images, request

logger = logging.getLogger(__name__)
ATTEMPTS = 3  # at one call, while it is contended
QUICK, MANY, FEW = 1.0, 10, 5  # warm calls: so many where one takes fewer seconds, else so few
IDLE, BUSY = (700, 20), 500  # MiB of a loaded worker, and volumes of its grid; volumes of the one that computes
ON_A_GPU = 4  # methods at once, which keep their memory there between calls


@dataclass
class Patience:
    """The seconds that repeated calls of a whole timing run may still take: a machine need never come to rest."""

    left: float = 180.0

    def spend(self, seconds: float) -> bool:
        """Return whether a repeat that takes so long is within what is left, and take it off."""
        if seconds > self.left:
            return False
        self.left -= seconds
        return True


@dataclass(frozen=True)
class Bench:
    """Where calls are timed: on so many ``threads``, on the cores that the ``hardware`` key names, under a watch."""

    threads: int
    hardware: Hardware
    watch: Watch
    patience: Patience


class Held(Protocol):
    """A method held by a process of its own: `workflows.running.supervisor.Worker`."""

    @property
    def process(self) -> int:
        """The number of that process, 0 while there is none."""
        ...

    def start(self) -> object:
        """Start the process unless it lives."""
        ...

    def call(self, request: Request, limit: float, check: Callable[[], None]) -> Reply:
        """Register a pair within a ``limit`` of seconds."""
        ...

    def stop(self) -> None:
        """End the process."""
        ...


@dataclass
class Contestant:
    """A method to be timed: its worker, or the outcome of its training where that failed.

    ``wanted`` warm calls are made, as far as is known by now.
    """

    run: RunSpec
    worker: Held | Reply
    wanted: int

    @property
    def process(self) -> int:
        """The number of its process, 0 for none."""
        return 0 if isinstance(self.worker, Reply) else self.worker.process

    def start(self) -> None:
        """Start its process unless that lives; loading is not on the clock."""
        if not isinstance(self.worker, Reply):
            self.worker.start()

    def stop(self) -> None:
        """Stop its process."""
        if not isinstance(self.worker, Reply):
            self.worker.stop()

    def call(self, data: Dataset, pair: Pair) -> Reply:
        """Register a pair; an untrained network is not timed."""
        if isinstance(self.worker, Reply):
            return self.worker
        asked, check = request(self.run, data, pair, None), partial(check_images, data, pair)
        return self.worker.call(asked, self.run.time_limit, check)


@dataclass(frozen=True)
class Attempt:
    """One call: what came of it, what disturbed it, and the load of the machine before."""

    reply: Reply
    disturbance: Disturbance
    load: float

    @property
    def rank(self) -> tuple[bool, float]:
        """What sorts attempts, the one to keep first: those that succeeded, by what disturbed them."""
        return self.reply.status != "ok", self.disturbance.excess or 0.0


@dataclass(frozen=True)
class Contest:
    """Methods that take turns on the pairs of a data set, all loaded."""

    contestants: Sequence[Contestant]
    data: Dataset
    pairs: Sequence[Pair]
    grid: tuple[int, int, int]
    bench: Bench

    def rows(self) -> Iterator[TimingRow]:
        """Yield the first call of each method, which pays for caches and lazy imports, then warm calls in turn."""
        for contestant in self.contestants:
            yield self._row(contestant, 0)
        for number, contestant in interleave(self.contestants, lambda each: each.wanted):
            row = self._row(contestant, number)
            if number == 1:  # the first warm call says how many there are to be; what fails twice would go on failing
                contestant.wanted = 1 if row.seconds is None else warm_calls(row.seconds, contestant.wanted)
            yield row

    def _row(self, contestant: Contestant, number: int) -> TimingRow:
        pair, by = self.pairs[max(0, number - 1) % len(self.pairs)], contestant.run.by
        attempts = self._attempts(contestant, pair, ATTEMPTS if number else 1)  # a first call cannot be repeated
        kept = min(attempts, key=lambda each: each.rank)
        reply, seen = kept.reply, kept.disturbance
        _log(contestant, self.data.name, number, reply, seen)
        good = reply.status == "ok"
        return TimingRow(
            dataset=self.data.name,
            pair=pair.name,
            method=by.method,
            seed=by.seed,
            grid="x".join(map(str, self.grid)),
            precision=str(by.params.get("precision", "float32")),
            device=by.device,
            threads=self.bench.threads,
            round=number,
            phase="warm" if number else "first",
            seconds=reply.seconds,
            cpu=seen.cpu if good else None,
            others=seen.others if good else None,
            pressure=seen.pressure if good else None,
            steal=seen.steal if good else None,
            contended=seen.contended if good else None,
            attempts=len(attempts),
            memory=reply.peak_memory,
            hardware=self.bench.hardware.key,
            load_before=kept.load,
            status=reply.status,
            reason=reply.reason,
        )

    def _attempts(self, contestant: Contestant, pair: Pair, most: int) -> list[Attempt]:
        """Call until a call is not contended, or has been made often enough, or patience is at its end."""
        made = [self._attempt(contestant, pair)]
        while made[-1].disturbance.contended and made[-1].reply.seconds is not None and len(made) < most:
            if not self.bench.patience.spend(made[-1].reply.seconds + 1):
                break
            self.bench.watch.forget()
            made.append(self._attempt(contestant, pair))
        return made

    def _attempt(self, contestant: Contestant, pair: Pair) -> Attempt:
        if isinstance(contestant.worker, Reply):
            return Attempt(contestant.worker, Disturbance(alone=False), load_average())
        contestant.start()
        before, load = self.bench.watch.settle(self._processes()), load_average()
        reply = contestant.call(self.data, pair)
        after = self.bench.watch.look(self._processes())
        alone = self.bench.threads == 1 and contestant.run.by.device == "cpu"
        return Attempt(reply, self.bench.watch.judge(before, after, contestant.process, reply.cpu, alone=alone), load)

    def _processes(self) -> list[int]:
        """Return the numbers of our processes that may take time: this one and every method's."""
        return [os.getpid(), *(process for each in self.contestants if (process := each.process))]


def benches_for(threads: int, build: Mapping[str, str]) -> list[Bench]:
    """Return where to time: on one thread, and on as many as are granted, as far as there are cores for them.

    ``build`` has the versions in torch (`benchmarks.clock.hardware.torch_build`).
    """
    there, patience = cores.usable(cores.allowed(), cores.limit()), Patience()
    if threads > there:
        logger.warning("%d threads were asked for: timed with %d, the cores that may be used", threads, there)
    return [_bench(count, build, patience) for count in sorted({1, min(threads, there)})]


def warm_calls(seconds: float, most: int) -> int:
    """Return how many warm calls a method makes whose first one took so long, ``most`` at most."""
    return min(most, MANY if seconds < QUICK else FEW)


def together(grid: Sequence[int], available: float, *, on_a_gpu: bool = False) -> int:
    """Return how many methods may be loaded at once, so that the one that computes has room.

    ``available`` is the memory in MiB, ``grid`` the voxels of the images. By estimate, from the largest networks of the
    papers; at least two, which can take turns.
    """
    volume = math.prod(grid) * 4 / 2**20
    held, more = IDLE
    fit = int((available - BUSY * volume) // (held + more * volume))
    return max(2, min(fit, ON_A_GPU) if on_a_gpu else fit)


def _bench(threads: int, build: Mapping[str, str], patience: Patience) -> Bench:
    can_pin = hasattr(os, "sched_setaffinity")
    pinned = cores.choose(threads, cores.allowed()) if can_pin else ()
    return Bench(threads, this_hardware(pinned, build), Watch(pinned), patience)


def _log(contestant: Contestant, dataset: str, number: int, reply: Reply, seen: Disturbance) -> None:
    by, how = contestant.run.by, {None: "not known whether contended", True: "contended", False: "undisturbed"}
    seconds = math.nan if reply.seconds is None else reply.seconds
    words = (by.method, by.device, dataset, number, reply.status, seconds, how[seen.contended])
    logger.info("%s (%s) on %s, round %d: %s, %.3f s, %s", *words)
