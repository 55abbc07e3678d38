"""Seconds on GPUs that were measured apart from any run, by `make gpu`: ``reports/measured/gpu-*.jsonl``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec

MEASURED = Path(__file__).parents[1] / "measured"
PAPERS_SHAPE = (128, 128, 128)


@dataclass(frozen=True)
class Machine:
    """The hardware key of an archive: seconds of two compare where all of it is the same."""

    gpu: str = "unknown"
    driver: str = "unknown"
    cuda: str = "unknown"
    cudnn: str = "unknown"
    torch: str = "unknown"
    cpu: str = "unknown"
    cores: int = 0
    threads: int = 0

    @property
    def words(self) -> str:
        """What sets it apart from another machine with the same card."""
        return f"{self.gpu} (driver {self.driver}, torch {self.torch}, {self.cores} cores of {self.cpu})"


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

    Archives of one machine are one, and where they have a network twice, the last one counts. Those of machines that
    differ in anything stay apart, and are named in full where they have the same card.
    """
    found: dict[Machine, dict[str, float]] = {}
    for path in sorted(folder.glob("gpu-*.jsonl")):
        machine = Machine()
        for text in path.read_bytes().splitlines():
            line = msgspec.json.decode(text, type=Line)
            machine = line.machine or machine
            if (timing := line.timing) and timing.median_ms is not None and _counts(timing):
                found.setdefault(machine, {})[timing.network] = timing.median_ms / 1000
    cards = Counter(machine.gpu for machine in found)
    return {machine.gpu if cards[machine.gpu] == 1 else machine.words: each for machine, each in found.items()}


def _counts(timing: Timing) -> bool:
    plain = (timing.what, timing.precision, timing.shape) == ("registration", "float32", PAPERS_SHAPE)
    return plain and timing.device.startswith("cuda") and not timing.tuned
