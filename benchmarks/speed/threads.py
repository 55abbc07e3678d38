"""One thread count for every library that is loaded."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from threadpoolctl import threadpool_limits  # pyright: ignore[reportMissingTypeStubs]

from benchmarks.clock.cores import allowed

# How libraries that threadpoolctl does not know, or not in full, are told; each only where it is loaded already.
SETTERS: Mapping[str, Callable[[Any, int], object]] = {
    "torch": lambda torch, threads: torch.set_num_threads(threads),
    "numba": lambda numba, threads: numba.set_num_threads(threads),
    "SimpleITK": lambda sitk, threads: sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads),
}


def cores() -> int:
    """Return how many cores this process may use."""
    return len(allowed())


def counts() -> list[int]:
    """Return the thread counts that are measured: one, and all."""
    return sorted({1, cores()})


def use(threads: int) -> None:
    """Give every loaded library so many threads, for good."""
    threadpool_limits(limits=threads)
    for name, tell in SETTERS.items():
        if (library := sys.modules.get(name)) is not None:
            tell(library, threads)
