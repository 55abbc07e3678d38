"""What no code can do faster on this machine: the least time of known work, by ceilings measured in the same run.

After the roofline model (Williams et al., Communications of the ACM 2009, doi 10.1145/1498765.1498785): work of so many
operations and bytes takes no less than the longer of the two at the machine's rates. The rates are those of a large
matrix product and of a copy of a large array (``test_ceilings.py``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.speed.measurement import Measurement, Series, Work

PRODUCT, COPY = "matrix product", "copy"


@dataclass(frozen=True)
class Ceiling:
    """The rate of one kind of work: ``what`` (FLOP or bytes) a second, on so many threads, in one precision."""

    what: str
    threads: int
    precision: str
    rate: float


@dataclass(frozen=True)
class Limit:
    """The least seconds of some work, and which rate says so: ``FLOP`` or ``bytes``."""

    seconds: float
    by: str


def ceilings(timed: Iterable[tuple[Measurement, float]]) -> list[Ceiling]:
    """Return the rates that a run has measured, from each test and the fewest seconds of its own call.

    The fewest: other work makes a machine look slower than it is, nothing makes it look faster.
    """
    return [
        each
        for measured, seconds in timed
        if measured.name in (PRODUCT, COPY) and measured.work
        for own in measured.own((seconds,))
        for each in _rates(measured.work, own)
    ]


def _rates(work: Work, own: Series) -> list[Ceiling]:
    seconds = min(own.seconds)
    kinds = (("FLOP", work.flops), ("bytes", work.bytes))
    return [Ceiling(what, own.threads, own.precision, much / seconds) for what, much in kinds if much]


def limit_of(work: Work | None, own: Series, rates: Iterable[Ceiling]) -> Limit | None:
    """Return the least seconds that ``work`` takes on the threads and in the precision of ``own``; None if not known.

    Numbers in mixed precision go by the faster product; bytes are those of single precision either way.
    """
    if work is None:
        return None
    found = {
        each.what: each.rate
        for each in rates
        if each.threads == own.threads and (each.what == "bytes" or each.precision == own.precision)
    }
    needed = {"FLOP": work.flops, "bytes": work.bytes}
    if any(what not in found for what, much in needed.items() if much):
        return None
    by = max(found, key=lambda what: needed[what] / found[what])
    return Limit(needed[by] / found[by], by)
