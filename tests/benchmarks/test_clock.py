"""The clock: when a call is contended, what the kernel's files say, which cores are taken, and the hardware key."""

import os
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.clock import cores, hardware, kernel
from benchmarks.clock.disturbance import Disturbance, Snapshot, Watch
from benchmarks.clock.stopwatch import measure, resident_memory
from benchmarks.provenance import UNKNOWN

CALM = Disturbance(alone=True, cpu=0.99, others=0.01, pressure=0.0, steal=0.0)
TICK = os.sysconf("SC_CLK_TCK")
# Two cores after 100 seconds: user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice.
STAT = """cpu  3000 1000 500 14000 800 100 200 400 7 9
cpu0 2000 1000 300 6000 400 100 100 100 7 9
cpu1 1000 0 200 8000 400 0 100 300 0 0
intr 19024621 0 0
ctxt 5
"""


@pytest.mark.parametrize(
    ("changes", "contended"),
    [
        ({}, False),
        ({"cpu": 0.9701}, False),
        ({"cpu": 0.9699}, True),
        ({"cpu": 0.5, "alone": False}, False),  # several threads need not be busy all the time
        ({"others": 0.0299}, False),
        ({"others": 0.0301}, True),
        ({"steal": 0.0099}, False),
        ({"steal": 0.0101}, True),
        ({"pressure": 1.0}, False),  # kept as evidence; a method may have more threads than cores
        ({"others": None}, None),
        ({"steal": None}, None),
        ({"cpu": None}, None),
        ({"cpu": None, "alone": False}, False),
        ({"others": None, "cpu": 0.5}, True),  # what is known suffices
    ],
)
def test_contended_is_defined_by_three_limits_and_unknown_is_not_calm(changes, contended):
    assert replace(CALM, **changes).contended is contended


@given(st.floats(0, 2), st.floats(0, 2), st.floats(0, 1))
def test_the_excess_orders_attempts_as_the_limits_do(cpu, others, steal):
    seen = Disturbance(alone=True, cpu=cpu, others=others, steal=steal)
    limits = max((1 - cpu) / 0.03, others / 0.03, steal / 0.01)
    assert seen.excess == pytest.approx(limits)
    assert seen.contended == (limits > 1)


def test_totals_come_from_the_sum_over_cores_and_stolen_time_from_those_pinned(tmp_path):
    path = tmp_path / "stat"
    path.write_text(STAT)
    assert kernel.totals(path) == kernel.Totals(2, 20000 / TICK, 4800 / TICK, 400 / TICK)
    assert kernel.totals(path, [1]) == kernel.Totals(2, 20000 / TICK, 4800 / TICK, 300 / TICK)


@pytest.mark.parametrize("text", [None, "", "intr 5\n", "cpu\n", "cpu  a b c\n", "cpu  1 2 3\n"])
def test_a_file_of_totals_that_says_nothing_is_not_known(tmp_path, text):
    path = tmp_path / "stat"
    if text is not None:
        path.write_text(text)
    assert kernel.totals(path) is None


def test_pressure_is_the_total_of_some_and_not_known_without_it(tmp_path):
    path = tmp_path / "cpu"
    assert kernel.waited(path) is None
    path.write_text("some avg10=1.29 avg60=1.15 avg300=0.63 total=16026074\nfull avg10=0.00 total=9\n")
    assert kernel.waited(path) == 16.026074
    path.write_text("full avg10=0.00 total=9\n")
    assert kernel.waited(path) is None


def snapshot(seconds, busy, *, total=None, stolen=0.0, waited=0.0, **clocks):
    sums = kernel.Totals(2, 2 * seconds if total is None else total, busy, stolen)
    return Snapshot(seconds, sums, waited, {int(name[1:]): value for name, value in clocks.items()})


def test_others_are_what_is_busy_beyond_our_processes():
    before = snapshot(10.0, busy=20.0, p7=5.0, p8=1.0, waited=3.0)
    after = snapshot(12.0, busy=22.5, p7=7.0, p8=1.0, waited=3.5, stolen=0.2)
    seen = Watch((0, 1)).judge(before, after, 7, 0.99, alone=True)
    assert seen.others == pytest.approx(0.25)  # 2.5 s busy, 2 of them ours, in 2 s
    assert seen.pressure == pytest.approx(0.25)
    assert seen.steal == pytest.approx(0.05)  # 0.2 s of 2 cores in 2 s


