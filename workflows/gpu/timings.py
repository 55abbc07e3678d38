"""What `make gpu` times, by importance: registrations, steps of training, and the CPU of the machine beside."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Literal, get_args

import numpy as np
import torch

from datasets.geometry import Array
from methods.blocks.precision import single_precision
from methods.blocks.registration import register
from workflows.gpu.archive import Difference, Precision, Timing
from workflows.gpu.clock import Clock
from workflows.gpu.networks import STUDENTS, Predict, Subject

SPACING = (1.0, 1.0, 1.0)
Phase = Literal["registration", "step", "taught", "cpu"]
PHASES: tuple[Phase, ...] = get_args(Phase)  # in order of importance
FEW = 9  # so many networks are also timed on the CPU of the machine


@dataclass(frozen=True)
class Session:
    """The timings of some networks on one device, until ``deadline`` on `time.monotonic`'s clock."""

    names: Sequence[str]
    device: str
    size: int
    calls: int
    phases: Sequence[Phase]
    deadline: float

    def results(self) -> Iterator[Timing | Difference]:
        """Yield the results, the most important first; the last one may end after the deadline."""
        for phase in self.phases:
            for name in self._names(phase):
                if time.monotonic() > self.deadline:
                    return
                yield from self._measure(phase, name)

    def _names(self, phase: Phase) -> Sequence[str]:
        if phase == "taught":
            return [name for name in self.names if name in STUDENTS]
        if phase in ("registration", "step"):
            return self.names
        return self.names[:FEW] if self.on_cuda else ()

    def _measure(self, phase: Phase, name: str) -> Iterator[Timing | Difference]:
        if phase == "registration":
            return self._registrations(name)
        if phase == "cpu":
            return self._on_the_cpu(name)
        return self._steps(name, taught=phase == "taught")

    @property
    def on_cuda(self) -> bool:
        """Whether the device is a GPU."""
        return self.device.startswith("cuda")

    @property
    def precisions(self) -> Sequence[Precision]:
        """The precisions that the device has."""
        return ("float32", "mixed") if self.on_cuda else ("float32",)

    def _registrations(self, name: str) -> Iterator[Timing]:
        subject, clock = self._subject(name), self._clock()
        size, call = subject.size(), cache(subject.predict)  # both precisions have one set of weights
        for precision in self.precisions:
            about = replace(self._about("registration", name, precision), **size)
            yield clock.time(about, partial(_call, _register, subject, call, precision))
            about = replace(about, what="network")
            yield clock.time(about, partial(_call, _on_device, subject, call, precision))

    def _steps(self, name: str, *, taught: bool) -> Iterator[Timing]:
        for precision in self.precisions:
            about = self._about("taught step" if taught else "step", name, precision)
            with single_precision(tuned=True):  # as the loop of training has it
                timed = self._clock().time(about, partial(self._subject(name).step, precision, taught=taught))
            yield replace(timed, tuned=self.on_cuda)

    def _on_the_cpu(self, name: str) -> Iterator[Timing | Difference]:
        """Time the CPU of the same machine on all its threads, and compare the displacements of both devices."""
        subject = replace(self._subject(name), device="cpu")
        predict = subject.predict()("float32")
        about = replace(self._about("registration", name, "float32"), device="cpu", **subject.size())
        yield Clock("cpu", 5, 0.5, 0).time(about, lambda: partial(_register, subject, predict))
        wanted = _register(subject, predict)
        there = self._subject(name)
        call = there.predict()
        for precision in self.precisions:
            found = _register(there, call(precision))
            yield Difference(name, precision, there.shape, *_difference(found, wanted))

    def _clock(self) -> Clock:
        return Clock(self.device, self.calls, 0.4, torch.cuda.memory_allocated() if self.on_cuda else 0)

    def _subject(self, name: str) -> Subject:
        return Subject(name, self.device, (self.size,) * 3)

    def _about(self, what: str, name: str, precision: Precision) -> Timing:
        shape = self._subject(name).shape
        return Timing(what=what, network=name, device=self.device, precision=precision, tuned=False, shape=shape)


def _call(
    function: Callable[[Subject, Predict], object],
    subject: Subject,
    built: Callable[[], Callable[[Precision], Predict]],
    precision: Precision,
) -> Callable[[], object]:
    """Return a registration to be timed; a network is built as late as here, where a fault becomes a row."""
    return partial(function, subject, built()(precision))


def _register(subject: Subject, predict: Predict) -> Array:
    """Return a displacement as every method does: arrays in memory to an array in memory."""
    fixed, moving = subject.images.numpy()
    return register(fixed, moving, SPACING, predict=predict, device=subject.device, multiple=subject.multiple)


@torch.inference_mode()
def _on_device(subject: Subject, predict: Predict) -> torch.Tensor:
    """Return a displacement of images that lie on the device, where it stays."""
    fixed, moving = subject.on_device
    with single_precision():
        return predict(fixed, moving)


def _difference(found: Array, wanted: Array) -> tuple[float, float]:
    apart, length = found.astype(np.float64) - wanted, np.linalg.norm(wanted.astype(np.float64))
    return float(np.linalg.norm(apart) / length), float(np.abs(apart).max())
