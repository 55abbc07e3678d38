"""VoxelMorph as its authors train it: their package (voxelmorph on PyPI, 0.3.4) and the recipe of their script.

Balakrishnan et al. 2019, doi:10.1109/TMI.2019.2897538; Dalca et al. 2019, doi:10.1016/j.media.2019.07.006.

Independent of this suite's own blocks: network, integration, warp and losses are the package's. It is not the
VoxelMorph that the LDR paper compares with, a strided network behind an affine stem, trained by the recipe of RCN.

The package no longer has the published network by itself. ``VxmPairwise`` by its defaults (``network="package"``, 16
channels on six levels, ReLU, 5 steps at full resolution) has 105,017 parameters, and with the published channels it
ends at 305,609 for want of the last two layers. ``network="published"`` puts them back, with the leaky ReLU, the
nearest up-sampling and the integration at half resolution that the script used: 327,331 parameters.

Images whose axes are not multiples of 16 (of 32 for ``package``) get zeros at their end, and the displacement is
cropped back. The package's displacements are those of `datasets.geometry`; it reads zeros outside of the moving image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from datasets.case import Dataset
from methods import Register
from methods.blocks.cost import cost_beside_full
from methods.blocks.initial import channels_last
from methods.blocks.options import Resolution, not_negative, part
from methods.blocks.registration import register
from methods.blocks.training import loop
from methods.blocks.training.checkpoint import WEIGHTS, load_checkpoint, save_weights
from methods.blocks.training.optimisers import adam
from methods.blocks.training.sampling import Batch, make_sampler, validation_batches
from methods.blocks.training.settings import LoopOptions
from methods.blocks.training.unseen import unseen_loss

Network = Literal["published", "package"]
ImageLoss = Literal["mse", "ncc"]
MULTIPLE: Mapping[Network, int] = {"published": 16, "package": 32}
SMOOTHNESS: Mapping[ImageLoss, float] = {"mse": 0.01, "ncc": 1.0}  # the package's own advice
FULL_CHANNELS = 32
FLOW_STD = 1e-5


@dataclass(frozen=True)
class Architecture:
    """A network as its weights need it."""

    # the published U-Net, or VxmPairwise as the package has it (then with integration_steps 5, integration_downsize 1)
    network: Network = "published"
    channels: int = 32  # width of the widest convolutions of the published U-Net; even, and all others go with it
    integration_steps: int = 7  # squarings of the velocity's exponential; 0 takes the output as the displacement
    integration_downsize: int = 2  # the velocity is integrated on a grid coarser by this factor: 1, 2, 4, 8 or 16

    def __post_init__(self) -> None:
        if self.channels < 2 or self.channels % 2:
            raise ValueError(f"voxelmorph: channels must be even and positive, got {self.channels}")
        not_negative("voxelmorph", integration_steps=self.integration_steps)
        if self.integration_downsize not in (1, 2, 4, 8, 16):
            raise ValueError(
                f"voxelmorph: integration_downsize must be 1, 2, 4, 8 or 16, got {self.integration_downsize}"
            )


@dataclass(frozen=True)
class Params(Architecture, Resolution):
    """The options of the registration, beside those of the network."""

    def __post_init__(self) -> None:
        super().__post_init__()
        Resolution.__post_init__(self)


@dataclass(frozen=True)
class Training(LoopOptions):
    """The options of training; the defaults are the authors' script's, without augmentation."""

    iterations: int = 150_000  # updates of the weights: 1500 epochs of 100 steps
    image_loss: ImageLoss = "mse"  # mean squared error, or squared local correlation in windows of 9^3
    # weight of the velocity's squared gradient; null takes 0.01 for mse and 1 for ncc, the package's advice
    smoothness: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        not_negative("voxelmorph", smoothness=self.smoothness)

    @property
    def weight(self) -> float:
        """The weight of the velocity's squared gradient."""
        return SMOOTHNESS[self.image_loss] if self.smoothness is None else self.smoothness


def load(params: Params, *, device: str, seed: int, checkpoint: Path | None = None) -> Register:
    """Return ``register(fixed, moving, spacing)``, by the weights of `train` or by untrained ones."""
    model = _create(params, seed, device)
    if checkpoint is not None:
        load_checkpoint(checkpoint, model, expected=_about(params))
    model.eval()
    multiple = MULTIPLE[params.network]
    return partial(register, predict=model.displacement, device=device, multiple=multiple, shrink=params.shrink)


def train(data: Dataset, folder: Path, params: Params, training: Training, *, device: str, seed: int) -> Path:
    """Train on the training pairs of ``data`` and return the checkpoint."""
    run = loop.run_name(data, params, training, method="voxelmorph", seed=seed)
    multiple = MULTIPLE[params.network]
    sampler = make_sampler(data, training, seed=seed, multiple=multiple, device=device, shrink=params.shrink)
    model = _create(params, seed, device)
    optimiser = adam(model.parameters(), rate=training.learning_rate)
    losses = partial(_losses, model, training.image_loss, training.weight * params.integration_downsize)
    validation = validation_batches(data, training, multiple=multiple, device=device, shrink=params.shrink)
    unseen = unseen_loss(model, validation, lambda batch, done: losses(batch)["total"])
    learner = loop.Learner({"model": model}, {"model": optimiser}, loop.descend(optimiser, losses), unseen)
    loop.fit(learner, sampler, folder, run=run)
    return save_weights(folder / WEIGHTS, model, {**_about(params), "run": run})


