"""Run a profile stage by stage, in pieces that go on where the one before them stopped.

python -m workflows.ahead.stages workflows/config/study.yaml --minutes 150
python -m workflows.ahead.stages workflows/config/study.yaml --first 3 --last 3    one stage, by itself

A stage ends with archive and report of all that is done so far. When the time is over, what is running is stopped and
keeps its state, and the same command goes on with it. Stages before ``--first`` are left to another run, on this
machine or another, whose archive `python -m workflows.archive merge` puts together with this one.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from datasets.files import DataError
from workflows.configuration import sources
from workflows.configuration.config import SettingsError
from workflows.configuration.resolve import read_yaml, resolve
from workflows.planning.plan import Plan

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the stages of a profile until they or the minutes are over; what cannot be done is one line."""
    given = _parser().parse_args(arguments)
    try:
        settings = resolve({**read_yaml(given.configfile), **_asked(given)}, [given.configfile])
        if not settings.config.stages:
            raise SettingsError(f"{given.configfile}: has no stages; run it as any other profile, or name some")
        if given.minutes is not None and not given.minutes > 0:
            raise SettingsError(f"--minutes {given.minutes:g}: expected more than 0; leave it out to go to the end")
    except DataError as error:
        sys.exit(f"error: {error}")
    plan, deadline = Plan(settings), None if given.minutes is None else time.monotonic() + 60 * given.minutes
    last, count = settings.config.stage or len(settings.config.stages), len(settings.config.stages)
    # Of the last one that is done the report may be missing.
    for stage in range(max(min(done(plan), last), given.first), last + 1):
        about = settings.config.stages[stage - 1].about
        _say(f"stage {stage} of {count}{f': {about}' if about else ''}")
        status = run_until(_command(given, stage), deadline)
        if status is None:
            _say(f"{given.minutes:g} minutes are over in stage {stage} of {count}; the same command goes on")
            return
        if status:
            sys.exit(status if status > 0 else 128 - status)


def done(plan: Plan) -> int:
    """Return how many stages of a plan have all their registrations, from the first."""
    for stage in range(1, len(plan.settings.config.stages) + 1):
        if not all(Path(path).exists() for path in plan.up_to(stage).all_registrations()):
            return stage - 1
    return len(plan.settings.config.stages)


def minutes_left(plan: Plan) -> float:
    """Return the minutes that the stages of a plan still take on one core, as its profile has them; 0 if not known."""
    config = plan.settings.config
    left = config.stages[max(done(plan), config.first_stage - 1) : config.stage]
    return sum(stage.minutes for stage in left) if all(stage.minutes for stage in left) else 0.0


def run_until(command: Sequence[str], deadline: float | None) -> int | None:
    """Return the status of a command; None where it was stopped because the deadline, on the steady clock, has passed.

    A signal that would end this process is handed on to the command, whose end is waited for.
    """
    process = subprocess.Popen(command)
    before = {stop: signal.signal(stop, lambda number, frame: process.send_signal(number)) for stop in STOPS}
    try:
        return process.wait(None if deadline is None else max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        process.terminate()
        process.wait()
        return None
    finally:
        for stop, handler in before.items():
            signal.signal(stop, handler)


def _command(given: argparse.Namespace, stage: int) -> list[str]:
    return [
        str(Path(sys.executable).with_name("snakemake")),
        *("--cores", given.cores, "report"),
        *("--snakefile", str(sources.ROOT / "Snakefile")),
        *("--workflow-profile", str(sources.ROOT / "profiles" / "default")),
        *("--configfile", str(given.configfile), "--config", f"stage={stage}", f"first_stage={given.first}"),
    ]


def _asked(given: argparse.Namespace) -> dict[str, int]:
    return {"first_stage": given.first, **({"stage": given.last} if given.last is not None else {})}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m workflows.ahead.stages",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("configfile", type=Path, help="a profile that has stages")
    parser.add_argument("--minutes", type=float, help="stop then; left out, go on to the end")
    parser.add_argument("--first", type=int, default=1, help="the first stage; those before it are another run's")
    parser.add_argument("--last", type=int, help="the last stage; left out, the profile's")
    parser.add_argument("--cores", default="all", help="as snakemake has it")
    return parser


def _say(text: str) -> None:
    sys.stderr.write(f"WarpBench: {text}\n")


if __name__ == "__main__":
    main()
