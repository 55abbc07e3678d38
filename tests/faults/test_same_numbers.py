"""Numbers depend on code, libraries, options and data alone; what a change touches runs again, and nothing else."""

import json
import re
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.records import PairRecord, read_lines
from datasets.files import sha256
from tests.faults.copies import copy_to, snakemake
from tests.faults.surroundings import needs_root

pytestmark = pytest.mark.slow
COSTS = ("seconds", "peak_memory")  # what differs from run to run


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A copy of the project with a finished run in it."""
    project = copy_to(tmp_path_factory.mktemp("project"))
    done = snakemake(project, project)
    assert done.returncode == 0, done.stdout + done.stderr
    return project


@pytest.fixture
def finished(first, tmp_path):
    """The same, to be changed; times of files are kept."""
    return shutil.copytree(first, tmp_path / "project", symlinks=True)


def numbers(folder: Path, *without: str) -> pd.DataFrame:
    rows = pd.read_parquet(folder / "results" / "tiny" / "metrics.parquet")
    return rows[~rows.metric.isin(COSTS)].drop(columns=list(without)).reset_index(drop=True)


def records(folder: Path, method: str) -> list[PairRecord]:
    paths = sorted((folder / "results" / "tiny" / "runs" / "phantom-liver" / method).rglob("records.jsonl"))
    return [record for path in paths for record in read_lines(path, PairRecord)]


@needs_root
@pytest.mark.fault(26, 27)
def test_locale_time_zone_hash_seed_and_network_change_nothing(first, tmp_path):
    (tmp_path / "locales").mkdir()
    subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", tmp_path / "locales" / "de_DE.UTF-8"], check=False)
    other = {"LOCPATH": str(tmp_path / "locales"), "LC_ALL": "de_DE.UTF-8"}  # which writes 0,5 for a half
    other |= {"TZ": "Pacific/Chatham", "PYTHONHASHSEED": "4242"}
    done = snakemake(first, tmp_path / "other", before=["unshare", "--net"], **other)
    assert done.returncode == 0, done.stdout + done.stderr
    pd.testing.assert_frame_equal(numbers(first), numbers(tmp_path / "other"))
    for pattern in ("data/**/*.*", "runs/**/disp_*", "report/tables/labels.*", "report/failures.csv"):
        paths = [path for path in sorted((first / "results" / "tiny").glob(pattern)) if path.is_file()]
        twins = [tmp_path / "other" / path.relative_to(first) for path in paths]
        assert paths
        assert list(map(sha256, paths)) == list(map(sha256, twins)), pattern


@pytest.mark.fault(25)
def test_an_edited_method_reruns_its_rows_alone(finished):
    before, kept = numbers(finished), records(finished, "identity")
    (finished / "methods" / "demons.py").open("a").write("# edited\n")
    done = snakemake(finished, finished)
    assert done.returncode == 0, done.stdout + done.stderr
    after = numbers(finished)
    assert records(finished, "identity") == kept
    changed = before.method[before.run != after.run]
    assert set(changed) == {"demons"} == set(before.method) - {"identity"}
    pd.testing.assert_frame_equal(before.drop(columns="run"), after.drop(columns="run"))


@pytest.mark.fault(25)
def test_another_version_of_a_library_reruns_the_rows_that_use_it(finished, tmp_path):
    kept, repeated = records(finished, "identity"), records(finished, "demons")
    folder = tmp_path / "newer" / "simpleitk-99.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: SimpleITK\nVersion: 99.0\n")
    done = snakemake(finished, finished, PYTHONPATH=str(folder.parent))
    assert done.returncode == 0, done.stdout + done.stderr
    assert records(finished, "identity") == kept
    assert {record.run for record in records(finished, "demons")}.isdisjoint(record.run for record in repeated)
    runs = pd.read_parquet(finished / "results" / "tiny" / "runs.parquet").set_index("method")
    assert json.loads(runs.versions["demons"])["SimpleITK"] == "99.0" != metadata.version("SimpleITK")
    page = (finished / "results/tiny/report/index.html").read_text(encoding="utf-8")
    assert re.search(r"<td[^>]*>Python [^<]*SimpleITK 99\.0", page)


TORN = {
    "collect": ("runs/phantom-liver/demons/seed0/chunk0/metrics.parquet", "metrics.parquet"),
    "report": ("metrics.parquet", "metrics.parquet"),
}


@pytest.mark.parametrize("step", TORN)
def test_a_torn_file_is_one_line_on_the_terminal_from_every_step(finished, step):
    name, words = TORN[step]
    path = finished / "results" / "tiny" / name
    path.write_bytes(path.read_bytes()[:100])
    done = snakemake(finished, finished, "--forcerun", step)
    assert done.returncode == 1
    (line,) = {line for line in done.stderr.splitlines() if line.startswith("WarpBench: ")}
    assert words in line
    assert "unexpected fault" not in line
    assert "Traceback" not in done.stderr


def test_a_fault_that_nobody_foresaw_is_one_line_with_its_log(finished):
    page = finished / "reports" / "templates" / "page.html"
    page.write_text(page.read_text(encoding="utf-8") + "{{ no_such_thing.at_all }}", encoding="utf-8")
    done = snakemake(finished, finished)
    assert done.returncode == 1
    (line,) = {line for line in done.stderr.splitlines() if line.startswith("WarpBench: ")}
    assert line.startswith("WarpBench: unexpected fault in the step report: UndefinedError: ")
    assert line.endswith("results/tiny/logs/report.log has the details")
    assert "Traceback" not in done.stderr
    assert "Traceback" in (finished / "results/tiny/logs/report.log").read_text(encoding="utf-8")
