"""From an archive to what a report is made of."""

from __future__ import annotations

from dataclasses import dataclass

from reports.archive import told as tell
from reports.archive.packed import PICTURES, Archive, below
from reports.archive.rows import rows_of
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
    """Return what a report is made of; raise `ArchiveError` or `ResultsError` where the archive lacks a part of it."""
    told = tell.read_told(archive)
    timing = rows_of(archive, "timing")
    run = Run(
        metrics=rows_of(archive, "metrics"),
        timing=timing if len(timing) else None,
        runs=rows_of(archive, "runs"),
        datasets=tell.by_name(told.datasets),
        methods=dict(told.methods),
        pictures=Stored(dict(below(archive.content, PICTURES))),
        trainings=[tell.training_of(archive, each) for each in told.trainings],
        profile=told.profile,
        about=told.about,
        unavailable={(each.dataset, each.method): each.reason for each in told.unavailable},
        networks={each.method: each for each in told.networks},
    )
    return Loaded(run, [PaperRun(load_paper(key), run, cast) for key, cast in told.papers.items()])
