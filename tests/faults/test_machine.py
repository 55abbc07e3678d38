"""Faults of the machine stop a step with one line and leave no record; the next run goes on."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from benchmarks.records import PairRecord, Registrations, read, read_lines, text_of
from tests.faults.surroundings import needs_root, resize, small_disk
from tests.processes import family_of, is_alive, wait_until, words_of
from workflows.configuration.sources import ROOT
from workflows.register import register
from workflows.running import machine

HIDES = "cp /dev/zero big 2>/dev/null"  # fills the disk in a process whose error nobody hears of


def slow(*values: object) -> list:
    return [pytest.param(value, marks=pytest.mark.slow) for value in values]


def command(spec, folder: Path) -> list[str]:
    path = folder / "register-method-tiny-0.json"
    path.write_text(text_of(spec))
    return [sys.executable, "-m", "workflows.register", str(path)]


def step(spec, folder: Path, **variables: str) -> subprocess.CompletedProcess:
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    return subprocess.run(
        command(spec, folder), cwd=ROOT, env=surroundings, capture_output=True, text=True, timeout=100
    )


def recorded(spec) -> list[str]:
    return [record.pair for record in read_lines(spec.folder / "records.jsonl", PairRecord)]


def refused(done: subprocess.CompletedProcess, *parts: str) -> None:
    """Assert that a step ended with one clear line, and without a traceback of its own."""
    assert done.returncode != 0
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert all(part in line for part in parts), line
    assert "Traceback" not in done.stderr


@needs_root
@pytest.mark.fault(5)
def test_a_full_disk_stops_the_step_and_more_room_lets_it_finish(make_dataset, registration, tmp_path):
    data = make_dataset(dark=0, bright=6)
    with small_disk(tmp_path / "disk", "4m") as disk:
        spec = registration(data, fault="one", folder="disk/run")
        (disk / "filler").write_bytes(b"x" * ((4 << 20) - 4 * 4096))
        first = step(spec, tmp_path)
        refused(first, "disp_fixed_bright", "No space left on device", "run again")
        assert "displacements to come take up to" in first.stderr  # told before the first pair
        kept = recorded(spec)
        assert 0 < len(kept) < 6
        assert not (spec.folder / "registrations.json").exists()
        files = {path.name for path in spec.folder.iterdir()}
        assert files - {f"disp_{name.replace('__', '_')}.nii.gz" for name in kept} <= {
            "records.jsonl",
            "method.log",
            ".lock",
        }
        resize(disk, "20m")
        again = step(spec, tmp_path)
        assert again.returncode == 0, again.stderr
        outcome = read(spec.folder / "registrations.json", Registrations)
    assert [record.status for record in outcome.pairs] == ["ok"] * 6
    assert recorded_of(outcome)[: len(kept)] == kept


def recorded_of(outcome: Registrations) -> list[str]:
    return [record.pair for record in outcome.pairs]


@needs_root
@pytest.mark.fault(5)
@pytest.mark.parametrize("end", ["", "; kill -BUS $PPID", *slow("; kill -SEGV $PPID", "; sleep 100")])
def test_a_full_temporary_disk_is_no_failure_of_a_method_that_hides_it(make_dataset, registration, tmp_path, end):
    with small_disk(tmp_path / "tmp", "1m") as disk:
        spec = registration(make_dataset(), fault="command", command=HIDES + end, time_limit=3)
        refused(step(spec, tmp_path, TMPDIR=str(disk)), str(disk), "No space left on device")
        assert not list(disk.iterdir())
    assert not recorded(spec)


@needs_root
@pytest.mark.parametrize("what", ["cp /dev/zero {disk}/big", *slow("umount --lazy {disk}", "rm -r {data}/images")])
def test_what_vanishes_below_a_method_is_no_failure_of_it(make_dataset, registration, tmp_path, what):
    data = make_dataset()
    with small_disk(tmp_path / "disk", "4m") as disk:
        line = what.format(disk=disk, data=data.folder)
        spec = registration(data, fault="command", command=line, folder="disk/run")
        refused(step(spec, tmp_path))
        assert not recorded(spec)
        if "umount" in what:  # for the one that ends the block
            subprocess.run(["mount", "-t", "tmpfs", "tmpfs", disk], check=True)


def test_no_more_descriptors_are_no_failure_of_a_method(make_dataset, registration, tmp_path):
    spec = registration(make_dataset(), fault="descriptors")
    refused(step(spec, tmp_path), "Too many open files", "ulimit")
    assert not recorded(spec)


@pytest.mark.parametrize("stop", [signal.SIGTERM, *slow(signal.SIGINT, signal.SIGHUP)])
def test_a_worker_that_is_stopped_from_outside_has_not_crashed(make_dataset, registration, tmp_path, stop):
    spec = registration(make_dataset(), fault="command", command=f"kill -{stop.value} $PPID; sleep 10")
    refused(step(spec, tmp_path), stop.name)
    assert not recorded(spec)


@pytest.mark.fault(1, 2)
@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGTERM, *slow(signal.SIGINT, signal.SIGHUP)])
def test_a_stopped_step_takes_its_children_along_and_keeps_records(make_dataset, registration, tmp_path, stop):
    spec = registration(make_dataset(dark=1, bright=1), fault="children", time_limit=600)
    first = replace(spec, run=replace(spec.run, data=make_dataset(dark=0, bright=1, name="bright").folder))
    assert step(first, tmp_path).returncode == 0  # a record of another data set, which must go, and nothing else
    process = subprocess.Popen(
        command(spec, tmp_path),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    family = wait_for_child(process, "sleep")
    process.send_signal(stop)
    assert process.wait(timeout=10) != 0
    _, alive = psutil.wait_procs(filter(is_alive, family), timeout=10)
    assert not [each for each in alive if is_alive(each)]
    if stop != signal.SIGKILL:
        assert process.stderr.read().splitlines()[-1] == "error: stopped before its end; run again to go on"
    # The lock is free, and a repeat goes on.
    register(replace(spec, run=replace(spec.run, time_limit=2)), 1)
    pairs = {each.pair: each for each in read(spec.folder / "registrations.json", Registrations).pairs}
    assert {name: each.status for name, each in pairs.items()} == {"fixed__dark0": "timeout", "fixed__bright0": "ok"}


def wait_for_child(process: subprocess.Popen, name: str) -> list[psutil.Process]:
    """Wait until a process has started a command, and return all that it has started."""
    wait_until(lambda: name in [Path(words[0]).name for each in family_of(process.pid) if (words := words_of(each))])
    return family_of(process.pid)


@pytest.mark.fault(11)
def test_what_a_hanging_method_has_started_ends_with_it(make_dataset, registration, tmp_path):
    spec = registration(make_dataset(), fault="children", time_limit=2)
    register(spec, 1)
    record = read(spec.folder / "registrations.json", Registrations).pairs[0]
    assert record.status == "timeout"
    assert float(record.reason.split("stopped after ")[1].split(" s")[0]) >= 2
    (line,) = re.findall(r"^started (\d+)$", (spec.folder / "method.log").read_text(encoding="utf-8"), re.MULTILINE)
    assert not [each for each in psutil.process_iter() if each.pid == int(line) and words_of(each) == ["sleep", "654"]]
    assert all(map(is_alive, psutil.Process().children()))  # no zombie either


def test_time_in_which_everything_stood_still_is_no_time_of_a_method(make_dataset, registration, tmp_path):
    spec = registration(make_dataset(), fault="command", command="sleep 2", time_limit=5)
    process = subprocess.Popen(command(spec, tmp_path), cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    family = [psutil.Process(process.pid), *wait_for_child(process, "sleep")]
    for each in family:
        each.suspend()
    time.sleep(5)
    family[0].resume()  # the clock's owner first, as bad as it can be
    time.sleep(0.5)
    for each in family[1:]:
        each.resume()
    assert process.wait(timeout=60) == 0
    pairs = {each.pair: each.status for each in read(spec.folder / "registrations.json", Registrations).pairs}
    assert pairs == {"fixed__dark0": "failed", "fixed__bright0": "ok"}


def test_a_step_that_the_machine_stops_names_method_and_pair(make_dataset, registration, tmp_path):
    data = make_dataset()
    (tmp_path / "run" / "disp_fixed_bright0.nii.gz").mkdir(parents=True)  # nothing can be written there
    spec = registration(data, folder="run")
    refused(step(spec, tmp_path), f"{spec.run.by.method}, fixed__bright0: ", "disp_fixed_bright0.nii.gz", "run again")


@pytest.mark.parametrize("typed", [subprocess.PIPE, *slow(None)])
def test_a_command_of_a_method_finds_nothing_to_read(make_dataset, registration, tmp_path, typed):
    spec = registration(make_dataset(dark=2), fault="input", time_limit=20)
    process = subprocess.Popen(
        command(spec, tmp_path), cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdin=typed
    )
    assert process.wait(timeout=60) == 0
    assert {each.status for each in read(spec.folder / "registrations.json", Registrations).pairs} == {"ok"}


@pytest.mark.fault(14)
def test_temporary_files_of_a_method_go(make_dataset, registration, tmp_path):
    (tmp_path / "tmp").mkdir()
    assert step(registration(make_dataset(), fault="litter"), tmp_path, TMPDIR=str(tmp_path / "tmp")).returncode == 0
    assert not list((tmp_path / "tmp").iterdir())


def test_what_a_shell_has_set_does_not_reach_a_method(make_dataset, registration, tmp_path):
    spec = registration(make_dataset(), fault="environment")
    set_here = {
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYTHONWARNINGS": "error",
        "PYTHONOPTIMIZE": "2",
        "ANTS_RANDOM_SEED": "7",
        "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "9",
        "BASH_ENV": "/etc/profile",
        "ENV": "/etc/profile",
        "ENVIRONMENT": "kept",
        "OMP_NUM_THREADS": "many",
        "OMP_SCHEDULE": "dynamic",
        "NUMBA_OPT": "0",
        "NUMBA_DISABLE_JIT": "1",
        "CUBLAS_WORKSPACE_CONFIG": ":0:0",
        "TMPDIR": str(tmp_path / "vanished"),
        "HOME": str(tmp_path / "none"),
        "CUDA_VISIBLE_DEVICES": "3",
    }
    done = step(spec, tmp_path, **set_here)
    assert done.returncode == 0, done.stderr
    lines = (spec.folder / "method.log").read_text(encoding="utf-8").splitlines()
    seen = json.loads(next(line for line in lines if line.startswith("environment")).removeprefix("environment "))
    gone = {"PYTHONWARNINGS", "PYTHONOPTIMIZE", "ANTS_RANDOM_SEED", "OMP_SCHEDULE", "CUBLAS_WORKSPACE_CONFIG"}
    assert not (gone | {"BASH_ENV", "ENV", "NUMBA_OPT", "NUMBA_DISABLE_JIT"}) & set(seen)
    assert seen["ENVIRONMENT"] == "kept"
    assert seen["MPLBACKEND"] == "Agg"
    assert seen["OMP_NUM_THREADS"] == seen["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] == "1"
    assert seen["CUDA_VISIBLE_DEVICES"] == "3"
    assert "vanished" not in seen["TMPDIR"]
    assert seen["HOME"] != set_here["HOME"]


def test_a_variable_that_plays_another_processor_is_part_of_a_runs_identity(make_dataset, registration, monkeypatch):
    spec = registration(make_dataset())
    register(spec, 1)
    before = read(spec.folder / "registrations.json", Registrations).run.run
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "SSE41")
    register(spec, 1)
    assert read(spec.folder / "registrations.json", Registrations).run.run != before


def test_a_file_where_a_step_keeps_a_folder_is_told_with_what_to_do(make_dataset, registration, tmp_path):
    spec = registration(make_dataset(), folder="run/chunk0")
    (tmp_path / "run").write_text("x")
    refused(step(spec, tmp_path), f"{tmp_path / 'run'}", "move it away and run again")


@pytest.mark.parametrize("words", ["basic_ios::clear: iostream error", "[enforce fail] PytorchStreamWriter failed"])
def test_what_torch_says_when_it_cannot_write_is_of_the_machine(words):
    assert machine.is_machine(RuntimeError(words))
    assert not machine.is_machine(RuntimeError("the stream of points ends"))


@pytest.mark.fault(4)
def test_an_image_that_changes_below_a_method_is_no_failure_of_it(make_dataset, registration, tmp_path):
    data = make_dataset()
    line = f"echo x >> {data.image_path('dark0').resolve()}"
    spec = registration(data, fault="command", command=line)
    refused(step(spec, tmp_path), "dark0.nii.gz: changed or lost while it was in use; run again with --forcerun")
    assert not recorded(spec)


@pytest.mark.fault(4)
def test_an_image_that_is_cut_before_its_turn_is_told_with_what_to_do(make_dataset, registration, tmp_path):
    data = make_dataset()
    line = f"truncate -s 100 {data.image_path('bright0').resolve()}"
    spec = registration(data, fault="command", command=line)
    refused(step(spec, tmp_path), "bright0.nii.gz: changed or lost while it was in use; run again with --forcerun")
    assert set(recorded(spec)) == {"fixed__dark0"}
