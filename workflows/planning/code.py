"""The files of the project that a job depends on, beside its data."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from reports import PAPERS
from workflows.configuration import sources


def files_of(*modules: str) -> list[str]:
    """Return the project's source files that some modules depend on: an edited file reruns what it touches."""
    return [os.path.relpath(path) for path in _sources(*modules)]


@cache  # thousands of jobs ask for the same few
def _sources(*modules: str) -> tuple[Path, ...]:
    return tuple(sources.sources_of(modules))


def templates() -> list[str]:
    """Return what the report reads beside its code, and no import leads to: templates, schemas and the papers."""
    folders = (PAPERS.parent / "templates", PAPERS.parent / "schemas", PAPERS)
    return sorted(os.path.relpath(path) for folder in folders for path in folder.iterdir() if path.is_file())
