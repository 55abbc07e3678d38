"""From an archive to what a report is made of."""

from __future__ import annotations

from dataclasses import dataclass

from reports.archive import told as tell
from reports.archive.opened import opened
from reports.archive.packed import PICTURES, Archive, ArchiveError, below
from reports.paper.cast import PaperRun
from reports.paper.layout import load_paper
from reports.reading.pictures import Stored
from reports.reading.run import Run


@dataclass(frozen=True)
class Loaded:
    """A run and the papers that it is seen from, as `reports.page.build` wants them."""

    run: Run
    papers: list[PaperRun]


def load(archive: Archive) -> Loaded:
    """Return what a report is made of; raise `ArchiveError` where the archive lacks a part of it."""
    found = opened(archive)
    told = found.told
    run = Run(
        metrics=found.metrics,
        timing=found.timing if len(found.timing) else None,
        runs=found.runs,
        datasets=tell.by_name(told.datasets),
        methods=dict(told.methods),
        pictures=Stored(dict(below(archive.content, PICTURES))),
        trainings=[tell.training_of(archive, each) for each in told.trainings],
        profile=told.profile,
        about=told.about,
        unavailable={(each.dataset, each.method): each.reason for each in told.unavailable},
        networks={each.method: each for each in told.networks},
        declared=told.declared,
        lacking=told.lacking,
    )
    return Loaded(run, [_seen_from(archive, key, cast, run) for key, cast in told.papers.items()])


def _seen_from(archive: Archive, key: str, cast: tell.Cast, run: Run) -> PaperRun:
    paper = load_paper(key)
    if unknown := sorted(cast.keys() - paper.datasets.keys()):
        raise ArchiveError(f"{archive.path}: {tell.NAME}: the paper {key} has no data set {unknown[0]} to be played")
    return PaperRun(paper, run, cast)
