"""The same seed gives the same numbers on one machine, whatever else it does; another seed gives others."""

import json
import os
import subprocess
import sys

import pandas as pd
import pytest

from tests.faults.smoke_inputs import busy, finish, rows
from workflows.configuration.sources import ROOT

CALM = {"PYTHONHASHSEED": "0", "OMP_WAIT_POLICY": "PASSIVE", "OMP_DYNAMIC": "FALSE"}
HURRIED = {"PYTHONHASHSEED": "4242", "OMP_WAIT_POLICY": "ACTIVE", "GOMP_SPINCOUNT": "2000", "OMP_DYNAMIC": "TRUE"}


def checksums(folder, threads: int, **environment: str) -> dict[str, list[list[str]]]:
    folder.mkdir()
    command = [sys.executable, "-m", "tests.faults.three_families", str(folder), str(threads)]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.fault(28)
def test_a_seed_gives_each_family_the_same_bytes_whatever_the_load_and_another_seed_others(tmp_path):
    same_and_others(tmp_path, threads=1, others=1)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.fault(28)
def test_two_threads_that_wait_in_different_ways_give_the_same_bytes(tmp_path):
    # Two threads that spin beside another process wait for each other at thousands of barriers, for half an hour.
    same_and_others(tmp_path, threads=2, others=0)


def same_and_others(folder, threads: int, others: int) -> None:
    calm = checksums(folder / "calm", threads, **CALM)
    with busy(others):
        hurried = checksums(folder / "hurried", threads, **HURRIED)
    assert calm == hurried
    assert set(calm) == {"recursive", "voxelmorph", "progressive", "swift"}
    for (_, one), (_, other) in calm.values():  # weights name their seed
        assert one != other


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.fault(28)
def test_two_smoke_runs_have_the_same_rows_whatever_the_load(tmp_path):
    finish(tmp_path / "calm", **CALM)
    with busy(2):
        finish(tmp_path / "hurried", **HURRIED)
    pd.testing.assert_frame_equal(rows(tmp_path / "calm"), rows(tmp_path / "hurried"), check_exact=True)
