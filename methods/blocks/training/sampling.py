"""Batches of training pairs, drawn from the seed and the iteration number alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from datasets.case import Dataset, Pair
from datasets.description import cases_of
from datasets.files import DataError
from methods.blocks.layers import end_padding
from methods.blocks.spatial import warp
from methods.blocks.training import parallel
from methods.blocks.training.augmentation import random_displacement
from methods.blocks.training.settings import LoopOptions


@dataclass(frozen=True)
class Batch:
    """One iteration's images ``(n, 1, D, H, W)`` in [0, 1]; ``moving`` is augmented, ``plain`` is it before that.

    ``generator`` is the iteration's own, for whatever else a step draws.
    """

    iteration: int
    pairs: tuple[Pair, ...]
    fixed: Tensor
    moving: Tensor
    plain: Tensor
    generator: torch.Generator

    @property
    def names(self) -> str:
        """The names of its pairs, for messages."""
        return ", ".join(pair.name for pair in self.pairs)


@dataclass(frozen=True)
class Sampler:
    """Draws batches from images held on the device as uint8, the papers' own precision.

    In a group of processes each gets its share of the batch.

    All pairs are shuffled anew for each pass over them, as the released codes do. ``augmentation`` is the strength of
    the random warp of the moving image, 0 for none.
    """

    images: Mapping[str, Tensor]
    pairs: Sequence[Pair]
    options: LoopOptions
    seed: int
    augmentation: float = 0.0

    def batch(self, iteration: int) -> Batch:
        """Return the share of an iteration's batch that this process has."""
        generator = torch.Generator().manual_seed(iteration_seed(self.seed, iteration, parallel.rank()))
        numbers = range(iteration * self.options.batch, (iteration + 1) * self.options.batch)
        pairs = tuple(map(self._pair, numbers[parallel.rank() :: parallel.size()]))
        fixed, plain = (self._stack([getattr(pair, side) for pair in pairs]) for side in ("fixed", "moving"))
        moving = plain
        if strength := self.augmentation:
            n, _, *shape = plain.shape
            moving = warp(plain, random_displacement(n, shape, generator, strength=strength, device=plain.device))
        return Batch(iteration, pairs, fixed, moving, plain, generator)

    def _pair(self, number: int) -> Pair:
        """The pair that is drawn as ``number``-th since the beginning of training."""
        turn, place = divmod(number, len(self.pairs))
        return self.pairs[_order(self.seed, turn, len(self.pairs))[place]]

    def _stack(self, cases: Sequence[str]) -> Tensor:
        return stacked([self.images[case] for case in cases])


def stacked(images: Sequence[Tensor]) -> Tensor:
    """Return images ``(D, H, W)`` in uint8 as a network sees them, ``(n, 1, D, H, W)`` in [0, 1]."""
    return torch.stack(list(images))[:, None].float() / 255


@lru_cache(maxsize=2)  # a batch may reach into the next pass
def _order(seed: int, turn: int, size: int) -> list[int]:
    """The shuffled indices of one pass over all pairs."""
    return np.random.default_rng([seed, turn, 1]).permutation(size).tolist()


def read_images(
    data: Dataset, cases: Sequence[str], *, multiple: int, device: str, shrink: int = 1
) -> dict[str, Tensor]:
    """Read images ``(D, H, W)`` as uint8 onto the device.

    Args:
        data: the data set.
        cases: the images' names.
        multiple: zeros are added at the end of axes up to a multiple of this.
        device: where they go.
        shrink: averages cubes of so many voxels a side into one, after which the axes are multiples.
    """
    images: dict[str, Tensor] = {}
    first: tuple[int, ...] | None = None
    for case in cases:
        array = data.image(case).array
        first = first or array.shape
        if array.shape != first:
            raise DataError(f"train: {case} has shape {array.shape}, the images before it {first}; resample them")
        image = F.pad(torch.from_numpy(array), end_padding(array.shape, multiple * shrink))
        small = F.avg_pool3d(image[None], shrink)[0] if shrink > 1 else image
        images[case] = (small * 255).round().to(torch.uint8).to(device)
    return images


def make_sampler(
    data: Dataset,
    options: LoopOptions,
    *,
    seed: int,
    multiple: int,
    device: str,
    shrink: int = 1,
    augmentation: float = 0.0,
) -> Sampler:
    """Return a sampler over all training pairs of a data set.

    Args:
        data: the data set.
        options: how long and how large.
        seed: draws the order of the pairs and their warps.
        multiple: see `read_images`.
        device: where images are kept.
        shrink: see `read_images`.
        augmentation: strength of the random warp of the moving image, 0 for none.
    """
    pairs = data.training_pairs
    if not pairs:
        raise DataError(f"train: data set {data.name!r} has no training pairs; name one that has in its train_on")
    images = read_images(data, cases_of(pairs), multiple=multiple, device=device, shrink=shrink)
    return Sampler(images, pairs, options, seed, augmentation)


def iteration_seed(seed: int, iteration: int, rank: int = 0) -> int:
    """Return a seed for one iteration, another one in each process of a group."""
    return int(np.random.SeedSequence([seed, iteration, *([rank] if rank else [])]).generate_state(1, np.uint64)[0])


def validation_batches(
    data: Dataset, options: LoopOptions, *, multiple: int, device: str, shrink: int = 1
) -> list[Batch]:
    """Return the validation pairs of a data set, each a batch of its own without augmentation.

    An empty list where ``options.validate_every`` asks for none; raises `DataError` where the data set has none.

    Args:
        data: the data set.
        options: how often they are looked at.
        multiple: see `read_images`.
        device: where images are kept.
        shrink: see ``multiple``.
    """
    if not options.validate_every:
        return []
    pairs = data.validation_pairs
    check_validation(data, pairs)
    images = read_images(data, cases_of(pairs), multiple=multiple, device=device, shrink=shrink)
    return [_batch(images[pair.fixed], images[pair.moving], pair) for pair in pairs]


def check_validation(data: Dataset, found: Sequence[object]) -> None:
    """Raise `DataError` unless a data set has validation pairs or scans."""
    if not found:
        raise DataError(
            f"train: data set {data.name!r} has no validation split to look at; leave validate_every at 0, or prepare "
            "it with validation subjects"
        )


def _batch(fixed: Tensor, moving: Tensor, pair: Pair) -> Batch:
    as_it_is = stacked([moving])
    return Batch(0, (pair,), stacked([fixed]), as_it_is, as_it_is, torch.Generator())
