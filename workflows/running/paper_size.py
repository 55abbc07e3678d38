"""Networks at their papers' size: which methods share one, what it counts, and the two images that it is timed on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
from scipy import ndimage

from benchmarks.records import PaperNetwork, encode
from datasets import geometry
from datasets.files import one_line, write_volume
from workflows.planning.specs import MethodSpec
from workflows.running.options import build, import_method

SMOOTH = 16  # parts of an axis that the width of the images' blobs is one of
LARGEST = 0.03  # displacement between the images, in parts of an axis


@dataclass(frozen=True)
class Whole:
    """A method's network with the paper's options, or the ``reason`` why it cannot be laid out here."""

    by: MethodSpec
    parameters: int = 0
    macs: int = 0
    reason: str = ""

    @property
    def key(self) -> tuple[str, str, bytes]:
        """What equal networks share: module, device, and the options at the paper's size."""
        return self.by.module, self.by.device, encode(self.by.params)


def wholes(methods: Iterable[MethodSpec], grid: Sequence[int]) -> list[Whole]:
    """Return every method's network at its paper's size, whose registration is counted on a ``grid``."""
    return [_whole(by, grid) for by in methods]


def distinct(found: Iterable[Whole]) -> list[Whole]:
    """Return the first of all that are the same network."""
    first: dict[object, Whole] = {}
    for each in found:
        first.setdefault(each.by if each.reason else each.key, each)
    return list(first.values())


def shared(found: Sequence[Whole]) -> list[PaperNetwork]:
    """Return for each method which one is timed in its place, and the exact size of the network of both."""
    timed = {each.key: each.by.method for each in reversed(distinct(found))}
    networks = {each.by.method: each for each in reversed(found) if not each.reason}
    return [
        PaperNetwork(method=name, timed_as=timed[each.key], parameters=each.parameters, macs=each.macs)
        for name, each in networks.items()
    ]


def images(folder: Path, grid: Sequence[int], seed: int = 0) -> tuple[Path, Path]:
    """Write a fixed and a moving image drawn by ``seed``: smooth blobs in [0, 1], one a gentle warp of the other."""
    rng = np.random.default_rng(seed)
    blobs = ndimage.gaussian_filter(rng.standard_normal(grid), [n / SMOOTH for n in grid], mode="wrap")
    moving = (blobs - blobs.min()) / np.ptp(blobs)
    x = geometry.identity_grid(grid)
    waves = [LARGEST * n * np.sin(2 * np.pi * x[(axis + 1) % 3] / grid[(axis + 1) % 3]) for axis, n in enumerate(grid)]
    paths = folder / "fixed.nii.gz", folder / "moving.nii.gz"
    for path, image in zip(paths, (geometry.warp(moving, np.stack(waves)), moving), strict=True):
        write_volume(path, image.astype(np.float32), np.eye(4))
    return paths


def _whole(by: MethodSpec, grid: Sequence[int]) -> Whole:
    """Lay out a method's network with the paper's options; whatever keeps it from that is a reason, not a fault."""
    try:
        module = import_method(by.module)
        params = module.full(build(module.Params, by.params))
        size = module.cost(tuple(grid), params)
    except Exception as error:
        return Whole(by, reason=f"{type(error).__name__}: {one_line(error)}")
    return Whole(replace(by, params=msgspec.to_builtins(params)), size["parameters"], size["macs"])
