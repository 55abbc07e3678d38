"""Time the papers' networks on a GPU, at full width and the papers' size, and write one archive as it goes.

Each line of the archive is on the disk before the next measurement begins: whenever the command ends, what there is
stays. It needs torch, NumPy, SciPy, safetensors and nibabel alone. See docs/gpu.md.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import torch

from datasets.files import DataError
from methods.recursive import MULTIPLE
from workflows.gpu.archive import ROOT, Archive, Difference, Machine, Timing, Trained, this_machine
from workflows.gpu.networks import NETWORKS
from workflows.gpu.timings import PHASES, Session
from workflows.gpu.trains import Trainings


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; what cannot be done is one line."""
    given = _parser().parse_args(arguments)
    try:
        _check(given)
        machine = this_machine(given.device, given.commit)
        archive = Archive(given.to or _path(machine), machine)
        _say(f"{machine.gpu if machine.gpu != 'none' else machine.cpu}, torch {machine.torch}: {archive.path}")
        began = time.monotonic()
        session = Session(given.networks, given.device, given.size, given.calls, given.phases, began + given.seconds)
        lessons = given.train_size, given.iterations, given.batch, given.rate
        trainings = Trainings(given.device, *lessons, began + given.seconds + given.train)
        for results in (session.results(), trainings.results(given.seeds) if given.train else ()):
            for result in results:
                archive.add(result)
                _say(_line(result))
    except DataError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: {error.filename or ''}: {error.strerror or error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m workflows.gpu", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("--device", default="cuda", help="cuda, or cpu to try the command")
    add("--size", type=int, default=128, help="voxels along each axis of the images that are timed")
    add("--networks", nargs="+", default=list(NETWORKS), metavar="NAME", help="which to time, in this order")
    add("--phases", nargs="+", default=list(PHASES), choices=PHASES, metavar="PHASE", help="what to time, in order")
    add("--calls", type=int, default=10, help="warm calls of each at least")
    add("--seconds", type=float, default=240, help="no timing begins later than this")
    add("--train", type=float, default=0, metavar="SECONDS", help="trainings after the timings, for so long; 0 is none")
    add("--train-size", type=int, default=64, help="voxels along each axis of the phantoms")
    add("--iterations", type=int, default=600, help="of each training")
    add("--batch", type=int, default=4, help="pairs in each of them")
    add("--rate", type=float, default=1e-4, help="learning rate of all of them")
    add("--seeds", type=int, default=8, help="trainings of each arm at most")
    add("--to", type=Path, help="the archive; results/gpu/<card>-<time>.jsonl where left out")
    add("--commit", help="the code's commit, where it was copied without its repository")
    return parser


def _check(given: argparse.Namespace) -> None:
    device: str = given.device
    if device != "cpu" and not device.startswith("cuda"):
        raise DataError(f"--device {device}: unknown; cuda and cpu are known")
    if device != "cpu" and not torch.cuda.is_available():
        raise DataError(f"--device {device}: torch {torch.__version__} sees no CUDA device here; nothing was measured")
    if unknown := [name for name in given.networks if name not in NETWORKS]:
        raise DataError(f"--networks {unknown[0]}: unknown; known are {', '.join(NETWORKS)}")
    for name in ("size", "train_size"):
        if (size := getattr(given, name)) < MULTIPLE or size % MULTIPLE:
            raise DataError(f"--{name.replace('_', '-')} {size}: must be a multiple of {MULTIPLE}")
    for name in ("calls", "iterations", "batch"):
        if getattr(given, name) < 1:
            raise DataError(f"--{name} {getattr(given, name)}: must be at least 1")


def _path(machine: Machine) -> Path:
    card = re.sub(r"\W+", "-", machine.gpu if machine.gpu != "none" else "cpu").strip("-").lower()
    return ROOT / "results" / "gpu" / f"{card}-{datetime.now(UTC):%Y%m%d-%H%M%S}.jsonl"


def _line(result: Timing | Difference | Trained) -> str:
    if isinstance(result, Difference):
        return f"difference   {result.network:22} {result.precision:8} {result.relative:.2e} of the field"
    if isinstance(result, Trained):
        after = sum(result.after.values()) / len(result.after)
        return f"trained      {result.arm:22} seed {result.seed}: Dice {after:.4f}, {result.seconds:.0f} s"
    memory = f", {result.memory_mib:.0f} MiB" if result.memory_mib is not None else ""
    timed = result.reason if result.median_ms is None else f"{result.median_ms:9.2f} ms{memory}"
    kind = f"{result.precision}{', tuned' if result.tuned else ''} on {result.device}"
    return f"{result.what:12} {result.network:22} {kind:22} {timed}"


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
