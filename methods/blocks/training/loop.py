"""The one training loop: pairs by iteration number, checkpoints to resume from, a stop at divergence.

On the CPU a resumed training gives the same weights bit for bit; on CUDA the warp's gradient adds in no fixed order.

A method brings a `Learner`: what is trained, by which optimisers, and one `step`. Everything random is drawn from the
seed and the iteration number, so that a resumed run sees the pairs and augmentations that an unbroken one would.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from datasets.case import Dataset
from datasets.description import IMAGES, cases_of
from datasets.files import CURVE, clear_leftovers, one_line, replacing
from datasets.progress import progress
from methods.blocks.precision import single_precision
from methods.blocks.training import parallel
from methods.blocks.training.checkpoint import BEST, CheckpointError, newest_state
from methods.blocks.training.grid import training_grid
from methods.blocks.training.settings import LoopOptions, learning_rate
from methods.blocks.training.states import StateWriter
from methods.blocks.training.unseen import Best, Unseen

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

B = TypeVar("B")
MODEL = "model"  # the name of the network among a learner's modules
log = logging.getLogger(__name__)


class DivergedError(FloatingPointError):
    """Training met a loss or a weight that is NaN or infinite."""


@dataclass(frozen=True)
class Learner:
    """Modules in training. ``step`` takes a batch, updates the weights and returns the loss terms with ``total``.

    An optimiser's parameter group may hold a ``rate``, a factor of the learning rate. ``unseen`` gives the loss on
    validation pairs after so many updates; after ``whole`` of them it is of the whole network, and losses compare.
    """

    modules: Mapping[str, nn.Module]
    optimisers: Mapping[str, torch.optim.Optimizer]
    step: Callable[[Any], dict[str, Tensor]]
    unseen: Unseen | None = None
    whole: float = 0


class Drawn(Protocol):
    """A batch, as far as the loop is concerned: ``names`` of its pairs tell which one a loss came from."""

    @property
    def names(self) -> str:
        """The names of its pairs."""
        ...


class Stream(Protocol):
    """Where batches come from: a batch depends on the iteration number and the stream's own seed alone."""

    @property
    def options(self) -> LoopOptions:
        """The options of the training."""
        ...

    def batch(self, iteration: int) -> Drawn:
        """Return the batch of an iteration."""
        ...


def update(optimiser: torch.optim.Optimizer, loss: Tensor, *, share: nn.Module | None = None) -> None:
    """Take one step along the gradient of ``loss``; none where it is not finite, so that the weights stay sound.

    In a step that is being recorded (`methods.blocks.training.captured`) no value can be looked at, and it is taken in
    any case: `fit` ends at such a loss, and no state is written after it.

    ``share``: a model whose gradients still have to be averaged over a group of processes.
    """
    recorded = loss.is_cuda and torch.cuda.is_current_stream_capturing()
    if recorded or parallel.agreed(loss.isfinite()):
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        if share is not None:
            parallel.average_gradients(share)
        optimiser.step()


def descend(
    optimiser: torch.optim.Optimizer, losses: Callable[[B], dict[str, Tensor]]
) -> Callable[[B], dict[str, Tensor]]:
    """Return the plain step: `update` along ``losses(batch)["total"]``."""

    def step(batch: B) -> dict[str, Tensor]:
        terms = losses(batch)
        update(optimiser, terms["total"])
        return {name: term.detach() for name, term in terms.items()}

    return step


