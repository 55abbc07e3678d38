"""Train one method on one data set; a training that diverges or fails is a result too."""

from __future__ import annotations

import logging
import shutil
import sys
import tempfile
import time
import traceback
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from types import ModuleType

from benchmarks.provenance import cpu_model, fingerprint
from benchmarks.records import UNAVAILABLE, Learned, TrainingOutcome, read, read_lines, write
from datasets.case import Dataset, open_dataset
from datasets.description import IMAGES, MASKS, Description, cases_of, image_file, mask_file
from datasets.files import CURVE, SNAPSHOTS, DataError, one_line, sha256
from workflows.planning.devices import assigned
from workflows.planning.layout import TrainingFolder
from workflows.planning.specs import TrainSpec
from workflows.running import machine
from workflows.running.environment import kernels
from workflows.running.machine import MachineError, of_system
from workflows.running.messages import sound_weights
from workflows.running.options import build, import_method
from workflows.running.watcher import Watcher
from workflows.spending.meter import START, Meter
from workflows.training.note import Note, place

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Update:
    """A row of a curve, as far as it is counted."""

    iteration: int
    best: int = 0


def train(spec: TrainSpec, threads: int, meter: Meter | None = None, *, shares: bool = False) -> None:
    """Train, resuming from the state of an interrupted run of the same code, data and options.

    A training has a GPU to itself unless it ``shares`` one.
    """
    here, data = TrainingFolder(spec.folder), open_dataset(spec.data)
    # Data that cannot be read are no failed training, and cost no state of an earlier one.
    data.check_files(_seen(data))
    started = time.perf_counter()
    outcome = TrainingOutcome(dataset=spec.dataset, method=spec.by.method, seed=spec.by.seed, status="ok", reason="")
    try:
        module, teacher = import_method(spec.by.module), _teacher(spec)  # before states of other trainings go
        if meter:
            meter.mark(START)
        state = _state_folder(here, spec, data.description, teacher)
        outcome = replace(outcome, kept=str(state))
        outcome = replace(outcome, learned=_learned(module, spec, data.description, teacher))
        alone = partial(assigned, spec.by.device, spec.training.get("processes", 1))
        with nullcontext() if shares else alone():
            checkpoint = _call(module, spec, data, teacher, threads=threads, state=state)
        outcome = replace(outcome, checkpoint=str(checkpoint), sha256=sha256(checkpoint))
    except DataError:  # a file that cannot be used is no failed training
        raise
    except Exception as error:
        traceback.print_exc()
        outcome = replace(outcome, status=_status(error, spec, data), reason=f"training: {one_line(error)[:500]}")
    if outcome.learned:
        made, chosen = _updates(Path(outcome.kept) / CURVE)
        outcome = replace(outcome, learned=replace(outcome.learned, iterations=made, chosen=chosen))
    outcome = replace(outcome, seconds=time.perf_counter() - started)
    write(here.outcome, outcome)
    logger.info("training %s in %.0f s", outcome.status, outcome.seconds)


def _learned(module: ModuleType, spec: TrainSpec, about: Description, teacher: TrainingOutcome | None) -> Learned:
    """Return what a training learns from and for how long, which a report holds against what a paper says."""
    params, training = build(module.Params, spec.by.params), build(module.Training, spec.training)
    return Learned(
        module=about.module,
        collection=about.collection,
        phantom=about.phantom,
        cases=len(about.training.cases),
        shape=about.shape,
        shrink=getattr(params, "shrink", 1),
        planned=getattr(training, "iterations", 0),
        batch=getattr(training, "batch", 0),
        learning_rate=getattr(training, "learning_rate", 0.0),
        teacher=teacher.sha256 if teacher else "",
        machine=_machine(spec.by.device),
    )


def _seen(data: Dataset) -> list[str]:
    """Return the files that a training reads: of what it learns from, and is looked at on."""
    cases = [*data.training_cases, *cases_of(data.validation_pairs)]
    return [file(case) for case in cases for file in (image_file, mask_file)]


def _machine(device: str) -> str:
    """Return what a training runs on: the processor, or the GPU with the torch that drives it."""
    import torch

    on_cuda = device.startswith("cuda") and torch.cuda.is_available()
    return f"{torch.cuda.get_device_name() if on_cuda else cpu_model()}, torch {torch.__version__}"


