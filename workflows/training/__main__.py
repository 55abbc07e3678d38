"""Make the trainings of a list, several at a time, a process each; teachers before their students.

    python3 -m workflows.training results/study/trainings.json --device cuda --at-once 6

For a machine that has a GPU and little else: torch, NumPy, SciPy, safetensors, nibabel, msgspec, psutil and filelock.
Which trainings a profile needs, and what becomes of them: python -m workflows.training.elsewhere, and docs/gpu.md.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path

from benchmarks.records import read
from datasets.files import DataError
from workflows.planning.code import files_of
from workflows.planning.layout import TrainingFolder
from workflows.planning.specs import TrainSpec
from workflows.running.machine import of_system
from workflows.training.note import LIST, Note, noted
from workflows.training.one import be_quiet, make

ASKS_AGAIN = 1.0  # seconds from one look at the clock to the next


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; what cannot be done is one line."""
    parser = argparse.ArgumentParser(
        prog="python -m workflows.training", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("trainings", type=Path, help="the list")
    parser.add_argument("--device", default="cuda", help="as torch names it")
    parser.add_argument("--at-once", type=int, default=4, help="networks that learn at a time")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop then; the same command goes on")
    given = parser.parse_args(arguments)
    try:
        if given.at_once < 1 or not given.seconds > 0:
            raise DataError("--at-once, --seconds: expected more than 0")
        _say(trained(given.trainings, given.device, given.at_once, given.seconds))
    except DataError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: {of_system(error)}")


def trained(trainings: Path, device: str, at_once: int, seconds: float) -> str:
    """Make the trainings of a list that are not there yet, teachers before their students; return a summary.

    Raises `DataError` where the list cannot be read, or the device is not there.

    Args:
        trainings: the list.
        device: as torch names it.
        at_once: so many at a time.
        seconds: what has not ended then is stopped and keeps its state, by which the same command goes on.
    """
    deadline = time.monotonic() + seconds
    specs = [_here(spec, device) for spec in _listed(trainings)]
    _check(device)
    waiting = [spec for spec in specs if not _is_made(spec)]
    done, running = len(specs) - len(waiting), dict[Future[str], TrainSpec]()
    with ProcessPoolExecutor(at_once, multiprocessing.get_context("spawn"), initializer=be_quiet) as pool:
        while waiting or running:
            for spec in _ready(waiting, at_once - len(running)):
                waiting.remove(spec)
                running[pool.submit(make, spec)] = spec
            ended, _ = wait(running, timeout=ASKS_AGAIN, return_when=FIRST_COMPLETED)
            for future in ended:
                done += 1
                _say(f"{done} of {len(specs)} {running.pop(future).job}: {_result(future)}")
            if time.monotonic() > deadline:
                for process in list(pool._processes.values()):  # pyright: ignore[reportPrivateUsage]
                    process.kill()
                break
            if not running and waiting and not _ready(waiting, 1):
                raise DataError(f"{waiting[0].job}: its teacher is not in the list, and not trained")
    made = sum(map(_is_made, specs))  # one that could not be made has a line of its own, and is not there
    return f"{made} of {len(specs)} trainings are there{'' if made == len(specs) else '; the same command goes on'}"


def _listed(path: Path) -> list[TrainSpec]:
    """Read the list; it is another file that is named where it is none, so nothing is said of deleting it."""
    try:
        return read(path, list[TrainSpec])
    except DataError as error:
        if not path.is_file():
            raise
        made = "python -m workflows.training.elsewhere list CONFIGFILE"
        raise DataError(f"{path}: is no list of trainings; name the {LIST} that `{made}` writes") from error


def _result(future: Future[str]) -> str:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise DataError(
            "a training's process was ended from outside, perhaps for want of memory; fewer --at-once"
        ) from error


def _ready(waiting: Sequence[TrainSpec], free: int) -> Sequence[TrainSpec]:
    """Return as many trainings as there is room for, of those whose teachers have ended."""
    return [spec for spec in waiting if spec.teacher is None or spec.teacher.exists()][:free]


def _here(spec: TrainSpec, device: str) -> TrainSpec:
    """Return a training as this machine makes it, with its own libraries and code."""
    by = replace(spec.by, device=device, libraries={})
    return replace(spec, by=by, sources=[Path(file) for file in files_of(spec.by.module)])


def _is_made(spec: TrainSpec) -> bool:
    """Return whether a training is there, by its note."""
    folder = TrainingFolder(spec.folder)
    if not folder.outcome.exists() or (spec.teacher and not spec.teacher.exists()):
        return False
    return not noted(folder).difference(Note.of(spec))


def _check(device: str) -> None:
    import torch

    if device.startswith("cuda") and not torch.cuda.is_available():
        raise DataError(f"--device {device}: torch {torch.__version__} sees no CUDA device here; nothing was trained")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
