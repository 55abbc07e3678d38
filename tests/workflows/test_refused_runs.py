"""What a run cannot do is told in one line before any work; every profile plans its jobs; a look claims nothing."""

import os
import subprocess

import pytest

from tests.workflows.documents import commands
from tests.workflows.pipeline_inputs import TINY, command, run
from workflows.configuration.config import SettingsError
from workflows.configuration.sources import ROOT
from workflows.running import guard

TYPED = {each.text for each in commands()}
UNTYPED = [
    path.stem
    for path in sorted((ROOT / "workflows" / "config").glob("*.yaml"))
    if f"snakemake --cores all report --configfile workflows/config/{path.name}" not in TYPED
]


def test_a_typing_error_is_one_line_before_any_work(tmp_path):
    done = run(tmp_path, config={**TINY, "run": {"datasets": ["phantom-livr"], "methods": ["identity"]}})
    lines = [line for line in (done.stdout + done.stderr).splitlines() if "profiles/default" not in line]
    assert done.returncode != 0
    assert lines == [
        f"WarpBench: {tmp_path}/tiny.json, run.datasets: unknown data set 'phantom-livr'; did you mean 'phantom-liver'?"
    ]
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"torn", "labels.npz: wrong checksum (4 bytes"), (b"<html>quota exceeded</html>", "labels.npz: a web page")],
)
def test_a_damaged_download_ends_with_one_clear_line(tmp_path, monkeypatch, content, said):
    (tmp_path / "mirror" / "brain_pair").mkdir(parents=True)
    (tmp_path / "mirror" / "brain_pair" / "labels.npz").write_bytes(content)
    monkeypatch.setenv("WARPBENCH_MIRROR", str(tmp_path / "mirror"))
    config = {**TINY, "run": {"datasets": ["brain-pair"], "methods": ["identity"]}}
    config["timing"] = {**TINY["timing"], "datasets": []}
    done = run(tmp_path, config=config)
    assert done.returncode != 0
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("WarpBench: ")]
    assert said in line
    assert line.endswith("replace this copy in the mirror folder")


def test_a_duplicate_key_is_refused(tmp_path):
    (tmp_path / "mine.yaml").write_text("profile: tiny\nseeds: [0]\nseeds: [1]\n")
    arguments = command(tmp_path)
    arguments[arguments.index("--configfile") + 1] = str(tmp_path / "mine.yaml")
    done = subprocess.run(arguments, capture_output=True, text=True)
    assert "WarpBench: " in done.stderr
    assert "mine.yaml, line 3: the key 'seeds' appears twice" in done.stderr


def test_a_second_run_in_the_same_folder_is_refused(tmp_path):
    with guard.hold(tmp_path):
        done = run(tmp_path)
    assert done.returncode != 0
    assert f"another run (process {os.getpid()} on {os.uname().nodename}) is working here" in done.stderr


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "results").write_text("a file where a folder should be")
    done = run(tmp_path)
    assert done.returncode != 0
    assert "WarpBench: results/tiny: no permission to write below" in done.stderr


def test_a_read_only_folder_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(guard.os, "access", lambda path, mode: False)  # root may write everywhere
    with pytest.raises(SettingsError, match="no permission"):
        guard.check_writable(tmp_path / "results")


@pytest.mark.parametrize("profile", UNTYPED)
def test_every_profile_plans_its_jobs(tmp_path, profile):
    """Those that a page tells to type are planned by `test_docs`."""
    arguments = command(tmp_path, "-n")
    arguments[arguments.index("--configfile") + 1] = str(ROOT / "workflows" / "config" / f"{profile}.yaml")
    done = subprocess.run(arguments, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "report" in done.stdout + done.stderr


@pytest.mark.parametrize("line", ["-n", "-np", "-pn", "--dry-run", "--dryrun", "--summary", "-S", "--lint", "-edryrun"])
def test_looking_claims_nothing(line):
    assert guard.only_looking(["--cores", "all", "report", line])
    for other in ("--rerun-incomplete", "-dscan1", "-pdlung", "-call", "-Ttwenty"):
        assert not guard.only_looking(["--cores", "all", "report", other])


def test_a_dry_run_says_what_a_real_one_refuses(tmp_path, monkeypatch):
    """It ends well all the same: what would run was asked for, on a machine that need not have the data."""
    monkeypatch.setenv("WARPBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("WARPBENCH_MIRROR", raising=False)
    config = {**TINY, "run": {"datasets": ["phantom-liver", "dirlab"], "methods": ["identity"]}}
    dry, real = (run(tmp_path, *options, config=config) for options in (["-n"], []))
    assert (dry.returncode, real.returncode) == (0, 1)
    refused, said = (_said(done.stderr) for done in (real, dry))
    assert "data set dirlab: 10 of 10 files missing" in refused[0]
    assert said == ["a run would not start:", *refused]
    known = {**TINY, "run": {"datasets": ["phantom-liver"], "methods": ["identity"]}}
    assert not _said(run(tmp_path, "-n", config=known).stderr)


def _said(text):
    return [line.removeprefix("WarpBench: ") for line in text.splitlines() if line.startswith("WarpBench: ")]
