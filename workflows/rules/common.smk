import atexit
import os
import sys
from dataclasses import replace
from pathlib import Path

import reports
from datasets.files import DataError
from workflows.configuration.resolve import resolve
from workflows.configuration.sources import ROOT
from workflows.archive import given
from workflows.ahead import declaring, lacking, papers, preflight, stages
from workflows.planning import capacity, code, marks, plan, timed
from workflows.planning.spec_files import SpecFiles
from workflows.planning.wildcards import Wildcards
from workflows.running import guard, machine, runner, stale, unavailable
from workflows.spending import meter


def claimed_threads():
    """Return the threads that --set-threads gives to rules, where it gives whole numbers."""
    given = workflow.resource_settings.overwrite_threads or {}
    counts = {rule: getattr(count, "raw", count) for rule, count in given.items()}
    return {rule: int(count) for rule, count in counts.items() if str(count).isdigit()}


LOOKING = guard.only_looking(sys.argv[1:])
if "--unlock" in sys.argv:
    guard.unlock(Path("."))
try:
    guard.check_checkout(ROOT, here=Path("."))
    asked = {
        key: value
        for key, value in config.items()
        if key not in ("from", lacking.OPTION)
    }
    PLAN = plan.Plan(
        resolve(asked, workflow.config_settings.configfiles),
        given=given.archive(config.get("from")),
        configfiles=[
            Path(file).absolute() for file in workflow.config_settings.configfiles
        ],
    )
    LEAVES = lacking.leaves(config.get(lacking.OPTION))
    if LEAVES and not PLAN.given:
        PLAN = lacking.without(PLAN)
    LAYOUT = PLAN.layout
    if workflow.is_main_process and not PLAN.given:
        if lines := papers.problems(PLAN.settings):
            sys.exit("\n".join(f"WarpBench: {line}" for line in lines))
    if workflow.is_main_process and not LOOKING:
        guard.check_writable(LAYOUT.results)
        machine.check([guard.existing(LAYOUT.results)])
        CLAIM = guard.hold(Path("."))
        if workflow.local_exec:  # a cluster has its GPUs and cores elsewhere
            # What is asked for is not yet known; the device is none of the business of data alone.
            if lines := (
                capacity.problems(PLAN.settings) if "data" not in sys.argv else []
            ):
                lines += preflight.data_problems(PLAN, lacking.unprepared(PLAN))
                sys.exit("\n".join(f"WarpBench: {line}" for line in lines))
            for line in machine.check_cores(workflow.cores, claimed_threads()):
                sys.stderr.write(f"WarpBench: {line}\n")
        # Two working folders may have one disk for their results.
        SHARED_CLAIM = guard.hold_results(LAYOUT.results)
        unavailable.forget(PLAN)
except DataError as error:  # of settings, or of the project's own files
    sys.exit(f"WarpBench: {error}")

NOWHERE = Wildcards("", "", "", "")
DATA = [] if PLAN.given else [LAYOUT.data(name) for name in PLAN.settings.prepared]
if workflow.is_main_process:
    runner.announce_runner()
    LOOKS = stale.looks(DATA, writes=not LOOKING)
    PLAN = replace(PLAN, changes={name: look.changes for name, look in LOOKS.items()})
    # Data that could not be prepared leave older results, which would pass for new ones.
    DUE = [LAYOUT.description(name) for name, look in LOOKS.items() if look.due]
    OTHERS = [path for path in marks.others(PLAN.jobs()) if path not in DUE]
    # Snakemake does not look at what the timing itself is made of where it waits for a job that is to run.
    TIMED_ANEW = timed.is_outdated(PLAN.timing(NOWHERE))
    for line in [
        *(look.line for look in LOOKS.values() if look.line),
        *marks.news(OTHERS),
        *guard.ahead_of_the_clock(ROOT, LAYOUT.results),
    ]:
        sys.stderr.write(f"WarpBench: {line}\n")
else:
    PLAN, DUE = replace(PLAN, changes=stale.changes_before(DATA)), []
    OTHERS, TIMED_ANEW = [], False
runner.equip()
SPEC_FILES = SpecFiles(LAYOUT, writes=not LOOKING)


