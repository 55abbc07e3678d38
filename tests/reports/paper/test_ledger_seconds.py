"""Seconds in the ledger: whose, of which calls, and why there are none."""

import numpy as np
import pandas as pd

from tests.reports.paper.ledger_inputs import TIMES, cell
from tests.reports.paper.paper_inputs import make_run, timing, varied
from tests.reports.report_inputs import row


def test_seconds_are_the_median_of_warm_calls_with_the_most_threads(tmp_path):
    times = pd.concat([TIMES, timing("syn", [50.0, 60.0], threads=1)])
    paper_run = make_run(tmp_path, [], plays={"one": "one"}, timing=times)
    found = cell(paper_run, "plain", "cpu")
    assert (found.measured.value, found.measured.n, found.measured.statistic) == (9.5, 3, "median")
    assert np.isnan(found.measured.low)
    assert "3 calls, too few for an interval (from 5 on)" in found.note
    more = pd.concat([TIMES, timing("syn", [9.1, 9.2], dataset="one").iloc[1:].assign(round=[8, 9])])
    interval = cell(make_run(tmp_path / "3", [], plays={"one": "one"}, timing=more), "plain", "cpu").measured
    assert 9.0 <= interval.low <= interval.value == 9.2 <= interval.high <= 11.0
    assert found.verdict == "other hardware"
    assert "printed: An abacus" in found.note
    assert "2 threads" in found.note
    assert cell(paper_run, "taught", "gpu").note == "no CUDA device"
    stand_in = make_run(tmp_path / "2", [], plays={"one": "shells"}, timing=times.assign(dataset="shells"))
    assert cell(stand_in, "plain", "cpu").verdict == "reduced"


def test_the_same_network_is_timed_once(tmp_path):
    """On a data set networks are the same that have one module, as many parameters and as much work."""
    sizes = [
        row("one", "*", method, metric, value, protocol="network")
        for method in ("syn", "net")
        for metric, value in (("parameters", 7.0), ("macs", 9.0), ("full_macs", 110_330_000_000.0))
    ]
    paper_run = make_run(tmp_path, sizes, plays={"one": "one"}, timing=timing("syn", [0.5, 0.7, 0.9]))
    modules = pd.DataFrame({"method": ["syn", "net"], "module": "recursive", "params": "{}"})
    found = cell(varied(paper_run, runs=modules), "taught", "cpu")
    assert found.measured.value == 0.7
    assert "timed as syn, the same network at registration" in found.note
    assert "110.3 GMAC at the paper's width and grid" in found.note
    others = varied(paper_run, runs=modules.assign(module=["recursive", "other"]))
    assert cell(others, "taught", "cpu").note == "timing not run for net"
    own = make_run(tmp_path / "2", [], plays={"one": "one"}, timing=TIMES)
    assert cell(own, "taught", "cpu").measured.value == 0.7
    assert "timed as" not in cell(own, "taught", "cpu").note


def test_why_seconds_were_not_measured(tmp_path):
    failed = timing("syn", [np.nan, np.nan], status="oom", reason="no memory")
    cuda = timing("syn", [0.1], device="cuda")
    cases = [
        (timing("other", [1.0]), "cpu", "timing not run for syn"),
        (failed, "cpu", "no timed call finished: no memory"),
        (TIMES.assign(dataset="two"), "cpu", "timing not run on Real shells"),
        (cuda, "cpu", "no timing on cpu in this run"),
        (TIMES.iloc[:0], "cpu", "timing not run"),
    ]
    for number, (times, column, reason) in enumerate(cases):
        paper_run = make_run(tmp_path / str(number), [], plays={"one": "one"}, timing=times)
        assert (cell(paper_run, "plain", column).verdict, cell(paper_run, "plain", column).note) == (
            "not measured",
            reason,
        )


def test_some_timed_calls_failed(tmp_path):
    times = pd.concat([timing("syn", [2.0, 4.0]), timing("syn", [np.nan], status="oom", reason="m").iloc[1:]])
    found = cell(make_run(tmp_path, [], plays={"one": "one"}, timing=times), "plain", "cpu")
    assert (found.measured.value, found.measured.n, found.measured.failed) == (3.0, 2, 1)
    assert "1 of 3 timed calls failed" in found.note
