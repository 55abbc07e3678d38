"""The gate as a step: a first run stores, a clean one passes, what is slower or other is red and said in Markdown."""

import os
import subprocess
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from benchmarks import results
from benchmarks.regression import speed
from benchmarks.regression.findings import BaselineError
from benchmarks.regression.kernels import BaseError, BenchmarkError
from benchmarks.regression.places import Places
from benchmarks.regression.summary import markdown
from tests.workflows.gate_inputs import write
from workflows.regression.__main__ import regression
from workflows.regression.accept import accept, main
from workflows.regression.before import Before, Numbers
from workflows.regression.look import Look

# A project whose one kernel takes as long as the file `wait` says, beside a peer that takes four times 5 ms.
KERNEL = """
import time
from pathlib import Path
import pytest

def compute(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass

@pytest.mark.gate
def test_kernel(benchmark):
    wait = float((Path(__file__).parent / "wait").read_text())
    benchmark.pedantic(compute, args=(wait,), rounds=3)
    benchmark.extra_info["cpu"] = wait
"""
TABLE = """
import json, sys
from pathlib import Path
path = Path(sys.argv[1])
ours = json.loads(path.read_text())["benchmarks"][0]["extra_info"]["cpu"]
line = f"warp,8x9x10,1,float32,cpu,{ours},peer,0.02"
path.with_suffix(".csv").write_text(f"name,grid,threads,precision,device,ours_cpu_s,peer,peer_cpu_s\\n{line}\\n")
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A checkout with one commit, in which the kernel takes 5 ms; the gate runs in a folder beside it."""
    root = tmp_path / "project"
    (root / "benchmarks").mkdir(parents=True)
    (root / "benchmarks" / "test_kernel.py").write_text(KERNEL)
    (root / "benchmarks" / "speed.py").write_text(TABLE)
    (root / "benchmarks" / "wait").write_text("0.005")
    (root / "pyproject.toml").write_text('[tool.pytest.ini_options]\nmarkers = ["gate: looked at"]\n')
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    commit(root, "first")
    monkeypatch.setattr("benchmarks.regression.places.ACCEPTED", tmp_path / "accepted")
    monkeypatch.chdir(tmp_path)
    return root


def commit(project, message):
    who = {f"GIT_{role}_{what}": "a@b" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    for arguments in (["add", "-A"], ["commit", "-qm", message]):
        subprocess.run(["git", *arguments], cwd=project, check=True, env={**os.environ, **who})


def slow_down(project, seconds):
    (project / "benchmarks" / "wait").write_text(str(seconds))


def look(project, base=""):
    notes = []
    looked = Look(Places(project.parent / "results" / "smoke"), base, notes, root=project, turns=1).look()
    return looked, notes


def test_a_slower_kernel_is_told_beside_the_older_state_and_a_clean_tree_is_green(project):
    looked, _ = look(project, base="HEAD")
    assert (looked.kernels, looked.slower) == (1, [])
    slow_down(project, 0.015)
    looked, _ = look(project, base="HEAD")
    found = {(slow.kernel, slow.beside): slow.times for slow in looked.slower}
    kernel = "warp, 8x9x10, 1 thread, float32, cpu"
    assert set(found) == {(kernel, "before"), (kernel, "peer")}
    assert found[kernel, "before"] > 1.5
    worktrees = subprocess.run(["git", "worktree", "list"], cwd=project, capture_output=True, text=True, check=True)
    assert len(worktrees.stdout.splitlines()) == 1  # the older state is gone again


def test_the_first_run_on_a_processor_stores_its_ratios_for_the_next(project):
    looked, notes = look(project)
    assert looked.slower == []
    assert "No accepted ratios to peers on" in notes[0]
    slow_down(project, 0.012)
    looked, notes = look(project)
    assert notes == []
    assert [slow.beside for slow in looked.slower] == ["peer"]


def test_what_is_slower_beside_peers_in_the_older_state_too_is_said_and_not_red(project):
    """Another machine under the same processor's name: both states wait for its memory."""
    look(project)  # stores the ratio of a quick kernel
    slow_down(project, 0.012)
    commit(project, "as if on another machine")
    looked, notes = look(project, base="HEAD")
    assert looked.slower == []
    [note] = notes
    assert note.startswith("Slower beside peers than accepted, and so it is in HEAD: warp, 8x9x10, 1 thread")
    slow_down(project, 0.03)  # slower by this state as well
    looked, _ = look(project, base="HEAD")
    assert [slow.beside for slow in looked.slower] == ["before"]


def test_a_commit_that_is_not_there_is_said_and_peers_still_compared(project):
    look(project)  # stores its ratios
    looked, notes = look(project, base="no-such-commit")
    assert looked.kernels == 1
    assert "Speed is not compared with an older state: regression.base: no-such-commit:" in notes[0]


def test_an_older_state_without_marked_benchmarks_is_said(project):
    test = project / "benchmarks" / "test_kernel.py"
    marked = test.read_text()
    test.write_text(marked.replace("@pytest.mark.gate\n", ""))
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=b", "commit", "-qam", "bare"], cwd=project, check=True
    )
    test.write_text(marked)
    look(project)  # stores its ratios
    looked, notes = look(project, base="HEAD")
    assert looked.kernels == 1
    assert "HEAD has no benchmarks that the gate can run." in notes


