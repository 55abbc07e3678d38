"""Whether the stages of a profile can be run: names that it selects, and nothing that no stage has."""

from __future__ import annotations

from collections.abc import Iterable

from workflows.configuration.config import Config, SettingsError, nearest


def check_stages(config: Config) -> None:
    """Refuse stages that name what the profile does not select, that leave a data set out, or that are not there."""
    if config.stage is not None and not 1 <= config.stage <= len(config.stages):
        have = len(config.stages) or "none"
        raise SettingsError(
            f"configuration, stage: {config.stage} stages are asked for, and the profile {config.profile} has {have}; "
            "leave it out for all"
        )
    last = config.stage or len(config.stages)
    if config.first_stage > max(last, 1):
        raise SettingsError(
            f"configuration, first_stage: {config.first_stage} comes after the last of the run, {last or 'none'}; "
            "leave it out to begin with the first"
        )
    for number, stage in enumerate(config.stages):
        where = f"stages.{number}"
        _known(stage.datasets, config.run.datasets, f"{where}.datasets", "data set of run.datasets")
        _known(stage.methods, config.run.methods, f"{where}.methods", "method of run.methods")
        if others := [seed for seed in stage.seeds if seed not in config.seeds]:
            raise SettingsError(
                f"configuration, {where}.seeds: {others[0]} is none of the profile's; add it to seeds, or take it out"
            )
    named = {name for stage in config.stages for name in stage.datasets}
    if lost := [name for name in config.run.datasets if config.stages and name not in named]:
        raise SettingsError(
            f"configuration, run.datasets: {lost[0]!r} is in no stage; name it in one, or take it out of run.datasets"
        )


def _known(names: Iterable[str], known: Iterable[str], where: str, what: str) -> None:
    for name in names:
        if name not in known:
            raise SettingsError(f"configuration, {where}: unknown {what} {name!r}; {nearest(name, known)}")
