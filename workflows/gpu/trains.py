"""What `make gpu` trains: LDR with one cascade, alone, under a teacher (ALDK), and under one that is cut off.

All three see the same pairs, augmentations and first weights for a seed. The cut-off arm takes every step of ALDK but
for the teacher's gradient, so that what ALDK gains over it comes from the teacher alone. Data are phantoms of livers.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from datasets import geometry
from datasets.description import Pair, cases_of
from datasets.files import CURVE
from datasets.geometry import Array
from datasets.grid import Grid
from datasets.phantom import draw, gallery_of
from datasets.phantoms import liver
from datasets.phantoms.options import Params
from methods import recursive
from methods.blocks.cascades.cascade import Cascade
from methods.blocks.cascades.composition import build
from methods.blocks.cascades.distillation import Aldk
from methods.blocks.initial import create
from methods.blocks.registration import register
from methods.blocks.training import loop
from methods.blocks.training.sampling import Sampler
from workflows.gpu.archive import Trained
from workflows.gpu.networks import TEACHER

STUDENT = recursive.Params(base="ldr", cascades=1)
ARMS: Mapping[str, Aldk | None] = {"aldk": Aldk(), "cut off": Aldk(objective="released_noop"), "plain": None}
TEACHERS_SEED = 1000  # unlike any student's
TEACHERS_SHARE = 3  # it trains so many times as long: after 600 iterations it was worse than its students
SUBJECTS, HELD_OUT, PHANTOMS_SEED = 16, 6, 21


@dataclass(frozen=True)
class Phantoms:
    """Livers drawn into memory: images and labels by case, and the pairs to train and to test on."""

    images: Mapping[str, Array]
    labels: Mapping[str, Array]
    training: Sequence[Pair]
    test: Sequence[Pair]
    spacing: tuple[float, ...]

    def stored(self, device: str) -> Mapping[str, Tensor]:
        """Return the training images on a device, as a training keeps them."""
        stored = {case: (self.images[case] * 255).round().astype(np.uint8) for case in cases_of(self.training)}
        return {case: torch.from_numpy(image).to(device) for case, image in stored.items()}

    def dice(self, pair: Pair, displacement: Array) -> float:
        """Return the mean Dice of the labels that count, masks warped linearly (the judge's loops would need Numba)."""
        fixed, moving = self.labels[pair.fixed], self.labels[pair.moving]
        scores: list[float] = []
        for label in liver.EVALUATED:
            here, there = fixed == label, geometry.warp((moving == label) * np.float32(255), displacement) > 128
            scores.append(2 * np.count_nonzero(here & there) / (np.count_nonzero(here) + np.count_nonzero(there)))
        return float(np.mean(scores))


def draw_phantoms(size: int) -> Phantoms:
    """Draw livers of ``size`` voxels along each axis, as `datasets.phantom` does."""
    options = Params(anatomy="liver", shape=(size, size, size), training=SUBJECTS, test=HELD_OUT, seed=PHANTOMS_SEED)
    grid = Grid(options.shape, tuple(extent / size for extent in liver.EXTENT_MM))
    gallery = gallery_of(liver, options)
    images, labels = dict[str, Array](), dict[str, Array]()
    for drawing in gallery.drawings:
        rng = np.random.default_rng([*drawing.stream, 7])
        images[drawing.case], labels[drawing.case], _ = draw(liver, drawing.chain, grid, rng=rng)
    return Phantoms(images, labels, gallery.training.every_pair, gallery.test, grid.spacing)


@dataclass(frozen=True)
class Trainings:
    """Trainings on one device, of which none begins that would end after ``deadline`` on `time.monotonic`'s clock."""

    device: str
    size: int
    iterations: int
    batch: int
    rate: float
    deadline: float

    def results(self, seeds: int) -> Iterator[Trained]:
        """Yield the teacher, then the arms of one seed after another."""
        if not self._left(0):
            return
        teacher, result = self._train("teacher", TEACHERS_SEED, None)
        yield result
        spent = dict[str, float]()
        for seed in range(seeds):
            for arm in ARMS:
                if not self._left(spent.get(arm, result.seconds / TEACHERS_SHARE)):
                    return
                began = time.monotonic()
                yield self._train(arm, seed, teacher)[1]
                spent[arm] = time.monotonic() - began

    @cached_property
    def phantoms(self) -> Phantoms:
        """What all of them learn from and are tested on."""
        return draw_phantoms(self.size)

    @cached_property
    def before(self) -> Mapping[str, float]:
        """Dice of each test pair before registration."""
        still = np.zeros((3, *(self.size,) * 3), np.float32)
        return {pair.name: self.phantoms.dice(pair, still) for pair in self.phantoms.test}

    def _left(self, seconds: float) -> bool:
        return time.monotonic() + seconds < self.deadline

    def _train(self, arm: str, seed: int, teacher: Cascade | None) -> tuple[Cascade, Trained]:
        aldk = ARMS.get(arm)
        iterations = self.iterations * (TEACHERS_SHARE if arm == "teacher" else 1)
        training = recursive.Training(iterations=iterations, batch=self.batch, learning_rate=self.rate, aldk=aldk)
        layout = partial(build, TEACHER if arm == "teacher" else STUDENT)
        network = create(layout, seed=seed, device=self.device).train()
        lesson = recursive.Lesson(network, network, training, training.mixed_on(self.device))
        learner = lesson.taught(teacher, seed, self.device) if aldk and teacher else lesson.alone()
        stored = self.phantoms.stored(self.device)
        sampler = Sampler(stored, self.phantoms.training, training, seed, training.augmentation)
        began = time.monotonic()
        loss = _fit(learner, sampler)
        result = Trained(
            arm=arm,
            seed=seed,
            iterations=iterations,
            batch=self.batch,
            rate=self.rate,
            precision="mixed" if training.mixed_on(self.device) else "float32",
            shape=(self.size,) * 3,
            seconds=round(time.monotonic() - began, 2),
            loss=loss,
            before=self.before,
            after=self._judged(network.eval().requires_grad_(False)),
        )
        return network, result

    def _judged(self, network: Cascade) -> Mapping[str, float]:
        """Return Dice of each test pair, registered in single precision."""
        dice = dict[str, float]()
        for pair in self.phantoms.test:
            images = self.phantoms.images[pair.fixed], self.phantoms.images[pair.moving]
            found = register(
                *images,
                self.phantoms.spacing,
                predict=network.displacement,
                device=self.device,
                multiple=recursive.MULTIPLE,
            )
            dice[pair.name] = self.phantoms.dice(pair, found)
        return dice


def _fit(learner: loop.Learner, sampler: Sampler) -> float:
    """Train, and return the mean loss of the last tenth of the iterations."""
    with tempfile.TemporaryDirectory(prefix="warpbench-") as folder:
        loop.fit(learner, sampler, Path(folder), run={})
        lines = (Path(folder) / CURVE).read_text(encoding="utf-8").splitlines()
    last = lines[-max(1, len(lines) // 10) :]
    return float(np.mean([json.loads(line)["total"] for line in last]))
