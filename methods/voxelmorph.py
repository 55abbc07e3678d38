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

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from datasets.case import Dataset
from datasets.geometry import Array
from methods.blocks import cost as costs
from methods.blocks.registration import register
from methods.blocks.training import loop as training
from methods.blocks.training.checkpoint import load_checkpoint, save_weights
from methods.blocks.training.sampling import Batch, make_sampler
from methods.blocks.training.settings import Settings

Network = Literal["published", "package"]
ImageLoss = Literal["mse", "ncc"]
MULTIPLE = {"published": 16, "package": 32}
SMOOTHNESS = {"mse": 0.01, "ncc": 1.0}  # the package's own advice
FULL_CHANNELS = 32
FULL_SHAPE = (128, 128, 128)
FLOW_STD = 1e-5
WEIGHTS = "weights.safetensors"


def load(
    *,
    device: str,
    seed: int,
    checkpoint: Path | None = None,
    network: Network = "published",
    channels: int = 32,
    integration_steps: int = 7,
    integration_downsize: int = 2,
    shrink: int = 1,
) -> Callable[..., Array]:
    """Return ``register(fixed, moving, spacing)``.

    Args:
        checkpoint: weights from `train`; without them the network is untrained, its weights drawn from ``seed``.
        network: the published U-Net, or ``VxmPairwise`` as the package has it (then with 5 steps and downsize 1).
        channels: width of the widest convolutions of the published U-Net, 32; even, and all others go with it.
        integration_steps: squarings of the velocity's exponential; 0 takes the network's output as the displacement.
        integration_downsize: the velocity is integrated on a grid coarser by this factor: 1, 2, 4, 8 or 16.
        shrink: register at a resolution lower by this factor.
    """
    if shrink < 1:
        raise ValueError(f"voxelmorph: shrink must be at least 1, got {shrink}")
    params = _params(network, channels, integration_steps, integration_downsize)
    model = _create(params, seed, device)
    if checkpoint is not None:
        load_checkpoint(checkpoint, model, expected={"method": "voxelmorph", "params": params})
    model.eval()
    return partial(register, lambda fixed, moving: model(fixed, moving)[0], device, MULTIPLE[network], shrink)


def train(
    data: Dataset,
    folder: Path,
    *,
    device: str,
    seed: int,
    network: Network = "published",
    channels: int = 32,
    integration_steps: int = 7,
    integration_downsize: int = 2,
    shrink: int = 1,
    image_loss: ImageLoss = "mse",
    smoothness: float | None = None,
    iterations: int = 150_000,
    batch: int = 1,
    learning_rate: float = 1e-4,
    checkpoint_every: int = 500,
) -> Path:
    """Train on the training pairs of ``data`` and return the checkpoint; defaults as in the authors' script.

    A constant learning rate, no augmentation; 150,000 iterations are its 1500 epochs of 100 steps.

    Args:
        shrink: train on images whose resolution is lower by this factor.
        image_loss: mean squared error, or squared local correlation in windows of 9^3.
        smoothness: weight of the velocity's squared gradient; None is 0.01 for ``mse`` and 1 for ``ncc``.
    """
    params = _params(network, channels, integration_steps, integration_downsize)
    weight = _smoothness(image_loss, smoothness)
    settings = Settings(iterations, batch, learning_rate, "constant", 0.0, checkpoint_every)
    recipe = {"image_loss": image_loss, "smoothness": weight, "shrink": shrink}
    run = training.run_name(data, "voxelmorph", {**params, **recipe}, settings, seed)
    sampler = make_sampler(data, settings, seed=seed, multiple=MULTIPLE[network], device=device, shrink=shrink)
    model = _create(params, seed, device)
    optimiser = torch.optim.Adam(model.parameters(), lr=learning_rate)
    losses = partial(_losses, model, image_loss, weight * integration_downsize)
    learner = training.Learner({"model": model}, {"model": optimiser}, training.descend(optimiser, losses))
    training.fit(learner, sampler, folder, run=run)
    return save_weights(folder / WEIGHTS, model, {"method": "voxelmorph", "params": params, "run": run})


