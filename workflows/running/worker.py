"""The child process that holds one method and registers pairs on request (started by `workflows.running.supervisor`).

The method and then requests come as JSON lines on one file descriptor, replies go as JSON lines to another; the command
line names them.
The method finds nothing on standard input, and whatever it prints ends in the log. Only its call is on the clock.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import inspect
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.clock.stopwatch import measure, resident_memory
from benchmarks.provenance import is_own
from benchmarks.records import UNAVAILABLE, decode, encode
from datasets import geometry
from datasets.case import Pair, check_same_grid, open_dataset
from datasets.files import Array, DataError, Volume, one_line, read_displacement, read_volume, write_displacement
from workflows.planning.specs import REFINEMENT, MethodSpec
from workflows.running import machine
from workflows.running.messages import MACHINE, Greeting, Reply, Request, Start
from workflows.running.options import build, import_method

Register = Callable[..., Any]


class InvalidOutputError(ValueError):
    """A method returned something else than a displacement of the fixed grid."""


def main() -> None:
    """Load the method that the first line names, then answer requests until there are no more."""
    asked, answered, held, parent = map(int, sys.argv[1:])
    for end in (asked, answered, held):  # nothing that the method starts may have them
        os.set_inheritable(end, False)
    _die_with_parent(parent)
    _guard(held, asked, answered)
    with os.fdopen(answered, "wb", buffering=0) as replies, os.fdopen(asked, "rb") as requests:
        message = decode(requests.readline(), Start)
        try:
            started = time.perf_counter()
            method = _load(message)
            _pin(message.cores)  # not before: those that are loaded at once would share a core
            load_seconds, told = time.perf_counter() - started, str(getattr(method.register, "told", ""))
            found = dict(getattr(method.register, "found", {}))
            ready = Greeting(
                status="ok",
                told=told,
                found=found,
                load_seconds=load_seconds,
                load_cpu=time.process_time(),
                cost=_cost(message),
            )
        except (Exception, SystemExit) as error:
            traceback.print_exc()
            status = MACHINE if isinstance(error, DataError) else _status(error, "load")  # weights that cannot be used
            reason = _reason(error, "load", message.by.module)
            replies.write(encode(Greeting(status=status, reason=reason)) + b"\n")
            return
        replies.write(encode(ready) + b"\n")
        for line in requests:
            replies.write(encode(_answer(method, decode(line, Request))) + b"\n")


@dataclass(frozen=True)
class Loaded:
    """A method that is ready, what it needs beside two images, and the MiB that it and its libraries hold.

    ``clocked`` says whether it registers by itself, so that its seconds count.
    """

    register: Register
    refine: Register | None  # what follows each registration
    needs: tuple[str, ...]
    clocked: bool
    message: Start
    held: float


def _load(message: Start) -> Loaded:
    by = message.by
    module = import_method(by.module)
    params = build(module.Params, by.params)
    wants_data = message.data and "data" in inspect.signature(module.load).parameters
    data = {"data": open_dataset(message.data)} if message.data and wants_data else {}
    register = module.load(params, device=by.device, seed=by.seed, checkpoint=message.checkpoint, **data)
    if not callable(register):
        raise TypeError(f"load returned {type(register).__name__}, expected the function that registers")
    needs, clocked = tuple(getattr(module, "NEEDS", ())), getattr(module, "CLOCKED", True)
    return Loaded(register, _refinement(by), needs, clocked, message, resident_memory())


def _refinement(by: MethodSpec) -> Register | None:
    """Return what refines a method's displacements; its code is no part of methods that nothing refines."""
    if not by.refine:
        return None
    module = importlib.import_module(REFINEMENT)
    return module.refinement(build(module.Refinement, by.refine), by.device)


def _pin(cores: Collection[int]) -> None:
    """Bind this process to some cores (Linux), threads that libraries have started already among it; none is any."""
    if cores and hasattr(os, "sched_setaffinity"):
        for thread in os.listdir("/proc/self/task"):
            os.sched_setaffinity(int(thread), cores)


def _cost(message: Start) -> dict[str, float]:
    module = import_method(message.by.module)
    if not message.counted or not hasattr(module, "cost"):
        return {}
    return dict(module.cost(message.shape, build(module.Params, message.by.params)))


