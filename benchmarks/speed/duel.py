"""Ours and its peers, called in turns: peer, ours, peer, ours, so that a drift of the machine hits all alike.

pytest-benchmark times one function a test, which is ours. Everyone else runs, and is timed, in the set-up of each of
its rounds; their seconds go into the test's ``extra_info`` (`benchmarks.speed.measurement.Measurement`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from benchmarks.provenance import load_average
from benchmarks.speed import threads
from benchmarks.speed.measurement import OURS, Measurement, Precision, Series, Subject
from datasets.files import one_line

BUDGET = 6.0  # seconds that the rounds of one test should take
FEWEST, MOST = 3, 15  # rounds
Call = Callable[[], Any]
Same = Callable[[Any, Any], object]  # asserts that a result agrees with ours


class Fixture(Protocol):
    """pytest-benchmark's fixture, as far as it is used here."""

    group: str | None
    extra_info: dict[str, object]

    def pedantic(self, target: Call, *, setup: Callable[[], None], rounds: int) -> object:
        """Time ``target`` so many times, each after ``setup``."""
        ...


@dataclass(frozen=True)
class Contestant:
    """One that takes part: ``make`` loads it and returns the call on the clock.

    ``threads`` where it is not the subject's: of a peer that has one thread alone, or of a second variant of ours.
    ``same`` asserts that its result agrees with ours, where the duel's own criterion is not the right one.
    """

    make: Callable[[], Call]
    who: str = OURS
    precision: Precision = "float32"
    threads: int | None = None
    same: Same | None = None


def run(benchmark: Fixture, subject: Subject, ours: Call, *, others: Sequence[Contestant], same: Same) -> None:
    """Assert that everyone gives what ours gives, then time them in turns.

    Args:
        benchmark: pytest-benchmark's fixture.
        subject: what is measured.
        ours: our call on the clock.
        others: the peers, and other variants of ours; one whose library is missing is kept with the reason.
        same: called with our result and each of theirs.
    """
    peers = [each.who for each in others if each.who != OURS]
    if len(set(peers)) < len(peers):
        raise ValueError(f"{subject.name}: two peers have one name, of {', '.join(peers)}")
    load = load_average()
    threads.use(subject.threads)
    took, expected = _timed(ours)
    ready, missing = list[_Ready](), list[Series]()
    for each in others:
        count = each.threads or subject.threads
        try:
            call = each.make()
        except (ImportError, OSError) as error:  # it is absent, or there and broken, such as without a shared library
            absent = isinstance(error, ModuleNotFoundError)
            reason = f"{'not installed' if absent else 'cannot be loaded'} ({one_line(error)})"
            missing.append(Series(each.who, count, each.precision, reason=reason))
            continue
        threads.use(count)
        spent, got = _timed(call)
        (each.same or same)(expected, got)
        ready.append(_Ready(each, call, count, []))
        took = took + spent
    del expected
    rounds, own = min(MOST, max(FEWEST, math.floor(BUDGET / took.seconds))), list[_Spent]()

    def everyone_else() -> None:
        for each in ready:
            threads.use(each.threads)
            each.spent.append(_timed(each.call)[0])
        threads.use(subject.threads)

    benchmark.group = f"{subject.name} {'x'.join(map(str, subject.grid))}"
    benchmark.pedantic(lambda: own.append(_timed(ours)[0]), setup=everyone_else, rounds=rounds)
    about = (subject.name, subject.grid, math.prod(subject.grid), subject.threads, load)
    measured = Measurement(*about, cpu=tuple(spent.cpu for spent in own), work=subject.work)
    measured.others.extend([*(each.series() for each in ready), *missing])
    benchmark.extra_info.update(asdict(measured))


@dataclass(frozen=True)
class _Spent:
    seconds: float
    cpu: float  # seconds that this process computed

    def __add__(self, other: _Spent) -> _Spent:
        return _Spent(self.seconds + other.seconds, self.cpu + other.cpu)


@dataclass(frozen=True)
class _Ready:
    about: Contestant
    call: Call
    threads: int
    spent: list[_Spent]

    def series(self) -> Series:
        seconds, cpu = (tuple(getattr(each, name) for each in self.spent) for name in ("seconds", "cpu"))
        return Series(self.about.who, self.threads, self.about.precision, seconds, cpu)


def _timed(call: Call) -> tuple[_Spent, Any]:
    began, computed = time.perf_counter(), time.process_time()
    result = call()
    return _Spent(time.perf_counter() - began, time.process_time() - computed), result
