"""GPUs given to jobs, one each: simulated, by an ``nvidia-smi`` that lists as many as a test wants."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from workflows.configuration.config import SettingsError
from workflows.configuration.resolve import resolve
from workflows.configuration.sources import ROOT
from workflows.planning import capacity, devices

HOLDER = """
import sys, time
from workflows.planning.devices import assigned
with assigned("cuda", int(sys.argv[1])) as own:
    print(",".join(own), flush=True)
    time.sleep(60)
"""


@pytest.fixture
def simulated(tmp_path, monkeypatch):
    """Return a function that lets this machine have so many GPUs."""

    def have(count):
        tool = tmp_path / "bin" / "nvidia-smi"
        tool.parent.mkdir(exist_ok=True)
        lines = "".join(f"echo 'GPU {n}: Some card (UUID: GPU-{n})'\n" for n in range(count))
        tool.write_text(f"#!/bin/sh\n{lines}", encoding="utf-8")
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
        monkeypatch.delenv(devices.VISIBLE, raising=False)
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        monkeypatch.setattr(devices.tempfile, "tempdir", str(tmp_path))

    return have


def holder(wanted=1):
    """Start another job that holds GPUs; return it and what it was given."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(wanted)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    return process, process.stdout.readline().strip()


def test_jobs_side_by_side_have_a_gpu_each_and_see_no_other(simulated):
    simulated(3)
    job, given = holder()
    try:
        with devices.assigned("cuda") as own:
            assert (given, own, os.environ[devices.VISIBLE]) == ("0", ["1"], "1")
    finally:
        job.kill()
        job.wait()
    assert devices.VISIBLE not in os.environ


def test_the_gpu_of_a_killed_job_is_free_at_once(simulated):
    simulated(1)
    job, given = holder()
    assert given == "0"
    job.send_signal(signal.SIGKILL)
    job.wait()
    with devices.assigned("cuda") as own:
        assert own == ["0"]


def test_a_training_in_two_processes_waits_for_two_gpus_and_keeps_none_meanwhile(simulated, monkeypatch, caplog):
    simulated(2)
    monkeypatch.setattr(devices, "ASKS_AGAIN", 0.01)
    job, given = holder()
    seen = []

    def train():
        with devices.assigned("cuda", 2) as own:
            seen.extend(own)

    thread = threading.Thread(target=train)
    with caplog.at_level("INFO"):
        thread.start()
        time.sleep(0.2)
        assert seen == []
        other, left = holder()  # the second GPU is not kept by the one that waits
        job.kill()
        other.kill()
        job.wait(), other.wait()
        thread.join(30)
    assert (given, left, seen) == ("0", "1", ["0", "1"])
    assert [each.getMessage() for each in caplog.records].count("waits for 2 of 2 GPUs, which other jobs have") == 1


def test_what_a_cluster_has_granted_is_what_is_shared_out(simulated, monkeypatch):
    simulated(8)
    monkeypatch.setenv(devices.VISIBLE, "GPU-aa/1, 5")
    job, given = holder()
    try:
        with devices.assigned("cuda") as own:
            assert (given, own) == ("GPU-aa/1", ["5"])
    finally:
        job.kill()
        job.wait()
    assert os.environ[devices.VISIBLE] == "GPU-aa/1, 5"


@pytest.mark.parametrize(("device", "count", "wanted"), [("cpu", 2, 1), ("cuda", 0, 1), ("cuda", 1, 2)])
def test_nothing_is_assigned_to_the_cpu_nor_where_gpus_are_too_few_or_unknown(simulated, device, count, wanted):
    simulated(count)
    with devices.assigned(device, wanted):
        assert devices.VISIBLE not in os.environ


def settings(device, processes):
    training = {"training": {"processes": processes, "batch": 8}}
    return resolve({"device": device, "methods": {"rcn-1": training}}, [])


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.fault(24)
def test_more_processes_than_there_are_devices_are_refused_before_work(simulated, monkeypatch, device):
    simulated(2)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(capacity, "missing_device", lambda _: "")
    capacity.check(settings(device, 2))
    kind = {"cpu": "cores", "cuda": "GPUs"}[device]
    with pytest.raises(SettingsError, match=f"rcn-1: training, processes: 4 are more than the 2 {kind} here; write 2"):
        capacity.check(settings(device, 4))


@pytest.mark.fault(24)
def test_a_device_that_is_not_there_is_refused_before_work(monkeypatch):
    monkeypatch.setattr(capacity, "missing_device", lambda _: "no driver")
    with pytest.raises(SettingsError, match=r"device: cuda cannot be used here \(no driver\); write `device: cpu`"):
        capacity.check(settings("cuda", 1))
