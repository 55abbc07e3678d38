"""Every fault a method can have becomes a row, and costs no other pair its result."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from benchmarks.records import PairRecord, Registrations, read, read_lines, text_of
from datasets import locks
from datasets.description import write_description
from datasets.files import DataError, read_displacement
from tests.processes import family_of, is_alive, wait_until, words_of
from workflows.configuration.sources import ROOT
from workflows.planning.layout import ChunkFolder
from workflows.register import register
from workflows.running.unavailable import forget_failures

FAULTS = {
    "raise": ("failed", "register: RuntimeError: no overlap between the images"),
    "mutate": ("failed", "read-only"),
    "segfault": ("failed", "SIGSEGV"),
    "exit": ("failed", "exit status 3"),
    "leave": ("failed", "register: SystemExit: 0"),
    "killed": ("oom", "SIGKILL"),
    "memory": ("oom", "allocate"),
    "tensor": ("oom", str(4 << 50)),
    "image": ("oom", "allocate memory"),
    "simulated cuda oom": ("oom", "Tried to allocate 20.00 GiB"),
    "library first": ("failed", "register: ValueError: no overlap in the slow way"),
    "terminal first": ("failed", "register: ValueError: no overlap, and nobody to ask"),
    "nan": ("invalid_output", "NaN"),
    "infinite": ("invalid_output", "infinite"),
    "complex": ("invalid_output", "complex64"),
    "objects": ("invalid_output", "object"),
    "text": ("invalid_output", "returned str, expected one array"),
    "twice": ("invalid_output", "expected shape (3, 10, 12, 14)"),
    "shape": ("invalid_output", "expected shape (3, 10, 12, 14)"),
    "integer": ("invalid_output", "int16"),
    "huge": ("invalid_output", "voxels"),
    "none_returned": ("invalid_output", "returned NoneType, expected one array"),
}
UNAVAILABLE = {
    "load": "libwarp.so",
    "late import": "no_such_library",
    "broken library": "libcudart.so.99",
    "crash at load": "SIGILL",
}
LESS_LIKELY = ("complex", "objects", "text", "twice", "tensor")


def outcome(spec) -> dict[str, dict]:
    register(spec, 1)
    pairs = json.loads((spec.folder / "registrations.json").read_text(encoding="utf-8"))["pairs"]
    return {record["pair"]: record for record in pairs}


@pytest.mark.fault(10, 12, 13)
@pytest.mark.parametrize(
    "fault",
    [
        *(name for name in FAULTS if name not in LESS_LIKELY),
        *(pytest.param(name, marks=pytest.mark.slow) for name in LESS_LIKELY),
    ],
)
def test_a_fault_is_a_row_and_the_next_pair_runs(make_dataset, registration, fault):
    status, reason = FAULTS[fault]
    records = outcome(registration(make_dataset(), fault=fault))
    assert records["fixed__dark0"]["status"] == status
    assert reason in records["fixed__dark0"]["reason"]
    assert records["fixed__bright0"]["status"] == "ok"


@pytest.mark.fault(13, 14)
@pytest.mark.parametrize("fault", ["shout", "surroundings", "strided", "none"])
def test_bad_manners_are_contained(make_dataset, registration, fault):
    spec = registration(make_dataset(), fault=fault)
    records = outcome(spec)
    assert {record["status"] for record in records.values()} == {"ok"}
    assert (spec.folder / "method.log").stat().st_size < 2_100_000
    assert read_displacement(spec.folder / "disp_fixed_dark0.nii.gz").shape == (3, 10, 12, 14)


@pytest.mark.fault(10)
def test_a_crash_is_on_record_with_its_signal_and_the_last_lines_printed(make_dataset, registration):
    record = outcome(registration(make_dataset(), fault="crash in words"))["fixed__dark0"]
    assert "SIGABRT" in record["reason"]
    assert record["printed"] == [f"line {number}" for number in range(30, 50)]


@pytest.mark.fault(24)
def test_a_simulated_loss_of_the_cuda_device_leaves_no_record(make_dataset, registration):
    """No GPU is needed: the method raises what torch does, and torch finds no device here afterwards."""
    import torch

    if torch.cuda.is_available():
        pytest.skip("torch finds a device")
    spec = registration(make_dataset(), fault="simulated cuda loss")
    spec = replace(spec, run=replace(spec.run, by=replace(spec.run.by, device="cuda")))
    assert outcome(spec) == {}
    found = read(spec.folder / "registrations.json", Registrations)
    assert found.unavailable.startswith("device cuda cannot be used: ")


def test_options_may_be_longer_than_a_command_line_can_hold(make_dataset, registration):
    spec = registration(make_dataset(dark=1, bright=0))
    params = {**spec.run.by.params, "names": [f"name {number:05}" for number in range(20_000)]}
    spec = replace(spec, run=replace(spec.run, by=replace(spec.run.by, params=params)))
    assert {record["status"] for record in outcome(spec).values()} == {"ok"}


@pytest.mark.fault(11)
def test_a_hanging_method_is_killed_at_the_limit(make_dataset, registration):
    spec = registration(make_dataset(), fault="hang", time_limit=2)
    records = outcome(spec)
    assert records["fixed__dark0"]["status"] == "timeout"
    assert "limit of 2 s" in records["fixed__dark0"]["reason"]
    assert records["fixed__bright0"]["status"] == "ok"
    assert not [each for each in family_of(os.getpid()) if "workflows.running.worker" in words_of(each)]
    began = read(spec.folder / "registrations.json", Registrations).run.started_utc  # not when all was done
    assert began < records["fixed__dark0"]["finished_utc"]


@pytest.mark.parametrize("fault", UNAVAILABLE)
def test_a_method_that_cannot_be_loaded_is_unavailable_and_leaves_no_record(make_dataset, registration, fault):
    spec = registration(make_dataset(dark=2), fault=fault)
    assert outcome(spec) == {}
    found = read(spec.folder / "registrations.json", Registrations)
    assert UNAVAILABLE[fault] in found.unavailable
    assert not list(read_lines(spec.folder / "records.jsonl", PairRecord))


def test_an_unavailable_method_costs_no_record_of_an_earlier_run(make_dataset, registration):
    data = make_dataset()
    before = outcome(registration(data))
    outcome(registration(data, fault="load"))  # other options, too: another run
    assert outcome(registration(data)) == before


@pytest.mark.fault(10)
def test_a_forced_run_tries_failed_pairs_again_and_keeps_the_others(make_dataset, registration):
    spec = registration(make_dataset(bright=2), fault="raise")
    first = outcome(spec)
    forget_failures([spec.folder / "registrations.json"])
    kept = [record.pair for record in read_lines(spec.folder / "records.jsonl", PairRecord)]
    assert kept == ["fixed__bright0", "fixed__bright1"]
    records = spec.folder / "records.jsonl"
    records.write_text(records.read_text("utf-8").replace('"process":', '"process":1'), "utf-8")  # to tell old from new
    second = outcome(spec)
    assert first["fixed__dark0"]["status"] == second["fixed__dark0"]["status"] == "failed"
    assert {name for name in first if first[name]["process"] != second[name]["process"]} == set(kept)


def test_no_method_is_started_where_all_pairs_are_on_record(make_dataset, registration, monkeypatch):
    spec = registration(make_dataset(bright=2), fault="raise")  # failures count too: nobody has asked for them again
    first = outcome(spec)
    assert {each["status"] for each in first.values()} == {"ok", "failed"}
    about = read(spec.folder / "registrations.json", Registrations)
    monkeypatch.setattr("workflows.register.Worker", None)
    assert outcome(spec) == first
    assert read(spec.folder / "registrations.json", Registrations) == about  # the run is the one that registered


def test_nothing_recorded_is_registered_again(make_dataset, registration):
    spec = registration(make_dataset(dark=2), fault="none")
    first = outcome(spec)
    (spec.folder / "registrations.json").unlink()
    assert outcome(spec) == first


def test_other_options_register_anew(make_dataset, registration):
    data = make_dataset()
    first = outcome(registration(data, fault="nan"))
    second = outcome(registration(data, fault="none"))
    assert first["fixed__dark0"]["status"] == "invalid_output"
    assert second["fixed__dark0"]["status"] == "ok"


def test_a_chunk_that_another_process_registers_is_told_in_a_line(make_dataset, registration, monkeypatch):
    spec = registration(make_dataset())
    monkeypatch.setattr("workflows.register.PATIENCE", 0.1)
    with (
        locks.hold(ChunkFolder(spec.folder).lock),
        pytest.raises(DataError, match=rf"{spec.folder}: another process registers these pairs; wait"),
    ):
        register(spec, 1)


def test_a_torn_record_is_registered_again(make_dataset, registration):
    spec = registration(make_dataset(), fault="none")
    outcome(spec)
    records = spec.folder / "records.jsonl"
    records.write_text(records.read_text(encoding="utf-8")[:-20])
    again = outcome(spec)
    assert {record["status"] for record in again.values()} == {"ok"}
    assert outcome(spec) == again  # the new record does not hang on to the torn line


@pytest.mark.fault(4)
def test_a_changed_image_is_refused_before_work(make_dataset, registration):
    data = make_dataset()
    path = data.image_path("dark0")
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(DataError, match=r"dark0\.nii\.gz: changed since it was prepared"):
        register(registration(data), 1)


def test_different_grids_are_no_row(make_dataset, registration, tmp_path):
    import numpy as np

    from datasets.case import Pair, Writer, open_dataset
    from datasets.description import write_description
    from tests.conftest import AFFINE, description

    writer = Writer(tmp_path / "grids")
    writer.image("fixed", np.random.default_rng(0).random((10, 12, 14)), AFFINE)
    writer.image("moving", np.random.default_rng(1).random((10, 12, 15)), AFFINE)
    about = replace(description("grids", [Pair("fixed", "moving")]), files=writer.files)
    write_description(tmp_path / "grids", about)  # which nobody has checked
    spec = registration(open_dataset(tmp_path / "grids"))
    with pytest.raises(DataError, match="grids differ"):
        register(spec, 1)
    assert not list(read_lines(spec.folder / "records.jsonl", PairRecord))


def test_the_truth_is_not_applicable_where_there_is_none(make_dataset, registration):
    records = outcome(registration(make_dataset(), "methods.truth"))
    assert {record["status"] for record in records.values()} == {"not_applicable"}


@pytest.mark.fault(1)
@pytest.mark.parametrize("victim", ["step", "worker"])
def test_a_killed_run_goes_on_where_it_was(make_dataset, registration, tmp_path, victim):
    """SIGKILL in the middle: no orphan stays, and a repeat registers only what had no record."""
    spec = registration(make_dataset(dark=1, bright=2), fault="hang", time_limit=3 if victim == "worker" else 600)
    path = tmp_path / "register-method-tiny-0.json"
    path.write_text(text_of(spec))
    command = [sys.executable, "-m", "workflows.register", str(path)]
    step = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    log = spec.folder / "method.log"
    wait_until(lambda: log.exists() and family_of(step.pid))
    worker = family_of(step.pid)[0]
    if victim == "step":
        step.kill()
        step.wait()
        wait_until(lambda: not is_alive(worker))
        records = outcome(replace(spec, run=replace(spec.run, time_limit=3)))
        assert records["fixed__dark0"]["status"] == "timeout"
    else:
        worker.send_signal(signal.SIGKILL)
        assert step.wait(timeout=60) == 0
        records = {
            r["pair"]: r for r in json.loads((log.parent / "registrations.json").read_text(encoding="utf-8"))["pairs"]
        }
        assert records["fixed__dark0"]["status"] in ("oom", "failed", "timeout")
    assert records["fixed__bright1"]["status"] == "ok"


def test_options_changed_and_changed_back_leave_no_displacement_of_the_others(make_dataset, registration):
    data = make_dataset()
    first, other = registration(data), registration(data, fault="one")
    for spec in (first, other, first):
        outcome(spec)
    assert not read_displacement(first.folder / "disp_fixed_dark0.nii.gz").any()


def test_another_title_registers_nothing_again(make_dataset, registration):
    data = make_dataset()
    spec = registration(data)
    first = outcome(spec)
    write_description(data.folder, replace(data.description, title="another", labels={1: "core"}))
    (spec.folder / "registrations.json").unlink()
    assert outcome(spec) == first
