"""A method with every fault a method can have, for the supervisor's tests; ``fault`` chooses."""

import contextlib
import errno
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

import numpy as np

NEEDS = ()


@dataclass(frozen=True)
class Params:
    fault: str = "none"
    command: str = ""  # of the shell, for the fault of the same name
    names: tuple[str, ...] = ()


def load(params: Params, *, device: str, seed: int, checkpoint=None):
    FAULTS["command"] = lambda zero, fixed: _command(params.command)
    if params.fault == "load":
        raise ImportError("libwarp.so: cannot open shared object")
    if params.fault == "broken library":
        sys.path.insert(0, tempfile.gettempdir())
        with open(os.path.join(sys.path[0], "broken_library.py"), "w") as file:
            file.write("raise OSError('libcudart.so.99: cannot open shared object file')")
        import broken_library  # noqa: F401
    if params.fault == "crash at load":
        os.kill(os.getpid(), signal.SIGILL)

    def register(fixed, moving, spacing):
        zero = np.zeros((3, *fixed.shape), dtype=np.float32)
        if moving.max() < 0.5:  # only dark moving images meet the fault, so that others show the recovery
            return FAULTS[params.fault](zero, fixed)
        if os.environ["OMP_NUM_THREADS"] == "99" or os.path.exists("left-behind"):
            raise RuntimeError("an earlier call changed my surroundings")
        return zero

    return register


def _raise(zero, fixed):
    raise RuntimeError("no overlap between the images")


def _import(zero, fixed):
    import no_such_library  # noqa: F401


def _try_library_first(zero, fixed):
    try:
        import no_such_library  # noqa: F401
    except ImportError:
        raise ValueError("no overlap in the slow way")  # noqa: B904


def _try_terminal_first(zero, fixed):
    try:
        raise OSError(errno.ENXIO, os.strerror(errno.ENXIO), "/dev/tty")  # so opens a process without a terminal
    except OSError:
        raise ValueError("no overlap, and nobody to ask")  # noqa: B904


def _command(line):
    subprocess.run(line, shell=True)
    raise RuntimeError("the library gives no reason")


def _leak_descriptors(zero, fixed):
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
    open_files = []
    with contextlib.suppress(OSError):
        while True:
            open_files.append(os.open(os.devnull, os.O_RDONLY))
    raise RuntimeError("the library gives no reason")


def _leave_children(zero, fixed):
    print("started", subprocess.Popen(["sleep", "654"]).pid, flush=True)
    time.sleep(600)


def _read_input(zero, fixed):
    subprocess.run(["cat"], check=True)
    return zero


def _litter(zero, fixed):
    tempfile.mkdtemp()
    os.write(tempfile.mkstemp()[0], b"x" * 100_000)
    return zero


def _show_environment(zero, fixed):
    print("environment", json.dumps(dict(os.environ)), flush=True)
    return zero


def _allocate_tensor(zero, fixed):
    import torch

    return torch.empty(1 << 50)


def _allocate_image(zero, fixed):
    import SimpleITK

    return SimpleITK.Image([60000, 60000, 60000], SimpleITK.sitkFloat64)


def _simulate_cuda_oom(zero, fixed):
    import torch

    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has 79.10 GiB in all")


def _simulate_cuda_loss(zero, fixed):
    raise RuntimeError("CUDA error: no CUDA-capable device is detected")


def _crash_in_words(zero, fixed):
    for number in range(50):
        print("line", number, flush=True)
    os.kill(os.getpid(), signal.SIGABRT)


def _mutate(zero, fixed):
    fixed[...] = 0
    return zero


def _change_surroundings(zero, fixed):
    open("left-behind", "w").close()
    os.environ["OMP_NUM_THREADS"] = "99"
    os.chdir("/")
    return zero


def _shout(zero, fixed):
    for _ in range(100):
        sys.stdout.write("x" * 100_000)
    return zero


FAULTS = {
    "none": lambda zero, fixed: zero,
    "one": lambda zero, fixed: zero + 1,  # no fault: another displacement
    "raise": _raise,
    "descriptors": _leak_descriptors,
    "children": _leave_children,
    "input": _read_input,
    "litter": _litter,
    "environment": _show_environment,
    "tensor": _allocate_tensor,
    "image": _allocate_image,
    "simulated cuda oom": _simulate_cuda_oom,
    "simulated cuda loss": _simulate_cuda_loss,
    "crash in words": _crash_in_words,
    "infinite": lambda zero, fixed: zero + np.inf,
    "complex": lambda zero, fixed: zero.astype(np.complex64),
    "objects": lambda zero, fixed: zero.astype(object),
    "text": lambda zero, fixed: "done",
    "twice": lambda zero, fixed: np.stack([zero, zero]),
    "late import": _import,
    "library first": _try_library_first,
    "terminal first": _try_terminal_first,
    "mutate": _mutate,
    "shout": _shout,
    "surroundings": _change_surroundings,
    "hang": lambda zero, fixed: time.sleep(600),
    "segfault": lambda zero, fixed: os.kill(os.getpid(), signal.SIGSEGV),
    "exit": lambda zero, fixed: os._exit(3),
    "leave": lambda zero, fixed: sys.exit(0),
    "killed": lambda zero, fixed: os.kill(os.getpid(), signal.SIGKILL),
    "memory": lambda zero, fixed: np.zeros((1 << 50,), dtype=np.float32),
    "nan": lambda zero, fixed: zero * np.nan,
    "shape": lambda zero, fixed: zero[:, 1:],
    "integer": lambda zero, fixed: zero.astype(np.int16),
    "huge": lambda zero, fixed: zero + 1e9,
    "none_returned": lambda zero, fixed: None,
    "strided": lambda zero, fixed: np.asfortranarray(zero.astype(np.float64)),
}
