"""Steps of training as CUDA graphs: what a step asks of the GPU is recorded once, and replayed from then on.

A step of a small network is a thousand kernels of a few microseconds, which Python takes longer to ask for than the GPU
to run. A replay asks for all of them at once. The weights become the same as without, but for the order in which
gradients are summed on CUDA.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from methods.blocks.training import parallel
from methods.blocks.training.sampling import Batch

WARM = 3  # steps of a kind that are taken as they are, in which libraries choose their kernels
Step = Callable[[Batch], dict[str, Tensor]]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Recorded:
    """A graph, the batch that it reads and the loss terms that it writes."""

    graph: torch.cuda.CUDAGraph
    batch: Batch
    terms: dict[str, Tensor]

    def replay(self, batch: Batch) -> dict[str, Tensor]:
        for held, new in ((self.batch.fixed, batch.fixed), (self.batch.moving, batch.moving)):
            held.copy_(new)
        if self.batch.plain is not self.batch.moving:
            self.batch.plain.copy_(batch.plain)
        self.graph.replay()
        return self.terms


def captured(
    step: Step,
    optimisers: Mapping[str, torch.optim.Optimizer],
    *,
    device: str,
    kind: Callable[[int], Hashable | None] = lambda iteration: 0,
) -> Step:
    """Return a step that replays graphs of ``step`` on CUDA; elsewhere, and in a group of processes, ``step`` itself.

    Args:
        step: depends on its batch's images and on the kind of its iteration alone; every batch has the same shape.
        optimisers: those that it uses; their learning rates become tensors.
        device: where it runs.
        kind: of an iteration: each has a graph of its own, and None is never recorded.
    """
    if not device.startswith("cuda") or parallel.size() > 1:
        return step
    for optimiser in optimisers.values():
        for group in optimiser.param_groups:
            group["lr"], group["capturable"] = torch.tensor(float(group["lr"]), device=device), True
    taken, recorded = dict[Hashable, int](), dict[Hashable, _Recorded | None]()
    stream = torch.cuda.Stream(device)

    def beside(batch: Batch) -> dict[str, Tensor]:
        """Take a step as it is, on the stream that will be recorded, where autograd's nodes then belong."""
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            terms = step(batch)
        torch.cuda.current_stream().wait_stream(stream)
        return terms

    def replayed(batch: Batch) -> dict[str, Tensor]:
        which = kind(batch.iteration)
        if which is None or taken.setdefault(which, 0) < WARM:
            taken[which] = taken.get(which, 0) + 1
            return beside(batch)
        if which not in recorded:
            recorded[which] = _record(step, batch, stream)
        found = recorded[which]
        return beside(batch) if found is None else found.replay(batch)

    return replayed


def _record(step: Step, batch: Batch, stream: torch.cuda.Stream) -> _Recorded | None:
    """Record a step without taking it; None where it does what cannot be recorded, such as ask for a value."""
    moving = batch.moving.clone()
    plain = moving if batch.plain is batch.moving else batch.plain.clone()
    held = replace(batch, fixed=batch.fixed.clone(), moving=moving, plain=plain)
    graph = torch.cuda.CUDAGraph()
    torch.cuda.synchronize()
    try:
        # Another thread copies states meanwhile, which is none of this graph's business.
        with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
            terms = step(held)
    except RuntimeError as error:
        log.warning("a step cannot be recorded (%s); it is taken kernel by kernel", str(error).partition("\n")[0])
        torch.cuda.synchronize()
        return None
    return _Recorded(graph, held, terms)
