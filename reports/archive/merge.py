"""Two archives as one: what either run left, refused where both have the same registration with other numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar

import pandas as pd

from benchmarks import results
from benchmarks.metrics import CLOCK
from reports.archive import told as tell
from reports.archive.packed import PICTURES, TRAININGS, Archive, ArchiveError, Manifest
from reports.archive.rows import FIRST, ROWS, SECOND, differing, rows_of
from reports.archive.told import Told

T = TypeVar("T")


def merged(first: Archive, second: Archive) -> tuple[Manifest, dict[str, bytes]]:
    """Return the manifest and the contents of two archives together.

    Where both have the same, the first one's stays: its seconds of a registration, its pictures and curves. Timed calls
    stay apart by the hardware that they are of.

    Raises:
        ArchiveError: both have the same registration, timed call or data set, and it is not the same in both.
    """
    one, other = tell.read_told(first), tell.read_told(second)
    _check_data(first, second, one, other)
    rows: dict[results.Kind, pd.DataFrame] = {kind: _union(first, second, kind) for kind in ROWS}
    kept = (f"{PICTURES}/", f"{TRAININGS}/")
    content = {
        **{name: data for name, data in second.content.items() if name.startswith(kept)},
        **{name: data for name, data in first.content.items() if name.startswith(kept)},
        **{name: results.encode(rows[kind], kind) for kind, name in ROWS.items()},
    }
    told = _told(one, other, set(zip(rows["metrics"].dataset, rows["metrics"].method, strict=True)))
    manifest = Manifest(profile=told.profile, commits=sorted({*first.manifest.commits, *second.manifest.commits}))
    return manifest, {**content, tell.NAME: tell.encode(told)}


def _union(first: Archive, second: Archive, kind: results.Kind) -> pd.DataFrame:
    """Return the rows of both, each key once."""
    one, other = rows_of(first, kind), rows_of(second, kind)
    if kind in results.VALUE:
        found = differing(one, other, kind)
        if kind == "metrics":  # seconds of a registration are of the machine that it ran on
            found = found[found.protocol != CLOCK]
        if len(found):
            row, value = found.iloc[0], results.VALUE[kind]
            raise ArchiveError(
                f"{second.path}: {row.method} on {row.dataset}, pair {row.pair}, seed {row.seed} is not as in "
                f"{first.path}: {row.get('metric', 'seconds')} {row[value + FIRST]:g} there, "
                f"{row[value + SECOND]:g} here ({len(found)} rows differ); nothing was written"
            )
    return pd.concat([one, other], ignore_index=True).drop_duplicates(list(results.KEYS[kind]), ignore_index=True)


def _check_data(first: Archive, second: Archive, one: Told, other: Told) -> None:
    known = {each.description.name: each for each in one.datasets}
    for each in other.datasets:
        same = known.get(each.description.name, each)
        if (same.images, same.truth) != (each.images, each.truth):
            raise ArchiveError(
                f"{second.path}: {each.description.name} has other images or another truth than in {first.path}; "
                "nothing was written"
            )


def _told(one: Told, other: Told, measured: set[tuple[str, str]]) -> Told:
    profiles = dict.fromkeys([one.profile, other.profile])
    return replace(
        one,
        profile="+".join(profiles),
        about=" ".join(dict.fromkeys(filter(None, [one.about, other.about]))),
        datasets=_once([*one.datasets, *other.datasets], lambda each: each.description.name),
        methods=_once([*one.methods, *other.methods], lambda each: each[0]),
        papers={
            key: {**other.papers.get(key, {}), **one.papers.get(key, {})}
            for key in dict.fromkeys([*one.papers, *other.papers])
        },
        trainings=_once([*one.trainings, *other.trainings], lambda each: each.folder),
        unavailable=[
            each
            for each in _once([*one.unavailable, *other.unavailable], lambda each: (each.dataset, each.method))
            if (each.dataset, each.method) not in measured
        ],
        networks=_once([*one.networks, *other.networks], lambda each: each.method),
    )


def _once(values: Iterable[T], key: Callable[[T], object]) -> list[T]:
    """Return values in order, the first of each key."""
    found: dict[object, T] = {}
    for value in values:
        found.setdefault(key(value), value)
    return list(found.values())
