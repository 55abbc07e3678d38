"""Recursive cascades: VTN, RCN, the VoxelMorph of their comparison, LDR, and the other students of the LDR paper.

One module, as in the released codes, because these methods differ by their base network, their stem and their losses
alone. A stem first (affine, or one more base network), then ``cascades`` base networks, each registering the image as
warped so far; trained on the correlation of fixed and warped images, or as the student of a teacher (ALDK).

Sources: Recursive Cascaded Networks (Zhao et al., ICCV 2019, doi:10.1109/ICCV.2019.01070), VTN (arXiv:1902.05020), LDR
and ALDK (Tran et al., arXiv:2110.01293), and their released codes. Of the two networks that the LDR paper and its code
describe, ``base="ldr"`` is the released one, which alone has the printed 0.56, 0.84 and 1.12 M parameters (with
``stem="dense"``); ``base="ldr_text"`` is the printed one, 1.55 M parameters a network and a seventh of the work.

Images whose axes are not multiples of 16 get zeros at their end, and the displacement is cropped back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from datasets.case import Dataset
from datasets.geometry import Array
from methods.blocks.cascades.cascade import Cascade, Registration
from methods.blocks.cascades.composition import Base, Stem, build, check, full_width
from methods.blocks.cascades.discriminator import build_discriminator
from methods.blocks.cascades.distillation import Aldk, Distillation
from methods.blocks.cascades.losses import Judged, Weights, cascade_losses, invertibility_loss
from methods.blocks.cost import registration_cost
from methods.blocks.layers import create
from methods.blocks.registration import register
from methods.blocks.training import loop, parallel
from methods.blocks.training.checkpoint import load_checkpoint, read_metadata, save_weights
from methods.blocks.training.sampling import Batch, make_sampler
from methods.blocks.training.settings import Schedule, Settings

MULTIPLE = 16
PAPER_SHAPE = (128, 128, 128)
WEIGHTS = "weights.safetensors"


def load(
    *,
    device: str,
    seed: int,
    checkpoint: Path | None = None,
    base: Base = "vtn",
    stem: Stem | None = None,
    cascades: int = 1,
    channels: int | None = None,
    scale: float | None = None,
    repeat: int = 1,
    shrink: int = 1,
) -> Callable[..., Array]:
    """Return ``register(fixed, moving, spacing)``.

    Args:
        checkpoint: weights from `train`; without them the network is untrained, its weights drawn from ``seed``.
        base: the network of each cascade.
        stem: what comes first: ``vtn_affine``, ``affine_light`` (LDR on brains), ``dense`` (one more base network: LDR
            on livers) or ``none``. None is what the base's printed size counts: ``vtn_affine`` for vtn and voxelmorph,
            ``dense`` for ldr, else ``none``.
        cascades: number of cascades n, as the papers count them; each predicts 1/n of the displacement, 1/(n + 1)
            after a dense stem.
        channels: width of the base network's first convolution (of the widest ones for voxelmorph and ldr); None is
            the papers': 16 for vtn, unet and ldr_text, 32 for voxelmorph, ldr and mobilenet. Stems follow it.
        scale: further factor of every dense prediction; None is the released codes': 20 for vtn and unet, else 1.
        repeat: how often each dense network runs in sequence, with the same weights.
        shrink: register at a resolution lower by this factor.
    """
    if shrink < 1 or repeat < 1:
        raise ValueError(f"recursive: shrink and repeat must be at least 1, got {shrink} and {repeat}")
    params = check(base=base, stem=stem, cascades=cascades, channels=channels, scale=scale)
    model = create(partial(build, **params, repeat=repeat), seed=seed, device=device)
    if checkpoint is not None:
        load_checkpoint(checkpoint, model, expected={"method": "recursive", "params": params})
    model.eval()
    return partial(register, lambda fixed, moving: model(fixed, moving).displacement, device, MULTIPLE, shrink)


def train(
    data: Dataset,
    folder: Path,
    *,
    device: str,
    seed: int,
    teacher: Path | None = None,
    base: Base = "vtn",
    stem: Stem | None = None,
    cascades: int = 1,
    channels: int | None = None,
    scale: float | None = None,
    shrink: int = 1,
    iterations: int = 100_000,
    batch: int = 4,
    learning_rate: float = 1e-4,
    schedule: Schedule = "rcn_step",
    augmentation: float = 1.0,
    similarity: Judged = "last",
    regularisation: float = 1.0,
    invertibility: float = 0.0,
    aldk: Aldk | None = None,
    precision: Literal["mixed", "float32"] = "mixed",
    processes: int = 1,
    checkpoint_every: int = 500,
) -> Path:
    """Train on the training pairs of ``data`` and return the checkpoint; the defaults are the released codes', but one.

    The released plain LDR has a learning-rate schedule of its own (``released_ldr``) with a sixth of the summed rate of
    everything it is compared with; ``rcn_step`` treats all alike. (The LDR paper states a constant rate and no
    regularisation.)

    Args:
        teacher: the teacher's checkpoint, of this module too; it and ``aldk`` go together.
        shrink: train on images whose resolution is lower by this factor.
        augmentation: strength of the random warp of the moving image, 0 for none.
        similarity: whether the last warped image is compared with the fixed one (RCN, LDR) or every stage's (VTN).
        regularisation: weight of the smoothness of each network's own displacement.
        invertibility: weight of the round trip with the swapped pair (VTN's option); 0 spares the second pass.
        aldk: how the student learns from its teacher; None is training without one.
        precision: ``mixed`` runs convolutions in bfloat16 on CUDA; it changes nothing on the CPU.
        processes: train on so many GPUs (on the CPU: in so many processes), each with its share of the batch.
    """
    same = partial(train, **locals())  # first of all, while the arguments are the only locals
    if (aldk is None) != (teacher is None):
        raise ValueError("recursive: aldk and a teacher go together, got only one of them")
    params = check(base=base, stem=stem, cascades=cascades, channels=channels, scale=scale)
    settings = Settings(iterations, batch, learning_rate, schedule, augmentation, checkpoint_every)
    if precision not in ("mixed", "float32"):
        raise ValueError(f"recursive: precision must be 'mixed' or 'float32', got {precision!r}")
    if batch % processes:
        raise ValueError(f"recursive: a batch of {batch} cannot be shared among {processes} processes")
    if processes > parallel.size():
        parallel.run(same, processes, device)
        return folder / WEIGHTS
    weights = Weights(regularisation=regularisation, stages=similarity)
    about = {"similarity": similarity, "regularisation": regularisation, "invertibility": invertibility}
    about |= {"aldk": asdict(aldk), "teacher": read_metadata(teacher)} if aldk and teacher else {}
    mixed = precision == "mixed" and device.startswith("cuda")
    about |= {"shrink": shrink, "precision": "bfloat16" if mixed else "float32"}
    about |= {"processes": processes} if processes > 1 else {}  # each draws its own augmentation
    run = loop.run_name(data, "recursive", {**params, **about}, settings, seed)
    sampler = make_sampler(data, settings, seed=seed, multiple=MULTIPLE, device=device, shrink=shrink)
    model = create(partial(build, **params), seed=seed, device=device).train()
    wrapped = parallel.wrap(model)
    losses = partial(_losses, wrapped, weights, invertibility, mixed)
    learner = _learner(model, wrapped, losses, settings, aldk, teacher, seed, device, mixed)
    loop.fit(learner, sampler, folder, run=run)
    if parallel.rank() == 0:
        save_weights(folder / WEIGHTS, model, {"method": "recursive", "params": params, "run": run})
    return folder / WEIGHTS


def cost(
    shape: Sequence[int],
    *,
    base: Base = "vtn",
    stem: Stem | None = None,
    cascades: int = 1,
    channels: int | None = None,
    scale: float | None = None,
    repeat: int = 1,
    shrink: int = 1,
) -> dict[str, int]:
    """Parameters and multiply-accumulates of one registration at ``shape``, zeros at the end included.

    ``full_parameters`` and ``full_macs`` are those of the same composition at the papers' width and 128^3.
    """
    params = check(base=base, stem=stem, cascades=cascades, channels=channels, scale=scale)
    padded = [(n + -n % (MULTIPLE * shrink)) // shrink for n in shape]
    full = registration_cost(partial(build, **full_width(params), repeat=repeat), PAPER_SHAPE)
    return {
        **registration_cost(partial(build, **params, repeat=repeat), padded),
        **{f"full_{name}": value for name, value in full.items()},
    }


def _losses(
    model: torch.nn.Module, weights: Weights, invertibility: float, mixed: bool, result: Registration, batch: Batch
) -> dict[str, torch.Tensor]:
    terms = cascade_losses(result, batch.fixed, weights)
    if invertibility:
        back = model(batch.moving, batch.fixed, mixed=mixed).displacement
        terms["invertibility"] = invertibility * invertibility_loss(result.displacement, back)
        terms["total"] = terms["total"] + terms["invertibility"]
    return terms


def _learner(
    model: Cascade,
    wrapped: torch.nn.Module,
    losses: Callable[[Registration, Batch], dict[str, torch.Tensor]],
    settings: Settings,
    aldk: Aldk | None,
    teacher: Path | None,
    seed: int,
    device: str,
    mixed: bool,
) -> loop.Learner:
    """What is trained and how: the network alone, or the network beside a discriminator and under a teacher.

    ``model`` holds the weights, ``wrapped`` is what to call for gradients of the whole batch.
    """
    modules: dict[str, torch.nn.Module] = {"model": model}
    optimisers = {"model": torch.optim.Adam(model.parameters(), lr=settings.learning_rate)}
    if aldk is None or teacher is None:
        plain = loop.descend(
            optimisers["model"], lambda batch: losses(wrapped(batch.fixed, batch.moving, mixed=mixed), batch)
        )
        return loop.Learner(modules, optimisers, plain)
    discriminator = None
    if aldk.objective != "flow_l2":
        critic = partial(build_discriminator, aldk.disc, aldk.disc_output, aldk.disc_channels)
        other = int(np.random.SeedSequence([seed, 1]).generate_state(1)[0])  # not the student's own stream
        discriminator = modules["discriminator"] = create(critic, seed=other, device=device)
    if discriminator is not None and aldk.trains_discriminator:
        group = {"params": list(discriminator.parameters()), "rate": aldk.disc_rate}
        optimisers["discriminator"] = torch.optim.Adam([group])
    taught = _load_teacher(teacher, device)
    distillation = Distillation(aldk, settings.iterations, wrapped, taught, discriminator, optimisers, losses, mixed)
    return loop.Learner(modules, optimisers, distillation.step)


def _load_teacher(path: Path, device: str) -> Cascade:
    """The network of a checkpoint, frozen."""
    about = read_metadata(path)
    if about.get("method") != "recursive":
        raise ValueError(f"{path}: a teacher must be a network of methods/recursive.py, got {about.get('method')!r}")
    model = create(partial(build, **about["params"]), seed=0, device=device)
    return load_checkpoint(path, model, expected={}).eval().requires_grad_(False)
