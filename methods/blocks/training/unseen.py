"""The loss on validation pairs while a network learns: of subjects that no update sees, as they are, in one order."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, nn

B = TypeVar("B")
Unseen = Callable[[int], float]  # from the number of updates made so far to the loss


class Best:
    """The weights with the lowest loss on validation pairs so far; it keeps a copy of them on the CPU."""

    def __init__(self) -> None:
        self.loss = math.inf
        self.iteration = 0
        self.weights: dict[str, Tensor] = {}

    def look(self, loss: float, iteration: int, model: nn.Module) -> None:
        """Keep the weights of a model after so many updates if their loss is the lowest."""
        if loss < self.loss:
            self.loss, self.iteration = loss, iteration
            self.weights = {name: value.detach().to("cpu", copy=True) for name, value in model.state_dict().items()}

    def put_back(self, model: nn.Module) -> None:
        """Give a model the best weights, where there are any."""
        if self.weights:
            model.load_state_dict(self.weights)

    @property
    def state(self) -> tuple[float, int, dict[str, Tensor]]:
        """What a training state keeps of it, and one that is resumed gives back."""
        return self.loss, self.iteration, self.weights

    @state.setter
    def state(self, state: tuple[float, int, dict[str, Tensor]]) -> None:
        self.loss, self.iteration, self.weights = state


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