def _answer(method: Loaded, request: Request) -> Reply:
    """Register one pair; every fault becomes a reply."""
    try:
        fixed, moving, extras = _read(request, method.needs)
    except (OSError, DataError) as error:  # our own work: what goes wrong with it says nothing of the method
        return Reply(status=MACHINE, reason=one_line(error))
    if missing := [name for name in method.needs if name not in extras]:
        return Reply(status="not_applicable", reason=f"the data set has no {', '.join(missing)}")
    try:
        with _own_surroundings(method.message.room), measure(method.held, method.message.by.device) as cost:
            displacement = _laid_out(method.register(fixed.array, moving.array, fixed.spacing, **extras))
            displacement, took = _refined(method, fixed, moving, displacement)
        checked = _check(displacement, fixed.array.shape)
    except (Exception, SystemExit) as error:
        if not isinstance(error, InvalidOutputError):
            traceback.print_exc()
        reason = _reason(error, "register", method.message.by.module)
        return Reply(status=_status(error, "register"), reason=reason)
    try:
        if request.out:
            write_displacement(request.out, checked, fixed.affine)
    except OSError as error:
        why = error.strerror or one_line(error)
        return Reply(status=MACHINE, reason=f"{request.out}: {why}; correct that and run again")
    if not method.clocked:
        return Reply(status="ok", reason="", refine_seconds=took)
    return Reply(
        status="ok",
        reason="",
        seconds=cost.seconds,
        refine_seconds=took,
        cpu=cost.cpu,
        peak_memory=cost.peak_memory,
    )


def _refined(method: Loaded, fixed: Volume, moving: Volume, displacement: Any) -> tuple[Any, float | None]:
    """Return a displacement after what follows the registration, with the seconds of that; None where nothing does."""
    if method.refine is None:
        return displacement, None
    began = time.perf_counter()
    refined = method.refine(fixed.array, moving.array, _check(displacement, fixed.array.shape))
    return refined, time.perf_counter() - began


def _read(request: Request, needs: tuple[str, ...]) -> tuple[Volume, Volume, dict[str, Array | Pair]]:
    fixed, moving, pair = read_volume(request.fixed), read_volume(request.moving), Pair.from_name(request.pair)
    check_same_grid(fixed, moving, pair)
    extras: dict[str, Array] = {}
    for name in needs:
        path = request.extras.get(name)
        if path and path.is_file():
            extras[name] = read_displacement(path) if name == "true_displacement" else read_volume(path).array > 0.5
    for array in (fixed.array, moving.array, *extras.values()):
        array.flags.writeable = False  # a method that changed its input would spoil the next method's figures
    return fixed, moving, {**extras, **({"pair": pair} if "pair" in needs else {})}


def _laid_out(displacement: Any) -> Any:
    """Return a displacement in the form of all methods, float32 in order, which is on the clock of all alike."""
    if isinstance(displacement, np.ndarray) and displacement.dtype.kind == "f":
        return np.ascontiguousarray(displacement, np.float32)
    return displacement


def _check(displacement: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return a displacement that passed the check of its shape, type, finite values and size."""
    if not hasattr(displacement, "dtype"):
        raise InvalidOutputError(f"register returned {type(displacement).__name__}, expected one array (3, D, H, W)")
    try:
        checked = geometry.check_displacement(displacement, shape)
    except (ValueError, TypeError) as error:
        raise InvalidOutputError(str(error)) from error
    if far := geometry.out_of_reach(checked, shape):
        raise InvalidOutputError(far)
    return checked


@contextlib.contextmanager
def _own_surroundings(room: int) -> Iterator[None]:
    """Give a call its own working and temporary folder, and put folder and environment back afterwards.

    Where the call fails, the surroundings are tried before anything is put back: they may be the reason.
    """
    before, environment = os.getcwd(), dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="warpbench-", ignore_cleanup_errors=True) as folder:
        os.environ["TMPDIR"] = tempfile.tempdir = folder
        os.chdir(folder)
        try:
            yield
        except Exception:
            machine.check([Path(folder)], room)
            raise
        finally:
            tempfile.tempdir = None
            os.chdir(before)
            os.environ.clear()
            os.environ.update(environment)


def _status(error: BaseException, step: str) -> str:
    causes_only = step == "register"
    if machine.is_machine(error, causes_only=causes_only):
        return MACHINE
    if machine.lacks_memory(error, causes_only=causes_only):
        return "oom"
    if machine.is_missing(error, causes_only=causes_only):
        return UNAVAILABLE
    return "invalid_output" if isinstance(error, InvalidOutputError) else "failed"


def _reason(error: BaseException, step: str, module: str) -> str:
    """Return why a method failed; of one in a file of the user's own with the line that it came to."""
    text = one_line(error)  # whole where it is in our own words, which may name many files
    if isinstance(error, (DataError, InvalidOutputError)):
        return text
    lines = [
        each.lineno for each in traceback.extract_tb(error.__traceback__) if is_own(module) and each.filename == module
    ]
    where = f" ({Path(module).name}, line {lines[-1]})" if lines else ""
    return f"{step}: {type(error).__name__}: {text[:500]}{where}"


def _die_with_parent(parent: int) -> None:
    """Ask the kernel (Linux) to kill this process when its parent dies, so that no orphan goes on registering."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit("the parent process has gone")


def _guard(held: int, *others: int) -> None:
    """Leave a process behind that kills this one, with all that the method has started, when the parent dies."""
    if os.fork() == 0:
        for end in others:
            os.close(end)
        os.read(held, 1)  # returns when the parent has gone: it alone has the other end, and writes nothing
        os.killpg(0, signal.SIGKILL)
    os.close(held)


if __name__ == "__main__":
    main()
