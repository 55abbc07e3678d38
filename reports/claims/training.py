"""What trainings say beside the numbers of a claim: whether they had come to an end, and what their teachers gave."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reports.claims.contents import Flattening
from reports.claims.sources import Sources

LOSS, UNSEEN = "total", "validation"  # columns of a curve: the loss on training pairs, that on validation pairs
SHARE = "teacher_share"  # column of a student's curve: norm of the teacher's part of its gradient over that of the rest


@dataclass(frozen=True)
class Trained:
    """The trained methods of a claim, the seeds that it has of them, and the names of the data sets that it is on."""

    methods: Sequence[str]
    seeds: Sequence[int]
    datasets: Sequence[str]


def flattened(loss: pd.Series, rule: Flattening) -> bool:
    """Return whether a loss by iteration has flattened by the rule."""
    values = loss.to_numpy(dtype=np.float64)
    length = max(1, round(rule.last * len(values)))
    first, before, last = values[:length].mean(), values[-2 * length : -length].mean(), values[-length:].mean()
    return bool(before - last <= rule.share * max(first - before, 0.0))


def unfinished(sources: Sources, trained: Trained, rule: Flattening) -> Iterator[str]:
    """Say which methods had not flattened, or left no loss to tell by; on validation pairs where these have one."""
    for method in trained.methods:
        unseen, seen = (_columns(sources, name, method, trained) for name in (UNSEEN, LOSS))
        losses = [seen_ if unseen_ is None else unseen_ for unseen_, seen_ in zip(unseen, seen, strict=True)]
        if not losses or any(loss is None for loss in losses):
            yield f"no loss of {method} on record"
        elif still := sum(not flattened(loss, rule) for loss in losses if loss is not None):
            yield f"{method} had not flattened in {still} of {len(losses)} trainings"


def untraced(sources: Sources, trained: Trained) -> Iterator[str]:
    """Say which methods' weights are of no training on record, or are the same under several seeds."""
    for method in trained.methods:
        weights = {seed: sources.weights(method, seed, trained.datasets) for seed in trained.seeds}
        if lost := [str(seed) for seed, found in weights.items() if not sources.traced(method, seed, found)]:
            yield f"what {method} learned under seed {', '.join(lost)} is not on record"
        every = [sha for found in weights.values() for sha in found - {""}]
        if len(set(every)) < len(every):
            yield f"the same weights of {method} under several seeds"


def shares(sources: Sources, trained: Trained) -> Iterator[str]:
    """Say how much of the gradient of students came from their teachers."""
    for method in trained.methods:
        found = [column for column in _columns(sources, SHARE, method, trained) if column is not None]
        if found:
            mean = float(np.mean([column.mean() for column in found]))
            yield f"the teacher's part of the gradient of {method} is {100 * mean:.2g} % of the rest"


def _columns(sources: Sources, column: str, method: str, trained: Trained) -> list[pd.Series | None]:
    curves = [sources.curve(each) for each in sources.trainings(method, trained.seeds, trained.datasets)]
    return [curve[column].dropna() if curve is not None and column in curve else None for curve in curves]
