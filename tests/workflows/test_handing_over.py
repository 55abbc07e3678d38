"""Specifications are files: of any length, named by their content, and written only by a run that does something."""

import os
from types import SimpleNamespace

import pytest

from benchmarks.records import read, write
from datasets.case import Pair
from datasets.files import DataError
from workflows.configuration.resolve import resolve
from workflows.configuration.sources import ROOT
from workflows.planning.layout import Layout, chunk_of, pairs_of
from workflows.planning.plan import Plan
from workflows.planning.spec_files import SpecFiles
from workflows.planning.specs import ExportSpec, RegisterSpec, TimingSpec
from workflows.running import environment

JOB = SimpleNamespace(dataset="phantom-liver", method="demons", seed="0", chunk="1")
ARGUMENT_LIMIT = 131_072  # bytes that one argument of a command may have on Linux


def test_a_specification_may_be_longer_than_an_argument(tmp_path):
    variants = {
        f"demons-{n}": {"like": "demons", "label": f"Demons {n}", "params": {"iterations": [n + 1]}} for n in range(400)
    }
    run = {"datasets": ["phantom-liver"], "methods": list(variants)}
    timing = {"datasets": ["phantom-liver"], "methods": list(variants)}
    plan = Plan(resolve({"run": run, "methods": variants, "timing": timing}))
    path = SpecFiles(Layout(tmp_path), writes=True).path_function(plan.timing)(SimpleNamespace())
    assert (tmp_path / path).stat().st_size > ARGUMENT_LIMIT
    assert read(tmp_path / path, TimingSpec) == plan.timing(None)
    assert len(path) < 300


def test_a_file_is_named_by_its_job_and_content(tmp_path):
    files, plan = SpecFiles(Layout(tmp_path), writes=True), Plan(resolve({}))
    path = files.path_function(plan.register)(JOB)
    assert path.startswith(str(tmp_path / "specifications" / "register-phantom-liver-demons-seed0-chunk1-"))
    assert files.path_function(plan.register)(JOB) == path
    slower = Plan(resolve({"time_limit": 601}))
    assert files.path_function(slower.register)(JOB) != path
    assert files.path_function(slower.prepare)(JOB) == files.path_function(plan.prepare)(
        JOB
    )  # no time limit concerns it


def test_the_archive_keeps_the_order_of_display(tmp_path):
    plan = Plan(resolve({}))
    path = SpecFiles(Layout(tmp_path), writes=True).path_function(plan.export)(SimpleNamespace())
    spec = read(tmp_path / path, ExportSpec)
    assert [name for name, _ in spec.datasets] == plan.settings.datasets != sorted(plan.settings.datasets)
    assert [name for name, _ in spec.methods] == plan.settings.methods != sorted(plan.settings.methods)


def test_a_run_that_only_looks_writes_nothing(tmp_path):
    plan = Plan(resolve({}))
    paths = [SpecFiles(Layout(tmp_path), writes).path_function(plan.register)(JOB) for writes in (False, True)]
    assert paths[0] == paths[1]
    assert len(list(tmp_path.rglob("*.json"))) == 1


def test_a_specification_of_another_step_is_refused_in_one_line(tmp_path):
    write(tmp_path / "wrong.json", Plan(resolve({})).evaluate(JOB))
    with pytest.raises(DataError, match=r"wrong\.json: holds no register spec \(Object missing required field `run`\)"):
        read(tmp_path / "wrong.json", RegisterSpec)


def test_a_pair_is_in_the_chunk_that_says_so():
    pairs = [Pair("a", str(n)) for n in range(11)]
    chunks = [pairs_of(pairs, chunk, 4) for chunk in range(4)]
    assert sorted(pair.moving for chunk in chunks for pair in chunk) == sorted(pair.moving for pair in pairs)
    assert max(map(len, chunks)) - min(map(len, chunks)) == 1
    assert chunk_of(pairs, 4) == {pair.name: number for number, chunk in enumerate(chunks) for pair in chunk}


def test_both_directions_of_a_pair_are_in_one_chunk_one_after_the_other():
    pairs = [Pair(a, b) for a in "abcde" for b in "abcde" if a != b]
    chunks = [pairs_of(pairs, chunk, 3) for chunk in range(3)]
    assert sorted(pair.name for chunk in chunks for pair in chunk) == sorted(pair.name for pair in pairs)
    for chunk in chunks:
        assert [pair.reversed for pair in chunk[::2]] == list(chunk[1::2])
    assert chunk_of(pairs, 3) == {pair.name: number for number, chunk in enumerate(chunks) for pair in chunk}


@pytest.mark.parametrize(
    "spoil", [lambda text: text[:40], lambda text: text.replace("600", "1"), lambda text: "\udcff"]
)
def test_a_spoilt_file_is_written_anew(tmp_path, spoil):
    files, plan = SpecFiles(Layout(tmp_path), writes=True), Plan(resolve({}))
    path = tmp_path / files.path_function(plan.register)(JOB)
    path.write_text(spoil(path.read_text("utf-8")), encoding="utf-8", errors="surrogateescape")
    files.path_function(plan.register)(JOB)
    assert read(path, RegisterSpec) == plan.register(JOB)


def test_threads_sleep_while_they_wait_unless_the_user_says_otherwise(tmp_path, monkeypatch):
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.delenv(name, raising=False)
    assert environment.for_child(2, tmp_path)["OMP_WAIT_POLICY"] == "passive"
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    monkeypatch.setenv("GOMP_SPINCOUNT", "1000")
    variables = environment.for_child(2, tmp_path)
    assert (variables["OMP_WAIT_POLICY"], variables["GOMP_SPINCOUNT"]) == ("active", "1000")


def test_torch_takes_large_pages_unless_the_user_says_otherwise(tmp_path, monkeypatch):
    monkeypatch.delenv("THP_MEM_ALLOC_ENABLE", raising=False)
    assert environment.for_child(1, tmp_path)["THP_MEM_ALLOC_ENABLE"] == "1"
    monkeypatch.setenv("THP_MEM_ALLOC_ENABLE", "0")
    assert environment.for_child(1, tmp_path)["THP_MEM_ALLOC_ENABLE"] == "0"


def test_a_child_is_led_to_this_project_once(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{tmp_path}")
    assert environment.for_child(1, tmp_path)["PYTHONPATH"] == f"{ROOT}{os.pathsep}{tmp_path}"
