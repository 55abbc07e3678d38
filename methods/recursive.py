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

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from datasets.case import Dataset
from methods import Register
from methods.blocks.cascades.composition import Composition, build, full_width, load_teacher
from methods.blocks.cascades.lesson import Lesson, Lessons
from methods.blocks.cost import cost_beside_full
from methods.blocks.hardware import is_mixed
from methods.blocks.initial import create
from methods.blocks.options import Resolution, part, positive
from methods.blocks.precision import Precision
from methods.blocks.registration import prepared, register
from methods.blocks.training import loop, parallel
from methods.blocks.training.checkpoint import WEIGHTS, load_checkpoint, read_metadata, save_weights
from methods.blocks.training.sampling import make_sampler, validation_batches

MULTIPLE = 16


@dataclass(frozen=True)
class Params(Composition, Resolution):
    """The options of the registration, beside those of the cascade."""

    repeat: int = 1  # how often each dense network runs in sequence, with the same weights
    # mixed runs convolutions in bfloat16, heads and warps in float32, and is refused where the device has none
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        super().__post_init__()
        Resolution.__post_init__(self)
        positive("recursive", repeat=self.repeat)


@dataclass(frozen=True)
class Training(Lessons):
    """The options of training; the defaults are the released codes', but one.

    The released plain LDR has a learning-rate schedule of its own (``released_ldr``) with a sixth of the summed rate of
    everything it is compared with; ``rcn_step`` treats all alike. (The LDR paper states a constant rate and no
    regularisation.)
    """


def load(params: Params, *, device: str, seed: int, checkpoint: Path | None = None) -> Register:
    """Return ``register(fixed, moving, spacing)``, by the weights of `train` or by untrained ones."""
    model = create(partial(build, params, repeat=params.repeat), seed=seed, device=device)
    if checkpoint is not None:
        load_checkpoint(checkpoint, model, expected=_about(params))
    mixed = is_mixed(params.precision, device)
    predict = partial(prepared(model, device, mixed=mixed).displacement, mixed=mixed)
    return partial(register, predict=predict, device=device, multiple=MULTIPLE, shrink=params.shrink)


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

    ``teacher`` is the teacher's checkpoint, of this module too; it and ``training.aldk`` go together.
    """
    if (training.aldk is None) != (teacher is None):
        raise ValueError("recursive: aldk and a teacher go together, got only one of them")
    if training.processes > parallel.size():
        same = partial(train, data, folder, params, training, device=device, seed=seed, teacher=teacher)
        parallel.run(same, training.processes, device)
        return folder / WEIGHTS
    about = teacher and read_metadata(teacher)
    run = loop.run_name(data, params, training, method="recursive", seed=seed, teacher=about)
    sampler = make_sampler(
        data,
        training,
        seed=seed,
        multiple=MULTIPLE,
        device=device,
        shrink=params.shrink,
        augmentation=training.augmentation,
    )
    model = create(partial(build, params), seed=seed, device=device).train()
    validation = validation_batches(data, training, multiple=MULTIPLE, device=device, shrink=params.shrink)
    lesson = Lesson(model, parallel.wrap(model), training, training.mixed_on(device), validation)
    learner = lesson.taught(load_teacher(teacher, device), seed, device) if teacher else lesson.alone()
    loop.fit(learner, sampler, folder, run=run)
    if parallel.rank() == 0:
        save_weights(folder / WEIGHTS, model, {**_about(params), "run": run})
    return folder / WEIGHTS


def cost(shape: Sequence[int], params: Params) -> dict[str, int]:
    """Return the parameters and multiply-accumulates of one registration, beside those at the papers' width."""
    run, whole = (partial(build, each, repeat=params.repeat) for each in (params, full(params)))
    return cost_beside_full(run, whole, shape=shape, multiple=MULTIPLE, shrink=params.shrink)


def full(params: Params) -> Params:
    """Return the same network at the papers' width and resolution."""
    return Params(**vars(full_width(params)), repeat=params.repeat)


def _about(params: Params) -> dict[str, object]:
    """Return the metadata that a checkpoint must have."""
    return {"method": "recursive", "params": part(params, Composition)}
