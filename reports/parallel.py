"""Parts of a report that do not need each other, made side by side by processes of their own."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

from datasets.files import DataError

T = TypeVar("T")
_TASKS: list[Callable[[], object]] = []  # of the processes that are forked next: they inherit what tasks hold


def side_by_side(tasks: Sequence[Callable[[], T]], processes: int = 1) -> list[T]:
    """Return what each of some functions returns, in their order; an error of one is raised.

    Up to so many ``processes`` share them, the first functions first, so that the long ones should come first. They are
    forked, which spares them the imports and the rows; where that is not safe, all functions run here, one by one.

    All end with the first error, and where this process is told to stop.

    Raises:
        DataError: a process was ended from outside.
    """
    if min(processes, len(tasks)) < 2 or sys.platform != "linux":
        return [task() for task in tasks]
    _TASKS[:] = tasks
    workers, fork = min(processes, len(tasks)), multiprocessing.get_context("fork")
    try:
        with ProcessPoolExecutor(workers, fork, initializer=_settle) as pool, _ended_early():
            return list(pool.map(_run, range(len(tasks))))  # type: ignore[arg-type]
    except BrokenProcessPool as error:
        if error.__cause__:  # what it returned, or raised, does not go from one process to another
            raise
        raise DataError(
            "a process that draws a part of the report was ended from outside, perhaps for want of memory; free some "
            "and run again, or give the report one process (--set-threads report=1)"
        ) from error
    finally:
        _TASKS.clear()


@contextmanager
def _ended_early() -> Generator[None]:
    """End the processes that are started meanwhile where an error ends that: a pool would wait for all they have."""
    before = set(multiprocessing.active_children())
    try:
        yield
    except BaseException:
        for process in set(multiprocessing.active_children()) - before:
            process.kill()
        raise


def _run(place: int) -> object:
    return _TASKS[place]()


def _settle() -> None:
    """Let a signal end this process, and let it end with the one that started it.

    A handler of Python's, which it inherits, runs only between two steps of its code: one that waits for its next task
    would go on to wait. Of a pool whose owner was killed, each would wait for tasks without end.
    """
    for stop in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(stop, signal.SIG_DFL)
    threading.Thread(target=_outlive_nobody, daemon=True).start()


def _outlive_nobody() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)
