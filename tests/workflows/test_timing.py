"""Timing: methods take turns, first calls are kept apart, and an untrained network is never timed."""

import importlib
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from types import SimpleNamespace

import pandas as pd
import pytest

from benchmarks.clock import cores, kernel
from benchmarks.clock.hardware import parse
from benchmarks.records import UNAVAILABLE, TrainingOutcome, text_of
from workflows.configuration.resolve import resolve
from workflows.planning import networks, plan
from workflows.planning.layout import Layout
from workflows.planning.specs import PaperSizeSpec, TimingSpec
from workflows.running import unavailable
from workflows.timed import contest
from workflows.timed.contest import Patience
from workflows.timing import timing


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    """Make every call once: what else runs beside these tests is not theirs."""
    monkeypatch.setattr(contest, "ATTEMPTS", 1)


def run_timing(tmp_path, runs) -> pd.DataFrame:
    timing(TimingSpec(runs=runs, pairs=2, rounds=3, folder=tmp_path), 1)
    return pd.read_parquet(tmp_path / "timing.parquet")


def test_each_method_has_one_first_call_and_a_warm_one_a_round_on_the_pairs_in_turn(
    make_dataset, registration, tmp_path
):
    run = registration(make_dataset()).run
    rows = run_timing(tmp_path, [run, replace(run, by=replace(run.by, method="other"))])
    assert rows.groupby(["method", "phase"]).size().to_dict() == {
        ("method", "first"): 1,
        ("method", "warm"): 3,
        ("other", "first"): 1,
        ("other", "warm"): 3,
    }
    assert (rows.status == "ok").all()
    assert (rows.seconds > 0).all()
    assert rows[rows.method == "other"].sort_values("round").pair.nunique() == 2


def test_a_method_is_timed_on_each_device(make_dataset, registration, tmp_path):
    run = registration(make_dataset()).run
    rows = run_timing(tmp_path, [run, replace(run, by=replace(run.by, device="cuda"))])
    assert rows.groupby(["method", "device"]).size().to_dict() == {("method", "cpu"): 4, ("method", "cuda"): 4}


def test_networks_are_timed_on_both_devices_and_the_others_on_the_processor():
    def devices(device: str) -> set[tuple[str, str]]:
        config = {"device": device, "timing": {"methods": ["ants-syn-mattes", "rcn-1"]}}
        runs = plan.Plan(resolve(config)).timing(None).runs
        return {(run.by.method, run.by.device) for run in runs}

    processor = {("ants-syn-mattes", "cpu"), ("rcn-1", "cpu")}
    assert devices("cpu") == processor
    assert devices("cuda") == processor | {("rcn-1", "cuda")}


def test_a_failed_training_is_a_row_without_seconds(make_dataset, registration, tmp_path):
    reason = "training: loss is NaN at iteration 7"
    outcome = TrainingOutcome(dataset="tiny", method="method", seed=0, status="diverged", reason=reason)
    path = tmp_path / "training.json"
    path.write_text(text_of(outcome))
    rows = run_timing(tmp_path, [replace(registration(make_dataset()).run, training=path)])
    assert set(rows.status) == {"diverged"}
    assert set(rows.reason) == {reason}
    assert rows.seconds.isna().all()


@dataclass
class NoOptions:
    """Of a method that has none."""


@pytest.mark.parametrize(
    ("fault", "status"),
    [(lambda *_: importlib.import_module("no_such_library"), UNAVAILABLE), (lambda *_: 1 / 0, "failed")],
)
def test_a_network_that_cannot_be_laid_out_is_a_failure_unless_a_library_is_missing(
    registration, make_dataset, tmp_path, monkeypatch, fault, status
):
    run = registration(make_dataset()).run
    module = SimpleNamespace(Params=NoOptions, full=lambda params: params, cost=fault)
    monkeypatch.setattr(networks, "import_method", lambda name: module)
    by = replace(run.by, params={})
    paper = PaperSizeSpec(grid=[8, 8, 8], timed=[by.method], methods=[by], once=[], all_threads=[], time_limit=60)
    timing(TimingSpec(runs=[], pairs=1, rounds=1, folder=tmp_path, paper=paper), 1)
    [row] = pd.read_parquet(tmp_path / "timing.parquet").itertuples()
    assert (row.status, row.size) == (status, "paper")
    assert row.reason.startswith(("ModuleNotFoundError: ", "ZeroDivisionError: "))
    unavailable.forget(SimpleNamespace(layout=Layout(tmp_path), all_chunks=list, trainings=list))
    assert (tmp_path / "timing.parquet").exists() == (status == "failed")


@pytest.fixture
def neighbour():
    """A process that keeps busy the core that one thread is pinned to."""
    if kernel.totals() is None or not hasattr(os, "sched_setaffinity"):
        pytest.skip("this system does not tell what its cores do")
    (core,) = cores.choose(1, cores.allowed())
    code = f"import os\nos.sched_setaffinity(0, [{core}])\nwhile True: pass"
    busy = subprocess.Popen([sys.executable, "-c", code])
    yield core
    busy.kill()
    busy.wait()


def test_calls_beside_a_busy_neighbour_are_repeated_and_marked(
    make_dataset, registration, tmp_path, neighbour, monkeypatch
):
    monkeypatch.setattr(contest, "ATTEMPTS", 2)
    rows = run_timing(tmp_path, [registration(make_dataset()).run])
    assert rows.contended.astype(bool).all()
    assert (rows.others > 0.03).all()
    assert rows.sort_values("round").attempts.tolist() == [1, 2, 2, 2]  # a first call cannot be repeated
    assert {parse(key).pinned for key in rows.hardware} == {(neighbour,)}


def test_repeats_end_with_the_patience(make_dataset, registration, tmp_path, neighbour, monkeypatch):
    monkeypatch.setattr(contest, "ATTEMPTS", 3)
    monkeypatch.setattr(contest, "Patience", lambda: Patience(1.9))
    rows = run_timing(tmp_path, [registration(make_dataset()).run])
    assert rows.attempts.sum() == len(rows) + 1  # a repeat takes a second and the call
    assert rows.contended.astype(bool).all()


def test_more_threads_than_cores_are_one_line_and_the_rows_that_are_possible(
    make_dataset, registration, tmp_path, caplog
):
    timing(TimingSpec(runs=[registration(make_dataset()).run], pairs=1, rounds=1, folder=tmp_path), 4096)
    rows = pd.read_parquet(tmp_path / "timing.parquet")
    assert set(rows.threads) == {1, len(cores.allowed())}
    assert set(rows.status) == {"ok"}
    assert [record.message for record in caplog.records if "4096 threads" in record.message] == [
        f"4096 threads were asked for: timed with {len(cores.allowed())}, the cores that may be used"
    ]


@pytest.mark.parametrize(
    ("seconds", "most", "calls"), [(0.3, 10, 10), (0.3, 3, 3), (1.0, 10, 5), (40.0, 10, 5), (40.0, 1, 1)]
)
def test_ten_warm_calls_under_a_second_and_five_above(seconds, most, calls):
    assert contest.warm_calls(seconds, most) == calls


def test_as_many_methods_are_loaded_as_fit_the_memory():
    assert contest.together((64, 64, 32), 20_000) >= 14  # the default profile on 20 GB
    assert contest.together((128, 128, 128), 20_000) < contest.together((64, 64, 64), 20_000)
    assert contest.together((512, 512, 512), 8_000) == 2
    assert contest.together((64, 64, 32), 20_000, on_a_gpu=True) == 4