def test_another_method_that_goes_on_working_counts_as_other():
    before, after = snapshot(10.0, busy=20.0, p7=5.0, p8=1.0), snapshot(12.0, busy=23.0, p7=7.0, p8=2.0)
    assert Watch((0,)).judge(before, after, 7, 1.0, alone=True).others == pytest.approx(0.5)


def test_a_short_call_is_judged_by_the_second_up_to_it():
    early, before = snapshot(9.0, busy=18.0, p7=5.0), snapshot(10.0, busy=18.1, p7=5.1)
    after = snapshot(10.1, busy=18.4, p7=5.2)
    watch = Watch((0,), seen=[snapshot(2.0, busy=0.0, p7=0.0), early, before, after])
    assert watch.judge(before, after, 7, 1.0, alone=True).others == pytest.approx(0.2 / 1.1)


@pytest.mark.parametrize("total", [20.0, 20.5])
def test_totals_that_stand_still_are_not_known(total):
    before, after = snapshot(10.0, busy=20.0, p7=5.0, total=20.0), snapshot(12.0, busy=20.0, p7=7.0, total=total)
    seen = Watch((0,)).judge(before, after, 7, 1.0, alone=True)
    assert (seen.others, seen.steal, seen.contended) == (None, None, None)


def test_processes_that_come_or_go_leave_others_unknown():
    before, after = snapshot(10.0, busy=20.0, p7=5.0), snapshot(12.0, busy=22.0, p9=1.0)
    assert Watch((0,)).judge(before, after, 9, 1.0, alone=True).contended is None


def test_a_system_without_these_files_knows_nothing(tmp_path):
    watch = Watch((), stat=tmp_path / "none", pressure=tmp_path / "none")
    before = watch.look([os.getpid()])
    seen = watch.judge(before, watch.look([os.getpid()]), os.getpid(), 1.0, alone=True)
    assert (seen.others, seen.pressure, seen.steal, seen.contended) == (None, None, None, None)


def test_the_clock_of_another_process_runs_with_its_work():
    if kernel.cpu_seconds(os.getpid()) is None:
        pytest.skip("this system has no clocks of other processes")
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        while (kernel.cpu_seconds(busy.pid) or 0.0) < 0.2:
            time.sleep(0.01)
    finally:
        busy.kill()
        busy.wait()
    assert kernel.cpu_seconds(busy.pid) is None


def machine(folder, siblings, **files):
    for core, together in siblings.items():
        (folder / f"cpu{core}" / "topology").mkdir(parents=True)
        (folder / f"cpu{core}" / "topology" / "thread_siblings_list").write_text(f"{together}\n")
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_threads_take_different_physical_cores_first(tmp_path):
    cpus = machine(tmp_path, {0: "0,4", 1: "1,5", 4: "0,4", 5: "1,5"}, smt__active="1\n")
    assert cores.choose(2, (0, 1, 4, 5), cpus=cpus) == (0, 1)
    assert cores.choose(2, (0, 4, 5), cpus=cpus) == (0, 5)
    assert cores.choose(3, (0, 1, 4, 5), cpus=cpus) in [(0, 1, 4), (0, 1, 5)]
    assert cores.siblings(4, cpus=cpus) == {0, 4}
    assert cores.smt(cpus=cpus) is True


def test_ranges_of_siblings_are_read(tmp_path):
    cpus = machine(tmp_path, {0: "0-1", 1: "0-1", 2: "2-3", 3: "2-3"}, smt__active="0")
    assert cores.choose(2, (0, 1, 2, 3), cpus=cpus) == (0, 2)
    assert cores.smt(cpus=cpus) is False


def test_what_the_system_does_not_say_is_none(tmp_path):
    assert cores.smt(cpus=tmp_path) is None
    assert cores.governor([0, 1], cpus=tmp_path) is None
    assert cores.choose(2, (3, 5), cpus=tmp_path) == (3, 5)
    (tmp_path / "cpu0" / "cpufreq" / "scaling_governor").mkdir(parents=True)  # cannot be read as a file
    assert cores.governor([0], cpus=tmp_path) is None


def test_governors_that_differ_are_both_named(tmp_path):
    machine(tmp_path, {}, cpu0__cpufreq__scaling_governor="powersave\n", cpu1__cpufreq__scaling_governor="performance")
    assert cores.governor([0, 1], cpus=tmp_path) == "performance, powersave"


