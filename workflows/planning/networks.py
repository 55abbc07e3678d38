"""Networks at their papers' size: which methods share one, what they count, and how they are timed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from scipy import ndimage

from benchmarks.records import UNAVAILABLE, PaperNetwork, encode
from benchmarks.results import RUN_LEVEL
from datasets import geometry
from datasets.case import Dataset, Pair, Writer, open_dataset
from datasets.description import Description, TrainingSplit
from datasets.files import one_line
from workflows.planning.specs import MethodSpec, PaperSizeSpec, RunSpec
from workflows.running import machine
from workflows.running.options import build, import_method

ROUNDS = 10  # warm calls at most
SMOOTH = 16  # parts of an axis that the width of the images' blobs is one of
LARGEST = 0.03  # displacement between the images, in parts of an axis


@dataclass(frozen=True)
class Whole:
    """A method's network with the paper's options, or the ``reason`` why it cannot be laid out here.

    The ``status`` is then unavailable where a library is missing, which may be mended, and failed for any other fault.
    """

    by: MethodSpec
    parameters: int = 0
    macs: int = 0
    reason: str = ""
    status: Literal["ok", "failed", "unavailable"] = "ok"

    @property
    def key(self) -> tuple[str, ...]:
        """What equal networks share: module, device, and the options at the paper's size."""
        if self.reason:
            return self.by.method, self.by.device, self.reason
        return self.by.module, self.by.device, encode(self.by.options).decode()


@dataclass(frozen=True)
class Session:
    """Networks that take turns: a first call each, then ``rounds`` warm ones at most."""

    runs: list[RunSpec]
    rounds: int


@dataclass(frozen=True)
class Networks:
    """The networks of some methods at their papers' size, those that are to be timed first."""

    wholes: Sequence[Whole]

    @classmethod
    def of(cls, methods: Iterable[MethodSpec], grid: Sequence[int]) -> Networks:
        """Lay them out, and count a registration on a ``grid``."""
        return cls([_whole(by, grid) for by in methods])

    @property
    def distinct(self) -> list[Whole]:
        """The first of all that are the same network."""
        return list({each.key: each for each in reversed(self.wholes)}.values())[::-1]

    @property
    def failed(self) -> list[Whole]:
        """Those that cannot be laid out here."""
        return [each for each in self.wholes if each.reason]

    def shared(self) -> list[PaperNetwork]:
        """Return for each method which one is timed in its place, and the exact size of the network of both."""
        timed = {each.key: each.by.method for each in self.distinct}
        by_method = {each.by.method: each for each in reversed(self.wholes) if not each.reason}
        return [
            PaperNetwork(method=name, timed_as=timed[each.key], parameters=each.parameters, macs=each.macs)
            for name, each in sorted(by_method.items())
        ]

    def named(self, names: Iterable[str]) -> list[MethodSpec]:
        """Return the distinct networks of which any method has one of the names."""
        wanted = {each.timed_as for each in self.shared() if each.method in set(names)}
        return [each.by for each in self.distinct if not each.reason and each.by.method in wanted]


def sessions(spec: PaperSizeSpec, networks: Networks, data: Path, *, all_threads: bool) -> Iterator[Session]:
    """Yield what is timed on the pair in ``data`` with one thread, or with all."""
    timed, not_single = networks.named(spec.timed), networks.named(spec.all_threads)
    yield Session([_run(by, data, spec.time_limit) for by in timed if all_threads or by not in not_single], ROUNDS)
    if all_threads:
        yield Session([_run(by, data, spec.time_limit) for by in spec.once], 0)


def make_pair(folder: Path, grid: Sequence[int], seed: int = 0) -> Dataset:
    """Write a data set of one pair drawn by ``seed``: smooth blobs in [0, 1], the fixed image a gentle warp of them."""
    rng = np.random.default_rng(seed)
    blobs = ndimage.gaussian_filter(rng.standard_normal(grid), [n / SMOOTH for n in grid], mode="wrap")
    moving = (blobs - blobs.min()) / np.ptp(blobs)
    x = geometry.identity_grid(grid)
    waves = [LARGEST * n * np.sin(2 * np.pi * x[axis - 1] / grid[axis - 1]) for axis, n in enumerate(grid)]
    writer = Writer(folder)
    for case, image in (("fixed", geometry.warp(moving, np.stack(waves))), ("moving", moving)):
        writer.image(case, image.astype(np.float32), np.eye(4))
    writer.finish(Description(name="blobs", training=TrainingSplit(()), test=(Pair("fixed", "moving"),)))
    return open_dataset(folder)


def _run(by: MethodSpec, data: Path, time_limit: float) -> RunSpec:
    return RunSpec(by=by, dataset=RUN_LEVEL, data=data, training=None, time_limit=time_limit)


def _whole(by: MethodSpec, grid: Sequence[int]) -> Whole:
    """Lay out a method's network with the paper's options; whatever keeps it from that is a reason, not a fault."""
    try:
        module = import_method(by.module)
        params = module.full(build(module.Params, by.params))
        size = module.cost(tuple(grid), params)
    except Exception as error:
        status = UNAVAILABLE if machine.is_missing(error, causes_only=True) else "failed"
        return Whole(by, reason=f"{type(error).__name__}: {one_line(error)}", status=status)
    return Whole(replace(by, params=msgspec.to_builtins(params)), size["parameters"], size["macs"])
