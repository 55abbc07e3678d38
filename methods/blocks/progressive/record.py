"""The record of a training on synthetic pairs: how pairs were made, and what was learned when.

Files in the training's folder, all optional to a reader:

- ``maps.npz``: of one synthetic pair, in the section through its middle, the component of the displacement to the
  patient's left in voxels: ``truth (rows, columns)``, and at iterations ``iteration (k,)``: ``result (k, rows,
  columns)``, the prediction; for networks that grow also ``levels (k, L, rows, columns)``, each level's own, the
  coarsest first, and their weights ``alpha (k, L)``; ``ratio``, height over width of a voxel of that pair;
- ``displacements.csv``: how often the true displacement of synthetic pairs has a component in a range: ``component``
  (x to the left, y to posterior, z to superior), ``low`` and ``high`` in mm by the spacing of the scan that a pair is
  made of, ``count`` of voxels;
- ``synthetic.json``: how pairs were made: ``shape`` of the grid, ``orientation`` of its axes, ``pairs``, how many the
  displacements were counted of; by x, y and z the ``spacing`` in mm, which is null where the scans differ, with
  ``spacings``, the least and the greatest, in its place; and ``bends``: for t1, t21 and t22 the ``controls`` and the
  ``ranges`` as fractions of the image, by x, y and z.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from nibabel.affines import voxel_sizes
from nibabel.orientations import aff2axcodes, apply_orientation, io_orientation
from numpy.typing import ArrayLike
from torch import Tensor

from datasets.files import DISPLACEMENTS, MAPS, SYNTHETIC, Array, replacing
from methods import Register
from methods.blocks.progressive.sampling import SyntheticSampler, to_print
from methods.blocks.progressive.unet import ProgressiveUNet, UNet
from methods.blocks.training.unseen import evaluating

BIN_MM = 0.5
BINS = 200  # to either side of zero: up to 100 mm
PAIRS = 100  # iterations whose displacements are counted
log = logging.getLogger(__name__)

Watch = Callable[[int, Register], None]


def describe_pairs(folder: Path, sampler: SyntheticSampler) -> None:
    """Write ``synthetic.json``; the values of a bend are turned from the array's axes to x, y and z."""
    folder.mkdir(parents=True, exist_ok=True)
    affine = sampler.affines[0]  # of the same orientation as the others
    axes = np.argsort(io_orientation(affine)[:, 0])
    sizes = np.array([voxel_sizes(each)[axes] for each in sampler.affines])
    alike = bool(np.allclose(sizes, sizes[0], rtol=1e-4))
    bends = {
        name: {key: [values[axis] for axis in axes] for key, values in asdict(bend).items()}
        for name, bend in zip(("t1", "t21", "t22"), sampler.recipe.bends, strict=True)
    }
    about = {
        "shape": list(sampler.shape),
        "spacing": sizes[0].tolist() if alike else None,
        "spacings": None if alike else [[float(x.min()), float(x.max())] for x in sizes.T],
        "orientation": list(aff2axcodes(affine)),
        "scans": len(sampler.cases),
        "pairs": min(PAIRS, sampler.options.iterations) * sampler.options.batch,
        "bends": bends,
    }
    (folder / SYNTHETIC).write_text(json.dumps(about, indent=1), encoding="utf-8")


def count_displacements(folder: Path, sampler: SyntheticSampler) -> None:
    """Write ``displacements.csv``, counted over the pairs of the first hundred iterations, each in its scan's mm."""
    import pandas as pd  # nothing else of this method needs it

    if (folder / DISPLACEMENTS).exists():  # by an earlier start of the same training
        return
    counts = np.zeros((3, 2 * BINS), np.int64)
    for iteration in range(min(PAIRS, sampler.options.iterations)):
        for case, u in zip(*sampler.displacements(iteration), strict=True):
            spacing, turn = voxel_sizes(sampler.affine(case)), io_orientation(sampler.affine(case)).astype(int)
            for axis, (world, sign) in enumerate(turn):  # to the left, posterior, superior
                counts[world] += _in_bins(u[axis] * float(spacing[axis] * (sign if world == 2 else -sign)))
    component, place = counts.nonzero()
    low = BIN_MM * (place - BINS)
    columns = {"component": np.array(list("xyz"))[component], "low": low, "high": low + BIN_MM}
    with replacing(folder / DISPLACEMENTS) as temporary:  # a file that a kill has cut short would never be made again
        pd.DataFrame({**columns, "count": counts[component, place]}).to_csv(temporary, index=False)


