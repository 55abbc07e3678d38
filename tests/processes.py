"""Processes that a test has started: whether they live, what they are, and waiting for what they will do."""

import time
from collections.abc import Callable

import psutil


def wait_until(condition: Callable[[], object], limit: float = 30.0) -> None:
    """Wait until a condition holds; fail where it does not within so many seconds."""
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_alive(process: psutil.Process) -> bool:
    """Return whether a process runs; one that has ended, and that nobody has taken note of, does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def words_of(process: psutil.Process) -> list[str]:
    """Return the command line of a process, empty where it has ended, which it may do between any two looks."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:  # as is a zombie
        return []


def family_of(pid: int) -> list[psutil.Process]:
    """Return the children of a process and theirs, as they are now; none where it has ended."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
