"""Parts of a report that do not need each other, made side by side by processes of their own."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
_TASKS: list[Callable[[], object]] = []  # of the processes that are forked next: they inherit what tasks hold


def side_by_side(tasks: Sequence[Callable[[], T]], processes: int = 1) -> list[T]:
    """Return what each of some functions returns, in their order; an error of one is raised.

    Up to so many ``processes`` share them, the first functions first, so that the long ones should come first. They are
    forked, which spares them the imports and the rows; where that is not safe, all functions run here, one by one.
    """
    if min(processes, len(tasks)) < 2 or sys.platform != "linux":
        return [task() for task in tasks]
    _TASKS[:] = tasks
    try:
        with multiprocessing.get_context("fork").Pool(min(processes, len(tasks))) as pool:
            return pool.map(_run, range(len(tasks)), chunksize=1)  # type: ignore[arg-type]
    finally:
        _TASKS.clear()


def _run(place: int) -> object:
    return _TASKS[place]()
