"""The figures of a paper, drawn from a run: each entry of the paper's YAML names a kind, each kind is a module."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from matplotlib.figure import Figure

from reports import cascade_figure, section_figure
from reports.figures import save
from reports.paper import Entry, PaperError, PaperRun

Draw = Callable[[PaperRun, Entry], tuple[Figure | None, str]]
KINDS: Mapping[str, tuple[Draw, tuple[str, ...]]] = {  # how a kind is drawn, and what its entry has to say
    "accuracy_time_by_cascade": (cascade_figure.draw, ("dataset", "table", "series")),
    "sections": (section_figure.draw, ("dataset", "methods", "moving")),
}


def draw_figures(run: PaperRun, folder: Path) -> list[tuple[int, str, Path | None, str]]:
    """Write ``<folder>/<paper>-fig<N>.{svg,png}`` for every figure of the paper that the run has numbers for.

    Returns:
        For each figure its number, its caption with what the run adds to it, its path without suffix, and an empty
        text; or None for the path and why it was not drawn.

    Raises:
        PaperError: an entry of the paper's YAML has an unknown kind or names what the paper does not have.
    """
    drawn: list[tuple[int, str, Path | None, str]] = []
    for entry in run.paper.figures:
        name = f"{run.paper.key}-fig{entry['number']}"
        figure, text = _kind(run, entry)(run, entry)
        if figure is None:
            drawn.append((entry["number"], entry["caption"], None, text))
        else:
            save(figure, folder, name)
            drawn.append((entry["number"], f"{entry['caption']} {text}", folder / name, ""))
    return drawn


def _kind(run: PaperRun, entry: Entry) -> Draw:
    where = f"{run.paper.key}: figure {entry['number']}"
    if entry["kind"] not in KINDS:
        raise PaperError(f"{where}: kind must be one of {', '.join(KINDS)}, got {entry['kind']!r}")
    draw, needed = KINDS[entry["kind"]]
    if missing := [key for key in needed if not entry.get(key)]:
        raise PaperError(f"{where}: kind {entry['kind']} needs {', '.join(missing)}")
    if entry["dataset"] not in run.paper.datasets:
        raise PaperError(f"{where}: dataset {entry['dataset']!r} is none of {', '.join(run.paper.datasets)}")
    return draw
