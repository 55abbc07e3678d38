"""registration.json in types: what was done with a user's pair."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.rows import RunRow


@dataclass(frozen=True, kw_only=True)
class Input:
    """A file as it was read."""

    path: Path
    sha256: str  # empty for a folder
    voxels: tuple[int, int, int]
    spacing: tuple[float, float, float]
    zero: float  # the intensity that became 0
    one: float  # and 1


@dataclass(frozen=True, kw_only=True)
class Number:
    """A number of the registration, by which protocol and of which region; ``before`` is that of no registration."""

    metric: str
    protocol: str
    region: str
    unit: str
    value: float | None
    before: float | None


@dataclass(frozen=True, kw_only=True)
class Written:
    """A file of the results, and what it is."""

    name: str
    what: str


@dataclass(frozen=True, kw_only=True)
class About:
    """What was done: the two files, the grid, the method and its run, its seconds, numbers and files."""

    fixed: Input
    moving: Input
    align: str
    offset: tuple[float, float, float]  # mm (LPS) from a fixed to a moving place, before the method
    grid: tuple[int, int, int]
    grid_spacing: tuple[float, float, float]
    grid_from: str  # whose grid that is
    seen_spacing: tuple[float, float, float] | None  # mm of a voxel as a network sees it; None for other methods
    intensities: str  # what they became
    method: str
    weights: str
    weights_sha256: str
    status: str
    reason: str
    seconds: float | None
    refine_seconds: float | None  # what of them went into --refine
    run: RunRow  # with the options of the method, and the libraries
    warnings: list[str] = field(default_factory=list[str])
    numbers: list[Number] = field(default_factory=list[Number])
    files: list[Written] = field(default_factory=list[Written])
