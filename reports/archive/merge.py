"""Two archives as one: what either run left, refused where both have the same registration with other numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import pandas as pd

from benchmarks import results
from benchmarks.metrics import CLOCK
from benchmarks.records import Declared, Lacking
from datasets.files import CURVE
from reports.archive import told as tell
from reports.archive.alike import Two, check_alike
from reports.archive.export import requests
from reports.archive.lean import lean_lines, rows_of
from reports.archive.load import load
from reports.archive.opened import RUN, opened
from reports.archive.packed import PICTURES, TRAININGS, Archive, Manifest
from reports.archive.remarks import remarks
from reports.archive.rows import FIRST, ROWS, SECOND, differing
from reports.archive.told import Told
from reports.reading.method import Method

T = TypeVar("T")


@dataclass(frozen=True)
class Merged:
    """Two archives as one: what `reports.archive.packed.write` wants, and what a reader has to know of it."""

    manifest: Manifest
    content: Mapping[str, bytes]
    remarks: Sequence[str]


def merged(first: Archive, second: Archive) -> Merged:
    """Return two archives together.

    Where both have the same, the first one's stays: its seconds of a registration, its pictures, curves and words; the
    remarks say where these differ. Timed calls stay apart by the hardware that they are of. Pictures that a report of
    both does not show are left out.

    Raises:
        ArchiveError: both have the same registration, timed call, data set or training, and it is not the same in
            both; or their rows of one method on one data set are of two configurations (`reports.archive.alike`).
    """
    two = Two(opened(first), opened(second))
    check_alike(two)
    metrics, timing = _union(two, "metrics"), _union(two, "timing")
    rows = {"metrics": metrics, "runs": _runs(two), "timing": timing}
    content = {
        **_kept(first, second),
        **{name: results.encode(rows[kind], kind) for kind, name in ROWS.items()},
    }
    told = _told(two.first.told, two.second.told, set(zip(metrics.dataset, metrics.method, strict=True)))
    told = replace(told, about=_about(two))
    manifest = Manifest(profile=told.profile, commits=sorted({*first.manifest.commits, *second.manifest.commits}))
    together = Archive(first.path, manifest, {**content, tell.NAME: tell.encode(told)})
    return Merged(manifest, _shown(together), list(remarks(two)))


def _kept(first: Archive, second: Archive) -> dict[str, bytes]:
    """Return pictures and what trainings left: of a training that both have, the first one's files alone.

    Curves keep as many rows as in an archive of all these trainings.
    """
    ours = {name: data for name, data in first.content.items() if name.startswith((f"{PICTURES}/", f"{TRAININGS}/"))}
    folders = {name.rpartition("/")[0] for name in ours if name.startswith(f"{TRAININGS}/")}
    theirs = {
        name: data
        for name, data in second.content.items()
        if name.startswith(f"{PICTURES}/")
        or (name.startswith(f"{TRAININGS}/") and name.rpartition("/")[0] not in folders)
    }
    both = {**theirs, **ours}
    curves = [name for name in both if name.startswith(f"{TRAININGS}/") and name.endswith(f"/{CURVE}")]
    return {**both, **{name: lean_lines(both[name], rows_of(len(curves))) for name in curves}}


def _shown(archive: Archive) -> dict[str, bytes]:
    """Return the content without pictures that its report does not show: of more methods it shows fewer of each."""
    loaded = load(archive)
    asked = {f"{PICTURES}/{each.name}" for each in requests(loaded.run, loaded.papers)}
    return {
        name: data for name, data in archive.content.items() if not name.startswith(f"{PICTURES}/") or name in asked
    }


def _runs(two: Two) -> pd.DataFrame:
    """Return the runs that the rows of both together are of."""
    one, other = two.first.runs, two.second.runs
    place = list(RUN)
    new = ~pd.MultiIndex.from_frame(other[place]).isin(pd.MultiIndex.from_frame(one[place]))
    return pd.concat([one, other[new]], ignore_index=True)


def _union(two: Two, kind: Literal["metrics", "timing"]) -> pd.DataFrame:
    """Return the rows of both, each key once."""
    one, other = getattr(two.first, kind), getattr(two.second, kind)
    found = differing(one, other, kind)
    if kind == "metrics":  # seconds of a registration are of the machine that it ran on
        found = found[found.protocol != CLOCK]
    if len(found):
        row, value = found.iloc[0], results.VALUE[kind]
        two.refuse(
            f"{row.method} on {row.dataset}, pair {row.pair}, seed {row.seed} is not as in "
            f"{two.first.archive.path}: {row.get('metric', 'seconds')} {row[value + FIRST]:g} there, "
            f"{row[value + SECOND]:g} here ({len(found)} rows differ)"
        )
    return pd.concat([one, other], ignore_index=True).drop_duplicates(list(results.KEYS[kind]), ignore_index=True)


def _told(one: Told, other: Told, measured: set[tuple[str, str]]) -> Told:
    profiles = dict.fromkeys([one.profile, other.profile])
    return replace(
        one,
        profile="+".join(profiles),
        datasets=_once([*one.datasets, *other.datasets], lambda each: each.description.name),
        methods=_methods(dict(one.methods), dict(other.methods)),
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
        declared=_declared(one.declared, other.declared),
        lacking=list(_lacking([*one.lacking, *other.lacking], measured)),
    )


def _about(two: Two) -> str:
    """Return what is said of both: of one profile what it said of itself last."""
    one, other = sorted([two.first, two.second], key=lambda each: str(each.runs.started_utc.max()))
    last = other.told.about or one.told.about
    both = " ".join(dict.fromkeys(filter(None, [two.first.told.about, two.second.told.about])))
    return last if one.told.profile == other.told.profile else both


def _declared(one: list[Declared], other: list[Declared]) -> list[Declared]:
    """Return the declarations of both as those of one run, in the order of time; none where either has none.

    Where both say the same, those that began later: no claim was declared before that for all of the rows.
    """
    if not (one and other):
        return []
    if [each.content for each in one] == [each.content for each in other]:
        return max(one, other, key=lambda found: found[0].at)
    found = list[Declared]()
    for each in sorted([*one, *other], key=lambda each: each.at):
        if not found or found[-1].content != each.content:
            found.append(each)
    return found


def _lacking(found: Sequence[Lacking], measured: set[tuple[str, str]]) -> Iterator[Lacking]:
    """Yield what both lacked, without the runs that one of them has made all the same."""
    for each in _once(found, lambda each: each.dataset):
        if runs := [run for run in each.runs if run not in measured]:
            yield replace(each, runs=runs)


def _methods(one: Mapping[str, Method], other: Mapping[str, Method]) -> list[tuple[str, Method]]:
    """Return the methods of both; one may register by options of its own on data sets that only one archive has."""
    found = {**other, **one}
    adapted = {name: [*(one[name].adapted if name in one else ()), *each.adapted] for name, each in other.items()}
    return [
        (name, replace(found[name], adapted=list(dict.fromkeys(adapted.get(name, found[name].adapted)))))
        for name in dict.fromkeys([*one, *other])
    ]


def _once(values: Iterable[T], key: Callable[[T], object]) -> list[T]:
    """Return values in order, the first of each key."""
    found: dict[object, T] = {}
    for value in values:
        found.setdefault(key(value), value)
    return list(found.values())
