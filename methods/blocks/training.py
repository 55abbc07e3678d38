"""The one training loop: pairs by iteration number, checkpoints it resumes from bit for bit, a stop at divergence.

A method brings a `Learner`: what is trained, by which optimisers, and one `step`. Everything random is drawn from the
seed and the iteration number, so that a resumed run sees the pairs and augmentations that an unbroken one would.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from datasets.case import Dataset, Pair, iter_cases
from methods.blocks import parallel
from methods.blocks.augmentation import random_displacement
from methods.blocks.checkpoint import CheckpointError, newest_state, save_state
from methods.blocks.padding import end_padding
from methods.blocks.spatial import warp

Schedule = Literal["rcn_step", "released_ldr", "constant"]
CURVE = "curve.jsonl"
log = logging.getLogger(__name__)


class DivergedError(FloatingPointError):
    """Training met a loss or a weight that is NaN or infinite."""


@dataclass(frozen=True)
class Settings:
    """What the loop itself needs to know; ``augmentation`` is the strength of the random warp, 0 for none."""

    iterations: int
    batch: int
    learning_rate: float
    schedule: Schedule
    augmentation: float
    checkpoint_every: int

    def __post_init__(self) -> None:
        for name in ("iterations", "batch", "checkpoint_every", "learning_rate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"training: {name} must be positive, got {getattr(self, name)!r}")
        learning_rate(0, self)


@dataclass(frozen=True)
class Batch:
    """One iteration's images ``(n, 1, D, H, W)`` in [0, 1]; ``moving`` is augmented, ``plain`` is it before that.

    ``generator`` is the iteration's own, for whatever else a step draws.
    """

    iteration: int
    pairs: tuple[Pair, ...]
    fixed: Tensor
    moving: Tensor
    plain: Tensor
    generator: torch.Generator


@dataclass(frozen=True)
class Learner:
    """What is trained. ``step`` takes a batch, updates the weights and returns its loss terms, ``total`` among them."""

    modules: Mapping[str, nn.Module]
    optimisers: Mapping[str, torch.optim.Optimizer]
    step: Callable[[Batch], dict[str, Tensor]]


def descend(
    model: nn.Module, optimiser: torch.optim.Optimizer, losses: Callable[[Batch], dict[str, Tensor]]
) -> Callable[[Batch], dict[str, Tensor]]:
    """The plain step: one update along the gradient of ``losses(batch)["total"]``; none where that is not finite."""

    def step(batch: Batch) -> dict[str, Tensor]:
        terms = losses(batch)
        if parallel.agreed(terms["total"].isfinite()):
            optimiser.zero_grad(set_to_none=True)
            terms["total"].backward()
            optimiser.step()
        return {name: term.detach() for name, term in terms.items()}

    model.train()
    return step


def learning_rate(iteration: int, settings: Settings) -> float:
    """The learning rate of one iteration; milestones are fractions of ``settings.iterations``.

    ``rcn_step``: halved at 60 % and again at 80 % (released RCN). ``released_ldr``: five epochs that start at 1, 1/8,
    1/16, 1/32 and 1/64 of the peak, each falling to zero along a cosine (released LDR, plain variant).
    """
    done, peak = iteration / settings.iterations, settings.learning_rate
    if settings.schedule == "constant":
        return peak
    if settings.schedule == "rcn_step":
        return peak * (1.0 if done < 0.6 else 0.5 if done < 0.8 else 0.25)
    if settings.schedule == "released_ldr":
        epoch, within = divmod(5 * iteration, settings.iterations)
        factor = (1, 1 / 8, 1 / 16, 1 / 32, 1 / 64)[min(epoch, 4)]
        return peak * factor * 0.5 * (1 + math.cos(math.pi * within / settings.iterations))
    raise ValueError(f"training: schedule must be 'rcn_step', 'released_ldr' or 'constant', got {settings.schedule!r}")


@dataclass(frozen=True)
class Sampler:
    """Draws batches from images held on the device as uint8, the papers' own precision.

    In a group of processes each gets its share of the batch.

    All pairs are shuffled anew for each pass over them, as the released codes do.
    """

    images: Mapping[str, Tensor]
    pairs: Sequence[Pair]
    settings: Settings
    seed: int

    def batch(self, iteration: int) -> Batch:
        generator = torch.Generator().manual_seed(_stream(self.seed, iteration, parallel.rank()))
        numbers = range(iteration * self.settings.batch, (iteration + 1) * self.settings.batch)
        pairs = tuple(map(self._pair, numbers[parallel.rank() :: parallel.size()]))
        fixed, plain = (self._stack([getattr(pair, side) for pair in pairs]) for side in ("fixed", "moving"))
        moving = plain
        if strength := self.settings.augmentation:
            n, _, *shape = plain.shape
            moving = warp(plain, random_displacement(n, shape, generator, strength=strength, device=plain.device))
        return Batch(iteration, pairs, fixed, moving, plain, generator)

    def _pair(self, number: int) -> Pair:
        """The pair that is drawn as ``number``-th since the beginning of training."""
        turn, place = divmod(number, len(self.pairs))
        return self.pairs[_order(self.seed, turn, len(self.pairs))[place]]

    def _stack(self, cases: Sequence[str]) -> Tensor:
        return torch.stack([self.images[case] for case in cases])[:, None].float() / 255


@lru_cache(maxsize=2)  # a batch may reach into the next pass
def _order(seed: int, turn: int, size: int) -> Sequence[int]:
    """The shuffled indices of one pass over all pairs."""
    return np.random.default_rng([seed, turn, 1]).permutation(size)


def read_images(
    data: Dataset, cases: Sequence[str], *, multiple: int, device: str, shrink: int = 1
) -> dict[str, Tensor]:
    """Read images ``(D, H, W)`` as uint8 onto the device, zeros added at the end of axes up to a multiple.

    ``shrink`` averages cubes of so many voxels a side into one, after which the axes are multiples.
    """
    images: dict[str, Tensor] = {}
    first: tuple[int, ...] | None = None
    for case in cases:
        array = data.image(case).array
        first = first or array.shape
        if array.shape != first:
            raise ValueError(f"train: {case} has shape {array.shape}, the images before it {first}; resample them")
        image = F.pad(torch.from_numpy(array), end_padding(array.shape, multiple * shrink))
        small = F.avg_pool3d(image[None], shrink)[0] if shrink > 1 else image
        images[case] = (small * 255).round().to(torch.uint8).to(device)
    return images


def make_sampler(
    data: Dataset, settings: Settings, *, seed: int, multiple: int, device: str, shrink: int = 1
) -> Sampler:
    """A sampler over all training pairs of a data set."""
    pairs = data.training_pairs
    if not pairs:
        raise ValueError(f"train: data set {data.name!r} has no training pairs")
    images = read_images(data, list(iter_cases(pairs)), multiple=multiple, device=device, shrink=shrink)
    return Sampler(images, pairs, settings, seed)


def run_name(data: Dataset, method: str, params: Mapping[str, Any], settings: Settings, seed: int) -> dict[str, Any]:
    """What tells one training run from another; a state is only resumed by the run that wrote it."""
    files = data.about.get("files", {})
    images = {case: files.get(f"images/{case}.nii.gz") for case in sorted(data.training_cases)}
    return {
        "method": method,
        "params": dict(params),
        "training": asdict(settings),
        "seed": seed,
        "dataset": data.name,
        "images": images,
    }


def fit(learner: Learner, sampler: Sampler, folder: Path, *, run: Mapping[str, Any]) -> None:
    """Train to the last iteration, from the newest sound state in ``folder`` if there is one.

    Leaves there ``state-*.pt`` (the last two) and ``curve.jsonl``, one line an iteration. Raises `DivergedError` at the
    first loss or weight that is not finite, the states left as they are, and `CheckpointError` where ``folder`` holds
    the states of a different run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    start, seconds = _resume(learner, folder, run)
    began, total = time.monotonic() - seconds, sampler.settings.iterations
    alone = parallel.rank() == 0  # in a group of processes one of them keeps the books
    with _curve(folder / CURVE, start) if alone else nullcontext() as curve:
        for iteration in tqdm(range(start, total), initial=start, total=total, disable=None if alone else True):
            row = _iterate(learner, sampler, iteration)
            spent = time.monotonic() - began
            if curve is not None:
                curve.write(json.dumps({**row, "seconds": round(spent, 3)}) + "\n")
                _report(row, total)
            if (iteration + 1) % sampler.settings.checkpoint_every == 0 or iteration + 1 == total:
                _check_weights(learner, iteration)
                if curve is not None:
                    save_state(folder, _state(learner, iteration + 1, spent, run))


