"""What is timed at the papers' size: networks by what holds of them on every data set, whatever a profile cuts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from workflows.configuration.config import Config
from workflows.planning.specs import MethodSpec, PaperSizeSpec


def paper_size(
    config: Config, has_size: Callable[[str], bool], specify: Callable[[str, str, int], MethodSpec]
) -> PaperSizeSpec | None:
    """Return what a configuration times at the papers' size, None where it names no grid.

    ``has_size`` says which methods have such a size, ``specify`` gives one by its name, data set and seed.
    """
    wanted, chosen = config.timing.paper_size, config.run.methods
    if wanted.grid is None:
        return None

    def everywhere(method: str) -> MethodSpec:
        return specify(method, "", min(config.methods[method].seeds or config.seeds))  # what holds on all data sets

    timed = [method for method in (chosen if wanted.methods is None else wanted.methods) if method in chosen]
    methods = [everywhere(method) for method in dict.fromkeys([*timed, *chosen]) if has_size(method)]
    return PaperSizeSpec(
        grid=wanted.grid,
        timed=timed,
        methods=[replace(by, device=device) for by in methods for device in dict.fromkeys(["cpu", by.device])],
        once=[everywhere(method) for method in wanted.once if method in chosen],
        all_threads=wanted.all_threads,
        time_limit=config.time_limit,
    )
