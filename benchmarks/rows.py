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
    """One timed call: arrays in memory to the displacement in memory, and what else the machine did meanwhile.

    What the system does not tell is None. Seconds compare only between rows whose ``hardware`` is the same. For the
    ``size`` paper the network is the method's at the paper's full width, and data set and pair are
    `benchmarks.results.RUN_LEVEL`.
    """

    dataset: str
    pair: str
    method: str
    seed: int
    size: str = "profile"  # or paper
    grid: str  # voxels, such as 128x128x128
    precision: str = "float32"  # or mixed
    device: str
    threads: int
    round: int
    phase: str  # first or warm
    seconds: float | None
    cpu: float | None = None  # CPU seconds of the timed process over those of the wall
    others: float | None = None  # cores that other processes kept busy
    pressure: float | None = None  # share of the time in which something waited for a CPU
    steal: float | None = None  # share of the time that the host of a virtual machine took
    contended: bool | None = None  # see `benchmarks.clock.disturbance`
    attempts: int = 1  # calls of which this one was the least disturbed
    memory: float | None = None  # MiB beyond what the libraries take; on CUDA the most that the device held
    hardware: str  # JSON of a `benchmarks.clock.hardware.Hardware`
    load_before: float | None = None
    status: str = "ok"
    reason: str = ""
