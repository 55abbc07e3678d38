"""Which trainings a profile needs from another machine, and which of those that came back are this run's own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from benchmarks.records import write
from datasets.case import open_dataset
from datasets.description import DATASET_JSON, IMAGES, MASKS
from workflows.ahead.stages import up_to
from workflows.configuration.resolve import read_yaml, resolve
from workflows.elsewhere.note import LIST, Note, noted
from workflows.planning.layout import TrainingFolder
from workflows.planning.marks import marking, others
from workflows.planning.plan import Plan
from workflows.planning.specs import TrainSpec
from workflows.planning.wildcards import Wildcards


def listed(configfile: Path, stage: int | None) -> list[str]:
    """Write the list of the trainings that a profile still needs; return what to do with it, in lines."""
    plan = _plan(configfile)
    plan = up_to(plan, stage) if stage else plan
    needed = [spec for _, spec in _lacking(plan)]
    for folder in dict.fromkeys(spec.data for spec in needed):
        open_dataset(folder)  # prepared before, here
    path = plan.layout.results / LIST
    write(path, needed)
    parts = [f"{spec.data}/{{{DATASET_JSON},{IMAGES},{MASKS}}}" for spec in needed]
    models, copied = plan.layout.results / "models", " ".join(dict.fromkeys(parts))
    return [
        f"{len(needed)} trainings; copy to the same places of a checkout there: {path} {copied}",
        f"then copy {models} back without its state-*.pt, and run: python -m workflows.elsewhere adopt {configfile}",
    ]


def adopted(configfile: Path) -> list[str]:
    """Take trainings made elsewhere, teachers first, as made by this profile; return what was found, in lines.

    A training is this run's own where its note says so of all that counts: code, data, options, seed and teacher.
    Libraries and device are those of the other machine, and stand in its outcome.
    """
    plan, lines, taken = _plan(configfile), list[str](), 0
    for outcome, spec in _lacking(plan):
        if not outcome.exists():
            continue
        folder = TrainingFolder(spec.folder)
        if why := noted(folder).difference(Note.of(spec)):
            lines.append(f"{outcome}: not taken: {why}")
            continue
        with marking(spec):
            os.utime(outcome)  # later than data, code and its teacher's, as Snakemake wants it
        taken += 1
    return [*lines, f"{taken} trainings taken; a run of this profile goes on with them"]


def _plan(configfile: Path) -> Plan:
    return Plan(resolve(read_yaml(configfile), [configfile]))


def _lacking(plan: Plan) -> Iterator[tuple[Path, TrainSpec]]:
    """Yield the trainings that are not there or not by the plan, in order of importance, each after its teacher."""
    jobs = {path: plan.train(where) for stage in _stages(plan) for path, where in _by_seed(stage)}
    stale = set(others(jobs.items()))
    yield from ((path, spec) for path, spec in jobs.items() if path in stale or not path.exists())


def _stages(plan: Plan) -> Iterator[Plan]:
    """Yield a plan of the first stage, of the first two, and so on; the plan itself where it has no stages."""
    config = plan.settings.config
    last = config.stage or len(config.stages)
    yield from (up_to(plan, stage) for stage in range(1, last + 1)) if config.stages else [plan]


def _by_seed(plan: Plan) -> list[tuple[Path, Wildcards]]:
    """Return the trainings of a plan seed by seed, those of teachers first."""
    return sorted(plan.trainings().items(), key=lambda job: (int(job[1].seed), bool(plan.teacher(job[1]))))
