"""The loss on validation pairs while a network learns: of subjects that no update sees, as they are, in one order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, nn

from datasets.case import Dataset
from datasets.description import Pair, cases_of
from datasets.files import DataError
from methods.blocks.training.sampling import Batch, read_images, stacked
from methods.blocks.training.settings import LoopOptions

B = TypeVar("B")
Unseen = Callable[[int], float]  # from the number of updates made so far to the loss


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a model in evaluation mode for a while."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def unseen_loss(model: nn.Module, batches: Sequence[B], loss: Callable[[B, int], Tensor]) -> Unseen | None:
    """Return the mean loss over batches of validation pairs, for `methods.blocks.training.loop.Learner`.

    Args:
        model: is in evaluation mode meanwhile, and learns nothing.
        batches: each of as many pairs as the others; without any there is nothing to return.
        loss: of a batch, after so many updates.
    """
    if not batches:
        return None

    @torch.no_grad()
    def mean(done: int) -> float:
        with evaluating(model):
            return float(torch.stack([loss(batch, done) for batch in batches]).mean())

    return mean


def validation_batches(
    data: Dataset, options: LoopOptions, *, multiple: int, device: str, shrink: int = 1
) -> list[Batch]:
    """Return the validation pairs of a data set, each a batch of its own without augmentation.

    None where ``options.validate_every`` asks for none; raises `DataError` where the data set has none.

    Args:
        data: the data set.
        options: how often they are looked at.
        multiple: see `methods.blocks.training.sampling.read_images`.
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
