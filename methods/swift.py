"""Swift: a network of this project, beyond the papers, made to register in a twentieth of RCN's time on a CPU.

It sees averages over cubes of four voxels, and moves control points of a cubic B-spline, one for eight voxels of the
images. At a few coarse grids, the coarsest first, it looks at the pair a few times: at the fixed image, the moving one
as warped so far, and the force of the demons between them, and each time adds to the control points what a small
network makes of that. Everything is small until the spline is read at every voxel, the last step. docs/student.md says
what each piece costs, and how that led to this network.

Known before: looking again at the warped image (Zhao et al. 2019, doi:10.1109/ICCV.2019.01070), the forces (Thirion
1998, doi:10.1016/S1361-8415(98)80022-4), coarse-to-fine networks that share what they learn (LightCRCF,
doi:10.1002/mp.17827) and networks that move control points (GridReg, arXiv:2603.16940).

Images whose axes are not multiples get zeros at their end, and the displacement is cropped back.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from datasets.case import Dataset
from methods import Register
from methods.blocks.cascades.composition import load_teacher
from methods.blocks.cascades.lesson import Lesson, Lessons
from methods.blocks.cascades.swift import Design, Swift
from methods.blocks.cost import cost_beside_full
from methods.blocks.hardware import is_mixed
from methods.blocks.initial import create
from methods.blocks.options import part, positive
from methods.blocks.precision import Precision
from methods.blocks.registration import prepared, register
from methods.blocks.training import loop, parallel
from methods.blocks.training.checkpoint import WEIGHTS, CheckpointError, load_checkpoint, read_metadata, save_weights
from methods.blocks.training.sampling import make_sampler, validation_batches

SHRINK = 4
TAUGHT = 16  # what axes of images that a teacher registers are multiples of
TEACHERS = ("recursive",)


@dataclass(frozen=True)
class Params(Design):
    """The options of the registration, beside those of the network."""

    shrink: int = SHRINK  # the network sees averages over cubes of so many voxels a side
    # mixed runs convolutions in bfloat16, heads and warps in float32, and is refused where the device has none
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        super().__post_init__()
        positive("swift", shrink=self.shrink)


@dataclass(frozen=True)
class Training(Lessons):
    """The options of training, those of the cascades and one more."""

    # images of training, which losses and teacher see, are averages over cubes of so many voxels a side, a divisor of
    # the registration's shrink; null is what the teacher learned from, and without one what the network sees
    train_shrink: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        positive("swift", train_shrink=self.train_shrink)


def load(params: Params, *, device: str, seed: int, checkpoint: Path | None = None) -> Register:
    """Return ``register(fixed, moving, spacing)``, by the weights of `train` or by untrained ones."""
    model = create(partial(Swift, params, params.shrink), seed=seed, device=device)
    if checkpoint is not None:
        load_checkpoint(checkpoint, model, expected=_about(params))
    mixed = is_mixed(params.precision, device)
    predict = partial(prepared(model, device, mixed=mixed).displacement, mixed=mixed)
    return partial(register, predict=predict, device=device, multiple=params.multiple * params.shrink)


def train(
    data: Dataset,
    folder: Path,
    params: Params,
    training: Training,
    *,
    device: str,
    seed: int,
    teacher: Path | None = None,
) -> Path:
    """Train on the training pairs of ``data`` and return the checkpoint.

    ``teacher`` is the checkpoint of a teacher, a network of `methods.recursive`; it and ``training.aldk`` go together.
    It registers the images of training, which are as fine as its own were unless ``training.train_shrink`` is set.
    """
    if (training.aldk is None) != (teacher is None):
        raise ValueError("swift: aldk and a teacher go together, got only one of them")
    if training.processes > parallel.size():
        same = partial(train, data, folder, params, training, device=device, seed=seed, teacher=teacher)
        parallel.run(same, training.processes, device)
        return folder / WEIGHTS
    about = teacher and read_metadata(teacher)
    run = loop.run_name(data, params, training, method="swift", seed=seed, teacher=about)
    instructor = load_teacher(teacher, device) if teacher else None  # refused before anything else is read of it
    shrink = training.train_shrink or _usual(params, teacher)
    pool = _pooled(params, shrink)
    read = {"multiple": math.lcm(params.multiple * pool, TAUGHT if teacher else 1), "shrink": shrink}
    sampler = make_sampler(data, training, seed=seed, device=device, augmentation=training.augmentation, **read)
    model = create(partial(Swift, params, pool), seed=seed, device=device).train()
    validation = validation_batches(data, training, device=device, **read)
    lesson = Lesson(model, parallel.wrap(model), training, training.mixed_on(device), validation)
    learner = lesson.taught(instructor, seed, device) if instructor else lesson.alone()
    loop.fit(learner, sampler, folder, run=run)
    if parallel.rank() == 0:
        save_weights(folder / WEIGHTS, model, {**_about(params), "run": run})
    return folder / WEIGHTS


def cost(shape: Sequence[int], params: Params) -> dict[str, int]:
    """Return the parameters and multiply-accumulates of one registration, beside those as it was designed."""
    run, whole = (partial(Swift, each, each.shrink) for each in (params, full(params)))
    return cost_beside_full(run, whole, shape=shape, multiple=params.multiple * params.shrink, shrink=1)


def full(params: Params) -> Params:
    """Return the same network at the width and the resolution that it was designed for."""
    return replace(params, channels=Params().channels, shrink=SHRINK)


def _usual(params: Params, teacher: Path | None) -> int:
    """Return the shrink of training where none is asked for: of the teacher by its checkpoint, else the network's."""
    if teacher is None:
        return params.shrink
    try:
        return int(read_metadata(teacher)["run"]["params"]["shrink"])
    except (KeyError, TypeError, ValueError):
        raise CheckpointError(
            f"{teacher}: the teacher's checkpoint does not say its shrink; name it as train_shrink"
        ) from None


def _pooled(params: Params, shrink: int) -> int:
    """Return over how many voxels of images of training the network takes averages."""
    if params.shrink % shrink:
        raise ValueError(f"swift: train_shrink must divide the network's shrink, {params.shrink}, got {shrink}")
    return params.shrink // shrink


def _about(params: Params) -> dict[str, object]:
    """Return the metadata that a checkpoint must have."""
    return {"method": "swift", "params": {**part(params, Design), "steps": list(params.steps)}}
