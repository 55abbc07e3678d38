"""A method with every fault a method can have, for the supervisor's tests; ``fault`` chooses."""

import os
import signal
import sys
import time
from dataclasses import dataclass

import numpy as np

NEEDS = ()


@dataclass(frozen=True)
class Params:
    fault: str = "none"


def load(params: Params, *, device: str, seed: int, checkpoint=None):
    if params.fault == "load":
        raise ImportError("libwarp.so: cannot open shared object")
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
    "late import": _import,
    "mutate": _mutate,
    "shout": _shout,
    "surroundings": _change_surroundings,
    "hang": lambda zero, fixed: time.sleep(600),
    "segfault": lambda zero, fixed: os.kill(os.getpid(), signal.SIGSEGV),
    "exit": lambda zero, fixed: os._exit(3),
    "killed": lambda zero, fixed: os.kill(os.getpid(), signal.SIGKILL),
    "memory": lambda zero, fixed: np.zeros((1 << 50,), dtype=np.float32),
    "nan": lambda zero, fixed: zero * np.nan,
    "shape": lambda zero, fixed: zero[:, 1:],
    "integer": lambda zero, fixed: zero.astype(np.int16),
    "huge": lambda zero, fixed: zero + 1e9,
    "none_returned": lambda zero, fixed: None,
    "strided": lambda zero, fixed: np.asfortranarray(zero.astype(np.float64)),
}
