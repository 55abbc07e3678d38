"""Data that are missing: prepared as far as they can be had, or left out of a run, which then says so."""

import json
import subprocess
import sys

import pandas as pd
import pytest

from tests.workflows.pipeline_inputs import N_PAIRS, TINY, command, records, run
from workflows.ahead import lacking, supplies
from workflows.configuration.config import SettingsError
from workflows.configuration.resolve import resolve
from workflows.planning.plan import Plan


@pytest.fixture(autouse=True)
def empty(tmp_path, monkeypatch):
    """Nothing of any data set is here, and no package that fetches some."""
    monkeypatch.setenv("WARPBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("WARPBENCH_MIRROR", raising=False)
    for package in ("gdown", "idc_index"):
        monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.chdir(tmp_path)


def plan_of(**config) -> Plan:
    return Plan(resolve(config))


def test_what_learns_from_missing_data_is_left_out_with_them():
    """sliver and liver-training are missing: recursive networks learn from the second, before they run on phantoms."""
    runs = {"datasets": ["sliver", "phantom-liver"], "methods": ["identity", "rcn-1"]}
    methods = {"rcn-1": {"datasets": runs["datasets"], "by_dataset": {"phantom-liver": {"train_on": "liver-training"}}}}
    plan = plan_of(run=runs, methods=methods, papers={"ldr-aldk": {"sliver": "sliver"}})
    left = lacking.without(plan).settings
    assert left.runs == [("identity", "phantom-liver")]
    assert left.prepared == ["phantom-liver"]
    assert left.cast("ldr-aldk") == {}
    found = {each.dataset: (each.runs, each.plays) for each in left.left_out}
    assert found == {
        "sliver": ([("sliver", "identity"), ("sliver", "rcn-1")], [("ldr-aldk", "sliver")]),
        "liver-training": ([("phantom-liver", "rcn-1")], []),
    }
    assert all("to get them: " in each.reason for each in left.left_out)


def test_a_run_without_any_of_its_data_is_refused():
    plan = plan_of(run={"datasets": ["sliver"], "methods": ["identity"]})
    with pytest.raises(SettingsError, match="no data set of the profile is there"):
        lacking.without(plan)
    with pytest.raises(SettingsError, match="expected refuse or leave, got 'skip'"):
        lacking.leaves("skip")
    assert not lacking.leaves(None)


@pytest.fixture(scope="module")
def left_out(tmp_path_factory):
    """A run on phantom pairs that goes on without dirlab, and what it said."""
    folder = tmp_path_factory.mktemp("left-out")
    config = json.loads(json.dumps(TINY))
    config["run"] = {"datasets": ["phantom-liver", "dirlab"], "methods": ["identity"]}
    config["papers"] = {"progressive": {"dirlab": "dirlab"}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WARPBENCH_CACHE", str(folder / "cache"))
        patch.delenv("WARPBENCH_MIRROR", raising=False)
        done = run(folder, "--config", "missing=leave", config=config)
    return folder, done


def test_a_run_that_is_to_go_on_does_so_and_its_tables_say_what_was_not_measured(left_out):
    folder, done = left_out
    assert done.returncode == 0, done.stderr
    assert "WarpBench: goes on without data set dirlab (1 runs are not measured): 10 of 10 files missing" in done.stderr
    assert len(records(folder)) == N_PAIRS
    report = folder / "results" / "tiny" / "report"
    head, _, line, *notes = (report / "tables" / "overview.md").read_text("utf-8").split("| Method", 1)[1].splitlines()
    assert head.rstrip(" |").endswith("dirlab<br>data missing")
    assert line.rstrip(" |").endswith("not measured: data missing")
    assert any("dirlab: not measured: data missing (10 of 10 files missing" in note for note in notes)
    ledger = pd.read_csv(report / "ledger.csv")
    cells = ledger[ledger.note.fillna("").str.contains("not measured: data missing (dirlab)", regex=False)]
    assert len(cells) > 10
    assert set(cells.verdict) == {"not measured"}
    lost = pd.read_csv(report / "failures.csv").iloc[0]
    assert (lost.method, lost.dataset, lost.status) == ("identity", "dirlab", "not measured")


def data_alone(folder, config):
    call = ["data" if each == "report" else each for each in command(folder, config=config)]
    return subprocess.run(call, capture_output=True, text=True, cwd=folder)


def test_data_alone_are_prepared_as_far_as_they_can_be_had(tmp_path):
    """Where the data are had there need not be the run's device; twice, for a second run has nothing to prepare."""
    config = {**json.loads(json.dumps(TINY)), "device": "cuda"}
    config["run"] = {"datasets": ["sliver", "phantom-liver", "dirlab"], "methods": ["identity"]}
    for _ in range(2):
        done = data_alone(tmp_path, config)
        assert done.returncode != 0
        assert (tmp_path / "results" / "tiny" / "data" / "phantom-liver" / "dataset.json").exists()
        assert not (tmp_path / "results" / "tiny" / "runs").exists()
        told = done.stderr.partition("WarpBench: 2 of 3 data sets cannot be prepared for want of files; ")[2]
        assert told.startswith("the others are prepared\n")
        for name in ("sliver", "dirlab"):
            stock = supplies.stock_of(resolve(config), name, Plan(resolve(config)).layout)
            assert "\n".join(supplies.short(stock, resolve(config))) in told
    config["run"]["datasets"] = ["phantom-liver"]
    assert data_alone(tmp_path, config).returncode == 0
