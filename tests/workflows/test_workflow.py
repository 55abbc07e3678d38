"""The pipeline as its user meets it: one command, from an empty folder to a page, killed and repeated."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import pandas as pd
import pytest

from benchmarks.records import PairRecord, keep_lines, read_lines
from tests.processes import family_of, is_alive, wait_until, words_of
from tests.workflows.documents import commands, scripts
from tests.workflows.pipeline_inputs import N_PAIRS, TINY, command, records, run
from workflows.configuration.config import SettingsError
from workflows.configuration.sources import ROOT
from workflows.running import guard

TYPED = {each.text for each in commands()}
UNTYPED = [
    path.stem
    for path in sorted((ROOT / "workflows" / "config").glob("*.yaml"))
    if f"snakemake --cores all report --configfile workflows/config/{path.name}" not in TYPED
]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run in a folder whose name has a space and a letter beyond ASCII."""
    folder = tmp_path_factory.mktemp("a run é")
    done = run(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_one_command_makes_rows_tables_figures_and_page(finished):
    report = finished / "results" / "tiny" / "report"
    for name in ("index.html", "failures.csv", "tables/overview.csv", "tables/overview.md", "tables/overview.tex"):
        assert (report / name).stat().st_size > 0, name
    assert (report / "figures" / "accuracy-time.svg").exists()
    assert list((report / "figures" / "cases").rglob("*.png"))
    metrics = pd.read_parquet(report.parent / "metrics.parquet")
    seconds = metrics[(metrics.metric == "seconds") & (metrics.status == "ok")]
    assert seconds.groupby("method").size().to_dict() == {"demons": N_PAIRS, "identity": N_PAIRS, "truth": N_PAIRS}
    assert set(pd.read_parquet(report.parent / "timing.parquet").method) == {"demons"}


def test_scipy_works_out_a_number_of_the_run_as_the_page_for_doubts_says(finished):
    (script,) = scripts("doubting.md")
    script = script.replace("results/mini", "results/tiny")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=finished)
    assert done.returncode == 0, done.stderr
    ours, other = (float(each.split()[0]) for each in done.stdout.split("ours: ")[1].split("SciPy: "))
    assert 0 < ours < 1
    assert other == pytest.approx(ours, abs=1e-12)


def test_a_report_from_the_archive_alone_is_the_same(finished):
    results = finished / "results"
    done = run(finished, "--config", "from=results/tiny/archive.zip")
    assert done.returncode == 0, done.stdout + done.stderr
    found = {path.relative_to(results / "tiny" / "report") for path in (results / "tiny" / "report").rglob("*.*")}
    assert len(found) > 10
    for name in found:
        assert (results / "from-tiny" / "report" / name).read_bytes() == (
            results / "tiny" / "report" / name
        ).read_bytes()


def test_a_torn_archive_is_refused_in_one_line_before_any_job(finished):
    whole = (finished / "results" / "tiny" / "archive.zip").read_bytes()
    (finished / "torn.zip").write_bytes(whole[:-100])
    done = run(finished, "--config", "from=torn.zip")
    said = [line for line in done.stderr.splitlines() if line.startswith("WarpBench: ")]
    assert done.returncode != 0
    assert len(said) == 1
    assert "torn.zip: not a readable archive, perhaps torn" in said[0]
    assert not (finished / "results" / "from-torn").exists()


def test_the_controls_bracket_the_metrics(finished):
    metrics = pd.read_parquet(finished / "results" / "tiny" / "metrics.parquet")
    mean = metrics[metrics.region == "mean"].groupby(["metric", "method"])["value"].mean()
    assert mean["displacement_error", "truth"] == 0
    assert mean["tre", "truth"] < 0.5 * 10  # half a voxel of the coarse grid, which is under 10 mm
    assert mean["dice", "truth"] > mean["dice", "demons"] > mean["dice", "identity"]


def test_repeating_the_command_does_nothing(finished):
    before = records(finished)
    again = run(finished)
    assert "Nothing to be done" in again.stdout + again.stderr
    assert records(finished) == before


def test_a_changed_option_reruns_that_method_alone(finished):
    config = json.loads(json.dumps(TINY))
    config["methods"] = {"demons": {"time_limit": 99}}
    dry = run(finished, "-n", config=config)
    text = dry.stdout + dry.stderr
    assert dry.returncode == 0, text
    assert [line.split() for line in text.splitlines() if line.startswith("register ")][-1] == ["register", "2"]


def test_failed_pairs_are_tried_again_on_request_alone(finished):
    chunk = finished / "results" / "tiny" / "runs" / "phantom-liver" / "demons" / "seed0" / "chunk1"
    first, *others = read_lines(chunk / "records.jsonl", PairRecord)
    failed = replace(first, status="failed", reason="why", seconds=None, peak_memory=None, sha256="")
    keep_lines(chunk / "records.jsonl", [failed, *others])
    timed = (finished / "results" / "tiny" / "timing.parquet").stat().st_mtime_ns

    def statuses(*arguments: str, keep: str) -> dict[str, int]:
        done = run(finished, *arguments, config={**TINY, "keep": keep})
        assert done.returncode == 0, done.stdout + done.stderr
        rows = pd.read_parquet(chunk / "metrics.parquet")
        return rows[rows.metric == "seconds"].status.value_counts().to_dict()

    # Judged again, as other displacements are kept.
    assert statuses("--until", "register", keep="extremes") == {"ok": len(others), "failed": 1}
    forced = str((chunk / "registrations.json").relative_to(finished))
    assert statuses("--forcerun", forced, keep="all") == {"ok": len(others) + 1}  # other settings too
    after = {record.pair: record for record in read_lines(chunk / "records.jsonl", PairRecord)}
    assert all(after[each.pair] == each for each in others)
    assert after[first.pair].finished_utc > first.finished_utc
    assert (finished / "results" / "tiny" / "timing.parquet").stat().st_mtime_ns == timed


def test_a_killed_run_goes_on_and_registers_nothing_twice(tmp_path):
    config = json.loads(json.dumps(TINY))
    config["timing"]["datasets"] = []
    process = subprocess.Popen(command(tmp_path, config=config), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: len(records(tmp_path)) >= 3 or process.poll() is not None, 240)
    assert process.poll() is None
    family = family_of(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    workers = [each for each in family if "workflows." in " ".join(words_of(each))]
    wait_until(lambda: not any(map(is_alive, workers)), 10)
    kept = {(r["path"], r["pair"]): r["finished_utc"] for r in records(tmp_path)}
    done = run(tmp_path, "--until", "collect", config=config)
    assert done.returncode == 0, done.stdout + done.stderr
    after = records(tmp_path)
    keys = [(r["path"], r["pair"]) for r in after]
    assert len(keys) == len(set(keys)) == 3 * N_PAIRS
    assert kept.items() <= {(r["path"], r["pair"]): r["finished_utc"] for r in after}.items()


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
