"""The figures of a paper, drawn from a run: each one is drawn by the module in ``figures/`` that its kind names."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, fields
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec
from matplotlib.figure import Figure

from reports.drawing.style import save
from reports.paper.cast import PaperRun
from reports.paper.contents import PaperFigure
from reports.paper.printed import PaperError
from reports.reading.pictures import Request

LOADS = "reports.paper.figures"  # what runs depend on is read from here (`workflows.configuration.sources`)


class Draw(Protocol):
    """How a module draws its kind of figure from the options that an entry of the YAML gives it.

    A module that draws images has a type ``Taken`` of what it draws of them, and a function ``take`` that takes it from
    volumes (`reports.reading.pictures`), or says why there is nothing; ``draw`` is given it as its third argument.
    """

    def __call__(self, paper_run: PaperRun, options: Any, /, *taken: Any) -> tuple[Figure | None, str]:
        """Return the figure and what the run adds to its caption, or None and why nothing can be drawn."""
        ...


class Kind(NamedTuple):
    """A kind of figure as an entry of the YAML wants it: how it is drawn, its options, what it takes of volumes."""

    draw: Draw
    options: object
    request: Request[object] | None


class Drawn(NamedTuple):
    """A figure written to ``path`` without suffix, or None and ``why_not``; the caption has what the run adds."""

    number: int
    caption: str
    path: Path | None
    why_not: str = ""


def kinds() -> list[str]:
    """Return the kinds of figures that can be drawn, which are the names of the modules in ``figures/``."""
    package = importlib.import_module(LOADS)
    return sorted(each.name for each in pkgutil.iter_modules(package.__path__))


def draw_figures(paper_run: PaperRun, folder: Path) -> list[Drawn]:
    """Write ``<folder>/<paper>-fig<N>.{svg,png}`` for every figure of the paper that the run has numbers for.

    Raises:
        PaperError: an entry of the paper's YAML has an unknown kind or names what the paper does not have.
    """
    drawn = []
    for entry in paper_run.paper.figures:
        figure, text = draw_figure(paper_run, entry)
        if figure is None:
            drawn.append(Drawn(entry.number, entry.caption, None, text))
        else:
            name = f"{paper_run.paper.key}-fig{entry.number}"
            save(figure, folder, name)
            drawn.append(Drawn(entry.number, f"{entry.caption} {text}", folder / name))
    return drawn


def draw_figure(paper_run: PaperRun, entry: PaperFigure) -> tuple[Figure | None, str]:
    """Draw one figure; return it with what the run adds to its caption, or None and why nothing can be drawn.

    Raises:
        PaperError: the entry has an unknown kind or names what the paper does not have.
    """
    with _naming(paper_run, entry):
        kind = _kind(paper_run, entry)
        if kind.request is None:
            return kind.draw(paper_run, kind.options)
        taken = paper_run.run.pictures.get(kind.request)
        return (None, taken) if isinstance(taken, str) else kind.draw(paper_run, kind.options, taken)


def requests(paper_run: PaperRun) -> Iterator[Request[object]]:
    """Yield what the figures of a paper take of volumes.

    Raises:
        PaperError: an entry of the paper's YAML has an unknown kind or names what the paper does not have.
    """
    for entry in paper_run.paper.figures:
        with _naming(paper_run, entry):
            request = _kind(paper_run, entry).request
        if request is not None:
            yield request


@contextmanager
def _naming(paper_run: PaperRun, entry: PaperFigure) -> Iterator[None]:
    """Name the figure in errors."""
    try:
        yield
    except PaperError as error:
        raise PaperError(f"{paper_run.paper.key}: figure {entry.number}: {error}") from error


def _kind(paper_run: PaperRun, entry: PaperFigure) -> Kind:
    """Return how a figure is drawn, and what its entry says to that, checked against the module's ``Options``."""
    module, options = _checked(entry, paper_run.paper.datasets)
    if not hasattr(module, "take"):
        return Kind(module.draw, options, None)
    name = f"figures/{paper_run.paper.key}-fig{entry.number}"
    return Kind(module.draw, options, Request(name, module.Taken, partial(module.take, paper_run, options)))


def _checked(entry: PaperFigure, datasets: Mapping[str, object]) -> tuple[Any, object]:
    if entry.kind not in kinds():
        raise PaperError(f"kind must be one of {', '.join(kinds())}, got {entry.kind!r}")
    module = importlib.import_module(f"{LOADS}.{entry.kind}")
    options = _options(entry, module.Options)
    for key in (getattr(options, "dataset", None), *getattr(options, "datasets", ())):
        if key is not None and key not in datasets:
            raise PaperError(f"dataset {key!r} is none of {', '.join(datasets)}")
    return module, options


def _options(entry: PaperFigure, kind: Any) -> object:
    known = {field.name: field.default is MISSING for field in fields(kind)}
    if unknown := sorted(set(entry.options) - set(known)):
        raise PaperError(f"kind {entry.kind} knows no {', '.join(unknown)}, only {', '.join(known)}")
    if missing := [name for name, needed in known.items() if needed and not entry.options.get(name)]:
        raise PaperError(f"kind {entry.kind} needs {', '.join(missing)}")
    try:
        return msgspec.convert(entry.options, kind)
    except msgspec.ValidationError as error:
        raise PaperError(str(error)) from error
