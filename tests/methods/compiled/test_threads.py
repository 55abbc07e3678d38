"""Loops in parts: every part once, faults told, nothing left to do for a thread that comes late."""

import threading
import time

import pytest
import torch

from methods.blocks.compiled.threads import AT_ONCE, in_parts


@pytest.fixture(autouse=True)
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 12, 13, 100])
@pytest.mark.parametrize("parts", [1, 4])
def test_every_part_is_done_once(size, parts):
    done = []
    in_parts(lambda low, high: done.extend(range(low, high)), size, values=10 * AT_ONCE, parts=parts)
    assert sorted(done) == list(range(size))


def test_little_work_stays_on_its_own_thread():
    names = set()
    in_parts(lambda low, high: names.add(threading.current_thread().name), 100, values=AT_ONCE - 1)
    assert names == {threading.current_thread().name}


def test_several_threads_work_at_once():
    together = threading.Barrier(3, timeout=60)
    in_parts(lambda low, high: together.wait(), 3, values=10 * AT_ONCE, parts=1)


def test_a_fault_of_any_part_is_told():
    def work(low, high):
        if low <= 50 < high:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        in_parts(work, 100, values=10 * AT_ONCE)


def test_after_a_fault_no_part_is_still_at_work():
    started, ended = threading.Barrier(2, timeout=60), []

    def work(low, high):
        started.wait()
        if low == 0:
            raise ZeroDivisionError
        time.sleep(0.2)
        ended.append(low)

    with pytest.raises(ZeroDivisionError):
        in_parts(work, 2, values=10 * AT_ONCE, parts=1)
    assert ended == [1]
