"""A whole run killed at random moments, and finished each time by the command that began it.

WARPBENCH_KILLS_SEED chooses other moments than the last time's; the moments are printed (``pytest -s``).
"""

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest

from benchmarks.records import PairRecord, read_lines
from tests.faults.smoke_inputs import command, finish, rows

KILLS, FRESH = 10, 3
PATIENCE = 10  # seconds that what a killed run has started may outlive it


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> tuple[pd.DataFrame, float]:
    """The rows of a run that nothing disturbs, and its seconds."""
    folder, began = tmp_path_factory.mktemp("undisturbed"), time.monotonic()
    finish(folder)
    return rows(folder), time.monotonic() - began


@pytest.fixture(scope="module")
def dice() -> random.Random:
    """Where moments come from."""
    seed = int(os.environ.get("WARPBENCH_KILLS_SEED", "0"))
    print(f"moments of seed {seed}")
    return random.Random(seed)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.fault(1)
def test_a_smoke_run_killed_ten_times_ends_with_the_rows_of_an_undisturbed_one(tmp_path, undisturbed, dice):
    expected, seconds = undisturbed
    kills = 0
    while kills < KILLS:
        kept = records(tmp_path)
        kills += start_and_kill(tmp_path, dice.uniform(5, 5 + seconds / 4), dice)
        assert kept.items() <= records(tmp_path).items()
    ends_like(expected, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.fault(1)
@pytest.mark.parametrize("turn", range(FRESH))
def test_a_smoke_run_killed_once_ends_with_the_rows_of_an_undisturbed_one(tmp_path, undisturbed, dice, turn):
    expected, seconds = undisturbed
    start_and_kill(tmp_path, dice.uniform(0, seconds), dice)
    ends_like(expected, tmp_path)


def start_and_kill(folder: Path, seconds: float, dice: random.Random) -> bool:
    """Start the run and kill it after some seconds, Snakemake alone or its whole group; return whether it still ran.

    What it has started must be gone ten seconds later; half of the time the next run does not wait for that.
    """
    whole, at_once = dice.random() < 0.5, dice.random() < 0.5
    process = subprocess.Popen(
        command(folder), cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    until = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    print(f"after {seconds:.2f} s, {'its group' if whole else 'it alone'}, of {len(family)}: {doing(family)}")
    if not family:
        return False
    (os.killpg if whole else os.kill)(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    if not at_once:
        _, alive = psutil.wait_procs(family, PATIENCE)
        assert not alive, alive
    return True


def doing(family: list[psutil.Process]) -> str:
    """Return the steps that a family of processes is at, for people who read the moments."""
    steps = set()
    for process in family:
        try:
            steps |= {word.removeprefix("workflows.") for word in process.cmdline() if word.startswith("workflows.")}
        except psutil.NoSuchProcess:
            continue
    return ", ".join(sorted(steps)) or "starting"


def records(folder: Path) -> dict[tuple[Path, str, str], str]:
    """Return when each pair was registered; a run that goes on may add to these and changes none."""
    paths = sorted(folder.glob("results/*/runs/**/records.jsonl"))
    return {(path, each.run, each.pair): each.finished_utc for path in paths for each in read_lines(path, PairRecord)}


def ends_like(expected: pd.DataFrame, folder: Path) -> None:
    kept = records(folder)
    finish(folder)
    assert kept.items() <= records(folder).items()
    pd.testing.assert_frame_equal(rows(folder), expected, check_exact=True)
    assert not list((folder / "results").rglob(".[0-9]*-*")), "something half-written is left"
