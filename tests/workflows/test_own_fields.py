"""Displacements of a run, scored as if they were made elsewhere: the same numbers, and no seconds of ours."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from benchmarks import results
from benchmarks.records import PairRecord, Registrations, read, read_lines, write
from datasets.files import read_displacement, write_displacement
from tests.methods.given import made as making
from workflows import check
from workflows.ahead import preflight
from workflows.configuration.config import SettingsError
from workflows.configuration.resolve import resolve
from workflows.configuration.sources import ROOT
from workflows.planning.plan import Plan
from workflows.planning.specs import EvaluateSpec, MethodSpec, RegisterSpec, RunSpec
from workflows.planning.wildcards import Wildcards

PROFILE = {
    "profile": "own",
    "seeds": [0],
    "run": {"datasets": ["phantom-liver"], "methods": ["identity", "mine"]},
    "methods": {"mine": {"like": "fields", "label": "Mine"}},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return making.make(tmp_path_factory.mktemp("made"), "oblique")


@pytest.fixture
def step(made, tmp_path):
    """Return a function that runs the step of registration by itself, and gives what it left."""

    def run(module, name, given=(), **params):
        folder = tmp_path / name
        by = MethodSpec(method=name, module=module, params=params, device="cpu", seed=0, libraries={})
        spec = RunSpec(by=by, dataset="made", data=made.data.folder, training=None, time_limit=60, given=list(given))
        judging = EvaluateSpec(
            dataset="made", method=name, seed=0, chunk=0, chunks=1, data=made.data.folder, folder=folder, keep="all",
            judge=[],
        )  # fmt: skip
        write(
            tmp_path / f"{name}.json",
            RegisterSpec(run=spec, chunk=0, chunks=1, sources=[], folder=folder, judging=judging),
        )
        command = [sys.executable, "-m", "workflows.register", str(tmp_path / f"{name}.json")]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ})
        return folder, done

    return run


def numbers(folder):
    rows = results.read(folder / "metrics.parquet", "metrics")
    rows = rows[~rows.metric.isin(["seconds", "peak_memory"])]
    return rows.set_index(["pair", "metric", "protocol", "region"]).value.sort_index()


def test_the_displacements_of_a_method_have_its_numbers(made, step, tmp_path):
    theirs, done = step("methods.demons", "demons", iterations=[20, 10])
    assert done.returncode == 0, done.stderr
    ours, done = step("methods.fields", "mine", given=[theirs], folder=str(theirs))
    assert done.returncode == 0, done.stderr
    assert "convention found: mutual information in 2 of 2 pairs" in done.stderr
    found = json.loads(read(ours / "registrations.json", Registrations).run.params)["found"]
    assert found == {
        "content": "displacement", "unit": "voxels", "order": "array", "sense": "pull", "axes": "array",
    }  # fmt: skip
    np.testing.assert_allclose(numbers(ours), numbers(theirs), atol=1e-5)
    records = list(read_lines(ours / "records.jsonl", PairRecord))
    assert [(each.status, each.seconds, each.peak_memory) for each in records] == [("ok", None, None)] * 2
    assert all(each.seconds for each in read_lines(theirs / "records.jsonl", PairRecord))


def test_what_images_say_against_a_whole_statement_is_on_record(made, step, tmp_path):
    for pair, u in made.pull.items():
        write_displacement(tmp_path / "disp" / pair.displacement_file, u, made.affine)
    stated = {"content": "displacement", "unit": "mm", "order": "array", "sense": "pull", "axes": "array"}
    ours, done = step("methods.fields", "mine", given=[tmp_path / "disp"], folder=str(tmp_path / "disp"), **stated)
    assert done.returncode == 0, done.stderr
    found = json.loads(read(ours / "registrations.json", Registrations).run.params)["found"]
    speak = "the images speak for [content: displacement, unit: voxels, order: array, sense: pull, axes: array]"
    assert found == {**stated, "but": speak}


def test_a_changed_field_is_scored_anew(made, step, tmp_path):
    folder = tmp_path / "disp"
    for pair, u in made.pull.items():
        write_displacement(folder / pair.displacement_file, u, made.affine)
    ours, done = step("methods.fields", "mine", given=[folder], folder=str(folder))
    before = read(ours / "registrations.json", Registrations).run.run
    pair = making.PAIRS[0]
    write_displacement(folder / pair.displacement_file, 0.9 * made.pull[pair], made.affine)
    ours, done = step("methods.fields", "mine", given=[folder], folder=str(folder))
    assert done.returncode == 0, done.stderr
    assert read(ours / "registrations.json", Registrations).run.run != before
    np.testing.assert_allclose(read_displacement(ours / pair.displacement_file), 0.9 * made.pull[pair], atol=1e-5)


def test_a_refusal_is_one_line_and_leaves_no_numbers(made, step, tmp_path):
    folder = tmp_path / "disp"
    folder.mkdir()
    ours, done = step("methods.fields", "mine", given=[folder], folder=str(folder))
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error: mine: ")
    assert "no field for 2 of 2 pairs: a__b, c__d" in last
    assert not (ours / "registrations.json").exists()


def test_a_pair_that_cannot_be_read_later_is_a_failed_pair(made, step, tmp_path):
    """With a convention that is stated, too, the pairs that are looked at are read at the start."""
    folder = tmp_path / "disp"
    for pair, u in made.pull.items():
        write_displacement(folder / pair.displacement_file, u, made.affine)
    bad = made.pull[making.PAIRS[1]].copy()
    bad[0, 0, 0, 0] = np.nan
    write_displacement(folder / making.PAIRS[1].displacement_file, bad, made.affine)
    _, done = step("methods.fields", "mine", given=[folder], folder=str(folder))
    assert "1 of 43200 values are NaN or infinite" in done.stderr.strip().splitlines()[-1]


class TestPlan:
    def plan(self, folder, **method):
        mine = {**PROFILE["methods"]["mine"], **method}
        return Plan(resolve({**PROFILE, "methods": {"mine": {**mine, "params": {"folder": str(folder)}}}}))

    def test_files_are_inputs_of_the_job(self, tmp_path):
        (tmp_path / "disp_a_b.npz").touch()
        (tmp_path / ".hidden").touch()
        plan, where = self.plan(tmp_path), Wildcards("phantom-liver", "mine", "0", "0")
        assert plan.given_files(where) == [str(tmp_path / "disp_a_b.npz")]
        assert plan.register(where).run.given == [tmp_path]
        assert plan.given_files(Wildcards("phantom-liver", "identity", "0", "0")) == []

    def test_a_folder_that_is_not_there_starts_no_job(self, tmp_path):
        where = Wildcards("phantom-liver", "mine", "0", "0")
        for folder, expected in ((tmp_path, []), (tmp_path / "no", [f"{tmp_path / 'no'}: no such file or folder"])):
            found = preflight.problems(self.plan(folder), [preflight.Job("register", where)], 2)
            assert len(found) == len(expected)
            assert all(text in line for text, line in zip(expected, found, strict=True))

    def test_it_is_never_timed(self, tmp_path):
        settings = self.plan(tmp_path).settings
        assert not settings.is_clocked("mine")
        assert settings.is_clocked("demons")

    def test_what_is_reported_is_told_as_reported(self, tmp_path):
        shown = self.plan(tmp_path, reported={"seconds": 0.8, "hardware": "a GPU"}).settings.shown("mine")
        assert shown.reported == "0.8 s a pair on a GPU"

    def test_seconds_of_a_method_that_runs_here_cannot_be_reported(self):
        config = {
            **PROFILE,
            "methods": {"mine": {"like": "demons", "label": "Mine", "reported": {"seconds": 1, "hardware": "x"}}},
        }
        with pytest.raises(SettingsError, match="this method is timed here; leave it out"):
            resolve(config)


def test_displacements_for_data_that_are_not_prepared_cannot_be_checked(tmp_path, monkeypatch, capsys):
    """What `python -m workflows.check ~/mine/fields.yaml` says before its first step, the data, was run."""
    (tmp_path / "fields.yaml").write_text(json.dumps(PROFILE))  # JSON is YAML
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="error: 1 problem; correct what is listed"):
        check.main(["fields.yaml"])
    assert "mine on phantom-liver: phantom-liver is not prepared" in capsys.readouterr().out


def test_a_folder_of_displacements_that_is_not_there_is_named_first(tmp_path, monkeypatch, capsys):
    mine = {**PROFILE["methods"]["mine"], "params": {"folder": "nowhere"}}
    (tmp_path / "fields.yaml").write_text(json.dumps({**PROFILE, "methods": {"mine": mine}}))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="error: 1 problem; correct what is listed"):
        check.main(["fields.yaml"])
    assert re.fullmatch(
        r"mine on phantom-liver: .*nowhere: no such file or folder; correct the path\n", capsys.readouterr().out
    )
