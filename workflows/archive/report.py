"""Write the report of an archive: tables, figures, pictures and the page."""

from __future__ import annotations

import gc

from reports import page
from reports.archive.load import load
from reports.archive.packed import read
from workflows.planning.layout import Layout
from workflows.planning.specs import ReportSpec
from workflows.running.command import job


def report(spec: ReportSpec, processes: int = 1) -> None:
    """Build the report of an archive, from nothing else, with so many processes."""
    found = load(read(spec.archive))
    page.build(Layout(spec.folder).report, found.run, found.papers, processes=processes)


if __name__ == "__main__":
    gc.set_threshold(
        200_000, 20, 100
    )  # figures are many small objects in circles: a seventh of the time goes in looking
    with job(ReportSpec, __doc__) as this:
        report(this.spec, this.threads)
