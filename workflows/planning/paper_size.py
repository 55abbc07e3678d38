"""What is timed at the papers' size: networks by what holds of them on every data set, whatever a profile cuts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from workflows.configuration.settings import Settings
from workflows.planning.specs import MethodSpec, PaperSizeSpec

Specify = Callable[[str, str, int], MethodSpec]  # of method, data set and seed


def paper_size(settings: Settings, specify: Specify) -> PaperSizeSpec | None:
    """Return what a configuration times at the papers' size, None where it names no grid."""
    wanted, chosen = settings.config.timing.paper_size, settings.methods
    if wanted.grid is None:
        return None

    def bare(method: str) -> MethodSpec:
        return specify(method, "", settings.main_seed(method))

    timed = [method for method in wanted.methods or chosen if method in chosen]
    methods = [bare(method) for method in dict.fromkeys([*timed, *chosen]) if settings.has_paper_size(method)]
    return PaperSizeSpec(
        grid=wanted.grid,
        timed=timed,
        methods=[replace(by, device=device) for by in methods for device in dict.fromkeys(["cpu", by.device])],
        once=[bare(method) for method in wanted.once if method in chosen],
        all_threads=wanted.all_threads,
        time_limit=settings.config.time_limit,
    )
