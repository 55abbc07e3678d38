"""The parts of a report that processes share: their order, their errors, and their ends."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from functools import partial

import psutil
import pytest

from datasets.files import DataError
from reports.parallel import side_by_side
from workflows.configuration.sources import ROOT

OWNER = """
import os, signal, time
from functools import partial
from reports.parallel import side_by_side

def told(place):
    os.write(1, f"{os.getpid()}\\n".encode())  # at once: two of them write
    time.sleep(600 if place else 1)

def stop(number, frame):
    raise KeyboardInterrupt

signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGINT, stop)  # a shell's job in the background is started with this one ignored
side_by_side([partial(told, place) for place in range(2)], 2)
"""


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_the_order_is_that_of_the_functions(processes):
    assert side_by_side([partial(pow, base, 2) for base in range(7)], processes) == [0, 1, 4, 9, 16, 25, 36]


def test_none_of_two_runs_in_the_process_that_asks():
    assert os.getpid() not in side_by_side([os.getpid, os.getpid], 2)


def test_an_error_of_one_is_raised():
    with pytest.raises(ZeroDivisionError):
        side_by_side([partial(divmod, 1, divisor) for divisor in (1, 0, 2)], 2)


@pytest.mark.fault(12)
@pytest.mark.timeout(60)
@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGTERM])
def test_a_process_that_is_ended_from_outside_is_an_error_not_a_wait(stop):
    """The kernel kills the largest process where memory runs out; whoever waited for it would wait for ever."""
    with pytest.raises(DataError, match=r"ended from outside.*run again"):
        side_by_side([partial(signal.raise_signal, stop), partial(pow, 2, 2), partial(pow, 3, 2)], 2)


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGHUP])
def test_a_process_keeps_no_handler_of_the_one_that_asks(stop):
    """One that waits for its next task would not run it, and whoever ended the processes would wait for ever."""
    before = signal.signal(stop, lambda number, frame: None)
    try:
        assert side_by_side([partial(signal.getsignal, stop)] * 2, 2) == [signal.SIG_DFL] * 2
    finally:
        signal.signal(stop, before)


@pytest.mark.fault(12)
@pytest.mark.timeout(60)
@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_process_outlives_the_one_that_was_stopped(stop):
    started = [sys.executable, "-c", OWNER]
    with subprocess.Popen(started, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as owner:
        assert owner.stdout
        workers = [psutil.Process(int(owner.stdout.readline())) for _ in range(2)]
        assert workers[0] != workers[1]
        time.sleep(2)  # one has done its part, and waits
        owner.send_signal(stop)
        assert psutil.wait_procs([*workers, psutil.Process(owner.pid)], timeout=20)[1] == []


class UnpicklableError(Exception):
    def __init__(self, one: str, other: str) -> None:
        super().__init__(one + other)


def fail():
    raise UnpicklableError("not ", "ours")


@pytest.mark.timeout(60)
def test_an_error_that_does_not_travel_is_not_called_a_killed_process():
    with pytest.raises(BrokenProcessPool) as caught:
        side_by_side([fail, os.getpid], 2)
    assert "UnpicklableError" in str(caught.value.__cause__)
