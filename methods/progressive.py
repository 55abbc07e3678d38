"""A 3-D U-Net that learns displacements from synthetic pairs, all at once or level by level from the coarsest.

Eppenhof et al., "Progressively trained convolutional neural networks for deformable image registration" (IEEE TMI, doi
10.1109/TMI.2019.2953788). Training pairs are single scans, bent by random splines whose displacement is known; a
network sees magnitudes of Gaussian gradients. `Growth` says which resolutions count when; with ``duration`` 0 the
network is the paper's baseline from the start. At registration both are the same network.

Shapes must be multiples of ``shrink * 2^(levels - 1)``; others get zeros at their end, an edge that a network may see.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from datasets.case import Dataset
from methods import Register
from methods.blocks.cost import cost_beside_full
from methods.blocks.hardware import is_mixed
from methods.blocks.initial import create, glorot
from methods.blocks.options import Resolution, not_negative, part, positive
from methods.blocks.precision import Precision, mixed_precision
from methods.blocks.progressive.gradients import gradient_magnitude
from methods.blocks.progressive.growth import Growth
from methods.blocks.progressive.losses import displacement_loss
from methods.blocks.progressive.record import Mapper, Watch, count_displacements, describe_pairs
from methods.blocks.progressive.sampling import SyntheticBatch, make_synthetic_sampler
from methods.blocks.progressive.unet import Architecture, Entrance, NormMode, ProgressiveUNet, UNet
from methods.blocks.registration import prepared, register
from methods.blocks.training import loop
from methods.blocks.training.checkpoint import WEIGHTS, load_checkpoint, save_weights
from methods.blocks.training.optimisers import descent
from methods.blocks.training.settings import MixedOptions, TrainingPrecision
from methods.blocks.training.unseen import evaluating, unseen_loss

UNSEEN = 12  # batches of synthetic pairs of validation scans, by which a network is looked at


@dataclass(frozen=True)
class Sight(Architecture, Resolution):
    """A network and what it is trained to see."""

    # width in voxels of the Gaussian whose gradients' magnitudes the network sees; null for intensities
    sigma: float | None = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        Resolution.__post_init__(self)
        positive("progressive", sigma=self.sigma)


@dataclass(frozen=True)
class Params(Sight):
    """The options of the registration, beside those of the network."""

    norm: NormMode = "running"  # normalise by the averages of training, or by each volume's own statistics
    # mixed runs convolutions in bfloat16, heads and warps in float32, and is refused where the device has none
    precision: Precision = "float32"


@dataclass(frozen=True)
class Training(MixedOptions):
    """The options of training; the defaults are the paper's."""

    iterations: int = 40_000
    learning_rate: float = 1e-2
    transition: float = 2000  # delta, iterations in which a level fades in and the one below it out; 0 is a step
    duration: float = 6000  # Delta, iterations that a level counts, transitions included; 0 is the baseline
    entry: Entrance = "block"  # input convolutions of the lower levels with normalisation and activation, or bare
    entry_kernel: Literal[1, 3] = 3  # size of these convolutions
    momentum: float = 0.5  # momentum of the gradient descent
    # whose field of view weighs the loss: the moving scan's, as published, or the fixed one's
    loss_mask: Literal["moving", "fixed"] = "moving"
    reject_folding: bool = False  # draw transforms that fold anew
    pairs_seed: int | None = None  # draws scans and transforms; null takes the seed of the weights
    precision: TrainingPrecision = "float32"
    snapshot_every: int = 50  # iterations from one judged snapshot to the next, where data sets are watched
    maps: int = 8  # how many times the displacement of one synthetic pair is kept to be looked at

    def __post_init__(self) -> None:
        super().__post_init__()
        positive("progressive", snapshot_every=self.snapshot_every)
        not_negative("progressive", maps=self.maps)

    def growth(self, levels: int) -> Growth | None:
        """Return how the network grows, None for the baseline; raise ValueError where the iterations do not suffice."""
        growth = Growth(self.transition, self.duration, levels)
        if growth.full >= self.iterations:
            raise ValueError(
                f"progressive: the last level is alone from iteration {growth.full:g}, which must be below iterations, "
                f"got {self.iterations}; make duration or transition shorter"
            )
        return growth if self.duration else None


def load(params: Params, *, device: str, seed: int, checkpoint: Path | None = None) -> Register:
    """Return ``register(fixed, moving, spacing)``, by the weights of `train` or by untrained ones."""
    model = create(partial(UNet, params, norm=params.norm), seed=seed, device=device, fill=glorot)
    if checkpoint is not None:
        load_checkpoint(checkpoint, model, expected=_about(params))
    mixed = is_mixed(params.precision, device)
    predict = partial(_in_precision, prepared(model, device, mixed=mixed), mixed)
    return _registration(predict, params, device)


