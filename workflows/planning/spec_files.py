"""Specifications are handed over as files, whose paths are what the rules pass to the steps.

What a job needs may be longer than a command line can hold. The name of the file ends in a digest of its content, so
that Snakemake sees by the path that a job has to run again.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.records import text_of, write
from datasets.files import one_line
from workflows.planning.layout import Layout
from workflows.planning.marks import spec_digest
from workflows.planning.specs import Spec
from workflows.planning.wildcards import Wildcards


@dataclass(frozen=True)
class SpecFiles:
    """The files of specifications below ``layout``; a run that only looks (``writes`` is false) writes none."""

    layout: Layout
    writes: bool

    def path_function(self, specify: Callable[[Wildcards], Spec]) -> Callable[[Wildcards], str]:
        """Return the parameter function of a rule: the path of the specification that ``specify`` makes for a job."""

        def path(wildcards: Wildcards) -> str:
            spec = specify(wildcards)
            file = self.layout.specification(specify.__name__, spec.job, spec_digest(spec))
            try:
                if self.writes and not (file.exists() and file.read_bytes() == text_of(spec).encode()):
                    write(file, spec)  # also where somebody has edited or cut it: its name promises the content
            except OSError as error:
                why = error.strerror or one_line(error)
                sys.exit(f"WarpBench: {file}: cannot be written ({why}); correct that and run again")
            return str(file)

        return path