def _updates(curve: Path) -> tuple[int, int]:
    """Return how many updates a training made, and after how many its weights were best; 0 where that is not known."""
    made, best = 0, 0
    for row in read_lines(curve, _Update):
        made, best = max(made, row.iteration + 1), row.best or best
    return made, best


def _status(error: Exception, spec: TrainSpec, data: Dataset) -> str:
    """Return the status of a training that ended with an error; raise `DataError` where the machine is at fault."""
    if type(error).__name__ == "DivergedError":
        return "diverged"
    if isinstance(error, OSError) and _is_below(spec.folder, error):
        raise MachineError(f"training: {of_system(error)}") from error
    if machine.is_machine(error, causes_only=True):
        raise MachineError(f"training: {one_line(error)}; correct that and run again") from error
    machine.check([spec.folder, Path(tempfile.gettempdir())])
    data.check_files(_seen(data))
    return (
        UNAVAILABLE
        if machine.is_missing(error, causes_only=True) or machine.missing_device(spec.by.device)
        else "failed"
    )


def _is_below(folder: Path, error: OSError) -> bool:
    """Return whether an error is about a file that a training keeps, which is no fault of the method."""
    return isinstance(error.filename, str) and Path(error.filename).absolute().is_relative_to(folder.absolute())


def _call(
    module: ModuleType, spec: TrainSpec, data: Dataset, teacher: TrainingOutcome | None, *, threads: int, state: Path
) -> Path:
    import torch

    torch.set_num_threads(threads)
    others: dict[str, object] = {}
    if spec.teacher and teacher:
        others["teacher"] = _checkpoint_of(teacher, spec.teacher)
    if spec.watch:
        others["watch"] = Watcher(spec.watch, state / SNAPSHOTS)
    params, training = build(module.Params, spec.by.params), build(module.Training, spec.training)
    return module.train(data, state, params, training, device=spec.by.device, seed=spec.by.seed, **others)


def _checkpoint_of(teacher: TrainingOutcome, outcome: Path) -> Path:
    if teacher.status != "ok":
        raise ValueError(f"its teacher, {teacher.method}, could not be trained: {teacher.reason}")
    return sound_weights(teacher, outcome)


def _teacher(spec: TrainSpec) -> TrainingOutcome | None:
    """Return the training of the teacher; raise ImportError where that was not available."""
    teacher = read(spec.teacher, TrainingOutcome) if spec.teacher else None
    if teacher and teacher.status == UNAVAILABLE:
        raise ImportError(f"its teacher, {teacher.method}, was not available: {teacher.reason}")
    return teacher


def _state_folder(here: TrainingFolder, spec: TrainSpec, about: Description, teacher: TrainingOutcome | None) -> Path:
    """Return the folder of this training's state; states of other code, data or options are removed."""
    data = {"files": about.digest(IMAGES, MASKS), "split": asdict(about.training)}
    values = {**spec.by.identity, "training": spec.training, "data": data}
    values["kernels"] = kernels()
    values["teacher"] = teacher.sha256 if teacher else None
    state = here.states / fingerprint(spec.sources, values)
    try:
        for stale in here.states.iterdir() if here.states.is_dir() else ():
            if stale != state and stale.is_dir() and not stale.is_symlink():  # all else is somebody's own
                shutil.rmtree(stale)
        state.mkdir(parents=True, exist_ok=True)
    except OSError as error:  # no failure of the method
        raise MachineError(f"training: {of_system(error)}") from error
    return state


def make(spec: TrainSpec) -> str:
    """Make one training of a list, in a process of its own, and return how it ended in words.

    It is not in `__main__`, which is another module in such a process.
    """
    folder = TrainingFolder(spec.folder)
    try:
        note = Note.of(spec)
        train(spec, threads=1, shares=True)
        write(place(folder), note)
    except Exception as error:
        return f"failed: {type(error).__name__}: {one_line(error)[:300]}"
    outcome = read(folder.outcome, TrainingOutcome)
    return f"{outcome.status} in {outcome.seconds:.0f} s{f': {outcome.reason}' if outcome.reason else ''}"


def be_quiet() -> None:
    """Leave out what a dozen trainings at a time would say of their progress."""
    logging.basicConfig(level=logging.WARNING)
    sys.stderr = open(Path("/dev/null"), "w")  # noqa: SIM115