def cost(shape: Sequence[int], params: Params) -> dict[str, int]:
    """Return the parameters and multiply-accumulates of one registration, beside those at full width."""
    run, multiple = partial(_build, params), MULTIPLE[params.network]
    return cost_beside_full(run, partial(_build, full(params)), shape=shape, multiple=multiple, shrink=params.shrink)


def full(params: Params) -> Params:
    """Return the same network at the authors' width and full resolution."""
    return replace(params, channels=FULL_CHANNELS, shrink=1)


class VelocityNet(nn.Module):
    """A network of the package that gives a velocity, integrated on a coarser grid as the authors' script does."""

    def __init__(self, pairwise: nn.Module, steps: int, downsize: int) -> None:
        super().__init__()
        from voxelmorph.nn.modules import IntegrateVelocityField, ResizeDisplacementField

        self.pairwise: Any = pairwise
        self.coarsen = ResizeDisplacementField(1 / downsize) if downsize > 1 else nn.Identity()
        self.integrate = IntegrateVelocityField(steps=steps)
        self.refine = ResizeDisplacementField(downsize) if downsize > 1 else nn.Identity()

    def forward(self, fixed: Tensor, moving: Tensor) -> tuple[Tensor, Tensor]:
        """Return the displacement ``(n, 3, D, H, W)`` and the velocity on the coarser grid, each in its own voxels."""
        velocity = self.coarsen(self.pairwise(moving, fixed))
        return self.refine(self.integrate(velocity)), velocity

    def displacement(self, fixed: Tensor, moving: Tensor) -> Tensor:
        """Return the displacement alone."""
        return self(fixed, moving)[0]

    def warp(self, moving: Tensor, displacement: Tensor) -> Tensor:
        """Return the package's warped image, zeros outside."""
        return self.pairwise.spatial_transformer(moving, displacement)


def _about(params: Params) -> dict[str, object]:
    """Return the metadata that a checkpoint must have."""
    return {"method": "voxelmorph", "params": part(params, Architecture)}


def _create(architecture: Architecture, seed: int, device: str) -> VelocityNet:
    """Build a network with the package's initial weights, which it draws from torch's global generator."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model = _build(architecture)
    return channels_last(model, device)


def _build(architecture: Architecture) -> VelocityNet:
    channels = architecture.channels
    pairwise = _published(channels) if architecture.network == "published" else _vxm_pairwise([channels // 2] * 5)
    return VelocityNet(pairwise, architecture.integration_steps, architecture.integration_downsize)


def _vxm_pairwise(features: Sequence[Any], **options: Any) -> Any:
    """Return ``VxmPairwise`` up to its velocity; it would integrate at full resolution alone, option or not."""
    from voxelmorph.nn.models import VxmPairwise

    device = str(torch.get_default_device())  # it moves its last layer there, which fails for one laid out on meta
    return VxmPairwise(3, 1, 1, nb_features=features, integration_steps=0, device=device, **options)


def _published(channels: int) -> nn.Module:
    """Return the published U-Net, 16, 32, 32, 32 down and 32 (five times), 16, 16 up, out of the package's parts."""
    from neurite.nn.modules import ConvBlock

    full, half, leaky = channels, channels // 2, nn.LeakyReLU(0.2)
    features = [[half, full, full, full], [full] * 4]
    pairwise = _vxm_pairwise(features, activations=leaky, unet_kwargs={"upsample_mode": "nearest"})
    last = [ConvBlock(3, full, half, activation=leaky), ConvBlock(3, half, half, activation=leaky)]
    pairwise.model.out_layer = nn.Sequential(*last)
    flow: Any = ConvBlock(3, half, 3)
    nn.init.normal_(flow.conv0.weight, std=FLOW_STD)
    nn.init.zeros_(flow.conv0.bias)
    pairwise.flow_layer = flow
    return pairwise


def _losses(model: VelocityNet, image_loss: ImageLoss, weight: float, batch: Batch) -> dict[str, Tensor]:
    """Return the similarity, the penalty on the velocity before integration, weighted, and their sum ``total``."""
    from neurite.nn.functional import mse, spatial_gradient

    displacement, velocity = model(batch.fixed, batch.moving)
    warped = model.warp(batch.moving, displacement)
    similarity = mse(batch.fixed, warped) if image_loss == "mse" else _local_correlation_loss(batch.fixed, warped)
    penalty = weight * spatial_gradient(velocity, penalty="l2")
    return {"similarity": similarity, "regularisation": penalty, "total": similarity + penalty}


def _local_correlation_loss(fixed: Tensor, warped: Tensor) -> Tensor:
    """Return minus the package's squared local correlation, in double precision; NaN where the package finds it unfit.

    In single precision the variance of a uniform window comes out as a small negative number, which can cancel the
    package's 1e-5 in the denominator.
    """
    from neurite.nn.functional import ncc

    try:
        return -ncc(fixed.double(), warped.double(), window_size=9, eps=1e-5).mean().float()
    except AssertionError:  # values that are not finite; the training loop reports them with iteration and pairs
        return warped.new_tensor(float("nan"))
