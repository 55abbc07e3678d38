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
from datasets.geometry import Array
from methods.blocks.cascades.losses import displacement_loss
from methods.blocks.cost import registration_cost
from methods.blocks.layers import create
from methods.blocks.progressive.growth import Growth
from methods.blocks.progressive.record import Mapper, Watch, count_displacements, describe_pairs, evaluating
from methods.blocks.progressive.sampling import SyntheticBatch, make_synthetic_sampler
from methods.blocks.progressive.synthesis import gradient_magnitude
from methods.blocks.progressive.unet import Entry, NormMode, ProgressiveUNet, UNet, Widths, glorot
from methods.blocks.registration import register
from methods.blocks.training import loop
from methods.blocks.training.checkpoint import load_checkpoint, save_weights
from methods.blocks.training.settings import Schedule, Settings

PAPER_SHAPE = (128, 128, 128)
PAPER_CHANNELS, PAPER_LEVELS = 16, 5
WEIGHTS = "weights.safetensors"


def load(
    *,
    device: str,
    seed: int,
    checkpoint: Path | None = None,
    channels: int = PAPER_CHANNELS,
    levels: int = PAPER_LEVELS,
    widths: Widths = "early",
    norm: NormMode = "running",
    sigma: float | None = 0.5,
    shrink: int = 1,
) -> Callable[..., Array]:
    """Return ``register(fixed, moving, spacing)``.

    Args:
        checkpoint: weights from `train`; without them the network is untrained, its weights drawn from ``seed``.
        channels: width of the first convolution; all others scale with it.
        levels: number of resolutions.
        widths: ``early`` doubles the channels before each pooling (Çiçek et al.), ``plain`` within neither.
        norm: batch normalisation by the averages of training, or by each volume's own statistics.
        sigma: width in voxels of the Gaussian whose gradients' magnitudes the network sees; None for intensities.
        shrink: register at a resolution lower by this factor.
    """
    params = _params(channels, levels, widths, sigma, shrink)
    model = create(partial(UNet, channels, levels=levels, widths=widths, norm=norm), seed=seed, device=device,
                   fill=glorot)  # fmt: skip
    if checkpoint is not None:
        load_checkpoint(checkpoint, model, expected={"method": "progressive", "params": params})
    return partial(register, _seeing(model.eval(), sigma), device, 2 ** (levels - 1), shrink)


def train(
    data: Dataset,
    folder: Path,
    *,
    device: str,
    seed: int,
    watch: Watch | None = None,
    channels: int = PAPER_CHANNELS,
    levels: int = PAPER_LEVELS,
    widths: Widths = "early",
    sigma: float | None = 0.5,
    shrink: int = 1,
    transition: float = 2000,
    duration: float = 6000,
    entry: Entry = "block",
    entry_kernel: Literal[1, 3] = 3,
    iterations: int = 40_000,
    batch: int = 1,
    learning_rate: float = 1e-2,
    schedule: Schedule = "constant",
    momentum: float = 0.5,
    loss_mask: Literal["moving", "fixed"] = "moving",
    reject_folding: bool = False,
    pairs_seed: int | None = None,
    precision: Literal["mixed", "float32"] = "float32",
    snapshot_every: int = 50,
    maps: int = 8,
    checkpoint_every: int = 500,
) -> Path:
    """Train on synthetic pairs of the training scans of ``data`` and return the checkpoint.

    Networks of one ``seed`` start from the same weights and, of one ``pairs_seed``, see the same pairs, whatever their
    schedule. Layers that serve growth alone are not in the checkpoint.

    Args:
        watch: called after every ``snapshot_every`` updates with their number and the registration as it stands.
        transition: delta, iterations in which a level fades in and the one below it out; 0 makes that a step.
        duration: Delta, iterations that a level counts, transitions included; 0 is the baseline.
        entry: input convolutions of the lower levels with normalisation and activation, or without.
        entry_kernel: their size.
        batch: pairs an iteration; batch normalisation takes the statistics of them all.
        schedule: of the learning rate; the paper's is constant.
        loss_mask: whose field of view weighs the loss: the moving scan's, as published, or the fixed one's.
        reject_folding: draw transforms that fold anew.
        pairs_seed: draws scans and transforms; None is ``seed``.
        precision: ``mixed`` runs convolutions in bfloat16 on CUDA; it changes nothing on the CPU.
        maps: how many times the displacement of one synthetic pair is kept to be looked at.
    """
    settings = Settings(iterations, batch, learning_rate, schedule, 0.0, checkpoint_every)
    growth = _growth(transition, duration, levels, iterations)
    _check(loss_mask=loss_mask, precision=precision, snapshot_every=snapshot_every, maps=maps)
    mixed = precision == "mixed" and device.startswith("cuda")
    params = _params(channels, levels, widths, sigma, shrink)
    about = {
        "transition": transition, "duration": duration, "entry": entry, "entry_kernel": entry_kernel,
        "momentum": momentum, "loss_mask": loss_mask, "reject_folding": reject_folding, "pairs_seed": pairs_seed,
        "precision": "bfloat16" if mixed else "float32",
    }  # fmt: skip
    run = loop.run_name(data, "progressive", {**params, **about}, settings, seed)
    sampler = make_synthetic_sampler(
        data, settings, seed=seed if pairs_seed is None else pairs_seed, multiple=2 ** (levels - 1), shrink=shrink,
        device=device, sigma=sigma, reject_folding=reject_folding,
    )  # fmt: skip
    plain = partial(UNet, channels, levels=levels, widths=widths)
    grown = partial(ProgressiveUNet, channels, levels=levels, widths=widths, entry=entry, entry_kernel=entry_kernel)
    model = create(grown if growth else plain, seed=seed, device=device, fill=glorot).train()
    pupil = Pupil(model, growth, mixed)
    optimiser = torch.optim.SGD(model.parameters(), lr=learning_rate, momentum=momentum)
    step = loop.descend(optimiser, partial(_losses, pupil, loss_mask))
    describe_pairs(folder, sampler)
    count_displacements(folder, sampler)
    mapper = Mapper(folder, sampler, times=maps)
    exact = replace(pupil, mixed=False)  # as it will register

    def after(done: int) -> None:
        mapper.record(done, model, pupil.alpha(done - 1))
        if watch is not None and (done % snapshot_every == 0 or done == iterations):
            see = _seeing(partial(exact, iteration=done - 1), sigma)
            with evaluating(model):
                watch(done, partial(register, see, device, 2 ** (levels - 1), shrink))

    learner = loop.Learner({"model": model}, {"model": optimiser}, step)
    try:
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=mixed):  # single precision means single precision
            loop.fit(learner, sampler, folder, run=run, after=after)
    finally:
        mapper.finish()
    named = {"method": "progressive", "params": params, "run": run}
    save_weights(folder / WEIGHTS, _without_growth(model, plain), named)
    return folder / WEIGHTS


