"""Costs at the paper's own size: seconds, sizes and ratios that no data set and no profile changes."""

from dataclasses import replace

import pandas as pd
import pytest

from reports.paper.ledger import judge
from reports.paper.page import claims
from reports.paper.tables import write_paper_tables
from tests.reports.paper.paper_inputs import (
    csv_frame,
    layout,
    make_run,
    network,
    paper_size,
    size_rows,
    timing,
    varied,
)
from tests.reports.report_inputs import HARDWARE

RATIO = {
    "number": 2,
    "caption": "Of the text.",
    "head": ["What"],
    "cells": {"dataset": "one", "statistic": "ratio", "unit": "1", "digits": 3, "method": "syn", "against": "net"},
    "columns": [{"key": "ratio", "label": "The network"}],
    "rows": [
        {
            "key": "seconds",
            "labels": ["Seconds"],
            "metric": "seconds",
            "device": "cpu",
            "claim": "Net is faster",
            "margin": "20 %",
        },
        {"key": "size", "labels": ["Size"], "metric": "parameters"},
    ],
    "readings": [{"topic": "A", "run": "b", "other": "c"}],
}
FAST, SLOW = [0.9, 1.0, 1.0, 1.1, 1.2], [3.8, 4.0, 4.0, 4.1, 4.4]
ELSEWHERE = replace(HARDWARE, cpu="Another CPU").key


def run_of(tmp_path, *frames, rows=(), plays=None, networks=(), **changes):
    toy = layout()
    toy |= {"grid": [128, 128, 128], "tables": [*toy["tables"], RATIO], **changes}
    cells = pd.concat([csv_frame(), pd.DataFrame([
        (2, "seconds", "ratio", "\N{TILDE OPERATOR} 21", "21", "1", "Section IV", ""),
        (2, "size", "ratio", "approximately 10", "10", "1", "Section IV", ""),
    ], columns=csv_frame().columns)])  # fmt: skip
    more = {"layout": toy, "cells": cells, "networks": networks, "timing": pd.concat(frames) if frames else None}
    return make_run(tmp_path, list(rows), plays={"one": "shells"} if plays is None else plays, **more)


def cells_of(paper_run):
    return {(each.cell.row.key, each.cell.column.key): each for each in judge(paper_run)}


def test_seconds_are_of_the_papers_size_whatever_plays_its_data(tmp_path):
    times = (paper_size("syn", SLOW), timing("syn", [0.1] * 5, dataset="shells"))
    networks = [network("net", "syn"), network("syn")]
    for number, plays in enumerate(({}, {"one": "shells"}, {"one": "one"})):
        found = cells_of(run_of(tmp_path / str(number), *times, plays=plays, networks=networks))
        for row in ("plain", "taught"):
            seconds = found[row, "cpu"]
            assert (seconds.measured.value, seconds.measured.n, seconds.verdict) == (4.0, 5, "other hardware")
            assert seconds.measured.low <= 4.0 <= seconds.measured.high
            assert "2 threads, 128 x 128 x 128 voxels" in seconds.note
            assert "110.3 GMAC" in seconds.note
        assert found["taught", "cpu"].measured.timed_as == "syn"
        assert found["taught", "params"].measured.value == 561_318
        assert found["taught", "params"].verdict == "agrees"


def test_a_smaller_grid_stands_in(tmp_path):
    found = cells_of(run_of(tmp_path, paper_size("syn", SLOW, grid="32x32x32")))
    assert found["plain", "cpu"].verdict == "reduced"
    assert "32 x 32 x 32 voxels" in found["plain", "cpu"].note


def test_a_method_that_was_not_timed_at_that_size_is_not_measured(tmp_path):
    times = (paper_size("syn", SLOW), timing("net", [0.1] * 5, dataset="shells"))
    found = cells_of(run_of(tmp_path, *times))
    assert found["taught", "cpu"].verdict == "not measured"
    assert found["taught", "cpu"].note == "net not timed at the paper's size"
    assert found["seconds", "ratio"].note == "net not timed at the paper's size"


def test_a_method_without_a_network_has_the_seconds_of_its_data(tmp_path):
    times = paper_size("net", FAST), timing("syn", SLOW, dataset="shells")
    paper_run = run_of(tmp_path, *times)
    found = cells_of(paper_run)["plain", "cpu"]
    assert (found.measured.value, found.measured.grid, found.verdict) == (4.0, "16x16x16", "reduced")
    assert "on the data set as this profile has it, not at the paper's size" in found.note
    [clock] = [note for note in write_paper_tables(tmp_path / "t", paper_run, judge(paper_run))[0].notes
               if note.startswith("Seconds:")]  # fmt: skip
    assert "on images drawn at random, 128 x 128 x 128 voxels, and on data of this profile (Plain, None), 16" in clock


def test_a_call_by_other_options_than_those_of_the_data_is_not_used(tmp_path):
    times = paper_size("syn", []).assign(seconds=60.0), timing("syn", SLOW, dataset="shells")
    whole = run_of(tmp_path, *times)
    assert cells_of(whole)["plain", "cpu"].measured.value == 60.0
    for adapted, seconds in ((["elsewhere"], 60.0), (["shells"], 4.0)):
        methods = {**whole.run.methods, "syn": replace(whole.run.methods["syn"], adapted=adapted)}
        assert cells_of(varied(whole, methods=methods))["plain", "cpu"].measured.value == seconds


