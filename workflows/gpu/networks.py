"""The networks that `make gpu` times: those of Tables I and III of the LDR paper, and the progressive paper's.

Names and options are the catalogue's, at the papers' full width; weights are drawn, which changes no time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from itertools import count

import numpy as np
import torch
from torch import Tensor

from datasets.description import Pair
from methods import progressive, recursive
from methods.blocks.cascades.cascade import Cascade
from methods.blocks.cascades.composition import build
from methods.blocks.cascades.distillation import Aldk
from methods.blocks.cost import registration_cost
from methods.blocks.initial import create, glorot
from methods.blocks.precision import Precision, mixed_precision
from methods.blocks.progressive.gradients import gradient_magnitude
from methods.blocks.progressive.sampling import SyntheticSampler
from methods.blocks.progressive.synthesis import Recipe
from methods.blocks.progressive.unet import UNet
from methods.blocks.training import loop
from methods.blocks.training.augmentation import random_displacement
from methods.blocks.training.sampling import Sampler

# In order of importance: what Table I compares, at the number of cascades that its text names, comes first.
NETWORKS: Mapping[str, recursive.Params | progressive.Params] = {
    "rcn-3": recursive.Params(cascades=3),
    "ldr-3": recursive.Params(base="ldr", cascades=3),
    "rcn-1": recursive.Params(cascades=1),
    "ldr-1": recursive.Params(base="ldr", cascades=1),
    "ldr-1-text": recursive.Params(base="ldr_text", cascades=1),
    "ldr-3-text": recursive.Params(base="ldr_text", cascades=3),
    "voxelmorph": recursive.Params(base="voxelmorph"),
    "vtn-addd": recursive.Params(cascades=3),
    "progressive-baseline": progressive.Params(),
    "rcn-2": recursive.Params(cascades=2),
    "ldr-2": recursive.Params(base="ldr", cascades=2),
    "ldr-2-text": recursive.Params(base="ldr_text", cascades=2),
    "mobilenet-aldk": recursive.Params(base="mobilenet"),
    "unet-aldk": recursive.Params(base="unet"),
    "vtn-aldk": recursive.Params(stem="none"),
    "ldr-1-brain": recursive.Params(base="ldr", stem="affine_light", cascades=1),
    "ldr-3-brain": recursive.Params(base="ldr", stem="affine_light", cascades=3),
}
TEACHER = recursive.Params(cascades=3)
STUDENTS = ("ldr-1", "ldr-2", "ldr-3", "ldr-1-text", "mobilenet-aldk", "unet-aldk", "voxelmorph", "vtn-aldk", "rcn-1")
SEED = 0
Predict = Callable[[Tensor, Tensor], Tensor]  # two images (1, 1, D, H, W) to the displacement (1, 3, D, H, W)


@dataclass(frozen=True)
class Subject:
    """A network on a device, and two images of a grid for it."""

    name: str
    device: str
    shape: tuple[int, ...]

    @cached_property
    def params(self) -> recursive.Params | progressive.Params:
        """The options of its registration."""
        return NETWORKS[self.name]

    @property
    def images(self) -> Tensor:
        """Two smooth images ``(2, D, H, W)`` in [0, 1], on the CPU."""
        return _images(self.shape)

    @cached_property
    def on_device(self) -> Tensor:
        """The same as the network takes them, ``(2, 1, 1, D, H, W)`` on its device."""
        return self.images[:, None, None].to(self.device)

    def size(self) -> Mapping[str, int]:
        """Return ``parameters`` and ``macs`` of one registration."""
        layout = UNet if isinstance(self.params, progressive.Params) else build
        return registration_cost(partial(layout, self.params), self.shape)

    def predict(self) -> Callable[[Precision], Predict]:
        """Return the network's call at either precision, its weights drawn once for both."""
        if isinstance(self.params, progressive.Params):
            return partial(_unet_call, _unet(self.params, self.device), self.params.sigma)
        return partial(_cascade_call, _cascade(self.params, self.device))

    @property
    def multiple(self) -> int:
        """Axes get zeros at their end up to a multiple of this."""
        return self.params.multiple if isinstance(self.params, progressive.Params) else recursive.MULTIPLE

    def step(self, precision: Precision, *, taught: bool = False) -> Callable[[], object]:
        """Return one update of its training with a batch of one pair, under the teacher where it is ``taught``."""
        if isinstance(self.params, progressive.Params):
            learner, stream = self._synthetic(self.params, precision)
        else:
            learner, stream = self._pairs(self.params, precision, taught)
        numbers = count()
        return lambda: learner.step(stream.batch(next(numbers)))

    def _pairs(self, params: recursive.Params, precision: Precision, taught: bool) -> tuple[loop.Learner, loop.Stream]:
        aldk = Aldk(turns="every_step") if taught else None
        training = recursive.Training(batch=1, precision=precision, aldk=aldk)
        network = _cascade(params, self.device).train()
        lesson = recursive.Lesson(network, network, training, training.mixed_on(self.device))
        images = dict(zip("ab", (self.images * 255).round().to(torch.uint8).to(self.device), strict=True))
        sampler = Sampler(images, [Pair("a", "b"), Pair("b", "a")], training, SEED, training.augmentation)
        if not taught:
            return lesson.alone(), sampler
        return lesson.taught(_cascade(TEACHER, self.device).requires_grad_(False), SEED, self.device), sampler

    def _synthetic(self, params: progressive.Params, precision: Precision) -> tuple[loop.Learner, loop.Stream]:
        training = progressive.Training(precision=precision, transition=0, duration=0)
        pupil = progressive.make_pupil(params, training, seed=SEED, device=self.device)
        scans, affines = self.images[:, None].half().to(self.device), [np.eye(4)] * 2
        sampler = SyntheticSampler(list("ab"), scans, None, self.shape, affines, Recipe(), params.sigma, training, SEED)
        return progressive.make_learner(pupil, training), sampler


@lru_cache(maxsize=1)
def _images(shape: tuple[int, ...]) -> Tensor:
    bent = random_displacement(2, shape, torch.Generator().manual_seed(SEED))[:, 0]
    low, high = bent.amin(), bent.amax()
    return (bent - low) / (high - low)


def _cascade(params: recursive.Params, device: str) -> Cascade:
    return create(partial(build, params), seed=SEED, device=device).eval()


def _unet(params: progressive.Params, device: str) -> UNet:
    return create(partial(UNet, params), seed=SEED, device=device, fill=glorot).eval()


def _cascade_call(model: Cascade, precision: Precision) -> Predict:
    return partial(model.displacement, mixed=precision == "mixed")


def _unet_call(model: UNet, sigma: float | None, precision: Precision) -> Predict:
    def predict(fixed: Tensor, moving: Tensor) -> Tensor:
        seen = [image if sigma is None else gradient_magnitude(image, sigma) for image in (fixed, moving)]
        with mixed_precision(fixed, on=precision == "mixed"):
            return model(*seen)

    return predict