def test_a_benchmark_that_fails_is_one_clear_line(project):
    (project / "benchmarks" / "wait").unlink()
    with pytest.raises(
        BenchmarkError, match=r"project failed: .*test_kernel - FileNotFoundError.*; correct it, see .*speed\.log"
    ):
        look(project)


def test_an_older_state_whose_benchmarks_fail_is_said_and_peers_still_compared(project):
    wait = (project / "benchmarks" / "wait").read_text()
    (project / "benchmarks" / "wait").unlink()
    commit(project, "broken")
    (project / "benchmarks" / "wait").write_text(wait)
    look(project)  # stores its ratios
    looked, notes = look(project, base="HEAD")
    assert looked.kernels == 1
    assert "Speed is not compared with an older state: HEAD: the benchmarks in" in notes[0]


def frame(seconds, ratio, threads=1):
    row = ("warp", "8x9x10", threads, "float32", "cpu", seconds, "peer", ratio * seconds, ratio)
    return pd.DataFrame([row], columns=[*speed.KERNEL, "ours_cpu_s", "peer", "peer_cpu_s", "ratio"])


@pytest.mark.parametrize(("times", "n"), [(1.24, 0), (1.26, 1)])
def test_a_quarter_longer_is_slower_and_the_fastest_of_several_runs_counts(times, n):
    base = speed.fastest([frame(0.1, 4), frame(0.3, 4 / 3)])
    head = speed.fastest([frame(0.1 * times, 4 / times), frame(9.0, 1.0)])
    assert len(speed.slower_than_before(head, base)) == n
    assert len(speed.slower_beside_peers(head, base)) == n
    assert speed.slower_than_before(speed.fastest([frame(9.0, 1, threads=2)]), base) == []


def test_a_kernel_is_slower_only_if_it_is_so_beside_all_its_peers():
    accepted = pd.concat([frame(0.1, 4), frame(0.1, 8).assign(peer="other")])
    one, both = (pd.concat([frame(0.1, 4 / 2), frame(0.1, 8 / times).assign(peer="other")]) for times in (1.1, 1.5))
    assert speed.slower_beside_peers(one, accepted) == []
    assert [slow.beside for slow in speed.slower_beside_peers(both, accepted)] == ["peer", "other"]


def test_a_kernel_that_is_not_measured_any_more_is_slower_and_said():
    both = pd.concat([frame(0.1, 4), frame(0.1, 4, threads=2)])
    assert [slow.times for slow in speed.slower_beside_peers(frame(0.1, 4), both)] == [np.inf]
    assert speed.missing(frame(0.1, 4), both) == ["warp, 8x9x10, 2 threads, float32, cpu"]
    assert speed.slower_beside_peers(both, frame(0.1, 4)) == []