def test_a_device_that_is_not_there_harms_no_other_row(tmp_path):
    why = {"status": "unavailable", "reason": "device cuda cannot be used: no driver", "seconds": float("nan")}
    lost = paper_size("net", [], device="cuda").assign(**why)
    found = cells_of(run_of(tmp_path, paper_size("syn", SLOW), lost))
    assert found["taught", "gpu"].note == "net was not available: device cuda cannot be used: no driver"
    assert found["plain", "cpu"].measured.value == 4.0


def test_one_call_is_called_one_call(tmp_path):
    once = paper_size("syn", []).assign(seconds=60.0)
    found = cells_of(run_of(tmp_path, once))["plain", "cpu"]
    assert (found.measured.value, found.measured.n, found.measured.once) == (60.0, 1, True)
    assert pd.isna(found.measured.low)
    assert "one call, so no interval" in found.note


def test_a_ratio_is_of_medians_on_one_machine(tmp_path):
    found = cells_of(run_of(tmp_path, paper_size("syn", SLOW), paper_size("net", FAST)))["seconds", "ratio"]
    assert found.measured.value == pytest.approx(4.0)
    assert 3.8 / 1.2 <= found.measured.low < 4.0 < found.measured.high <= 4.4 / 0.9
    assert (found.verdict, found.measured.n, found.measured.interval) == ("differs", 5, "calls")
    assert found.half_width == pytest.approx((found.judgement.estimate.high - found.judgement.estimate.low) / 2)
    assert "margin 21 ± 4.2" in found.note
    assert "printed: An abacus" in found.note
    assert "medians 4 and 1 s" in found.note


@pytest.mark.parametrize("number", [1, 4])
def test_a_ratio_of_few_calls_has_no_interval(tmp_path, number):
    times = paper_size("syn", SLOW), paper_size("net", FAST[:number])
    found = cells_of(run_of(tmp_path, *times))["seconds", "ratio"]
    assert found.measured.value == pytest.approx(4.0 / pd.Series(FAST[:number]).median())
    assert pd.isna(found.measured.low)
    assert found.verdict == "inconclusive"
    assert f"{number} calls, too few for an interval (from 5 on)" in found.note


def test_a_ratio_across_hardware_is_refused(tmp_path):
    times = paper_size("syn", SLOW), paper_size("net", FAST, hardware=ELSEWHERE)
    found = cells_of(run_of(tmp_path, *times))["seconds", "ratio"]
    assert found.verdict == "not measured"
    assert found.note == "no ratio across hardware: Some CPU, 2 threads against Another CPU, 2 threads"


def test_a_merged_table_takes_the_machine_that_both_were_timed_on(tmp_path):
    fast = paper_size("net", FAST), paper_size("net", [9.0] * 5, hardware=ELSEWHERE)
    found = cells_of(run_of(tmp_path, paper_size("syn", SLOW), *fast))
    assert found["seconds", "ratio"].measured.value == pytest.approx(4.0)
    assert "without 5 calls on other hardware" in found["taught", "cpu"].note


def test_calls_beside_other_work_are_counted(tmp_path):
    times = paper_size("syn", SLOW).assign(contended=[False, True, True, False, False, False])
    found = cells_of(run_of(tmp_path, times))["plain", "cpu"]
    assert "2 of 5 calls of syn beside other work" in found.note
    times = paper_size("syn", SLOW).assign(contended=[None, None, True, False, False, None])
    found = cells_of(run_of(tmp_path / "2", times))["plain", "cpu"]
    assert "1 of 5 calls of syn beside other work; 2 of 5 calls of syn not known to be alone" in found.note


def test_a_ratio_of_sizes_is_judged(tmp_path):
    networks = [network("syn", parameters=5_600_000), network("net")]
    found = cells_of(run_of(tmp_path, networks=networks))["size", "ratio"]
    assert found.measured.value == pytest.approx(5_600_000 / 561_318)
    assert (found.verdict, found.remark) == ("agrees", "9.977 rounds to the printed approximately 10")
    rows = size_rows("shells", "syn", 5, 50_000_000)  # on record with the registrations, without any timing
    other = cells_of(run_of(tmp_path / "2", rows=rows, networks=networks[1:]))["size", "ratio"]
    assert other.verdict == "differs"
    none = cells_of(run_of(tmp_path / "3", networks=networks[1:]))["size", "ratio"]
    assert none.note == "the size of syn at the paper's width is not on record"


def test_what_becomes_of_a_claim_is_said_in_a_sentence(tmp_path):
    slower = run_of(tmp_path, paper_size("syn", FAST), paper_size("net", SLOW))
    [said] = claims(judge(slower))
    assert said.startswith(
        "Printed is that Net is faster, \N{TILDE OPERATOR} 21 times; The network: 0.250 times here (95 %"
    )
    assert said.endswith("5 calls each, 128 x 128 x 128 voxels, 2 threads, Some CPU), so it takes 4.00 times as long.")
    [none] = claims(judge(run_of(tmp_path / "2")))
    assert none.endswith("The network: not measured, timing not run.")
