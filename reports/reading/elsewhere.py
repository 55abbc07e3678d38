"""Seconds on GPUs that were measured apart from any run, by `make gpu`: ``reports/measured/gpu-*.jsonl``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec

MEASURED = Path(__file__).parents[1] / "measured"
PAPERS_SHAPE = (128, 128, 128)


@dataclass(frozen=True)
class Machine:
    """The part of an archive's hardware key that readers are shown."""

    gpu: str


@dataclass(frozen=True)
class Timing:
    """A timing, as far as tables take it from there; see docs/gpu.md."""

    what: str
    network: str
    device: str
    precision: str
    shape: tuple[int, ...]
    tuned: bool
    median_ms: float | None = None


@dataclass(frozen=True)
class Line:
    """A line of an archive, which may hold other things too."""

    machine: Machine | None = None
    timing: Timing | None = None


@cache
def gpu_seconds(folder: Path = MEASURED) -> Mapping[str, Mapping[str, float]]:
    """Return seconds of a registration at 128^3, full width, in single precision, by GPU and network.

    Where archives of one GPU have a network twice, the last one counts.
    """
    found: dict[str, dict[str, float]] = {}
    for path in sorted(folder.glob("gpu-*.jsonl")):
        gpu = "unknown"
        for text in path.read_bytes().splitlines():
            line = msgspec.json.decode(text, type=Line)
            gpu = line.machine.gpu if line.machine else gpu
            if (timing := line.timing) and timing.median_ms is not None and _counts(timing):
                found.setdefault(gpu, {})[timing.network] = timing.median_ms / 1000
    return found


def _counts(timing: Timing) -> bool:
    plain = (timing.what, timing.precision, timing.shape) == ("registration", "float32", PAPERS_SHAPE)
    return plain and timing.device.startswith("cuda") and not timing.tuned