def cost(
    shape: Sequence[int],
    *,
    network: Network = "published",
    channels: int = 32,
    integration_steps: int = 7,
    integration_downsize: int = 2,
    shrink: int = 1,
) -> dict[str, int]:
    """Parameters and multiply-accumulates of one registration at ``shape``, zeros at the end included.

    ``full_parameters`` and ``full_macs`` are those of the same network at full width, at 128^3.
    """
    params = _params(network, channels, integration_steps, integration_downsize)
    multiple = MULTIPLE[network] * shrink
    run = costs.registration_cost(partial(_build, **params), [(n + -n % multiple) // shrink for n in shape])
    full = costs.registration_cost(partial(_build, **{**params, "channels": FULL_CHANNELS}), FULL_SHAPE)
    return {**run, **{f"full_{name}": value for name, value in full.items()}}


class VelocityNet(nn.Module):
    """A network of the package that gives a velocity, integrated on a coarser grid as the authors' script does."""

    def __init__(self, pairwise: nn.Module, steps: int, downsize: int) -> None:
        super().__init__()
        from voxelmorph.nn.modules import IntegrateVelocityField, ResizeDisplacementField

        self.pairwise = pairwise
        self.coarsen = ResizeDisplacementField(1 / downsize) if downsize > 1 else nn.Identity()
        self.integrate = IntegrateVelocityField(steps=steps)
        self.refine = ResizeDisplacementField(downsize) if downsize > 1 else nn.Identity()

    def forward(self, fixed: Tensor, moving: Tensor) -> tuple[Tensor, Tensor]:
        """Return the displacement ``(n, 3, D, H, W)`` and the velocity on the coarser grid, each in its own voxels."""
        velocity = self.coarsen(self.pairwise(moving, fixed))
        return self.refine(self.integrate(velocity)), velocity

    def warp(self, moving: Tensor, displacement: Tensor) -> Tensor:
        """Return the package's warped image, zeros outside."""
        return self.pairwise.spatial_transformer(moving, displacement)


def _params(network: str, channels: int, steps: int, downsize: int) -> dict[str, Any]:
    if network not in MULTIPLE:
        raise ValueError(f"voxelmorph: network must be 'published' or 'package', got {network!r}")
    if channels < 2 or channels % 2:
        raise ValueError(f"voxelmorph: channels must be even and positive, got {channels}")
    if steps < 0:
        raise ValueError(f"voxelmorph: integration_steps must not be negative, got {steps}")
    if downsize not in (1, 2, 4, 8, 16):
        raise ValueError(f"voxelmorph: integration_downsize must be 1, 2, 4, 8 or 16, got {downsize}")
    return {
        "network": network, "channels": channels, "integration_steps": steps, "integration_downsize": downsize
    }  # fmt: skip


def _smoothness(image_loss: str, smoothness: float | None) -> float:
    if image_loss not in SMOOTHNESS:
        raise ValueError(f"voxelmorph: image_loss must be 'mse' or 'ncc', got {image_loss!r}")
    if smoothness is not None and smoothness < 0:
        raise ValueError(f"voxelmorph: smoothness must not be negative, got {smoothness}")
    return SMOOTHNESS[image_loss] if smoothness is None else smoothness


def _create(params: dict[str, Any], seed: int, device: str) -> nn.Module:
    """Build a network with the package's initial weights, which it draws from torch's global generator."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model = _build(**params)
    return model.to(device, memory_format=torch.channels_last_3d)


def _build(network: Network, channels: int, integration_steps: int, integration_downsize: int) -> VelocityNet:
    pairwise = _published(channels) if network == "published" else _vxm_pairwise([channels // 2] * 5)
    return VelocityNet(pairwise, integration_steps, integration_downsize)


def _vxm_pairwise(features: Sequence[Any], **options: Any) -> nn.Module:
    """``VxmPairwise`` up to its velocity; it would integrate at full resolution alone, option or not."""
    from voxelmorph.nn.models import VxmPairwise

    device = str(torch.get_default_device())  # it moves its last layer there, which fails for one laid out on meta
    return VxmPairwise(3, 1, 1, nb_features=features, integration_steps=0, device=device, **options)


def _published(channels: int) -> nn.Module:
    """The published U-Net, 16, 32, 32, 32 down and 32 (five times), 16, 16 up, out of the package's parts."""
    from neurite.nn.modules import ConvBlock

    full, half, leaky = channels, channels // 2, nn.LeakyReLU(0.2)
    features = [[half, full, full, full], [full] * 4]
    pairwise = _vxm_pairwise(features, activations=leaky, unet_kwargs={"upsample_mode": "nearest"})
    last = [ConvBlock(3, full, half, activation=leaky), ConvBlock(3, half, half, activation=leaky)]
    pairwise.model.out_layer = nn.Sequential(*last)
    pairwise.flow_layer = ConvBlock(3, half, 3)
    nn.init.normal_(pairwise.flow_layer.conv0.weight, std=FLOW_STD)
    nn.init.zeros_(pairwise.flow_layer.conv0.bias)
    return pairwise


def _losses(model: VelocityNet, image_loss: ImageLoss, weight: float, batch: Batch) -> dict[str, Tensor]:
    """The similarity, the penalty on the velocity before integration, weighted, and their sum ``total``."""
    from neurite.nn.functional import mse, spatial_gradient

    displacement, velocity = model(batch.fixed, batch.moving)
    warped = model.warp(batch.moving, displacement)
    terms = {
        "similarity": mse(batch.fixed, warped) if image_loss == "mse" else _local_correlation_loss(batch.fixed, warped),
        "regularisation": weight * spatial_gradient(velocity, penalty="l2"),
    }
    return {**terms, "total": sum(terms.values())}


def _local_correlation_loss(fixed: Tensor, warped: Tensor) -> Tensor:
    """Minus the package's squared local correlation, in double precision; NaN where the package finds it unfit.

    In single precision the variance of a uniform window comes out as a small negative number, which can cancel the
    package's 1e-5 in the denominator.
    """
    from neurite.nn.functional import ncc

    try:
        return -ncc(fixed.double(), warped.double(), window_size=9, eps=1e-5).mean().float()
    except AssertionError:  # values that are not finite; the training loop reports them with iteration and pairs
        return warped.new_tensor(float("nan"))
