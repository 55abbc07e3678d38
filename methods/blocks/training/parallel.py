"""Training on several devices: torch's distributed data parallel, one process and one share of each batch a device."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.multiprocessing.spawn import ProcessException, spawn
from torch.nn.parallel import DistributedDataParallel


def run(function: Callable[[], Any], processes: int, device: str) -> None:
    """Call a picklable function in each of ``processes`` processes that form a group; raise what one of them raised.

    Within the function, `rank`, `wrap`, `average` and `agreed` know the group; outside of one they are trivial.
    """
    if device.startswith("cuda") and processes > torch.cuda.device_count():
        raise ValueError(f"training: {processes} processes need as many GPUs, found {torch.cuda.device_count()}")
    with tempfile.TemporaryDirectory(prefix="warpbench-") as folder:
        try:
            spawn(_member, (processes, device, Path(folder), function), nprocs=processes)
        except ProcessException as error:
            # A process that fails makes the others fail too, for want of it: the first error is the cause.
            raised = sorted(Path(folder).glob("error-*"), key=lambda path: path.stat().st_mtime_ns)
            if not raised:
                raise
            raise pickle.loads(raised[0].read_bytes()) from error


def _member(rank: int, processes: int, device: str, folder: Path, function: Callable[[], Any]) -> None:
    backend = "nccl" if device.startswith("cuda") else "gloo"
    meeting = f"file://{folder}/meeting"
    if device.startswith("cuda"):
        torch.cuda.set_device(rank)  # "cuda" without a number means this one from here on
    else:
        torch.set_num_threads(max(1, torch.get_num_threads() // processes))
    distributed.init_process_group(backend, init_method=meeting, rank=rank, world_size=processes)
    try:
        function()
    except Exception as error:
        (folder / f"error-{rank}").write_bytes(_pickled(error))
        raise
    finally:
        distributed.destroy_process_group()


def _pickled(error: Exception) -> bytes:
    """The error, or one that says the same where it does not survive the way."""
    try:
        pickle.loads(pickle.dumps(error))
        return pickle.dumps(error)
    except Exception:
        return pickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))


def rank() -> int:
    """Return the number of this process in its group, 0 without one."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def size() -> int:
    """Return how many processes the group has, 1 without one."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def wrap(model: nn.Module) -> nn.Module:
    """Return the model to call in training, whose gradients are the whole batch's; its weights stay where they are."""
    return DistributedDataParallel(model) if size() > 1 else model


def average_gradients(model: nn.Module) -> None:
    """Make a model's gradients those of the whole batch, where it is called bare: the penalty differentiates twice."""
    if size() > 1:
        for parameter in model.parameters():
            parameter.grad = None if parameter.grad is None else average(parameter.grad)


def average(values: Tensor) -> Tensor:
    """Return the mean over the group; what is not finite in one process is not finite in all."""
    if size() == 1:
        return values
    total = values.clone()
    distributed.all_reduce(total)
    return total / size()


def agreed(flag: Tensor) -> bool:
    """Return whether a zero-dimensional condition holds in every process, so that all of them take the same turn."""
    return bool(average(flag.detach().float()) == 1)
