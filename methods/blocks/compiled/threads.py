"""Parts of a loop on several threads, which sleep while they have nothing to do.

An OpenMP team waits at a barrier for its slowest thread, and spins while it waits: one busy neighbour costs many times
its share. Here each thread takes the next part when it is done with one.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import lru_cache
from itertools import pairwise

import torch

AT_ONCE = 1 << 15  # values that are not worth a second thread: it takes some 50 microseconds to wake
PARTS = 4  # a thread, so that one that is held up leaves its share to the others


def in_parts(work: Callable[[int, int], object], size: int, *, values: int, parts: int = PARTS) -> None:
    """Call ``work(low, high)`` for parts of ``range(size)``, on as many threads as torch has.

    The results must not depend on where the parts begin.

    Args:
        work: leaves Python's lock to the other threads while it runs.
        size: of what is cut.
        values: how many there are to compute in all.
        parts: a thread.
    """
    threads = min(torch.get_num_threads(), size, 1 + values // AT_ONCE)
    if threads <= 1:
        work(0, size)
        return
    parts = min(parts * threads, size)
    todo = deque(pairwise(size * k // parts for k in range(parts + 1)))

    def take() -> None:
        while todo:
            try:
                part = todo.popleft()
            except IndexError:  # another thread was faster
                return
            work(*part)

    others = [_pool(threads - 1).submit(take) for _ in range(threads - 1)]
    try:
        take()
    finally:
        todo.clear()
        wait(others)  # none may still write where the caller goes on
    for other in others:
        other.result()


@lru_cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="loops")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # threads stay behind when a process is copied
