"""The archive of `make gpu`: the machine, then a line a result, each on the disk before the next one is begun."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch

from benchmarks.provenance import ROOT, cpu_model, git_state
from datasets.files import DataError
from methods.blocks.precision import Precision


@dataclass(frozen=True)
class Machine:
    """The hardware key: seconds of two archives compare where all of it is the same."""

    device: str
    gpu: str
    gpu_memory_mib: float
    driver: str
    cuda: str
    cudnn: str
    torch: str
    cpu: str
    cores: int
    threads: int
    python: str
    platform: str
    commit: str
    started: str
    # convolutions of float32 run without TF32, those of mixed in bfloat16; heads, warps and losses are float32 in both
    precisions: str = "float32: no TF32; mixed: bfloat16 convolutions, the rest float32 without TF32"


@dataclass(frozen=True, kw_only=True)
class Timing:
    """The wall time of one thing on one device, in milliseconds, or why there is none.

    ``what`` is ``registration`` (arrays in memory to the displacement in memory: the one scope that tables compare),
    ``network`` (the same with tensors on the device before and after), ``step`` (one update of training, its batch
    drawn on the device) or ``taught step`` (the same under a teacher, whose registration is part of it).
    """

    what: str
    network: str
    device: str
    precision: Precision
    tuned: bool  # cuDNN chose its kernels by trying them
    shape: tuple[int, ...]
    status: str = "ok"
    reason: str = ""
    calls: int = 0  # warm calls
    median_ms: float | None = None
    lower_ms: float | None = None  # quartiles
    upper_ms: float | None = None
    first_ms: float | None = None  # the first call of all
    memory_mib: float | None = None  # most that the device held at once, weights included
    parameters: int | None = None
    macs: int | None = None  # of one registration


@dataclass(frozen=True)
class Difference:
    """How far a displacement is from the one that the CPU computes in float32, by untrained weights.

    ``relative`` is ``|u - v| / |v|`` over the whole field, ``largest`` the largest difference of a component in voxels.
    """

    network: str
    precision: Precision
    shape: tuple[int, ...]
    relative: float
    largest: float


@dataclass(frozen=True)
class Trained:
    """One network trained on phantoms of livers, and the Dice of the liver in pairs of unseen subjects."""

    arm: str
    seed: int
    iterations: int
    batch: int
    rate: float  # the highest learning rate
    precision: Precision
    shape: tuple[int, ...]
    seconds: float
    loss: float  # of the last tenth of the iterations
    before: Mapping[str, float]
    after: Mapping[str, float]


class Archive:
    """Appends to a file of JSON lines, each an object with one key: the kind of the result."""

    def __init__(self, path: Path, machine: Machine) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "x", encoding="utf-8"):
                pass
        except FileExistsError as error:
            raise DataError(f"{path}: exists already; results are never overwritten, choose another file") from error
        self.add(machine)

    def add(self, result: Machine | Timing | Difference | Trained) -> None:
        """Write a result to the disk."""
        with open(self.path, "a", encoding="utf-8") as stream:
            stream.write(json.dumps({type(result).__name__.lower(): asdict(result)}) + "\n")
            stream.flush()
            os.fsync(stream.fileno())


def this_machine(device: str, commit: str | None) -> Machine:
    """Return the hardware key of the machine; ``commit`` names the code where it lies outside of its repository."""
    cuda = device.startswith("cuda")
    properties = torch.cuda.get_device_properties(0) if cuda else None
    return Machine(
        device=device,
        gpu=properties.name if properties else "none",
        gpu_memory_mib=round(properties.total_memory / 2**20) if properties else 0,
        driver=_driver() if cuda else "none",
        cuda=torch.version.cuda or "none",
        cudnn=str(torch.backends.cudnn.version() or "none"),
        torch=torch.__version__,
        cpu=cpu_model(),
        cores=os.cpu_count() or 0,
        threads=torch.get_num_threads(),
        python=platform.python_version(),
        platform=platform.platform(),
        commit=commit or git_state(ROOT)[0],
        started=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _driver() -> str:
    ask = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(ask, capture_output=True, text=True, timeout=20).stdout.split("\n")[0].strip()
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
