"""What Snakemake's main process does beside the jobs, and that timing has the machine for itself."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.clock.cores import allowed
from tests.workflows.pipeline_inputs import command
from workflows.configuration.sources import ROOT
from workflows.running.machine import MachineError, check_cores
from workflows.running.runner import calm

JOBS = 40
CORES = len(allowed())
MANY_JOBS = """
import sys
sys.path.insert(0, {root!r})
from workflows.running.runner import calm

onstart:
    if {calmed}:
        calm(workflow.scheduler)

rule threads:
    input:
        [f"{{n}}.done" for n in range({jobs})],
    output:
        "threads.txt",
    shell:
        "ls /proc/$PPID/task | wc -l > {{output}}"

rule job:
    output:
        touch("{{n}}.done"),
    shell:
        "true"
"""


def threads_after_many_jobs(folder: Path, *, calmed: bool) -> int:
    """Return how many threads Snakemake's main process has once many jobs are done."""
    (folder / "Snakefile").write_text(MANY_JOBS.format(root=str(ROOT), calmed=calmed, jobs=JOBS))
    snakemake = str(Path(sys.executable).with_name("snakemake"))
    arguments = ["--cores", "1", "--scheduler", "greedy", "--workflow-profile", "none", "--directory", str(folder)]
    done = subprocess.run([snakemake, *arguments], capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return int((folder / "threads.txt").read_text())


def test_no_job_leaves_a_timer_in_the_main_process(tmp_path):
    assert threads_after_many_jobs(tmp_path, calmed=True) < JOBS / 2


def test_the_installed_snakemake_still_needs_to_be_calmed(tmp_path):
    """Where this fails, Snakemake has mended its timers and `workflows.running.runner.calm` can go."""
    assert threads_after_many_jobs(tmp_path, calmed=False) > JOBS / 2


def test_a_scheduler_without_that_limit_stays_as_it_is():
    class Other:
        __slots__ = ()

    calm(Other())


@pytest.fixture(scope="module")
def before(tmp_path_factory) -> dict[str, set[str]]:
    """The rules that each rule of the workflow waits for, directly."""
    folder = tmp_path_factory.mktemp("graph")
    done = subprocess.run(command(folder, "--rulegraph"), capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    names = dict(re.findall(r'^\s*(\d+)\s*\[label = "(\w+)', done.stdout, re.MULTILINE))
    waits: dict[str, set[str]] = {name: set() for name in names.values()}
    for first, then in re.findall(r"(\d+) -> (\d+)", done.stdout):
        waits[names[then]].add(names[first])
    return waits


def test_timing_waits_for_all_jobs_and_the_archive_and_report_for_timing(before):
    done, waiting = set(), {"timing"}
    while waiting:
        done |= waiting
        waiting = set().union(*(before[rule] for rule in waiting)) - done
    assert done == before.keys() - {"export", "report"}
    assert "timing" in before["export"]
    assert "export" in before["report"]


def test_more_cores_than_the_machine_has_are_refused_before_work(tmp_path):
    arguments = command(tmp_path)
    arguments[arguments.index("--cores") + 1] = "4096"
    done = subprocess.run(arguments, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode != 0
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("WarpBench: ")]
    assert line == f"WarpBench: --cores 4096: {CORES} may be used here; use --cores {CORES} or --cores all"
    assert not (tmp_path / "results" / "tiny" / "specifications").exists()


def test_more_threads_than_cores_are_told_in_a_line():
    assert check_cores(1, {"register": 64, "train": 1}) == [
        "--set-threads register=64: --cores grants 1, so it runs on 1"
    ]
    with pytest.raises(MachineError, match="--cores 4096"):
        check_cores(4096, {})


def test_a_step_by_hand_refuses_more_threads_than_cores(tmp_path):
    step = [sys.executable, "-m", "workflows.register", str(tmp_path / "any.json"), "--threads", "4096"]
    done = subprocess.run(step, capture_output=True, text=True, cwd=ROOT)
    assert done.stderr == (f"error: --threads: expected at most {CORES}, those that may be used, got 4096\n")
