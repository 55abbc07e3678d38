"""What a timing run depends on, and whether that has changed since.

Snakemake misses it where the rows of the run have to be collected again as well: the timing waits for these and does
not read them (`ancient`), and of what waits for a job that is about to run Snakemake looks at nothing else.
"""

from __future__ import annotations

import json
from pathlib import Path

from datasets.files import replacing, sha256
from workflows.planning.code import files_of
from workflows.planning.layout import Layout
from workflows.planning.specs import TimingSpec


def inputs_of(spec: TimingSpec) -> list[str]:
    """Return the files and folders that a timing run depends on: data, trainings, and code of methods and worker."""
    methods = [run.by for run in spec.runs] + ([*spec.paper.methods, *spec.paper.once] if spec.paper else [])
    names, about = {run.dataset for run in spec.runs}, Layout(spec.folder)
    trainings = {str(run.training) for run in spec.runs if run.training}
    data = [place(name) for name in names for place in (about.description, about.images, about.masks)]
    code = files_of("workflows.running.worker", *(name for by in methods for name in by.modules))  # by name
    return sorted({*map(str, data), *trainings, *code})


def digests(spec: TimingSpec) -> dict[str, str]:
    """Return the digest of each file that a timing run depends on; what is said of data has those of their images."""
    return {name: sha256(path) for name, path in _files(spec)}


def keep(spec: TimingSpec, found: dict[str, str]) -> None:
    """Write down what a timing run was made from, by `digests` from before it began."""
    with replacing(Layout(spec.folder).timed_from) as temporary:
        temporary.write_text(json.dumps(found, indent=1), encoding="utf-8")


def is_outdated(spec: TimingSpec) -> bool:
    """Return whether there are timings, and a file that they depend on is newer and another one than it was."""
    layout = Layout(spec.folder)
    if not layout.timing.exists():
        return False
    since, kept = layout.timing.stat().st_mtime, _kept(layout)
    return any(path.stat().st_mtime > since and kept.get(name) != sha256(path) for name, path in _files(spec))


def _files(spec: TimingSpec) -> list[tuple[str, Path]]:
    paths = [(name, Path(name)) for name in (*inputs_of(spec), *files_of("workflows.timing"))]
    return [(name, path) for name, path in paths if path.is_file()]


def _kept(layout: Layout) -> dict[str, str]:
    try:
        found = json.loads(layout.timed_from.read_bytes())
    except (OSError, ValueError):  # of an older version, or cut short
        return {}
    return found if isinstance(found, dict) else {}