def _in_bins(mm: Tensor) -> Array:
    """Return how many values lie in each range of `BIN_MM`, ``BINS`` of them a side of zero; others count nowhere."""
    place = (mm / BIN_MM).floor().clamp(-BINS - 1, BINS).long() + BINS + 1
    return torch.bincount(place.flatten(), minlength=2 * BINS + 2)[1:-1].cpu().numpy()


class Mapper:
    """Keeps what a network predicts of one synthetic pair, ``times`` times in all; `finish` writes ``maps.npz``.

    No fault of a picture may cost a training: what cannot be read is left out.
    """

    def __init__(self, folder: Path, sampler: SyntheticSampler, *, times: int) -> None:
        batch = sampler.one()
        self.folder, self.pair, self.affine = folder / "maps", batch.pairs, sampler.affine(batch.cases[0])
        self.chosen = {round(sampler.options.iterations * (k + 1) / times) for k in range(times)}

    @torch.inference_mode()
    def record(self, done: int, model: UNet, alpha: Sequence[float] | None) -> None:
        """Keep the state after ``done`` updates, if it is one to keep; ``alpha`` weighs a growing network's levels."""
        if done not in self.chosen:
            return
        with evaluating(model):
            if isinstance(model, ProgressiveUNet) and alpha is not None:
                parts = model.level_displacements(self.pair.fixed, self.pair.moving, alpha=alpha)
                grown = {"levels": np.stack([self._section(part) for part in parts]), "alpha": np.asarray(alpha)}
                first, *others = (weight * part for weight, part in zip(alpha, parts, strict=True))
                result = sum(others, start=first)
            else:
                grown, result = {}, model(self.pair.fixed, self.pair.moving)
        self.folder.mkdir(parents=True, exist_ok=True)
        _save(self.folder / f"{done:09d}.npz", {"result": self._section(result), "iteration": done, **grown})

    def finish(self) -> None:
        """Gather what was recorded, this time or before an interruption, in one file."""
        states = list(_readable(sorted(self.folder.glob("[0-9]*.npz"))))
        if not states:
            return
        gathered = {key: np.stack([state[key] for state in states]) for key in states[0]}
        sizes = voxel_sizes(self.affine)[np.argsort(io_orientation(self.affine)[:, 0])]
        truth = self._section(self.pair.displacement)
        _save(self.folder.parent / MAPS, {"truth": truth, "ratio": sizes[2] / sizes[0], **gathered})

    def _section(self, displacement: Tensor) -> Array:
        """Return the middle coronal section of the component to the left, patient's right on the left, head on top."""
        turn = io_orientation(self.affine)
        axis = int(np.flatnonzero(turn[:, 0] == 0)[0])
        component = -turn[axis, 1] * displacement[0, axis].float().cpu().numpy()
        turned = apply_orientation(component, to_print(self.affine))
        return np.ascontiguousarray(turned[:, turned.shape[1] // 2].T, dtype=np.float32)


def _readable(paths: Sequence[Path]) -> Iterator[dict[str, Array]]:
    for path in paths:
        try:
            with np.load(path) as stored:
                yield dict(stored)
        except Exception:  # of zip, of NumPy, of Python's parser: whatever the byte that is wrong makes of the file
            log.warning("%s: cannot be read, perhaps cut short; left out of the maps", path)


def _save(path: Path, arrays: Mapping[str, ArrayLike]) -> None:
    with replacing(path) as temporary, open(temporary, "wb") as stream:
        np.savez(stream, allow_pickle=False, **arrays)