def dataset_code(wildcards):
    """Return the code that a data set depends on; all jobs wait for one, so this comes before any is planned."""
    # Snakemake's own notes of them lie in the working folder alone.
    workflow.dag.forcefiles.update(map(str, [*DUE, *OTHERS]))
    return PLAN.dataset_code(wildcards)


def asked_for(job):
    """Return whether the user forces a job; Snakemake also forces incomplete ones, and `dataset_code` some."""
    settings = workflow.dag_settings
    named = {*settings.forcerun, *(settings.targets if settings.forcetargets else ())}
    paths = {os.path.relpath(each) for each in named}
    by_path = any(os.path.relpath(path) in paths for path in job.output)
    return workflow.dag.reason(job).forced and (
        by_path or job.rule in workflow.dag.forcerules
    )


def forget_forced():
    """Forget the failed pairs, and those lost for the judge, of the chunks that the user forces."""
    again = [job for job in workflow.dag.needrun_jobs() if job.rule.name == "register"]
    forced = [job for job in again if asked_for(job)]
    unavailable.forget_failures(Path(job.output.registrations) for job in forced)
    unavailable.forget_lost(PLAN.evaluate(job.wildcards) for job in forced)


def seconds_before(job):
    """Return how long a job took when it last ran here; None where Snakemake has no note of it."""
    kept = [workflow.persistence.metadata(path) for path in job.output]
    times = [(note.starttime, note.endtime) for note in kept if note is not None]
    return max((end - start for start, end in times if start and end), default=None)


def about_to_start():
    """Return the jobs that Snakemake is about to start."""
    return [
        preflight.Job(
            job.rule.name,
            Wildcards(
                *(
                    job.wildcards.get(name, "")
                    for name in ("dataset", "method", "seed", "chunk")
                )
            ),
            job.threads,
            seconds_before(job),
        )
        for job in workflow.dag.needrun_jobs(exclude_finished=False)
        if job.rule.name != "data"  # it does nothing itself
    ]


def asks_for_data():
    """Return whether the data sets are asked for by themselves."""
    return any(rule.name == "data" for rule in workflow.dag.targetrules)


def problems_of(jobs):
    """Return a line on everything that keeps some jobs from ending."""
    offer = "" if LEAVES else lacking.OFFER
    return preflight.problems(PLAN, jobs, workflow.cores or 1, offer=offer)


def say_what_a_start_refuses():
    """Say after a dry run's plan what would keep it from being carried out: `onstart` is for real runs alone."""
    if workflow.scheduler is None or not workflow.dryrun:  # nothing was planned
        return
    if lines := problems_of(about_to_start()):
        for line in ["a run would not start:", *lines]:
            sys.stderr.write(f"WarpBench: {line}\n")


if LOOKING and workflow.is_main_process and not PLAN.given:
    # It loads the data sets' modules as well: HDF5 must not be loaded by a process that is ending.
    lacking.lacking(PLAN)
    atexit.register(say_what_a_start_refuses)


def look_ahead():
    """Say what is about to run; start nothing that cannot end."""
    jobs, cores = about_to_start(), workflow.cores or 1
    lines = problems_of(jobs)
    others = any(rule.name != "data" for rule in workflow.dag.targetrules)
    # Among other targets, or as no target at all, the word has kept the device from being looked for.
    if "data" in sys.argv and others and workflow.local_exec:
        lines = capacity.problems(PLAN.settings) + lines
    if lines:
        sys.exit("\n".join(f"WarpBench: {line}" for line in lines))
    if others:  # data alone measure nothing
        declaring.declare(PLAN)
    pilot = stages.minutes_left(PLAN)
    for line in preflight.forecast(PLAN, jobs, cores, pilot):
        sys.stderr.write(f"Ahead: {line}\n")
    for each in PLAN.settings.left_out:
        sys.stderr.write(f"WarpBench: goes on without {each}\n")


# The patterns of the rules: paths with wildcards in place of names.
TRAINING = LAYOUT.training("{dataset}", "{method}", "{seed}")
CHUNK = LAYOUT.chunk("{dataset}", "{method}", "{seed}", "{chunk}")
LOGS_BEFORE = guard.state_of(LAYOUT.logs) if workflow.is_main_process else {}


wildcard_constraints:
    dataset="[a-z0-9][a-z0-9-]*",
    method="[a-z0-9][a-z0-9-]*",
    seed=r"\d+",
    chunk=r"\d+",
