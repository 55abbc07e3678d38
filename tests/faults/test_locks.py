"""Two runs never work in one place, also where the file system has no locks, and no clock ends a run."""

import errno
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from tests.faults.surroundings import without_locks
from tests.workflows.pipeline_inputs import command
from workflows.configuration.config import SettingsError
from workflows.configuration.sources import ROOT
from workflows.running import guard

NO_LOCKS = [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS]
HOLD = (
    "from pathlib import Path; from workflows.running import guard; "
    "held = guard.hold(Path({!r})); print('held', flush=True)"
)
KEEP = HOLD + "; import time; time.sleep(60)"


def python(code: str, number: int = 0, **options) -> subprocess.Popen:
    """Start Python in the project; every lock that it asks the kernel for fails with an error number, if any."""
    lockless = partial(without_locks, number) if number else None
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": ROOT}
    return subprocess.Popen([sys.executable, "-c", code], preexec_fn=lockless, **streams | options)


def line_of(child: subprocess.Popen) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


@pytest.mark.fault(22)
@pytest.mark.parametrize("number", [0, *NO_LOCKS])
def test_a_second_run_is_refused_and_a_killed_one_holds_nothing(tmp_path, number):
    code = KEEP.format(str(tmp_path))
    with python(code, number) as first:
        assert line_of(first) == "held"
        with python(code, number) as second:
            _, fault = second.communicate(timeout=60)
        assert f"another run (process {first.pid} on {os.uname().nodename}) is working here" in fault
        first.send_signal(signal.SIGKILL)
        _, noted = first.communicate()
    assert noted.count("has no locks") == bool(number)
    with python(HOLD.format(str(tmp_path)), number) as third:
        assert line_of(third) == "held"
    assert third.returncode == 0


@pytest.mark.fault(22)
def test_a_lock_file_of_another_host_is_freed_by_unlock(tmp_path):
    with python(KEEP.format(str(tmp_path)), errno.ENOLCK) as first:
        assert line_of(first) == "held"
        first.kill()
    soft = tmp_path / ".snakemake" / "warpbench.lock.soft"
    soft.write_text(soft.read_text().replace(os.uname().nodename, "another-host"))
    with python(HOLD.format(str(tmp_path)), errno.ENOLCK) as second:
        _, fault = second.communicate(timeout=60)
    assert "if it is over, `snakemake --unlock` frees it" in fault
    done = subprocess.run(command(tmp_path, "--unlock"), capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with python(HOLD.format(str(tmp_path)), errno.ENOLCK) as third:
        assert line_of(third) == "held"


@pytest.mark.fault(22)
def test_a_whole_command_works_where_there_are_no_locks(tmp_path):
    prepared = "results/tiny/data/phantom-liver/dataset.json"
    words = [prepared if word == "report" else word for word in command(tmp_path)]
    lockless = partial(without_locks, errno.ENOLCK)
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, preexec_fn=lockless)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("has no locks") == 2  # of the working folder and of the results
    assert (tmp_path / prepared).exists()


@pytest.mark.fault(22)
@pytest.mark.parametrize("number", [0, errno.ENOLCK])
def test_two_working_folders_with_the_same_results_do_not_run_at_once(tmp_path, number):
    (tmp_path / "disk").mkdir()
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "results").symlink_to(tmp_path / "disk")
    code = KEEP.replace("guard.hold(", "guard.hold_results(")
    with python(code.format(str(tmp_path / "one" / "results" / "tiny")), number) as first:
        assert line_of(first) == "held"
        with python(code.format(str(tmp_path / "other" / "results" / "tiny")), number) as second:
            _, fault = second.communicate(timeout=60)
        first.kill()
    assert f"another run (process {first.pid} on {os.uname().nodename}) is working here" in fault
    guard.unlock(tmp_path / "other")
    assert not list((tmp_path / "disk").rglob("*.soft"))


def test_a_folder_whose_name_is_not_utf8_is_refused_in_one_line(tmp_path):
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xe9tude"))
    odd.mkdir()
    with pytest.raises(SettingsError, match=r"xe9tude': this folder's name is not UTF-8; rename it"):
        guard.check_checkout(ROOT, here=odd)
    with pytest.raises(SettingsError, match="is not UTF-8"):
        guard.check_checkout(odd, here=tmp_path)


@pytest.mark.fault(22)
@pytest.mark.parametrize("number", [0, errno.ENOLCK])
def test_two_folders_share_a_cache(tmp_path, number):
    code = (
        "import time; from pathlib import Path; from datasets import locks\n"
        f"with locks.hold(Path({str(tmp_path)!r}) / 'file.lock'):\n"
        f"    log = open({str(tmp_path / 'log')!r}, 'a', buffering=1); log.write('in\\n'); time.sleep(0.3)\n"
        "    log.write('out\\n')"
    )
    both = [python(code, number) for _ in range(2)]
    assert [each.wait(60) for each in both] == [0, 0]
    assert (tmp_path / "log").read_text() == "in\nout\nin\nout\n"
    for each in both:
        each.communicate()


def test_any_other_fault_of_a_lock_is_told_as_it_is(tmp_path):
    (tmp_path / ".snakemake").write_text("a file where a folder should be")
    with pytest.raises(SettingsError, match="cannot be written"):
        guard.hold(tmp_path)


def test_logs_are_found_by_what_changed_whatever_the_clock_says(tmp_path):
    for name in ("old", "again", "cut"):
        (tmp_path / f"{name}.log").write_text("error: an earlier fault\n")
    before = guard.state_of(tmp_path)
    for name in ("again", "new"):
        (tmp_path / f"{name}.log").write_text(f"error: {name} fault\n")
        os.utime(tmp_path / f"{name}.log", (0, 0))  # the clock went back by decades
    assert guard.errors_in_logs(tmp_path, before) == ["again fault", "new fault"]


def test_files_of_the_future_are_told_in_one_line(tmp_path):
    for name in ("one", "two"):
        (tmp_path / "methods" / f"{name}.py").parent.mkdir(exist_ok=True)
        (tmp_path / "methods" / f"{name}.py").write_text("")
    assert guard.ahead_of_the_clock(tmp_path, tmp_path / "results") == []
    os.utime(tmp_path / "methods" / "one.py", (time.time() + 3600,) * 2)
    (line,) = guard.ahead_of_the_clock(tmp_path, tmp_path / "results")
    assert line.startswith(f"1 files have times in the future, such as {tmp_path}/methods/one.py")


def test_a_step_lives_and_ends_with_its_runner_also_where_nobody_takes_note(tmp_path):
    announce = "import time; from workflows.running import runner; runner.announce_runner(); "
    step = "from workflows.running import runner; runner.end_with_runner(); import time; time.sleep(60)"
    start = f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', {step!r}]).pid, flush=True); "
    with python(announce + start + "time.sleep(60)") as first:
        child = int(line_of(first))
        time.sleep(3)
        assert Path(f"/proc/{child}").exists()
        first.kill()  # nobody waits for it yet: it stays as a zombie
        deadline = time.monotonic() + 10
        while _lives(child):
            assert time.monotonic() < deadline
            time.sleep(0.2)


def _lives(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
