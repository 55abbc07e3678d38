"""Whether this machine has the devices that a configuration asks for."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.clock.cores import allowed
from methods.blocks.hardware import lacks_bfloat16
from workflows.configuration.config import SettingsError
from workflows.configuration.settings import Settings
from workflows.planning.devices import gpus
from workflows.running.machine import missing_device


def check(settings: Settings) -> None:
    """Refuse what this machine has not; the message has every problem."""
    if found := problems(settings):
        raise SettingsError("; ".join(found))


def problems(settings: Settings) -> list[str]:
    """Return a line each on what is missing: the device of networks, its bfloat16, the processes that they ask for."""
    return list(dict.fromkeys(_problems(settings)))


def _problems(settings: Settings) -> Iterator[str]:
    there, kind = len(allowed()), "cores"
    if settings.device == "cuda" and any(map(settings.trains, settings.methods)):
        there, kind = len(gpus()), "GPUs"
        if why := missing_device("cuda"):
            there = 0
            yield (
                f"configuration, device: cuda cannot be used here ({why}); write `device: cpu`, or install a PyTorch "
                "and a driver that see the GPU"
            )
    if settings.mixed and (why := lacks_bfloat16(settings.device)):
        yield (
            f"configuration, methods: {settings.mixed[0]}: precision: mixed cannot be had here ({why}); write "
            "`precision: float32`"
        )
    for method, dataset in settings.runs if there else ():
        wanted = _processes(settings, method, dataset) if settings.trains(method) else 1
        if wanted > there:
            yield (
                f"configuration, methods: {method}: training, processes: {wanted} are more than the {there} {kind} "
                f"here; write {there} or fewer"
            )


def _processes(settings: Settings, method: str, dataset: str) -> int:
    wanted = settings.training(method, settings.train_on(method, dataset)).get("processes", 1)
    return wanted if isinstance(wanted, int) else 1  # what is no number is refused elsewhere