def train(
    data: Dataset,
    folder: Path,
    params: Params,
    training: Training,
    *,
    device: str,
    seed: int,
    watch: Watch | None = None,
) -> Path:
    """Train on synthetic pairs of the training scans of ``data`` and return the checkpoint.

    Networks of one ``seed`` start from the same weights and, of one ``pairs_seed``, see the same pairs, however they
    grow. Layers that serve growth alone are not in the checkpoint. ``watch`` is called after every ``snapshot_every``
    updates; ``folder`` also gets the files of `methods.blocks.progressive.record`.
    """
    pupil = make_pupil(params, training, seed=seed, device=device)
    run = loop.run_name(data, params, training, method="progressive", seed=seed)
    sample = partial(
        make_synthetic_sampler,
        data,
        training,
        seed=seed if training.pairs_seed is None else training.pairs_seed,
        multiple=params.multiple,
        shrink=params.shrink,
        device=device,
        sigma=params.sigma,
        reject_folding=training.reject_folding,
    )
    sampler = sample()
    validation = sample(unseen=True).apart(UNSEEN) if training.validate_every else []
    describe_pairs(folder, sampler)
    count_displacements(folder, sampler)
    mapper = Mapper(folder, sampler, times=training.maps)
    exact = replace(pupil, mixed=is_mixed(params.precision, device))  # as it will register

    def after(done: int) -> None:
        mapper.record(done, pupil.model, pupil.alpha(done - 1))
        if watch is not None and (done % training.snapshot_every == 0 or done == training.iterations):
            with evaluating(pupil.model):
                watch(done, _registration(partial(exact, iteration=done - 1), params, device))

    try:
        loop.fit(make_learner(pupil, training, validation), sampler, folder, run=run, after=after)
    finally:
        mapper.finish()
    return save_weights(folder / WEIGHTS, _without_growth(pupil.model, params), {**_about(params), "run": run})


def cost(shape: Sequence[int], params: Params) -> dict[str, int]:
    """Return the parameters and multiply-accumulates of one registration, beside those of the paper's own network."""
    run, whole = partial(UNet, params), partial(UNet, full(params))
    return cost_beside_full(run, whole, shape=shape, multiple=params.multiple, shrink=params.shrink)


def full(params: Params) -> Params:
    """Return the same network at the paper's width, levels and resolution."""
    return Params(widths=params.widths, sigma=params.sigma, norm=params.norm)


@dataclass(frozen=True)
class Pupil:
    """A network in training and how it grows, None for the baseline."""

    model: UNet
    growth: Growth | None
    mixed: bool

    def __call__(self, fixed: Tensor, moving: Tensor, iteration: int) -> Tensor:
        """Return the displacement ``(n, 3, D, H, W)`` that counts at an iteration."""
        with mixed_precision(fixed, on=self.mixed):
            alpha = self.alpha(iteration)
            return self.model(fixed, moving) if alpha is None else self.model(fixed, moving, alpha=alpha)

    def alpha(self, iteration: int) -> tuple[float, ...] | None:
        """Return the weights of the levels at an iteration, None for the baseline."""
        return self.growth and self.growth.alpha(iteration)


def make_pupil(params: Params, training: Training, *, seed: int, device: str) -> Pupil:
    """Return a network as it starts to train."""
    growth = training.growth(params.levels)
    grown = partial(ProgressiveUNet, params, entry=training.entry, entry_kernel=training.entry_kernel)
    model = create(grown if growth else partial(UNet, params), seed=seed, device=device, fill=glorot)
    return Pupil(model.train(), growth, training.mixed_on(device))


def make_learner(pupil: Pupil, training: Training, validation: Sequence[SyntheticBatch] = ()) -> loop.Learner:
    """Return how a network learns from synthetic pairs, and is looked at on those of ``validation``."""

    def loss(batch: SyntheticBatch, done: int) -> Tensor:
        return _losses(pupil, training.loss_mask, replace(batch, iteration=done - 1))["total"]

    optimiser = descent(pupil.model.parameters(), rate=training.learning_rate, momentum=training.momentum)
    step = loop.descend(optimiser, partial(_losses, pupil, training.loss_mask))
    unseen = unseen_loss(pupil.model, validation, loss)
    whole = pupil.growth.full if pupil.growth else 0  # before that a lower level's loss counts
    return loop.Learner({"model": pupil.model}, {"model": optimiser}, step, unseen, whole)


def _losses(pupil: Pupil, loss_mask: str, batch: SyntheticBatch) -> dict[str, Tensor]:
    """Return the loss of Eq. 4, and beside it the levels' weights, for the curve."""
    pairs = batch.pairs
    predicted = pupil(pairs.fixed, pairs.moving, batch.iteration)
    mask = pairs.moving_mask if loss_mask == "moving" else pairs.fixed_mask
    total = displacement_loss(predicted, pairs.displacement, mask)
    weights = enumerate(pupil.alpha(batch.iteration) or ())
    return {"total": total, **{f"alpha_{level}": total.new_tensor(weight) for level, weight in weights}}


def _registration(predict: Callable[[Tensor, Tensor], Tensor], params: Params, device: str) -> Register:
    """Return the registration by a network, which is shown the magnitudes of the images' gradients, or themselves."""
    see = predict if params.sigma is None else partial(_seeing, predict, params.sigma)
    return partial(register, predict=see, device=device, multiple=params.multiple, shrink=params.shrink)


def _seeing(predict: Callable[[Tensor, Tensor], Tensor], sigma: float, fixed: Tensor, moving: Tensor) -> Tensor:
    return predict(gradient_magnitude(fixed, sigma), gradient_magnitude(moving, sigma))


def _in_precision(model: UNet, mixed: bool, fixed: Tensor, moving: Tensor) -> Tensor:
    with mixed_precision(fixed, on=mixed):
        return model(fixed, moving)


def _about(params: Params) -> dict[str, object]:
    """Return the metadata that a checkpoint must have."""
    return {"method": "progressive", "params": part(params, Sight)}


def _without_growth(model: UNet, size: Architecture) -> UNet:
    """Return the network as it registers: the layers that serve growth alone fall away."""
    with torch.device("meta"):
        bare = UNet(size)
    weights = model.state_dict()
    bare.load_state_dict({name: weights[name] for name in bare.state_dict()}, assign=True)
    return bare
