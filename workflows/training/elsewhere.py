"""Hand the trainings of a profile to another machine, and take what comes back.

python -m workflows.training.elsewhere list workflows/config/study.yaml     here: which trainings, what to copy there
python -m workflows.training results/study/trainings.json --at-once 6       there
python -m workflows.training.elsewhere adopt workflows/config/study.yaml    here, once results/study/models is back

See docs/gpu.md.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.records import TrainingOutcome, read, write
from datasets.case import open_dataset
from datasets.description import DATASET_JSON, IMAGES, MASKS
from datasets.files import DataError, sha256
from workflows.configuration.resolve import read_yaml, resolve
from workflows.planning.layout import TrainingFolder
from workflows.planning.marks import marking, others
from workflows.planning.plan import Plan
from workflows.planning.specs import TrainSpec
from workflows.planning.wildcards import Wildcards
from workflows.running.machine import of_system
from workflows.training.note import LIST, Note, noted


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; what cannot be done is one line."""
    given = _parser().parse_args(arguments)
    try:
        lines = (listed if given.verb == "list" else adopted)(given.configfile, given.stage)
    except DataError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: {of_system(error)}")
    for line in lines:
        sys.stdout.write(f"{line}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m workflows.training.elsewhere",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("verb", choices=["list", "adopt"])
    parser.add_argument("configfile", type=Path)
    parser.add_argument("--stage", type=int, help="those up to this stage, of a profile that has stages")
    return parser


def listed(configfile: Path, stage: int | None) -> list[str]:
    """Write the list of the trainings that a profile still needs; return what to do with it, in lines."""
    plan = _plan(configfile, stage)
    needed = [spec for _, spec in _lacking(plan)]
    watched = dict.fromkeys(folder for spec in needed for folder in spec.watch)
    for folder in dict.fromkeys([*(spec.data for spec in needed), *watched]):
        if not (folder / DATASET_JSON).exists():
            prepare = f"snakemake --cores all data --configfile {configfile}"
            raise DataError(f"{folder}: its data are not prepared yet; first run: {prepare}")
        open_dataset(folder)
    path = plan.layout.results / LIST
    write(path, needed)
    parts = [f"{spec.data}/{{{DATASET_JSON},{IMAGES},{MASKS}}}" for spec in needed if spec.data not in watched]
    models, copied = plan.layout.results / "models", " ".join(dict.fromkeys([*parts, *map(str, watched)]))
    return [
        f"{len(needed)} trainings; copy to the same places of a checkout there: {path} {copied}",
        f"then copy {models} back (state-*.pt need not be), and run here:",
        f"python -m workflows.training.elsewhere adopt {configfile}",
    ]


def adopted(configfile: Path, stage: int | None) -> list[str]:
    """Take trainings made elsewhere, teachers first, as made by this profile; return what was found, in lines.

    A training is this run's own where its note says so of all that counts: code, data, options, seed and teacher.
    Libraries and device are those of the other machine, and stand in its outcome. A teacher's weights need not have
    come back where nothing is registered with them and all its students are there.
    """
    plan, lines, taken, absent = _plan(configfile, stage), list[str](), 0, list[Path]()
    jobs = list(_lacking(plan))
    wanted = {*plan.all_trainings(), *(str(spec.teacher) for path, spec in jobs if not path.exists())}
    for outcome, spec in jobs:
        if not outcome.exists():
            absent.append(outcome)
            continue
        folder = TrainingFolder(spec.folder)
        why = noted(folder).difference(Note.of(spec)) or (_lost(outcome) if str(outcome) in wanted else "")
        if why:
            lines.append(f"{outcome}: not taken: {why}")
            continue
        with marking(spec):
            os.utime(outcome)  # later than data, code and its teacher's, as Snakemake wants it
        taken += 1
    if absent:
        lines.append(f"{len(absent)} trainings are not here, the first is {absent[0]}; the run makes them")
    return [*lines, f"{taken} trainings taken; a run of this profile goes on with them"]


def _lost(path: Path) -> str:
    """Return that the weights of a training are not there or not its own, in words; empty where they are."""
    outcome = read(path, TrainingOutcome)
    if outcome.status != "ok":
        return ""
    weights = Path(outcome.checkpoint)
    return "" if weights.is_file() and sha256(weights) == outcome.sha256 else f"{weights}: not the weights that it left"


def _plan(configfile: Path, stage: int | None) -> Plan:
    plan = Plan(resolve(read_yaml(configfile), [configfile]))
    return plan.up_to(stage) if stage else plan


def _lacking(plan: Plan) -> Iterator[tuple[Path, TrainSpec]]:
    """Yield the trainings that are not there or not by the plan, in order of importance, each after its teacher."""
    jobs = {path: plan.train(where) for stage in _stages(plan) for path, where in _by_seed(stage)}
    stale = set(others(jobs.items()))
    yield from ((path, spec) for path, spec in jobs.items() if path in stale or not path.exists())


def _stages(plan: Plan) -> Iterator[Plan]:
    """Yield a plan of the first stage, of the first two, and so on; the plan itself where it has no stages."""
    config = plan.settings.config
    last = config.stage or len(config.stages)
    yield from (plan.up_to(stage) for stage in range(1, last + 1)) if config.stages else [plan]


def _by_seed(plan: Plan) -> list[tuple[Path, Wildcards]]:
    """Return the trainings of a plan seed by seed, those of teachers first."""
    return sorted(plan.trainings().items(), key=lambda job: (int(job[1].seed), bool(plan.teacher(job[1]))))


if __name__ == "__main__":
    main()
