"""Make the trainings of a list, several at a time, a process each; teachers before their students.

A module beside the command line: a process imports by name what it is to run, and `__main__` is another module there.
"""

from __future__ import annotations

import logging
import multiprocessing
import sys
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path

from benchmarks.records import TrainingOutcome, read, write
from datasets.files import DataError, one_line
from workflows.planning.code import files_of
from workflows.planning.layout import TrainingFolder
from workflows.planning.specs import TrainSpec
from workflows.training.note import LIST, Note, noted, place
from workflows.training.one import train

ASKS_AGAIN = 1.0  # seconds from one look at the clock to the next


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
    with ProcessPoolExecutor(at_once, multiprocessing.get_context("spawn"), initializer=_quiet) as pool:
        while waiting or running:
            for spec in _ready(waiting, at_once - len(running)):
                waiting.remove(spec)
                running[pool.submit(_train, spec)] = spec
            ended, _ = wait(running, timeout=ASKS_AGAIN, return_when=FIRST_COMPLETED)
            for future in ended:
                done += 1
                say(f"{done} of {len(specs)} {running.pop(future).job}: {_result(future)}")
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


def _train(spec: TrainSpec) -> str:
    """Make one training, and return how it ended in words."""
    folder = TrainingFolder(spec.folder)
    try:
        note = Note.of(spec)
        train(spec, threads=1, shares=True)
        write(place(folder), note)
    except Exception as error:
        return f"failed: {type(error).__name__}: {one_line(error)[:300]}"
    outcome = read(folder.outcome, TrainingOutcome)
    return f"{outcome.status} in {outcome.seconds:.0f} s{f': {outcome.reason}' if outcome.reason else ''}"


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


def _quiet() -> None:
    logging.basicConfig(level=logging.WARNING)
    sys.stderr = open(Path("/dev/null"), "w")  # noqa: SIM115  bars of progress of a dozen trainings


def say(text: str) -> None:
    """Tell of a training that has ended, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
