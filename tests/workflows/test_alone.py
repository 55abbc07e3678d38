"""One measurement of speed at a time on a machine: the next one says that it waits."""

import logging
import os

import pytest
from filelock import FileLock

from datasets.files import DataError
from workflows.planning.layout import Layout
from workflows.planning.specs import TimingSpec
from workflows.timed import alone
from workflows.timing import timing


def test_tests_wait_for_no_run_outside_of_them():
    assert str(alone.MACHINE_LOCK.parent) == os.environ["TMPDIR"] != os.environ["PYTEST_DEBUG_TEMPROOT"]


@pytest.fixture
def machine_lock(tmp_path, monkeypatch):
    monkeypatch.setattr(alone, "MACHINE_LOCK", tmp_path / "timing.lock")
    monkeypatch.setattr(alone, "TOLD_AFTER", 0.05)
    return tmp_path / "timing.lock"


def test_a_free_machine_is_taken_without_a_word(machine_lock, caplog):
    caplog.set_level(logging.INFO)
    with alone.alone():
        assert machine_lock.exists()
    assert not caplog.records


def test_a_held_machine_is_waited_for_and_that_is_said(machine_lock, monkeypatch):
    other, said = FileLock(machine_lock, thread_local=False), []

    def release(line: str, *about: object) -> None:
        said.append(line)
        other.release(force=True)

    other.acquire()
    monkeypatch.setattr(alone.logger, "info", release)
    with alone.alone():
        assert said == ["waits for another run on this machine that measures speed (%s)"]


def test_who_waits_too_long_gives_up_with_one_line(machine_lock, monkeypatch):
    monkeypatch.setattr(alone, "PATIENCE", 0.1)
    with (
        FileLock(machine_lock),
        pytest.raises(DataError, match="another timing run held this machine"),
        alone.alone(),
    ):
        pass


def test_who_has_nothing_to_time_waits_for_nobody(machine_lock, monkeypatch, tmp_path):
    monkeypatch.setattr(alone, "PATIENCE", 0.1)
    spec = TimingSpec(runs=[], pairs=1, rounds=1, folder=tmp_path / "results")
    with FileLock(machine_lock):
        timing(spec, 1)
    assert Layout(spec.folder).timing.exists()
