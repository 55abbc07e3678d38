"""One method on one pair: supervised as in a run, judged where there is a truth."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path

from benchmarks.records import Learned, Registrations, TrainingOutcome, read, write
from benchmarks.rows import RunRow
from datasets.case import Dataset, Pair, Writer, open_dataset
from datasets.description import Description, TrainingSplit
from datasets.files import Array, DataError, read_displacement, sha256
from workflows.pair.rule import Seen
from workflows.planning.layout import ChunkFolder
from workflows.planning.specs import MethodSpec, RegisterSpec, RunSpec
from workflows.running import environment

PAIR = Pair("fixed", "moving")
PAUSES = (5.0, 5.0, 10.0, 10.0, 30.0)  # seconds from one word that a method is at work to the next, then the last again
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Order:
    """A method as it was asked for, the weights of a network, and the seconds that it may take.

    ``across`` says whether it can register images of two modalities, ``learned`` what a network has learned from,
    ``seen`` the grid of these images and ``phantom`` whether they were drawn, as the weights record it, and ``told``
    what their card says, where they have one.
    """

    by: MethodSpec
    weights: Path | None
    time_limit: float
    across: bool
    learned: Learned | None = None
    seen: Seen | None = None
    told: str = ""
    phantom: bool = False

    @property
    def shrink(self) -> int | None:
        """How many voxels along each axis a network takes as one; None for other methods."""
        wanted = self.by.params.get("shrink", 1)
        return None if self.weights is None else wanted if isinstance(wanted, int) and wanted > 0 else 1


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a method gave: the displacement ``(3, D, H, W)`` on the grid, or the status and reason why there is none."""

    order: Order
    run: RunRow
    status: str
    reason: str
    seconds: float | None
    displacement: Array | None
    refine_seconds: float | None = None


def prepare(folder: Path, affine: Array, fixed: Array, moving: Array) -> Dataset:
    """Write both images, in [0, 1] on one grid with this affine ``(4, 4)`` (RAS, mm), in the form that methods read."""
    writer = Writer(folder)
    writer.image(PAIR.fixed, fixed, affine)
    writer.image(PAIR.moving, moving, affine)
    about = Description(name="pair", title="Your own pair", training=TrainingSplit(()), test=(PAIR,))
    writer.finish(about)
    return open_dataset(folder)


def run(order: Order, data: Dataset, folder: Path, threads: int) -> Outcome:
    """Register the pair by the step of every run, under supervision; a method that fails is an outcome, too.

    Raises:
        DataError: the step could not be done, such as for weights of another network.
    """
    chunk, step = ChunkFolder(folder), folder / "register.json"
    training = _training(order, folder) if order.weights else None
    spec = RunSpec(by=order.by, dataset=data.name, data=data.folder, training=training, time_limit=order.time_limit)
    write(step, RegisterSpec(run=spec, chunk=0, chunks=1, sources=[], folder=folder))
    command = [sys.executable, "-m", "workflows.register", str(step), "--threads", str(threads)]
    told = _finished(command, order.by.method)
    if not chunk.registrations.exists():
        raise DataError((told or ["error: the registration was stopped"])[-1].removeprefix("error: "))
    done = read(chunk.registrations, Registrations)
    if done.unavailable:
        return Outcome(order, done.run, "unavailable", done.unavailable, None, None)
    (record,) = done.pairs
    displacement = read_displacement(chunk.displacement(PAIR)) if record.status == "ok" else None
    return Outcome(order, done.run, record.status, record.reason, record.seconds, displacement, record.refine_seconds)


def _finished(command: Sequence[str], who: str) -> list[str]:
    """Run a step to its end, saying from time to time that it is at work; return what it told."""
    ours = {**os.environ, **environment.search_path()}  # wherever the command is called
    began, pauses = time.monotonic(), chain(PAUSES, repeat(PAUSES[-1]))
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=ours) as step:
        try:
            while True:
                try:
                    return step.communicate(timeout=next(pauses))[1].strip().splitlines()
                except subprocess.TimeoutExpired:
                    logger.info("%s: at work for %.0f s", who, time.monotonic() - began)
        except BaseException:
            step.kill()
            raise


def _training(order: Order, folder: Path) -> Path:
    """Write what a training would have: that it went well, and where its weights are."""
    assert order.weights is not None
    path, weights = folder / "training.json", order.weights.resolve()
    outcome = TrainingOutcome(
        dataset="elsewhere",
        method=order.by.method,
        seed=order.by.seed,
        status="ok",
        reason="",
        checkpoint=str(weights),
        sha256=sha256(weights),
    )
    write(path, outcome)
    return path
