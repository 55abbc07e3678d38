"""The whole pipeline where a library, a device or room on the disk is missing, and where it is told to stop."""

import signal
import subprocess
import time
from itertools import chain

import pandas as pd
import psutil
import pytest

from tests.faults.surroundings import needs_root, resize, small_disk
from tests.processes import family_of, is_alive, wait_until, words_of
from tests.workflows.pipeline_inputs import TINY, command, records, run

CONFIG = {
    **TINY,
    "run": {"datasets": ["phantom-liver"], "methods": ["identity", "demons"]},
    "timing": {"datasets": ["phantom-liver"], "pairs": 1, "rounds": 1},
    "datasets": {"phantom-liver": {"params": {"shape": [24, 24, 24], "training": 0, "test": 4}}},
    "methods": {"demons": {"params": {"iterations": [2]}}},
}
COSTS = ["seconds", "peak_memory"]


def lines(done: subprocess.CompletedProcess) -> list[str]:
    return [line for line in done.stderr.splitlines() if line.startswith("WarpBench: ")]


def numbers(folder) -> pd.DataFrame:
    rows = pd.read_parquet(folder / "results" / "tiny" / "metrics.parquet")
    return rows[~rows.metric.isin(COSTS)].drop(columns="run").reset_index(drop=True)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    assert run(folder, config=CONFIG).returncode == 0
    return numbers(folder)


@pytest.mark.slow
@pytest.mark.fault(24)
def test_a_device_that_is_not_there_is_refused_before_work(tmp_path):
    import torch

    if torch.cuda.is_available():
        pytest.skip("torch finds a device")
    config = {**CONFIG, "device": "cuda", "run": {"datasets": ["phantom-liver"], "methods": ["identity", "ldr-1"]}}
    config["datasets"] = {"phantom-liver": {"params": {"shape": [24, 24, 24], "training": 2, "test": 4}}}
    done = run(tmp_path, config=config)
    assert done.returncode != 0
    (line,) = lines(done)
    assert line.startswith("WarpBench: configuration, device: cuda cannot be used here (")
    assert "write `device: cpu`" in line
    assert not (tmp_path / "results").exists()


@pytest.mark.slow
def test_a_method_without_its_library_is_left_out_and_tried_again(tmp_path, monkeypatch, undisturbed):
    (tmp_path / "broken" / "SimpleITK").mkdir(parents=True)
    (tmp_path / "broken" / "SimpleITK" / "__init__.py").write_text('raise OSError("libITK.so: wrong ELF class")')
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "broken"))
    without = run(tmp_path, config=CONFIG)
    assert without.returncode != 0
    (line,) = lines(without)
    assert line.startswith("WarpBench: demons: ")
    assert "libITK.so: wrong ELF class" in line
    results = tmp_path / "results" / "tiny"
    assert set(numbers(tmp_path).method) == {"identity"}
    assert set(pd.read_parquet(results / "runs.parquet").method) == {"identity"}
    page = (results / "report" / "index.html").read_text(encoding="utf-8")
    assert "was not available, so nothing is measured of it" in page
    assert "libITK.so: wrong ELF class" in page
    assert "unavailable,load" in (results / "report" / "failures.csv").read_text(encoding="utf-8")
    assert not list((results / "runs" / "phantom-liver" / "demons").rglob("*.json*"))
    monkeypatch.delenv("PYTHONPATH")
    again = run(tmp_path, config=CONFIG)
    assert again.returncode == 0, again.stderr
    pd.testing.assert_frame_equal(numbers(tmp_path), undisturbed)
    assert "not available" not in (results / "report" / "index.html").read_text(encoding="utf-8")
    assert "Nothing to be done" in run(tmp_path, config=CONFIG).stderr


@pytest.mark.slow
def test_a_notebooks_backend_and_other_variables_change_no_number(tmp_path, monkeypatch, undisturbed):
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    monkeypatch.setenv("ITK_GLOBAL_DEFAULT_THREADER", "nonsense")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    (tmp_path / "matplotlibrc").write_text("backend: nonsense_agg\nfont.size: 30\n")
    done = run(tmp_path, config=CONFIG)
    assert done.returncode == 0, done.stderr
    pd.testing.assert_frame_equal(numbers(tmp_path), undisturbed)


@needs_root
@pytest.mark.fault(5)
def test_a_disk_on_which_no_run_can_end_starts_none(tmp_path):
    with small_disk(tmp_path / "results", "2600k") as disk:
        done = run(tmp_path, config=CONFIG)
        (line,) = lines(done)
        assert done.returncode != 0
        assert not (disk / "tiny" / "data").exists()
    assert line.startswith("WarpBench: results: 3.12 MB do not fit into results/tiny, where 2.")
    assert "make room" in line


@needs_root
@pytest.mark.slow
@pytest.mark.fault(5)
def test_a_full_disk_ends_the_run_and_more_room_gives_the_same_numbers(tmp_path, undisturbed):
    with small_disk(tmp_path / "results", "3400k") as disk:  # what is needed at least by the look ahead, not in truth
        first = run(tmp_path, config=CONFIG)
        assert first.returncode != 0
        assert any("No space left on device" in line for line in lines(first))
        kept = {(each["path"], each["pair"]) for each in records(tmp_path)}
        assert kept
        assert {each["status"] for each in records(tmp_path)} == {"ok"}
        assert not list(disk.rglob(".[0-9]*"))  # half-written files
        resize(disk, "50m")
        again = run(tmp_path, config=CONFIG)
        assert again.returncode == 0, again.stderr
        assert kept <= {(each["path"], each["pair"]) for each in records(tmp_path)}
        pd.testing.assert_frame_equal(numbers(tmp_path), undisturbed)


@pytest.mark.slow
@pytest.mark.fault(1, 2)
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_stopped_run_leaves_no_process_and_goes_on(tmp_path, undisturbed, stop):
    stuck = {**CONFIG, "methods": {"demons": {"params": {"iterations": [100_000_000]}}}}
    with open(tmp_path / "printed", "wb") as printed:
        process = subprocess.Popen(command(tmp_path, config=stuck), stdout=printed, stderr=printed)
        wait_until(lambda: "workflows.register" in chain.from_iterable(map(words_of, steps(process))), 100)
        time.sleep(3)
        family = family_of(process.pid)
        process.send_signal(stop)
        assert process.wait(timeout=10) != 0
    wait_until(lambda: not any(map(is_alive, family)), 10)
    if stop != signal.SIGKILL:
        text = (tmp_path / "printed").read_text(encoding="utf-8")
        assert "WarpBench: stopped before its end; run again to go on" in text.splitlines()
    again = run(tmp_path, config=CONFIG)
    assert again.returncode == 0, again.stderr
    pd.testing.assert_frame_equal(numbers(tmp_path), undisturbed)


def steps(process: subprocess.Popen) -> list[psutil.Process]:
    assert process.poll() is None
    return [each for each in family_of(process.pid) if is_alive(each)]
