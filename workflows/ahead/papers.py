"""The papers of a profile, read before the first job: what is wrong with their files would else show after the last."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from reports import PAPERS
from reports.paper.contents import Paper
from reports.paper.layout import load_paper
from reports.paper.printed import PaperError
from workflows.configuration.config import nearest
from workflows.configuration.settings import Settings


def problems(settings: Settings, *, folder: Path = PAPERS) -> list[str]:
    """Return a line on everything that keeps the profile's papers from being compared."""
    found: list[str] = []
    for key in settings.config.papers:
        try:
            paper = load_paper(key, folder=folder)
        except PaperError as error:
            found.append(str(error))
        else:
            found += _strangers(paper, settings.config.methods)
    return found


def _strangers(paper: Paper, known: Collection[str]) -> Iterator[str]:
    """Yield a line on each method that a paper names and the catalogue does not have."""
    named = [(method, f"table {cell.table}, row {cell.row.key}") for cell in paper.cells for method in cell.methods]
    if paper.claims:
        named += [(method, f"claim {claim.key}") for claim in paper.claims.claims for method in claim.methods]
    for method, where in {method: where for method, where in reversed(named) if method not in known}.items():
        yield f"paper {paper.key}, {where}: unknown method {method!r}; {nearest(method, known)}"