def _iterate(learner: Learner, sampler: Sampler, iteration: int) -> dict[str, float]:
    rate = learning_rate(iteration, sampler.settings)
    for optimiser in learner.optimisers.values():
        for group in optimiser.param_groups:
            group["lr"] = rate
    batch = sampler.batch(iteration)
    terms = learner.step(batch)
    values = dict(zip(terms, parallel.average(torch.stack(list(terms.values()))).tolist(), strict=True))
    if not all(map(math.isfinite, values.values())):
        names = ", ".join(pair.name for pair in batch.pairs)
        raise DivergedError(
            f"training: loss {values} at iteration {iteration}, pairs {names}; try a lower learning rate"
        )
    return {"iteration": iteration, **values, "learning_rate": rate}


def _report(row: Mapping[str, float], iterations: int) -> None:
    done = row["iteration"] + 1
    if done * 10 // iterations > (done - 1) * 10 // iterations:
        log.info("iteration %d of %d: loss %.4f after %d %%", done, iterations, row["total"], 100 * done // iterations)


def _state(learner: Learner, iteration: int, seconds: float, run: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "iteration": iteration,
        "seconds": seconds,
        "run": json.dumps(run, sort_keys=True),
        "modules": {name: module.state_dict() for name, module in learner.modules.items()},
        "optimisers": {name: optimiser.state_dict() for name, optimiser in learner.optimisers.items()},
    }


def _resume(learner: Learner, folder: Path, run: Mapping[str, Any]) -> tuple[int, float]:
    state = newest_state(folder)
    if state is None:
        return 0, 0.0
    wanted, found = json.loads(json.dumps(run)), json.loads(state["run"])
    if odd := [key for key in wanted if found.get(key) != wanted[key]]:
        raise CheckpointError(
            f"{folder}: holds the states of another run ({odd[0]} was {found.get(odd[0])!r}, now {wanted[odd[0]]!r}); "
            "delete the folder or train into another"
        )
    for name, module in learner.modules.items():
        module.load_state_dict(state["modules"][name])
    for name, optimiser in learner.optimisers.items():
        optimiser.load_state_dict(state["optimisers"][name])
    log.info("resuming at iteration %d from %s", state["iteration"], folder)
    return state["iteration"], state["seconds"]


def _curve(path: Path, start: int) -> IO[str]:
    """The open curve, cut to the iterations before ``start``."""
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    path.write_text("".join(lines[:start]))
    return open(path, "a", buffering=1)


def _check_weights(learner: Learner, iteration: int) -> None:
    for name, module in learner.modules.items():
        if not all(parameter.isfinite().all() for parameter in module.parameters()):
            raise DivergedError(f"training: weights of {name} are NaN or infinite after iteration {iteration}")


def _stream(seed: int, iteration: int, rank: int = 0) -> int:
    """A seed for one iteration, another one in each process of a group."""
    return int(np.random.SeedSequence([seed, iteration, *([rank] if rank else [])]).generate_state(1, np.uint64)[0])
