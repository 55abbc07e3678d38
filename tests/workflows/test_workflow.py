"""The pipeline as its user meets it: one command, from an empty folder to a page, killed and repeated."""

import json
import subprocess
import sys
from dataclasses import replace

import pandas as pd
import pytest

from benchmarks.records import PairRecord, keep_lines, read_lines
from tests.workflows.documents import scripts
from tests.workflows.pipeline_inputs import N_PAIRS, TINY, records, run
from workflows.spending import table
from workflows.spending.meter import JOBS, RUNNER

pytestmark = pytest.mark.early


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


def test_the_run_has_noted_what_its_jobs_took(finished):
    account = table.read(finished / "results" / "tiny")
    assert {spent.step for spent in account.noted} == {
        *("prepare", "register", "collect", "timing", "export", "report"),
        RUNNER,
    }
    took = {line.kind: line.seconds for line in table.lines(account)}
    assert all(seconds > 0 for kind, seconds in took.items() if kind != table.REST)
    [runner] = [spent for spent in account.noted if spent.step == RUNNER]
    jobs = sum(sum(spent.parts.values()) for spent in account.noted if spent is not runner)
    assert 0 < jobs <= runner.parts[JOBS]


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


@pytest.mark.slow
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
