"""The names in the paths of a job."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Wildcards:
    """The names in the paths of a job. Snakemake's own object has those of them that the paths of a rule have."""

    dataset: str
    method: str
    seed: str
    chunk: str
