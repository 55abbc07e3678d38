"""Timing: methods take turns, first calls are kept apart, and an untrained network is never timed."""

import json
from pathlib import Path

import pandas as pd

from workflows.configuration import settings
from workflows.planning import plan
from workflows.timing import timing


def run_timing(tmp_path, runs, **more) -> pd.DataFrame:
    out = tmp_path / "timing.parquet"
    timing({"runs": runs, "threads": 1, "pairs": 2, "rounds": 2, "log": str(tmp_path), "out": str(out), **more})
    return pd.read_parquet(out)


def test_each_method_has_one_first_call_and_warm_ones_for_every_round_and_pair(make_dataset, registration, tmp_path):
    spec = registration(make_dataset())
    rows = run_timing(tmp_path, [spec, {**spec, "method": "other"}])
    assert rows.groupby(["method", "phase"]).size().to_dict() == {
        ("method", "first"): 1,
        ("method", "warm"): 4,
        ("other", "first"): 1,
        ("other", "warm"): 4,
    }
    assert (rows.status == "ok").all()
    assert (rows.seconds > 0).all()


def test_a_method_is_timed_on_each_device(make_dataset, registration, tmp_path):
    spec = registration(make_dataset())
    rows = run_timing(tmp_path, [spec, {**spec, "device": "cuda"}])  # tests.workflows.faulty takes either
    assert rows.groupby(["method", "device"]).size().to_dict() == {("method", "cpu"): 5, ("method", "cuda"): 5}


def test_networks_are_timed_on_both_devices_and_the_others_on_the_processor():
    def devices(device: str) -> set[tuple[str, str]]:
        config = {"device": device, "timing": {"methods": ["ants-syn-mattes", "rcn-1"]}}
        runs = json.loads(plan.Plan(settings.resolve(config)).timing(None))["runs"]
        return {(run["method"], run["device"]) for run in runs}

    processor = {("ants-syn-mattes", "cpu"), ("rcn-1", "cpu")}
    assert devices("cpu") == processor
    assert devices("cuda") == processor | {("rcn-1", "cuda")}


def test_a_failed_training_is_a_row_without_seconds(make_dataset, registration, tmp_path):
    outcome = {"status": "diverged", "reason": "training: loss is NaN at iteration 7", "checkpoint": ""}
    path = Path(tmp_path) / "training.json"
    path.write_text(json.dumps(outcome))
    rows = run_timing(tmp_path, [{**registration(make_dataset()), "training": str(path)}])
    assert set(rows.status) == {"diverged"}
    assert set(rows.reason) == {outcome["reason"]}
    assert rows.seconds.isna().all()
