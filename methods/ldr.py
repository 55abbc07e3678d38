"""LDR: light-weight deformable registration, the network of the released code (Tran et al., arXiv:2110.01293).

A cascade of small strided U-Nets, 280,659 parameters each at full width, trained on the correlation of fixed and warped
images. The paper's text describes a different network (4^3 kernels, 16 to 128 channels, 1.55 M parameters); only the
released one has the printed 0.56, 0.84 and 1.12 M parameters for one to three cascades, here with ``stem="dense_ldr"``:
one initial network and then one a cascade, each scaled by 1/(cascades + 1). ``stem="affine_light"``, the composition
for brains, starts with a light affine stem and scales each network by 1/cascades.

Images whose axes are not multiples of 16 get zeros at their end, and the displacement is cropped back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F

from datasets.case import Dataset
from datasets.geometry import Array
from methods.blocks import cost as costs
from methods.blocks import training
from methods.blocks.cascade import Cascade
from methods.blocks.checkpoint import load_checkpoint, save_weights
from methods.blocks.losses import Weights, cascade_losses
from methods.blocks.networks import LightAffineStem, StridedUNet
from methods.blocks.padding import create, end_padding

Stem = Literal["dense_ldr", "affine_light"]
MULTIPLE = 16
WEIGHTS = "weights.safetensors"


def load(
    *,
    device: str,
    seed: int,
    checkpoint: Path | None = None,
    cascades: int = 1,
    channels: int = 32,
    stem: Stem = "dense_ldr",
    shrink: int = 1,
) -> Callable[..., Array]:
    """Return ``register(fixed, moving, spacing)``.

    Args:
        checkpoint: weights from `train`; without them the network is untrained, its weights drawn from ``seed``.
        cascades: number of cascades n, as the paper counts them.
        channels: width of the convolutions, 32 in the paper; even.
        stem: what comes before the n networks: one more of them (liver) or a light affine stem (brain).
        shrink: register at a resolution lower by this factor, where the network was trained on voxels that much larger.
    """
    if shrink < 1:
        raise ValueError(f"ldr: shrink must be at least 1, got {shrink}")
    params = _params(cascades, channels, stem)
    model = create(partial(_build, **params), seed=seed, device=device)
    if checkpoint is not None:
        load_checkpoint(checkpoint, model, expected={"method": "ldr", "params": params})
    return partial(_register, model.eval(), device, shrink)


def train(
    data: Dataset,
    folder: Path,
    *,
    device: str,
    seed: int,
    cascades: int = 1,
    channels: int = 32,
    stem: Stem = "dense_ldr",
    iterations: int = 100_000,
    batch: int = 4,
    learning_rate: float = 1e-4,
    schedule: training.Schedule = "rcn_step",
    augmentation: float = 1.0,
    regularisation: float = 1.0,
    checkpoint_every: int = 500,
) -> Path:
    """Train on the training pairs of ``data`` and return the checkpoint; the defaults are the paper's, except one.

    The released plain LDR has a learning-rate schedule of its own (``released_ldr``) with a sixth of the summed rate of
    everything it is compared with; ``rcn_step`` treats all alike.

    Args:
        augmentation: strength of the random warp of the moving image, 0 for none.
        regularisation: weight of the smoothness of each network's displacement.
    """
    params = _params(cascades, channels, stem)
    settings = training.Settings(iterations, batch, learning_rate, schedule, augmentation, checkpoint_every)
    run = training.run_name(data, "ldr", {**params, "regularisation": regularisation}, settings, seed)
    sampler = training.make_sampler(data, settings, seed=seed, multiple=MULTIPLE, device=device)
    model = create(partial(_build, **params), seed=seed, device=device)
    optimiser = torch.optim.Adam(model.parameters(), lr=learning_rate)
    mixed, weights = device.startswith("cuda"), Weights(regularisation=regularisation)

    def losses(batch: training.Batch) -> dict[str, torch.Tensor]:
        return cascade_losses(model(batch.fixed, batch.moving, mixed=mixed), batch.fixed, weights)

    learner = training.Learner({"model": model}, {"model": optimiser}, training.descend(model, optimiser, losses))
    training.fit(learner, sampler, folder, run=run)
    return save_weights(folder / WEIGHTS, model, {"method": "ldr", "params": params, "run": run})


def cost(
    shape: Sequence[int], *, cascades: int = 1, channels: int = 32, stem: Stem = "dense_ldr", shrink: int = 1
) -> dict[str, int]:
    """Parameters and multiply-accumulates of one registration at ``shape``, zeros at the end included."""
    padded = [(n + -n % (MULTIPLE * shrink)) // shrink for n in shape]
    return costs.registration_cost(partial(_build, **_params(cascades, channels, stem)), padded)


def _params(cascades: int, channels: int, stem: str) -> dict[str, Any]:
    if cascades < 1:
        raise ValueError(f"ldr: cascades must be at least 1, got {cascades}")
    if channels < 2 or channels % 2:
        raise ValueError(f"ldr: channels must be even and positive, got {channels}")
    if stem not in ("dense_ldr", "affine_light"):
        raise ValueError(f"ldr: stem must be 'dense_ldr' or 'affine_light', got {stem!r}")
    return {"cascades": cascades, "channels": channels, "stem": stem}


def _build(cascades: int, channels: int, stem: Stem) -> Cascade:
    full, half = channels, channels // 2
    networks = [
        StridedUNet((full, full, full, half), (full, full, full, full, half, half, half))
        for _ in range(cascades + (stem == "dense_ldr"))
    ]
    shares = [1 / len(networks)] * len(networks)
    if stem == "dense_ldr":
        return Cascade(networks, shares)
    affine = LightAffineStem([half, full, 2 * full, 4 * full])
    return Cascade([affine, *networks], [1.0, *shares])


@torch.inference_mode()
def _register(model: Cascade, device: str, shrink: int, fixed: Array, moving: Array, spacing: Sequence[float]) -> Array:
    pad = end_padding(fixed.shape, MULTIPLE * shrink)
    images = [F.pad(torch.from_numpy(np.array(image, np.float32)), pad)[None, None] for image in (fixed, moving)]
    small = [F.avg_pool3d(image.to(device), shrink) for image in images]
    displacement = model(*small).displacement
    if shrink > 1:  # areas aligned, as the average above has them; values in the larger grid's voxels
        displacement = shrink * F.interpolate(displacement, scale_factor=shrink, mode="trilinear", align_corners=False)
    depth, height, width = fixed.shape
    return np.ascontiguousarray(displacement[0].cpu().numpy()[:, :depth, :height, :width])
