"""The files of the project that a job depends on, beside its data."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from reports import PAPERS
from workflows.configuration import sources


def files_of(*modules: str) -> list[str]:
    """Return the project's source files that some modules depend on: an edited file reruns what it touches."""
    return list(_sources(modules, os.getcwd()))


def libraries_of(*modules: str) -> dict[str, str]:
    """Return the libraries that some modules depend on, with their versions."""
    return dict(_libraries(modules))


@cache  # thousands of jobs ask for the same few
def _sources(modules: tuple[str, ...], here: str) -> tuple[str, ...]:
    return tuple(os.path.relpath(path, here) for path in sources.sources_of(modules))


@cache
def _libraries(modules: tuple[str, ...]) -> dict[str, str]:
    return sources.libraries_of(modules)


def papers() -> list[str]:
    """Return the papers as data, with the schema that they are checked by."""
    return [path for path in templates() if Path(path).parent.name in (PAPERS.name, "claims", "schemas")]


def templates() -> list[str]:
    """Return what the report reads beside its code, and no import leads to: templates, schemas, papers, known facts."""
    here = PAPERS.parent
    folders = (here / "templates", here / "schemas", PAPERS, PAPERS / "claims", here / "audit" / "known")
    return sorted(os.path.relpath(path) for folder in folders for path in folder.iterdir() if path.is_file())
