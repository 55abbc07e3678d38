"""Warm calls of one thing: median and quartiles of their wall time, and the most memory that the device held."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from datasets.files import one_line
from workflows.gpu.archive import Timing

WARM_UP = 2  # calls after the first that do not count
MOST = 50


@dataclass(frozen=True)
class Clock:
    """A clock for one device: at least ``calls`` warm calls, and more until ``seconds`` have gone by.

    Memory counts beyond the bytes ``held`` there before the network came.
    """

    device: str
    calls: int
    seconds: float
    held: int

    def time(self, about: Timing, make: Callable[[], Callable[[], object]]) -> Timing:
        """Return the row ``about`` with the time of the call that ``make`` sets up, or with the reason for none.

        A network that does not fit into the device's memory fails alone.
        """
        try:
            call = make()
            self._forget_peak()
            first, *warm = self._times(call)
            memory = torch.cuda.max_memory_allocated() - self.held if self._cuda else None
            low, median, high = np.percentile(warm, [25, 50, 75]).round(4).tolist()
        except (RuntimeError, ValueError) as error:  # torch has no class of its own for faults of a device
            return replace(about, status="failed", reason=one_line(error)[:300])
        finally:
            call = None
            self._release()
        return replace(
            about,
            calls=len(warm),
            median_ms=median,
            lower_ms=low,
            upper_ms=high,
            first_ms=round(first, 4),
            memory_mib=None if memory is None else round(memory / 2**20, 1),
        )

    def _times(self, call: Callable[[], object]) -> list[float]:
        """Return the milliseconds of the first call and of the warm ones."""
        first = self._time(call)
        for _ in range(WARM_UP):
            call()
        until, warm = time.perf_counter() + self.seconds, list[float]()
        while len(warm) < self.calls or (len(warm) < MOST and time.perf_counter() < until):
            warm.append(self._time(call))
        return [first, *warm]

    def _time(self, call: Callable[[], object]) -> float:
        self._wait()
        began = time.perf_counter()
        call()
        self._wait()
        return 1e3 * (time.perf_counter() - began)

    @property
    def _cuda(self) -> bool:
        return self.device.startswith("cuda")

    def _wait(self) -> None:
        if self._cuda:
            torch.cuda.synchronize()

    def _forget_peak(self) -> None:
        if self._cuda:
            torch.cuda.reset_peak_memory_stats()

    def _release(self) -> None:
        gc.collect()
        if self._cuda:
            torch.cuda.empty_cache()