def run_name(
    data: Dataset,
    params: DataclassInstance,
    training: LoopOptions,
    *,
    method: str,
    seed: int,
    teacher: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """Return what tells one training run from another; a state is only resumed by the run that wrote it.

    Args:
        data: the data set, whose images count by their checksums.
        params: the options of the registration.
        training: the options of training.
        method: the module.
        seed: of the training.
        teacher: the metadata of the teacher's checkpoint.
    """
    files = data.description.files
    images = {case: files.get(f"{IMAGES}/{case}.nii.gz") for case in sorted(cases_of(data.training_pairs))}
    return {
        "method": method,
        "params": asdict(params),
        "training": asdict(training),
        "teacher": teacher,
        "seed": seed,
        "dataset": data.name,
        "images": images,
        "grid": training_grid(data),
    }


def fit(
    learner: Learner,
    sampler: Stream,
    folder: Path,
    *,
    run: Mapping[str, object],
    after: Callable[[int], None] | None = None,
) -> None:
    """Train to the last iteration, from the newest sound state in ``folder`` if there is one.

    Raises `DivergedError` at the first loss or weight that is not finite, the states left as they are, and
    `CheckpointError` where ``folder`` holds the states of a different run.

    Args:
        learner: what is trained.
        sampler: gives the batches.
        folder: keeps ``state-*.pt`` (the last two) and ``curve.jsonl``, a row an iteration: ``iteration``, the loss
            ``total`` and its terms, ``learning_rate``, ``seconds``; for networks that grow the weights ``alpha_0``,
            ``alpha_1``, ... of their levels, the coarsest first; for students in some rows ``teacher_share``, see
            `methods.blocks.cascades.distillation.Distillation.step`; every ``validate_every`` rows ``validation``, the
            loss on validation pairs after the update, and ``best``, after how many updates it was lowest, where that
            chooses the weights.
        run: the name of the run, by `run_name`.
        after: called with the number of updates made so far, each time before a state is written; a resumed training
            may repeat a call. It must leave weights and training mode as they are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    alone = parallel.rank() == 0  # in a group of processes one of them keeps the books
    if alone:
        clear_leftovers(folder)
    best = Best()
    start, seconds = _resume(learner, best, folder, run)
    began, total = time.monotonic() - seconds, sampler.options.iterations
    books = _curve(folder / CURVE, start) if alone else nullcontext()
    with single_precision(tuned=True), StateWriter(folder) as states, books as curve:
        for iteration in progress(range(start, total), done=start, show=alone):
            row = _iterate(learner, sampler, iteration) | _unseen(learner, best, sampler.options, iteration + 1)
            states.check()
            spent = time.monotonic() - began
            if curve is not None:
                curve.write(json.dumps({**row, "seconds": round(spent, 3)}) + "\n")
                _report(row, total)
            if after is not None:
                after(iteration + 1)
            if (iteration + 1) % sampler.options.checkpoint_every == 0 or iteration + 1 == total:
                _check_weights(learner, sampler, iteration)
                if curve is not None:
                    states.write(_state(learner, best, iteration + 1, spent, run))
    if sampler.options.checkpoint == "best":
        best.put_back(learner.modules[MODEL])


def _iterate(learner: Learner, sampler: Stream, iteration: int) -> dict[str, float]:
    rate = learning_rate(iteration, sampler.options)
    for optimiser in learner.optimisers.values():
        _set_rate(optimiser, rate)
    batch = sampler.batch(iteration)
    terms = learner.step(batch)
    values = dict(zip(terms, parallel.average(torch.stack(list(terms.values()))).tolist(), strict=True))
    if not all(map(math.isfinite, values.values())):
        loss = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
        raise DivergedError(f"loss ({loss}) at iteration {iteration}, pairs {batch.names}; try a lower learning rate")
    return {"iteration": iteration, **values, "learning_rate": rate}


def _set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    for group in optimiser.param_groups:
        own = rate * group.get("rate", 1.0)
        if isinstance(group["lr"], Tensor):  # a recorded step reads it where it lies
            group["lr"].fill_(own)
        else:
            group["lr"] = own


def _unseen(learner: Learner, best: Best, options: LoopOptions, done: int) -> dict[str, float]:
    every = options.validate_every
    if learner.unseen is None or not every or (done % every and done < options.iterations):
        return {}
    row = {"validation": learner.unseen(done)}
    if options.checkpoint == "best" and done > learner.whole:
        best.look(row["validation"], done, learner.modules[MODEL])
        row["best"] = best.iteration
    return row


def _report(row: Mapping[str, float], iterations: int) -> None:
    done = row["iteration"] + 1
    if done * 10 // iterations > (done - 1) * 10 // iterations:
        log.info("iteration %d of %d: loss %.4f after %d %%", done, iterations, row["total"], 100 * done // iterations)


def _state(
    learner: Learner, best: Best, iteration: int, seconds: float, run: Mapping[str, object]
) -> dict[str, object]:
    return {
        **({BEST: best.state} if best.weights else {}),
        "iteration": iteration,
        "seconds": seconds,
        "run": json.dumps(run, sort_keys=True),
        "modules": {name: module.state_dict() for name, module in learner.modules.items()},
        "optimisers": {name: optimiser.state_dict() for name, optimiser in learner.optimisers.items()},
    }


def _resume(learner: Learner, best: Best, folder: Path, run: Mapping[str, object]) -> tuple[int, float]:
    state = newest_state(folder)
    if state is None:
        return 0, 0.0
    wanted, found = json.loads(json.dumps(run)), json.loads(state["run"])
    if odd := [key for key in wanted if found.get(key) != wanted[key]]:
        raise CheckpointError(
            f"{folder}: holds the states of another run ({odd[0]} was {found.get(odd[0])!r}, now {wanted[odd[0]]!r}); "
            "delete the folder or train into another"
        )
    try:
        for name, module in learner.modules.items():
            module.load_state_dict(state["modules"][name])
        for name, optimiser in learner.optimisers.items():
            rates = [group["lr"] for group in optimiser.param_groups]
            optimiser.load_state_dict(state["optimisers"][name])
            for group, rate in zip(optimiser.param_groups, rates, strict=True):
                group["lr"] = rate  # a number, or where it has to lie; each iteration sets it
    except (KeyError, RuntimeError, ValueError) as error:  # of another commit
        raise CheckpointError(
            f"{folder}: its states do not fit this network ({one_line(error)[:200]}); train into another folder"
        ) from error
    if BEST in state:
        best.state = state[BEST]
    log.info("resuming at iteration %d from %s", state["iteration"], folder)
    return state["iteration"], state["seconds"]


def _curve(path: Path, start: int) -> IO[str]:
    """Return the open curve, cut to the iterations before ``start``."""
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    with replacing(path) as temporary:
        temporary.write_bytes(b"".join(lines[:start]))
    return open(path, "a", buffering=1, encoding="utf-8")


def _check_weights(learner: Learner, sampler: Stream, iteration: int) -> None:
    for name, module in learner.modules.items():
        state = [value for value in module.state_dict().values() if value.is_floating_point()]  # running averages too
        if state and not torch.stack([value.isfinite().all() for value in state]).all():  # one answer from a GPU
            pairs = sampler.batch(iteration).names
            raise DivergedError(
                f"weights of {name} are NaN or infinite after iteration {iteration}, pairs {pairs}; "
                "try a lower learning rate"
            )
