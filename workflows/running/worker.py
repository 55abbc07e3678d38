"""The child process that holds one method and registers pairs on request (started by `workflows.running.supervisor`).

Requests come as JSON lines on standard input, replies go as JSON lines to the file descriptor named on the command
line; whatever the method prints ends in the log. Only the method's call is on the clock.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.records import decode, encode
from benchmarks.stopwatch import measure
from datasets import geometry
from datasets.case import Pair, check_same_grid
from datasets.files import Array, DataError, Volume, one_line, read_displacement, read_volume, write_displacement
from workflows.running.messages import Greeting, Reply, Request, Start
from workflows.running.options import build

Register = Callable[..., Any]


class InvalidOutputError(ValueError):
    """A method returned something else than a displacement of the fixed grid."""


def main() -> None:
    """Load the method that the command line names, then answer requests until there are no more."""
    _die_with_parent()
    message = decode(sys.argv[1].encode(), Start)
    with os.fdopen(int(sys.argv[2]), "wb", buffering=0) as replies:
        try:
            started = time.perf_counter()
            register, needs = _load(message)
            ready = Greeting(status="ok", load_seconds=time.perf_counter() - started, cost=_cost(message))
        except Exception as error:
            traceback.print_exc()
            replies.write(encode(Greeting(status=_status(error), reason=_reason(error, "load"))) + b"\n")
            return
        replies.write(encode(ready) + b"\n")
        for line in sys.stdin.buffer:
            replies.write(encode(_answer(register, needs, decode(line, Request))) + b"\n")


def _load(message: Start) -> tuple[Register, tuple[str, ...]]:
    module, by = importlib.import_module(message.by.module), message.by
    params = build(module.Params, by.params)
    register = module.load(params, device=by.device, seed=by.seed, checkpoint=message.checkpoint)
    return register, tuple(getattr(module, "NEEDS", ()))


def _cost(message: Start) -> dict[str, float]:
    module = importlib.import_module(message.by.module)
    if not hasattr(module, "cost"):
        return {}
    return dict(module.cost(message.shape, build(module.Params, message.by.params)))


def _answer(register: Register, needs: tuple[str, ...], request: Request) -> Reply:
    """Register one pair; every fault becomes a reply."""
    try:
        fixed, moving, extras = _read(request, needs)
        if missing := [name for name in needs if name not in extras]:
            return Reply(status="not_applicable", reason=f"the data set has no {', '.join(missing)}")
        with _own_surroundings(), measure() as cost:
            displacement = register(fixed.array, moving.array, fixed.spacing, **extras)
        checked = _check(displacement, fixed.array.shape)
        if request.out:
            write_displacement(request.out, checked, fixed.affine)
        return Reply(status="ok", reason="", seconds=cost.seconds, peak_memory=cost.peak_memory)
    except Exception as error:
        if not isinstance(error, (DataError, InvalidOutputError)):
            traceback.print_exc()
        return Reply(status=_status(error), reason=_reason(error, "register"))


def _read(request: Request, needs: tuple[str, ...]) -> tuple[Volume, Volume, dict[str, Array]]:
    fixed, moving = read_volume(request.fixed), read_volume(request.moving)
    check_same_grid(fixed, moving, Pair.from_name(request.pair))
    extras: dict[str, Array] = {}
    for name in needs:
        path = request.extras.get(name)
        if path and path.is_file():
            extras[name] = read_displacement(path) if name == "true_displacement" else read_volume(path).array > 0.5
    for array in (fixed.array, moving.array, *extras.values()):
        array.flags.writeable = False  # a method that changed its input would spoil the next method's figures
    return fixed, moving, extras


def _check(displacement: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return a displacement that passed the check of its shape, type, finite values and size."""
    try:
        checked = geometry.check_displacement(displacement, shape)
    except (ValueError, TypeError) as error:
        raise InvalidOutputError(str(error)) from error
    if (largest := float(np.abs(checked).max())) > 2 * max(shape):
        raise InvalidOutputError(f"displacement of {largest:.4g} voxels in a volume of shape {shape}")
    return checked


@contextlib.contextmanager
def _own_surroundings() -> Iterator[None]:
    """Give a call its own working and temporary folder, and put folder and environment back afterwards."""
    before, environment = os.getcwd(), dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="warpbench-") as folder:
        os.environ["TMPDIR"] = tempfile.tempdir = folder
        os.chdir(folder)
        try:
            yield
        finally:
            tempfile.tempdir = None
            os.chdir(before)
            os.environ.clear()
            os.environ.update(environment)


def _status(error: Exception) -> str:
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "oom"
    return "invalid_output" if isinstance(error, InvalidOutputError) else "failed"


def _reason(error: Exception, step: str) -> str:
    text = one_line(error)[:500]
    return text if isinstance(error, (DataError, InvalidOutputError)) else f"{step}: {type(error).__name__}: {text}"


def _die_with_parent() -> None:
    """Ask the kernel (Linux) to kill this process when its parent dies, so that no orphan goes on registering."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
        if os.getppid() != int(sys.argv[3]):
            sys.exit("the parent process has gone")


if __name__ == "__main__":
    main()
