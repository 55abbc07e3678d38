"""Timing: methods take turns, first calls are kept apart, and an untrained network is never timed."""

from dataclasses import replace

import pandas as pd

from benchmarks.records import TrainingOutcome, text_of
from workflows.configuration.resolve import resolve
from workflows.planning import plan
from workflows.planning.specs import TimingSpec
from workflows.timing import timing


def run_timing(tmp_path, runs) -> pd.DataFrame:
    timing(TimingSpec(runs=runs, pairs=2, rounds=2, folder=tmp_path), 1)
    return pd.read_parquet(tmp_path / "timing.parquet")


def test_each_method_has_one_first_call_and_warm_ones_for_every_round_and_pair(make_dataset, registration, tmp_path):
    run = registration(make_dataset()).run
    rows = run_timing(tmp_path, [run, replace(run, by=replace(run.by, method="other"))])
    assert rows.groupby(["method", "phase"]).size().to_dict() == {
        ("method", "first"): 1,
        ("method", "warm"): 4,
        ("other", "first"): 1,
        ("other", "warm"): 4,
    }
    assert (rows.status == "ok").all()
    assert (rows.seconds > 0).all()


def test_a_method_is_timed_on_each_device(make_dataset, registration, tmp_path):
    run = registration(make_dataset()).run
    rows = run_timing(tmp_path, [run, replace(run, by=replace(run.by, device="cuda"))])
    assert rows.groupby(["method", "device"]).size().to_dict() == {("method", "cpu"): 5, ("method", "cuda"): 5}


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
