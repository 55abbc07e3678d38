"""Results say which specification made them, so that a copy of them is never taken for results of other settings.

Snakemake keeps the parameters of a job in the working folder alone: it knows nothing of results that were copied, or
that two working folders share.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from benchmarks.records import encode
from datasets.files import replacing
from workflows.planning.specs import Spec


def spec_digest(spec: Spec) -> str:
    """Return twelve letters and digits that change with a specification."""
    return hashlib.sha256(encode(spec)).hexdigest()[:12]


@contextlib.contextmanager
def marking(spec: Spec) -> Iterator[None]:
    """Mark what the block makes as made by ``spec``; nothing has the mark before the block has ended well."""
    spec.mark.unlink(missing_ok=True)
    yield
    with replacing(spec.mark) as temporary:
        temporary.write_text(spec_digest(spec), encoding="utf-8")


def others(jobs: Iterable[tuple[Path, Spec]]) -> list[Path]:
    """Return the results that are there and were not made by their job's specification, or not to the end."""
    return [path for path, spec in jobs if _marked(spec) != spec_digest(spec)]


def news(found: Sequence[Path]) -> list[str]:
    """Return one line on results that `others` has found, nothing where there are none."""
    if not found:
        return []
    return [f"{len(found)} results were not made by these settings, such as {found[0]}; these steps run again"]


def _marked(spec: Spec) -> str:
    try:
        return spec.mark.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
