"""Synthetic pairs by iteration number: a scan chosen at random, bent twice by random splines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform
from torch import Tensor

from datasets.case import Dataset
from datasets.description import cases_of
from datasets.files import DataError, Volume
from datasets.geometry import Array
from methods.blocks.progressive.synthesis import Bend, Pairs, Recipe, draw_bends, synthesise, true_displacement
from methods.blocks.training.sampling import check_validation, iteration_seed
from methods.blocks.training.settings import LoopOptions


@dataclass(frozen=True)
class SyntheticBatch:
    """The pairs of one iteration, and the scans that they were made of."""

    iteration: int
    cases: tuple[str, ...]
    pairs: Pairs

    @property
    def names(self) -> str:
        """The names of its scans, for messages."""
        return ", ".join(self.cases)


@dataclass(frozen=True)
class SyntheticSampler:
    """Makes batches on the device that holds the scans; a batch depends on ``seed`` and its iteration alone.

    ``images`` are ``(k, 1, D, H, W)`` in half precision, which keeps half a Hounsfield unit, ``masks`` the same in
    uint8 or None; one row for each of ``cases``. Pairs have the grid ``shape``, which has in each scan the millimetres
    of its ``affines``; all have the same orientation, and ``recipe`` is in the order of their axes.
    """

    cases: list[str]
    images: Tensor
    masks: Tensor | None
    shape: tuple[int, ...]
    affines: Sequence[Array]
    recipe: Recipe
    sigma: float | None
    options: LoopOptions
    seed: int

    def batch(self, iteration: int) -> SyntheticBatch:
        """Return the pairs of an iteration."""
        generator, chosen = self._drawn(iteration)
        pairs = synthesise(
            self.images[chosen].float(),
            generator,
            recipe=self.recipe,
            mask=None if self.masks is None else self.masks[chosen],
            shape=self.shape,
            sigma=self.sigma,
        )
        return SyntheticBatch(iteration, self._names(chosen), pairs)

    def displacements(self, iteration: int) -> tuple[tuple[str, ...], Tensor]:
        """Return the scans of an iteration's pairs and their displacements ``(n, 3, D, H, W)``, without the images."""
        generator, chosen = self._drawn(iteration)
        _, coarse, fine = draw_bends(len(chosen), self.shape, generator, self.recipe, device=self.images.device)
        return self._names(chosen), true_displacement(coarse, fine, self.shape)

    def one(self) -> SyntheticBatch:
        """Return one pair that is in no batch, to look at."""
        return replace(self, options=replace(self.options, batch=1)).batch(-1 % 2**32)

    def apart(self, number: int) -> list[SyntheticBatch]:
        """Return so many batches that are those of no iteration."""
        return [self.batch(-2 % 2**32 - each) for each in range(number)]

    def affine(self, case: str) -> Array:
        """Return the voxel-to-world affine of the pairs made of a scan."""
        return self.affines[self.cases.index(case)]

    def _drawn(self, iteration: int) -> tuple[torch.Generator, Tensor]:
        """Return the generator of an iteration and the numbers of its scans, which are its first draws."""
        generator = torch.Generator().manual_seed(iteration_seed(self.seed, iteration))
        return generator, torch.randint(len(self.cases), (self.options.batch,), generator=generator)

    def _names(self, chosen: Tensor) -> tuple[str, ...]:
        return tuple(self.cases[k] for k in chosen.tolist())


def make_synthetic_sampler(
    data: Dataset,
    options: LoopOptions,
    *,
    seed: int,
    multiple: int,
    shrink: int,
    device: str,
    sigma: float | None,
    reject_folding: bool,
    unseen: bool = False,
) -> SyntheticSampler:
    """Return a sampler over all training scans of a data set, their masks being the field of view that each one has.

    Every scan must have the same orientation and the same shape, a multiple of ``multiple * shrink`` along each axis.

    Args:
        data: the data set.
        options: how long and how large.
        seed: draws scans and transforms.
        multiple: of the axes of the pairs.
        shrink: pairs have so many times fewer voxels along each axis: the scans are read at points of that grid, in the
            one interpolation that bends them, as the paper reads scans of 512 x 512 pixels at 128 x 128.
        device: where scans are kept and pairs are made.
        sigma: width in voxels of the Gaussian whose gradients' magnitudes pairs show; None for intensities.
        reject_folding: draw transforms that fold anew.
        unseen: of the scans of the validation split in place of those of training.
    """
    cases = sorted(cases_of(data.validation_pairs) if unseen else data.training_cases)
    if unseen:
        check_validation(data, cases)
    elif not cases:
        raise DataError(f"train: data set {data.name!r} has no training scans; name one that has in its train_on")
    first = data.image(cases[0])
    if any(n % (multiple * shrink) for n in first.array.shape):
        raise DataError(
            f"train: scans have shape {first.array.shape}; every axis must be a multiple of {multiple * shrink}"
        )
    images, fields, affines = _read(data, cases, first)
    recipe = along_axes(replace(Recipe(), reject_folding=reject_folding), first.affine)
    shape = tuple(n // shrink for n in first.array.shape)
    affines = [affine @ np.diag([shrink, shrink, shrink, 1.0]) for affine in affines]
    stored = images.to(device), None if fields is None else fields.to(device)
    return SyntheticSampler(cases, *stored, shape, affines, recipe, sigma, options, seed)


def _read(data: Dataset, cases: Sequence[str], first: Volume) -> tuple[Tensor, Tensor | None, list[Array]]:
    """Read scans, masks (None where no scan has one) and affines; one by one, for a thousand fill the memory."""
    shape = first.array.shape
    images, affines = torch.empty(len(cases), 1, *shape, dtype=torch.float16), []
    masked = data.mask_path(cases[0]).exists()  # all training cases have a mask or none, else the data are refused
    masks = torch.empty(len(cases), 1, *shape, dtype=torch.uint8) if masked else None
    for number, case in enumerate(cases):
        volume = data.image(case)
        if volume.array.shape != shape or volume.orientation != first.orientation:
            raise DataError(f"train: {case} differs from {cases[0]} in shape or orientation; resample the scans")
        images[number, 0] = torch.from_numpy(volume.array)
        affines.append(volume.affine)
        if masks is not None:
            masks[number, 0] = torch.from_numpy(data.mask(case))
    return images, masks, affines


def along_axes(recipe: Recipe, affine: Array) -> Recipe:
    """Turn a recipe given by the paper's z (head and foot), y and x into the order of an image's own axes.

    Table I bends head and foot by most, as a breath does, whatever axis of an array that is.
    """
    d, h, w = (2 - int(world) for world in _axes(affine))

    def turned(bend: Bend) -> Bend:
        controls, ranges = bend.controls, bend.ranges
        return Bend((controls[d], controls[h], controls[w]), (ranges[d], ranges[h], ranges[w]))

    return replace(recipe, initial=turned(recipe.initial), coarse=turned(recipe.coarse), fine=turned(recipe.fine))


def to_print(affine: Array) -> Array:
    """Return nibabel's orientation change that turns an image's axes to left, posterior and inferior."""
    return ornt_transform(io_orientation(affine), axcodes2ornt("LPI"))


def _axes(affine: Array) -> Array:
    """Return for each axis of an array the axis of the world (x, y, z) that it is nearest to."""
    return io_orientation(affine)[:, 0].astype(int)
