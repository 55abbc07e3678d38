"""From an archive to what a report is made of."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from benchmarks import results
from reports.archive import told as tell
from reports.archive.export import PICTURES, ROWS
from reports.archive.packed import Archive, below
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
    rows = {kind: _rows(archive, kind) for kind in ROWS if kind != "timing" or ROWS[kind] in archive.content}
    run = Run(
        metrics=rows["metrics"],
        timing=rows.get("timing"),
        runs=rows["runs"],
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


def _rows(archive: Archive, kind: results.Kind) -> pd.DataFrame:
    content = archive.content.get(ROWS[kind], b"")
    return results.decode(content, kind, where=f"{archive.path}: {ROWS[kind]}")