def test_more_threads_than_cores_are_refused():
    with pytest.raises(ValueError, match="3 threads, but only 2 cores may be used"):
        cores.choose(3, (0, 1))


@pytest.mark.parametrize(
    ("membership", "files", "limit"),
    [
        ("0::/box/job\n", {"box/cpu.max": "150000 100000\n", "box/job/cpu.max": "max 100000\n"}, 1.5),
        ("0::/box\n", {"box/cpu.max": "max 100000\n"}, None),
        ("0::/\n", {"cpu.max": "50000 100000\n"}, 0.5),
        (
            "4:memory:/m\n2:cpu:/job\n",
            {"cpu/job/cpu.cfs_quota_us": "250000", "cpu/job/cpu.cfs_period_us": "100000"},
            2.5,
        ),
        ("2:cpu:/job\n", {"cpu/job/cpu.cfs_quota_us": "-1", "cpu/job/cpu.cfs_period_us": "100000"}, None),
        ("3:cpuset:/job\n", {"cpuset/job/cpu.max": "50000 100000"}, None),
        ("", {}, None),
    ],
)
def test_a_containers_limit_is_found_in_both_versions_of_control_groups(tmp_path, membership, files, limit):
    (tmp_path / "membership").write_text(membership)
    for name, text in files.items():
        (tmp_path / "groups" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "groups" / name).write_text(text)
    assert cores.limit(membership=tmp_path / "membership", cgroups=tmp_path / "groups") == limit


@pytest.mark.parametrize(("limit", "usable"), [(None, 4), (8.0, 4), (2.5, 2), (0.5, 1)])
def test_a_limit_bounds_the_threads(limit, usable):
    assert cores.usable((0, 1, 2, 3), limit) == usable


def test_the_hardware_key_is_equal_for_equal_hardware_and_comes_back():
    one = hardware.this_hardware((0,), {"oneDNN": "3.7"})
    assert one.key == hardware.this_hardware((0,), {"oneDNN": "3.7"}).key
    assert one.key != hardware.this_hardware((1,), {"oneDNN": "3.7"}).key
    assert hardware.parse(one.key) == one
    assert one.versions["numpy"] == np.__version__
    assert one.versions["oneDNN"] == "3.7"
    assert "missing" not in one.versions.values()
    assert one.place == "on core 0"


def test_the_build_of_torch_names_its_kernels():
    shown = "  - Intel(R) oneAPI Math Kernel Library Version 2024.2-Product\n  - Intel(R) MKL-DNN v3.7.1 (Git Hash x)\n"
    assert dict(hardware._builds(shown)) == {"MKL": "2024.2", "oneDNN": "3.7.1"}
    assert dict(hardware._builds("")) == {}


def test_the_driver_of_a_gpu_is_read_from_the_kernel(tmp_path):
    assert hardware.driver(tmp_path / "version") == "none"
    for text in (
        "NVIDIA UNIX x86_64 Kernel Module  580.159.04  Tue\n",
        "NVIDIA UNIX Open Kernel Module for x86_64  580.159.04\n",
    ):
        (tmp_path / "version").write_text(f"NVRM version: {text}")
        assert hardware.driver(tmp_path / "version") == "580.159.04"
    (tmp_path / "version").write_text("something else")
    assert hardware.driver(tmp_path / "version") == UNKNOWN


def test_cpu_seconds_tell_work_from_waiting():
    with measure() as working:
        until = time.process_time() + 0.05
        while time.process_time() < until:
            pass
    with measure() as waiting:
        time.sleep(0.1)
    assert working.cpu * working.seconds >= 0.05
    assert waiting.cpu < 0.5


def test_cpu_seconds_of_a_call_include_processes_that_it_waited_for():
    with measure() as cost:
        subprocess.run([sys.executable, "-c", "import time\nwhile time.process_time() < 0.2: pass"], check=True)
    assert cost.cpu * cost.seconds > 0.15


def test_memory_counts_beyond_what_was_held():
    held, array = resident_memory(), np.ones(0)
    with measure(held) as cost:
        array = np.ones(25 * 2**20)  # 200 MiB
    assert 150 < cost.peak_memory < 260
    assert array.size
    with measure(held + 1e6) as less:
        pass
    assert less.peak_memory == 0
