"""Timing: methods take turns, first calls are kept apart, and an untrained network is never timed."""

from dataclasses import replace

import pandas as pd
import pytest

from benchmarks.records import TrainingOutcome, text_of
from workflows.configuration.resolve import resolve
from workflows.planning import plan
from workflows.planning.specs import TimingSpec
from workflows.timed import contest
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
