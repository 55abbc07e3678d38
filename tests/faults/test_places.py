"""Wherever the project, the run or a stray file lies: it works, or one line before any work says why not."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.faults.copies import ODD, SMALL, copy_to, refusal, snakemake
from tests.faults.surroundings import needs_root, small_disk
from workflows.configuration.sources import ROOT


@pytest.fixture
def project(tmp_path):
    return copy_to(tmp_path / "project")


@pytest.mark.slow
@pytest.mark.fault(6)
def test_every_place_may_have_any_name(tmp_path):
    project = copy_to(tmp_path / f"{ODD} project")
    scratch = tmp_path / f"{ODD} scratch"
    scratch.mkdir()
    done = snakemake(project, tmp_path / f"{ODD} {{run}}", TMPDIR=str(scratch))
    assert done.returncode == 0, done.stdout + done.stderr
    results = tmp_path / f"{ODD} {{run}}" / "results" / "tiny"
    assert (results / "report" / "index.html").exists()
    metrics = pd.read_parquet(results / "metrics.parquet")
    assert set(metrics.status) == {"ok"}
    assert set(pd.read_parquet(results / "runs.parquet").commit) == {"unknown"}  # a copy has no repository
    inside = snakemake(project, project)
    assert inside.returncode == 0, inside.stdout + inside.stderr


@pytest.mark.fault(6)
@pytest.mark.parametrize(("name", "reason"), [("a:b", "a folder with a colon"), ("a {b} c", "takes {b} in a folder's")])
def test_a_place_that_cannot_work_is_refused(tmp_path, name, reason):
    assert reason in refusal(snakemake(copy_to(tmp_path / name), tmp_path / "run", "-n"))


@needs_root
@pytest.mark.fault(6)
@pytest.mark.parametrize("look", [[], ["-n"]])
def test_a_read_only_disk_is_refused(tmp_path, look):
    with small_disk(tmp_path / "disk", "5m") as disk:
        (disk / "tiny.json").write_text(json.dumps(SMALL))
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        program = Path(sys.executable).with_name("snakemake")
        command = [program, "-s", ROOT / "Snakefile", "--cores", "1", *look, "--configfile", "tiny.json"]
        line = refusal(subprocess.run(command, capture_output=True, text=True, cwd=disk))
    assert line == f"WarpBench: .: {disk} is on a read-only disk; run in another --directory"


@needs_root
@pytest.mark.fault(6)
def test_results_on_a_read_only_disk_are_refused(tmp_path):
    with small_disk(tmp_path / "run" / "results", "5m") as disk:
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        line = refusal(snakemake(ROOT, tmp_path / "run"))
    assert line == f"WarpBench: results/tiny: {disk} is on a read-only disk; run in another --directory"


@needs_root
@pytest.mark.fault(5)
@pytest.mark.parametrize("where", ["run", "run/results"])
def test_a_full_disk_is_told_before_any_work(tmp_path, where):
    with small_disk(tmp_path / where, "200k") as disk:
        if where == "run":
            (disk / f"{ODD}.json").write_text(json.dumps(SMALL))
        with open(disk / "filler", "wb", buffering=0) as stream, contextlib.suppress(OSError):
            while stream.write(b"x" * 4096):
                pass
        program = Path(sys.executable).with_name("snakemake")
        (tmp_path / "tiny.json").write_text(json.dumps(SMALL))
        command = [program, "-s", ROOT / "Snakefile", "--cores", "1", "--configfile", tmp_path / "tiny.json"]
        line = refusal(subprocess.run(command, capture_output=True, text=True, cwd=tmp_path / "run"))
    assert line.startswith("WarpBench: ")
    assert "No space left on device; correct that and run again" in line


def test_specifications_that_cannot_be_written_are_told_in_a_line(tmp_path):
    (tmp_path / "results" / "tiny").mkdir(parents=True)
    (tmp_path / "results" / "tiny" / "specifications").write_text("x")
    done = snakemake(ROOT, tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    line = done.stderr.splitlines()[-1]
    assert line.startswith("WarpBench: results/tiny/specifications/")
    assert "correct that and run again" in line


def test_snakemake_needs_no_home(tmp_path):
    nowhere = {"HOME": "/proc/none", "XDG_CACHE_HOME": "/proc/none/cache"}
    done = snakemake(ROOT, tmp_path, "-n", **nowhere)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_root
@pytest.mark.fault(6)
def test_a_folder_of_another_user_is_refused(tmp_path):
    os.chown(tmp_path, 12345, 12345)
    code = f"from workflows.running.early import refuse_early; refuse_early(['--directory', {str(tmp_path)!r}])"
    # Root without its powers is a user like any other, who still may read this checkout wherever it lies.
    powerless = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"]
    done = subprocess.run([*powerless, sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stderr == (
        f"WarpBench: {tmp_path}: no permission to write below {tmp_path}; correct its owner or mode\n"
    )
    assert done.returncode == 1


@pytest.mark.fault(6)
def test_a_link_to_a_disk_that_is_gone_is_refused(tmp_path):
    (tmp_path / "results").symlink_to(tmp_path / "mnt" / "unplugged")
    assert "results: this link leads nowhere" in refusal(snakemake(ROOT, tmp_path))


def test_stray_and_half_written_files_stop_nobody_who_does_not_use_them(tmp_path, project):
    (project / "methods" / "._demons.py").write_bytes(b"\x00\x05\x16\x07AppleDouble")
    (project / "methods" / ".#demons.py").symlink_to("somebody@somewhere.1234")
    (project / "methods" / "demons.py~").write_text("def load(")
    (project / "methods" / "demons copy.py").write_text("def load(")
    (project / "methods" / "mine.py").write_bytes("# naïve\ndef load(): pass\n".encode("latin-1"))
    (project / "methods" / "half.py").write_text("def load(params, *, device")
    (project / "datasets" / "mine.py").write_bytes(b"def prepare(): pass\n\x00\x00")
    (project / "datasets" / "phantom_old.py").write_text("def prepare(:\n")
    (project / "reports" / "papers" / "._ldr-aldk.yaml").write_bytes(b"\x00\x05\x16\x07")
    (project / "reports" / "papers" / "mine.yaml").write_text("datasets: [")
    (project / "reports" / "paper" / "figures" / "mine.py").write_text("def draw(")
    (project / "workflows" / "config" / "catalogue" / "._methods.yaml").write_bytes(b"\x00\x05")
    for name in ("recursive.py", "blocks/layers.py"):  # of methods that this run does not have
        (project / "methods" / name).write_text("class Half(\n")
    kept = project / "methods" / "demons.py"
    kept.write_bytes(b"\xef\xbb\xbf" + kept.read_bytes())  # a byte-order mark, which Python reads
    done = snakemake(project, tmp_path / "run", "-n")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("methods/demons.py", b"def load(params, *, device"),
        ("datasets/phantoms/tree.py", "# naïve\n".encode("latin-1")),
        ("benchmarks/metrics.py", b"METRICS = {\n"),
        ("workflows/running/guard.py", b"def hold(\n"),
    ],
)
def test_a_broken_file_that_is_used_is_named_before_work(tmp_path, project, name, content):
    assert (project / name).exists()
    (project / name).write_bytes(content)
    line = refusal(snakemake(project, tmp_path / "run"))
    assert line.startswith(f"WarpBench: {project / name}")
    assert not (tmp_path / "run" / "results").exists()


@pytest.mark.parametrize("name", ["random.py", "yaml.py", "torch/__init__.py"])
def test_a_file_beside_the_rooms_that_hides_a_library_is_refused(tmp_path, project, name):
    (project / name).parent.mkdir(exist_ok=True)
    (project / name).write_text("")
    assert f"hides the library {name.partition('/')[0].partition('.')[0]!r}" in refusal(
        snakemake(project, tmp_path / "run", "-n")
    )


@pytest.mark.fault(6)
def test_what_lies_in_the_working_folder_hides_nothing(tmp_path):
    for name in ("datasets", "methods", "workflows", "numpy"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('not meant')")
    for name in ("random.py", "yaml.py", "numpy.py", "case.py"):
        (tmp_path / name).write_text("raise RuntimeError('not meant')")
    chunk = "results/tiny/runs/phantom-liver/demons/seed0/chunk0/metrics.parquet"
    done = snakemake(ROOT, tmp_path, "--until", "register")
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(pd.read_parquet(tmp_path / chunk).status) == {"ok"}