def test_ratios_of_one_processor_are_not_those_of_another(tmp_path):
    path = tmp_path / "speed.csv"
    speed.write(path, "Old", frame(1, 2), beside=path)
    speed.write(path, "New", frame(1, 3), beside=path)
    assert speed.read(path, "Old").ratio.tolist() == [2]
    assert speed.read(path, "New").ratio.tolist() == [3]
    assert speed.read(path, "Other") is None
    path.write_text("nothing\n")
    with pytest.raises(BaselineError, match="no table of accepted speed"):
        speed.read(path, "Old")


def test_the_first_run_passes_and_stores_and_the_next_is_compared_with_it(spec):
    first = regression(spec)
    assert not first.red
    assert "No accepted numbers of smoke" in first.notes[0]
    assert not regression(spec).red
    write(spec, 0.9)
    outcome = regression(spec)
    assert outcome.red
    assert outcome.headline == "1 number not as accepted"


def older_run(monkeypatch, make):
    """Let the older state's run of the profile be what ``make`` gives."""
    monkeypatch.setattr("workflows.regression.before.Before._run", lambda self: make(self))


def test_what_the_older_state_has_too_is_told_in_the_summary_and_not_red(spec, monkeypatch):
    regression(spec)
    write(spec, 0.7)
    older_run(monkeypatch, lambda _: results.read(spec.folder / "metrics.parquet", "metrics"))
    outcome = regression(replace(spec, base="HEAD"))
    assert not outcome.red
    assert outcome.headline == "1 number and 0 kernels as accepted, 1 number as in the older state"
    text = Places(spec.folder).summary.read_text()
    assert "## As before (1)" in text
    assert "| phantom | net, seed 0 | a__b | Dice (nearest) | 0.8 | 0.7 | 0.005 |" in text
    assert regression(spec).red  # without an older state nobody knows


def test_an_older_state_that_cannot_run_the_profile_is_said_and_findings_stay(spec, project):
    regression(spec)
    write(spec, 0.7)
    before = Before(Places(spec.folder), "HEAD", [], [], root=project)  # it has no Snakefile
    with pytest.raises(BaseError, match=r"HEAD: its run of the profile failed \(see .*before\.log\)"):
        before.without_its_own([], Numbers.of(results.read(spec.folder / "metrics.parquet", "metrics")), None)
    outcome = regression(replace(spec, base="no-such-commit"))
    assert outcome.red
    assert "Accuracy is not compared with an older state: regression.base: no-such-commit:" in outcome.notes[-1]


def test_a_perfect_first_run_is_red_and_not_stored(spec):
    write(spec, 1.0)
    assert [found.verdict for found in regression(spec).alarms] == ["too good"]
    assert not Places(spec.folder).stored.exists()


def test_benchmarks_that_fail_are_red_and_take_no_finding_away(spec, monkeypatch):
    regression(spec)
    write(spec, 0.9)
    look = Look(Places(spec.folder), "", [], root=spec.folder)  # no benchmarks there
    monkeypatch.setattr("workflows.regression.__main__.Look", lambda *_: look)
    outcome = regression(replace(spec, speed=True))
    assert outcome.red
    assert "1 number not as accepted; the benchmarks in" in Places(spec.folder).summary.read_text()


def test_the_summary_says_what_differs_and_its_command_accepts_it(spec):
    regression(spec)
    write(spec, 0.9)
    places, text = Places(spec.folder), markdown(regression(spec), "accept this")
    assert places.summary.read_text().startswith("# Regression of smoke: red\n\n1 number not as accepted.\n")
    assert "| phantom | net, seed 0 | a__b | Dice (nearest) | 0.8 | 0.9 | 0.005 |" in text
    assert "To accept these numbers: `accept this`" in text
    assert pd.read_csv(places.findings).verdict.tolist() == ["better"]
    accept(places, None)
    assert not regression(spec).red
    assert np.isclose(pd.read_csv(places.accepted, comment="#").set_index("method").value["net"], 0.9)


def test_accepting_takes_a_run(tmp_path):
    with pytest.raises(BaselineError, match="run `snakemake --cores all regression` of this profile first"):
        accept(Places(tmp_path / "smoke"), None)
    with pytest.raises(SystemExit, match=r"regression/speed\.csv: no such file; run `snakemake --cores all"):
        main([str(tmp_path / "smoke"), "--only", "speed"])
