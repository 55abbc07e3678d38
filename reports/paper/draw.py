"""The figures of a paper, drawn from a run: each entry of the paper's YAML names a kind, each kind is a module."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from matplotlib.figure import Figure

from reports.drawing.style import save
from reports.paper.cast import PaperRun
from reports.paper.figures import accuracy_time_by_cascade as cascade_figure
from reports.paper.figures import colour_overlays as overlay_figure
from reports.paper.figures import displacement_densities as density_figure
from reports.paper.figures import landmark_correlation as correlation_figure
from reports.paper.figures import learning_curves as learning_figure
from reports.paper.figures import level_maps as level_figure
from reports.paper.figures import schedule_states as schedule_figure
from reports.paper.figures import sections as section_figure
from reports.paper.figures import snapshot_scatter as snapshot_figure
from reports.paper.layout import Entry, PaperError

Draw = Callable[[PaperRun, Entry], tuple[Figure | None, str]]
KINDS: Mapping[str, tuple[Draw, tuple[str, ...]]] = {  # how a kind is drawn, and what its entry has to say
    "accuracy_time_by_cascade": (cascade_figure.draw, ("dataset", "table", "series")),
    "sections": (section_figure.draw, ("dataset", "methods", "moving")),
    "schedule_states": (schedule_figure.draw, ("methods",)),
    "displacement_densities": (density_figure.draw, ("methods",)),
    "learning_curves": (learning_figure.draw, ("methods",)),
    "snapshot_scatter": (snapshot_figure.draw, ("methods",)),
    "level_maps": (level_figure.draw, ("methods",)),
    "colour_overlays": (overlay_figure.draw, ("dataset", "pairs", "methods")),
    "landmark_correlation": (correlation_figure.draw, ("datasets", "methods")),
}


def draw_figures(stage: PaperRun, folder: Path) -> list[tuple[int, str, Path | None, str]]:
    """Write ``<folder>/<paper>-fig<N>.{svg,png}`` for every figure of the paper that the run has numbers for.

    Returns:
        For each figure its number, its caption with what the run adds to it, its path without suffix, and an empty
        text; or None for the path and why it was not drawn.

    Raises:
        PaperError: an entry of the paper's YAML has an unknown kind or names what the paper does not have.
    """
    drawn: list[tuple[int, str, Path | None, str]] = []
    for entry in stage.paper.figures:
        name = f"{stage.paper.key}-fig{entry['number']}"
        figure, text = _kind(stage, entry)(stage, entry)
        if figure is None:
            drawn.append((entry["number"], entry["caption"], None, text))
        else:
            save(figure, folder, name)
            drawn.append((entry["number"], f"{entry['caption']} {text}", folder / name, ""))
    return drawn


def _kind(stage: PaperRun, entry: Entry) -> Draw:
    where = f"{stage.paper.key}: figure {entry['number']}"
    if entry["kind"] not in KINDS:
        raise PaperError(f"{where}: kind must be one of {', '.join(KINDS)}, got {entry['kind']!r}")
    draw, needed = KINDS[entry["kind"]]
    if missing := [key for key in needed if not entry.get(key)]:
        raise PaperError(f"{where}: kind {entry['kind']} needs {', '.join(missing)}")
    named = [entry["dataset"]] if "dataset" in entry else entry.get("datasets", [])
    for key in named:
        if key not in stage.paper.datasets:
            raise PaperError(f"{where}: dataset {key!r} is none of {', '.join(stage.paper.datasets)}")
    return draw
