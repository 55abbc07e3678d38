"""The rows of the tables that a run leaves: a dataclass a table, whose fields are the table's columns.

A number or truth value that may be None may also be missing from the table.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class MetricRow:
    """One measured number of a pair, or of a whole run; a registration that failed has no value but a reason."""

    dataset: str
    pair: str
    method: str
    seed: int
    metric: str
    protocol: str
    region: str
    value: float | None
    unit: str
    status: str = "ok"
    reason: str = ""
    run: str


@dataclass(frozen=True, kw_only=True)
class RunRow:
    """Where the numbers of a run came from."""

    run: str
    dataset: str
    method: str
    seed: int
    module: str
    params: str  # JSON
    checkpoint_sha: str
    commit: str
    dirty: bool | None
    started_utc: str
    cpu: str
    gpu: str
    threads: int
    device: str
    precision: str
    python: str
    platform: str
    load_average: float | None
    versions: str  # JSON


@dataclass(frozen=True, kw_only=True)
class TimingRow:
    """One timed call."""

    dataset: str
    pair: str
    method: str
    seed: int
    device: str
    threads: int
    round: int
    phase: str  # first or warm
    seconds: float | None
    load_before: float | None
    status: str
    reason: str