def cost(
    shape: Sequence[int],
    *,
    channels: int = PAPER_CHANNELS,
    levels: int = PAPER_LEVELS,
    widths: Widths = "early",
    norm: NormMode = "running",
    sigma: float | None = 0.5,
    shrink: int = 1,
) -> dict[str, int]:
    """Parameters and multiply-accumulates of one registration at ``shape``, zeros at the end included.

    ``full_parameters`` and ``full_macs`` are those of the paper's own network at 128^3; ``norm`` and ``sigma`` change
    neither.
    """
    multiple = 2 ** (levels - 1) * shrink
    padded = [(n + -n % multiple) // shrink for n in shape]
    full = registration_cost(partial(UNet, widths=widths), PAPER_SHAPE)
    return {
        **registration_cost(partial(UNet, channels, levels=levels, widths=widths), padded),
        **{f"full_{name}": value for name, value in full.items()},
    }


@dataclass(frozen=True)
class Pupil:
    """A network in training and its schedule, None for the baseline."""

    model: UNet
    growth: Growth | None
    mixed: bool

    def __call__(self, fixed: Tensor, moving: Tensor, iteration: int) -> Tensor:
        """The displacement ``(n, 3, D, H, W)`` that counts at an iteration."""
        with torch.autocast("cuda", torch.bfloat16, enabled=self.mixed):
            alpha = self.alpha(iteration)
            return self.model(fixed, moving) if alpha is None else self.model(fixed, moving, alpha=alpha)

    def alpha(self, iteration: int) -> tuple[float, ...] | None:
        return self.growth and self.growth.alpha(iteration)


def _losses(pupil: Pupil, loss_mask: str, batch: SyntheticBatch) -> dict[str, Tensor]:
    """Eq. 4, and beside it the levels' weights, for the curve."""
    pairs = batch.pairs
    predicted = pupil(pairs.fixed, pairs.moving, batch.iteration)
    mask = pairs.moving_mask if loss_mask == "moving" else pairs.fixed_mask
    total = displacement_loss(predicted, pairs.displacement, mask)
    weights = enumerate(pupil.alpha(batch.iteration) or ())
    return {"total": total, **{f"alpha_{level}": total.new_tensor(weight) for level, weight in weights}}


def _seeing(predict: Callable[[Tensor, Tensor], Tensor], sigma: float | None) -> Callable[[Tensor, Tensor], Tensor]:
    """What a network is to see of two images: the magnitudes of their gradients, or themselves."""
    if sigma is None:
        return predict
    return lambda fixed, moving: predict(gradient_magnitude(fixed, sigma), gradient_magnitude(moving, sigma))


def _without_growth(model: UNet, plain: Callable[[], UNet]) -> UNet:
    """The network as it registers: the layers that serve growth alone fall away."""
    with torch.device("meta"):
        bare = plain()
    weights = model.state_dict()
    bare.load_state_dict({name: weights[name] for name in bare.state_dict()}, assign=True)
    return bare


def _growth(transition: float, duration: float, levels: int, iterations: int) -> Growth | None:
    growth = Growth(transition, duration, levels)
    if growth.full >= iterations:
        raise ValueError(
            f"progressive: the last level is alone from iteration {growth.full:g}, which must be below iterations, "
            f"got {iterations}; make duration or transition shorter"
        )
    return growth if duration else None


def _params(channels: int, levels: int, widths: str, sigma: float | None, shrink: int) -> dict[str, object]:
    if shrink < 1 or (sigma is not None and not sigma > 0):
        raise ValueError(f"progressive: shrink must be at least 1 and sigma positive or None, got {shrink}, {sigma}")
    return {"channels": channels, "levels": levels, "widths": widths, "sigma": sigma, "shrink": shrink}


def _check(*, loss_mask: str, precision: str, snapshot_every: int, maps: int) -> None:
    if loss_mask not in ("moving", "fixed"):
        raise ValueError(f"progressive: loss_mask must be 'moving' or 'fixed', got {loss_mask!r}")
    if precision not in ("mixed", "float32"):
        raise ValueError(f"progressive: precision must be 'mixed' or 'float32', got {precision!r}")
    if snapshot_every < 1 or maps < 0:
        raise ValueError(f"progressive: needs snapshot_every >= 1 and maps >= 0, got {snapshot_every} and {maps}")
