"""Which case is whose, and in which split: as a table or JSON says it, and of the cases that are made of its scans."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from datasets.check import described_problems
from datasets.description import Description, Pair, TrainingSplit
from datasets.own.listing import Listing, Row
from datasets.problem import Problem

MOST = 8  # lines of a table that one problem names


def check_listed(listing: Listing) -> None:
    """Keep what is wrong with pairs, names and splits as the source has them; nothing is opened for it.

    The cases of a run may be more (a scan is read on several grids), and are looked at again when these are known.
    """
    if listing.problems:  # rows that could not be kept leave splits empty, which is no problem of its own
        return
    pairs = {row: Pair(*row.cases) for row in listing.rows}
    described = split_up(listing, pairs, listing.training, {case: listing.whose(case) for case in listing.items})
    for problem in described_problems(described):
        listing.fault(f"{problem.where}{lines_of(listing, problem)}", problem.what)


def lines_of(listing: Listing, problem: Problem) -> str:
    """Return the lines of the table that a problem is about, in words; "" where no table says it."""
    by_case = {line for case in problem.cases for line in listing.lines.get(case, ())}
    return _in_words(listing, {row.line for row in listing.rows if row.line and row.cases == problem.pair} | by_case)


def located(listing: Listing) -> list[Problem]:
    """Return what is wrong, and for a file that a table names the lines where it does."""
    lines = dict[str, set[int]]()
    for item in listing.items.values():
        for path in filter(None, (item.image, item.labels, item.mask)):
            lines.setdefault(str(path), set()).update(listing.lines.get(item.case, ()))
    for row in listing.rows:
        for path in row.landmarks or ():
            lines.setdefault(str(path), set()).update({row.line} - {0})
    found = listing.problems
    return [replace(each, where=each.where + _in_words(listing, lines.get(each.where, set()))) for each in found]


def _in_words(listing: Listing, found: Collection[int]) -> str:
    if not found:
        return ""
    lines = sorted(found)
    shown = ", ".join([*map(str, lines[:MOST]), *("…" for _ in lines[MOST : MOST + 1])])
    return f" ({listing.source.name}, line{'s' * (len(lines) > 1)} {shown})"


def split_up(
    listing: Listing, pairs: Mapping[Row, Pair], singles: Sequence[str], subjects: dict[str, str]
) -> Description:
    """Return the part of a description that says which case is whose, and in which split.

    Args:
        listing: the rows, in order.
        pairs: the cases of each row that is used.
        singles: cases to train on that no row pairs.
        subjects: whose each case is.
    """

    def of(*rows: Row) -> tuple[Pair, ...]:
        return tuple(pairs[row] for row in rows if row in pairs)

    training = of(*listing.of("training"))
    cases = tuple(dict.fromkeys([*singles, *(case for pair in training for case in (pair.fixed, pair.moving))]))
    if training and (atlas := listing.atlas):
        split = TrainingSplit((atlas, *(case for case in cases if case != atlas)), "atlas", atlas)
    elif training:
        split = TrainingSplit(cases, "listed", list=training)
    else:
        split = TrainingSplit(cases)
    return Description(
        name="own",
        subjects=subjects,
        training=split,
        validation=of(*listing.of("validation")),
        test=of(*listing.of("test")),
    )
